"""A trained run, read from its folder and ready to translate images in physical units."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from munit_jax import config, pretrained
from munit_jax.data.context import Earlier, Past, context_of
from munit_jax.errors import ConfigError, WorkdirError
from munit_jax.field_strength import STRENGTH, FieldStrength, feature_count
from munit_jax.networks.munit import OTHER, Architecture, Domain, Params, StyleCode, draw_style, generator_shapes
from munit_jax.sun.disk import DiskGeometry, sdoml_geometry
from munit_jax.training import packaged
from munit_jax.training.checkpoints import LoadedGenerators, load_generators, sha256
from munit_jax.training.objectives import Objective
from munit_jax.training.settings import RunConfig
from munit_jax.training.step import style_keys
from munit_jax.translator import PIXELS_A_PASS, Translator


@dataclass(frozen=True)
class TrainedRun:
    """The generators of a run, with all that is needed to use them.

    The networks saw images in SDOML's geometry (`munit_jax.sun.disk.sdoml_geometry`), as all datasets have it; crops
    and flips in training do not change the scale.
    """

    name: str  # of its folder, `pretrained/NAME` of weights that come with the package
    step: int  # of the checkpoint
    size: int  # width and height of the images to translate, in pixels
    config: RunConfig
    translator: Translator
    generators: Params  # the moving average; of weights that come with the package only the networks it trained
    parameters_sha256: str
    config_sha256: str
    disk_percentiles: Mapping[str, Mapping[str, float]]  # by series, DN/s or gauss; see `datasets.describe_images`

    @property
    def channels(self) -> tuple[str, ...]:
        """The EUV channels, in their order."""
        return self.config.data.channels

    @property
    def architecture(self) -> Architecture:
        """Sizes of the networks and how they are computed here."""
        return self.translator.architecture

    @property
    def geometry(self) -> DiskGeometry:
        """Where the Sun is in the images."""
        return sdoml_geometry(self.size)

    def context(
        self, geometry: DiskGeometry, time: float, past: Past | None = None, gap_days: float = 0.0
    ) -> Float[np.ndarray, "h w k"] | None:
        """Return the planes of an image at `time` (seconds since 1970), see `context_of`; None if there are none.

        The latest of the earlier magnetograms that may be used is `gap_days` before the image.
        """
        earlier = None if past is None else Earlier(past, gap_days)
        return context_of(self.config.data.context, geometry, time, earlier)

    def translate(
        self,
        images: Float[Any, "b h w c"],
        styles: Float[Any, "n s"],
        contexts: Float[Any, "b h w k"] | None = None,
        source: Domain = "euv",
        a_pass: int = 1,
    ) -> Float[Array, "b n h w c2"]:
        """Return every image with every style; see `Translator.translate`.

        ConfigError for a direction that the run was not trained for.
        """
        self.check_makes(OTHER[source])
        return self.translator.translate(self.generators, images, styles, contexts, source, a_pass)

    def check_makes(self, target: Domain) -> None:
        """Refuse (ConfigError) to make images of a domain that the networks did not learn to make."""
        if target not in self.config.recipe.objective.into:
            raise ConfigError(
                f"direction={OTHER[target]}_to_{target}: {self.name} was not trained to make {target} images; take "
                "another run, one with an adversarial, content, style or cycle weight"
            )

    def random_styles(self, seed: int, count: int) -> StyleCode:
        """Return `count` styles drawn from N(0, s^2 I), s the run's `style_spread`, the same for a seed and a count."""
        return draw_style(self.architecture, style_keys(jax.random.key(seed)).run, count, self.config.run.style_spread)

    def mean_style(self) -> StyleCode:
        """Return the mean of the styles' prior, the zero vector, as one style."""
        return jnp.zeros((1, self.architecture.style_size))

    def batch_and_pass(self, count: int) -> tuple[int, int]:
        """Return how many images, and how many of the `count` realisations of each, a device should do in one pass.

        One by one on CPUs, whose cores one image fills; up to PIXELS_A_PASS elsewhere.
        """
        if jax.local_devices()[0].platform == "cpu":
            return 1, 1
        fit = max(1, PIXELS_A_PASS // self.size**2)
        return max(1, fit // count), min(fit, count)


def open_run(
    workdir: Path | str, checkpoint: str | int = "best", *, size: int | None = None, convolution: str = "auto"
) -> TrainedRun:
    """Read a run's folder: config.json, images.json and a checkpoint.

        >>> run = munit_jax.open_run(workdir)
        >>> styles = run.random_styles(seed=0, count=16)
        >>> magnetograms = run.translate(euv, styles)  # DN/s to gauss, in the geometry of the training
        >>> magnetograms.shape  # image, realisation, row, column, channel
        (1, 16, 16, 16, 1)

    The checkpoint is `best` by the validation score, `latest`, or the number of a step; the size that of the images to
    translate in pixels, None for that of the training; `auto` chooses the convolution by this device.

    Raises:
        WorkdirError: no such run or checkpoint.
        ConfigError: a size that cannot be.
    """
    workdir = Path(workdir)
    which = int(checkpoint) if str(checkpoint).isdigit() else checkpoint
    return _open(
        workdir,
        workdir.absolute().name,
        lambda _, shapes: load_generators(workdir, which, shapes),
        size,
        convolution,
        mend="give --workdir as training had it",
    )


def load_pretrained(name: str = "aia193", *, size: int | None = None, convolution: str = "auto") -> TrainedRun:
    """Read weights that come with the package; otherwise as `open_run`.

        >>> run = munit_jax.load_pretrained("aia193")
        >>> run.name
        'pretrained/aia193'

    Raises:
        WorkdirError: there are none of that name, or they cannot be read.
        ConfigError: a size that cannot be.
    """
    folder = pretrained.folder_of(name)
    return _open(
        folder,
        f"pretrained/{name}",
        lambda objective, shapes: packaged.read_generators(folder, objective.used_of(shapes)),
        size,
        convolution,
        mend="install munit_jax again",
    )


def _open(
    folder: Path,
    name: str,
    load: Callable[[Objective, Params], LoadedGenerators],
    size: int | None,
    convolution: str,
    mend: str,
) -> TrainedRun:
    """Return the run of a folder, whose generators `load` returns, by their objective and shapes."""
    text, images = _read(folder, "config.json", mend), json.loads(_read(folder, "images.json", mend))
    source = json.loads(text) | {"convolution": convolution}
    if source["dtype"] == "float64":  # single precision is enough to translate
        source["dtype"] = "float32"
    run_config = config.parse(source, platform=jax.local_devices()[0].platform)
    architecture = replace(run_config.recipe.architecture, recompute="nothing")  # there is no backward pass
    size = int(images["size"]) if size is None else size
    if size % architecture.size_divisor or size < architecture.smallest_size:
        raise ConfigError(
            f"size={size}: the networks need a multiple of {architecture.size_divisor}, "
            f"at least {architecture.smallest_size}"
        )
    strength = None
    if exponent := run_config.run.strength_from_brightness:
        strength = _read_strength(folder, architecture.euv_channels, exponent, mend)
    step, generators = load(run_config.recipe.objective, generator_shapes(architecture))
    return TrainedRun(
        name=name,
        step=step,
        size=size,
        config=run_config,
        translator=Translator(architecture, **run_config.data.normalization, strength=strength),
        generators=generators,
        parameters_sha256=sha256(generators),
        config_sha256=hashlib.sha256(text.encode()).hexdigest(),
        disk_percentiles=images["disk_percentiles"],
    )


def _read_strength(folder: Path, channels: int, exponent: float, mend: str) -> FieldStrength:
    """Return the regression of a run's folder, with the exponent of its config.json."""
    content = json.loads(_read(folder, STRENGTH, mend))
    try:
        strength = FieldStrength(float(content["offset"]), tuple(map(float, content["weights"])), exponent)
        if len(strength.weights) != (expected := feature_count(channels)):
            raise ValueError(f"{len(strength.weights)} weights, expected {expected}")
    except (KeyError, TypeError, ValueError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise WorkdirError(f"no run in {folder}: {STRENGTH}: {reason}; {mend}") from None
    return strength


def _read(folder: Path, name: str, mend: str) -> str:
    """Return a JSON file of a run's folder as text."""
    try:
        text = (folder / name).read_text()
        if not isinstance(json.loads(text), dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WorkdirError(f"no run in {folder}: {name}: {reason}; {mend}") from None
    return text
