"""A trained run ready for use: a run's folder -> encode, decode, translate in physical units.

Nothing is needed but the folder: its config.json has the networks' sizes, channels and scaling, images.json the size
and brightness of the images that they saw, its checkpoints the weights, of which the moving average of the generators
alone is read.

The networks saw images in SDOML's geometry (`munit_jax.sun.disk.sdoml_geometry`), as all datasets of `tfds_sdoml`
have it; crops and flips of training do not change the scale.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from munit_jax import configuration
from munit_jax.configuration import Config
from munit_jax.data.context import Earlier, Past, context_of
from munit_jax.data.normalization import Normalization, denormalize, normalize
from munit_jax.errors import ConfigError, WorkdirError
from munit_jax.networks import munit
from munit_jax.networks.conditioning import Context
from munit_jax.networks.munit import (
    OTHER,
    Architecture,
    ContentCode,
    Domain,
    Params,
    StyleCode,
    draw_style,
    encode_content,
    encode_style,
    generator_shapes,
    realisations,
)
from munit_jax.sun.disk import DiskGeometry, sdoml_geometry
from munit_jax.training.checkpoints import load_generators
from munit_jax.training.checksum import sha256
from munit_jax.training.objectives import Objective

# An accelerator decodes this many pixels at once: four images of 512, one of 1024. One of 512, full width and float32,
# takes 0.3 GB (XLA's account of the program for CPUs with direct convolutions).
PIXELS_AT_ONCE = 4 * 512**2


class Translate(Protocol):
    """The compiled translation of images into realisations, both in physical units."""

    def __call__(
        self,
        images: Float[np.ndarray, "b h w c"],
        styles: StyleCode,
        contexts: Float[np.ndarray, "b h w k"] | None = None,
    ) -> Float[Array, "b n h w c2"]:
        """Translate with styles of the target, and the contexts of the images where the run takes them."""
        ...


@dataclass(frozen=True)
class TrainedRun:
    """The generators of a run, with all that is needed to use them.

    Attributes:
        name: of the run's folder.
        step: of the checkpoint.
        channels: the EUV channels, in their order.
        size: width and height of the images that the networks saw, in pixels.
        architecture: sizes of the networks and how they are computed here.
        objective: what they were trained for.
        generators: the moving average of the generators' parameters.
        normalizations: of each domain, between physical units and [-1, 1].
        parameters_sha256, config_sha256: checksums.
        disk_percentiles: of the training's disks by series, DN/s or gauss; see `data.datasets.describe_images`.
        config: of the training.
    """

    name: str
    step: int
    channels: tuple[str, ...]
    size: int
    architecture: Architecture
    objective: Objective
    generators: Params
    normalizations: Mapping[str, Normalization]
    parameters_sha256: str
    config_sha256: str
    disk_percentiles: Mapping[str, Mapping[str, float]]
    config: Config

    @property
    def geometry(self) -> DiskGeometry:
        """Where the Sun was in the images of the training."""
        return sdoml_geometry(self.size)

    @property
    def planes(self) -> tuple[str, ...]:
        """The planes of context that the decoders take, see `munit_jax.data.context`."""
        return configuration.context_planes(self.config)

    def context(
        self, geometry: DiskGeometry, time: float, past: Past | None = None, gap_days: float = 0.0
    ) -> Float[np.ndarray, "h w k"] | None:
        """Return the context of an image, None if the decoders take none; raises as `context_of`.

        Args:
            geometry: of the image; where the Sun is in it must be as in `geometry`.
            time: seconds since 1970.
            past: earlier magnetograms, None for none.
            gap_days: between the image and the latest of them that may be used.
        """
        earlier = None if past is None else Earlier(past, gap_days, self.normalizations["magnetogram"])
        return context_of(self.planes, geometry, time, earlier)


def open_run(
    workdir: Path, checkpoint: str | int = "best", *, size: int | None = None, convolution: str = "auto"
) -> TrainedRun:
    """Read a run's folder.

    Args:
        workdir: the folder that training left.
        checkpoint: `best` by the held-out score, `latest`, or the number of a step.
        size: pixels across the images to translate; None for what the networks saw in training.
        convolution: how convolutions are computed; `auto` chooses by this device, not by that of the training.

    Raises:
        WorkdirError: no such run or checkpoint.
        ConfigError: a size that cannot be.
    """
    text, images = _read(workdir, "config.json"), json.loads(_read(workdir, "images.json"))
    config: Config = ConfigDict(json.loads(text))
    if convolution not in configuration.CONVOLUTIONS:
        raise ConfigError(f"convolution must be one of {', '.join(configuration.CONVOLUTIONS)}, got {convolution!r}")
    config.convolution = convolution
    if config.dtype == "float64":  # single precision is enough to translate
        config.dtype = "float32"
    config = configuration.with_convolution(config, jax.local_devices()[0].platform)
    architecture = replace(configuration.architecture(config), recompute="nothing")  # there is no backward pass
    size = size or int(images["size"])
    if size % architecture.size_divisor or size < architecture.smallest_size:
        raise ConfigError(
            f"size={size}: the networks need a multiple of {architecture.size_divisor}, "
            f"at least {architecture.smallest_size}"
        )
    which = int(checkpoint) if str(checkpoint).isdigit() else checkpoint
    step, generators = load_generators(workdir, which, generator_shapes(architecture))
    return TrainedRun(
        name=workdir.absolute().name,
        step=step,
        channels=tuple(config.data.channels),
        size=size,
        architecture=architecture,
        objective=configuration.objective(config),
        generators=generators,
        normalizations=configuration.normalizations(config),
        parameters_sha256=sha256(generators),
        config_sha256=hashlib.sha256(text.encode()).hexdigest(),
        disk_percentiles=images["disk_percentiles"],
        config=ConfigDict(json.loads(text)),
    )


def _read(workdir: Path, name: str) -> str:
    """Return a JSON file of a run's folder as text."""
    try:
        text = (workdir / name).read_text()
        json.loads(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WorkdirError(f"no run in {workdir}: {name}: {reason}; give --workdir as training had it") from None
    return text


def encode(run: TrainedRun, domain: Domain, images: Float[Any, "b h w c"]) -> ContentCode:
    """Return the content code of images in DN/s (`euv`) or gauss (`magnetogram`)."""

    @jax.jit
    def apply(generators: Params, images: Float[Array, "b h w c"]) -> ContentCode:
        return encode_content(run.architecture, generators, domain, normalize(run.normalizations[domain], images))

    return apply(run.generators, images)


def decode(
    run: TrainedRun, domain: Domain, content: ContentCode, styles: StyleCode, context: Context | None = None
) -> Float[Array, "b h w c"]:
    """Return images in DN/s or gauss of content codes with styles of the domain, and the images' contexts, one each."""

    @jax.jit
    def apply(
        generators: Params, content: ContentCode, styles: StyleCode, context: Context | None
    ) -> Float[Array, "b h w c"]:
        images = munit.decode(run.architecture, generators, domain, content, styles, context)
        return denormalize(run.normalizations[domain], images)

    return apply(run.generators, content, styles, context)


def style_of(run: TrainedRun, domain: Domain, images: Float[Any, "b h w c"]) -> StyleCode:
    """Return the style codes of images in DN/s or gauss."""

    @jax.jit
    def apply(generators: Params, images: Float[Array, "b h w c"]) -> StyleCode:
        return encode_style(run.architecture, generators, domain, normalize(run.normalizations[domain], images))

    return apply(run.generators, images)


def random_styles(run: TrainedRun, seed: int, count: int) -> StyleCode:
    """Return `count` styles drawn from N(0, s^2 I), s the run's `style_spread`, the same for a seed and a count."""
    return draw_style(run.architecture, jax.random.key(seed), count, configuration.style_spread(run.config))


def mean_style(run: TrainedRun) -> StyleCode:
    """Return the mean of the styles' prior, the zero vector, as one style."""
    return jnp.zeros((1, run.architecture.style_size))


def together(run: TrainedRun, count: int) -> tuple[int, int]:
    """Return how many images, and how many of the `count` realisations of each, a device should do in one pass.

    One by one on CPUs, whose cores one image fills; up to PIXELS_AT_ONCE elsewhere.
    """
    if jax.local_devices()[0].platform == "cpu":
        return 1, 1
    fit = max(1, PIXELS_AT_ONCE // run.size**2)
    return max(1, fit // count), min(fit, count)


def make_translate(run: TrainedRun, source: Domain, at_once: int = 1) -> Translate:
    """Return the compiled translation from a domain to the other: each image is encoded once, decoded with each style.

    Args:
        run: the generators.
        source: what is translated, images in DN/s (`euv`) or gauss (`magnetogram`).
        at_once: realisations of an image that are decoded in one pass; memory grows with it.
    """

    @jax.jit
    def translate(
        generators: Params,
        images: Float[Array, "b h w c"],
        styles: Float[Array, "n s"],
        contexts: Float[Array, "b h w k"] | None,
    ) -> Float[Array, "b n h w c2"]:
        def one(image: Float[Array, "h w c"], context: Float[Array, "h w k"] | None) -> Float[Array, "n h w c2"]:
            planes = None if context is None else context[None]
            return realisations(run.architecture, generators, source, image[None], styles, at_once, planes)

        inputs = normalize(run.normalizations[source], images), contexts
        single = len(images) == 1
        translated = one(*jax.tree.map(lambda x: x[0], inputs))[None] if single else jax.vmap(one)(*inputs)
        return denormalize(run.normalizations[OTHER[source]], translated)

    return lambda images, styles, contexts=None: translate(run.generators, images, styles, contexts)
