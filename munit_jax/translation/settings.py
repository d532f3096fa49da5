"""What a translation is asked for, apart from the inputs."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import jax
from jaxtyping import Float

from munit_jax.errors import ConfigError, DataError
from munit_jax.inference import TrainedRun, mean_style, random_styles, style_of
from munit_jax.networks.munit import OTHER, Domain, StyleCode
from munit_jax.translation.fits_output import MAGNETOGRAM, Product, euv_product
from munit_jax.translation.instruments import Card, Observation, Preparation, observe, prepare
from munit_jax.translation.intensity import Reference, quartiles, reference_of_training
from tfds_sdoml.sources.fits_headers import time_of
from tfds_sdoml.sources.interface import FrameError

Direction = Literal["euv_to_magnetogram", "magnetogram_to_euv"]
Inputs = Sequence[tuple[str, str]]  # name and checksum of each file
IMAGE = "image:"


@dataclass(frozen=True)
class Settings:
    """What is made of each input.

    Attributes:
        direction: from what to what.
        style: `random` (see `random_styles`), `mean` (the prior's mean, one realisation), or `image:FILE` (the style
            of a real image of the target, one realisation).
        samples: realisations of each input, with random styles.
        seed: of the random styles, which all inputs share: realisation k has one style in a whole series.
        last_seen: files of earlier magnetograms, for a run that takes them as context.
    """

    direction: str = "euv_to_magnetogram"
    style: str = "random"
    samples: int = 16
    seed: int = 0
    last_seen: tuple[Path, ...] = ()

    def __post_init__(self):
        if self.direction not in get_args(Direction):
            raise ConfigError(f"direction must be one of {', '.join(get_args(Direction))}, got {self.direction!r}")
        if self.style not in ("random", "mean") and not self.style.startswith(IMAGE):
            raise ConfigError(f"style must be random, mean or image:FILE, got {self.style!r}")
        if self.samples < 1:
            raise ConfigError(f"samples must be at least 1, got {self.samples}")

    @property
    def style_image(self) -> Path | None:
        """The file whose style is taken."""
        return Path(self.style.removeprefix(IMAGE)) if self.style.startswith(IMAGE) else None

    @property
    def source(self) -> Domain:
        """The domain that is translated."""
        return "euv" if self.direction == "euv_to_magnetogram" else "magnetogram"


def preparation(run: TrainedRun, references: Sequence[Reference] = (), table: Path | None = None) -> Preparation:
    """Return how images are prepared for a run.

    Args:
        run: its geometry is taken, and what it was trained on stands for other instruments' brightness ...
        references: ... where these do not tell it.
        table: see `Preparation`.
    """
    return Preparation(run.geometry, [*references, *reference_of_training(run.disk_percentiles)], table)


def check_taught(run: TrainedRun, settings: Settings) -> None:
    """Check that what is asked for was learnt; a run may have been trained in one direction alone.

    Raises:
        ConfigError: what was not.
    """
    target = OTHER[settings.source]
    if target not in run.objective.into:
        raise ConfigError(
            f"direction={settings.direction}: {run.name} was not trained to make {target} images; take another run, "
            "one with an adversarial, content, style or cycle weight"
        )
    if settings.style_image is not None and not run.objective.trains_style_encoders:
        raise ConfigError(
            f"style={settings.style}: {run.name} was trained with random styles alone and cannot tell that of an "
            "image; take random or mean, or a run with an image, style or cycle weight"
        )


def series_of_inputs(run: TrainedRun, settings: Settings) -> tuple[str, ...]:
    """Return the series of which each input needs an image, in the order of the networks' channels."""
    return run.channels if settings.source == "euv" else ("bz",)


def products(run: TrainedRun, settings: Settings) -> tuple[Product, ...]:
    """Return what is written for each input, in the order of the networks' channels."""
    return (MAGNETOGRAM,) if settings.source == "euv" else tuple(map(euv_product, run.channels))


def styles(run: TrainedRun, settings: Settings, how: Preparation) -> StyleCode:
    """Return the style codes of the realisations.

    Raises:
        DataError: an image of a style that cannot be read or is of something else.
    """
    if settings.style == "random":
        return random_styles(run, settings.seed, settings.samples)
    if settings.style == "mean":
        return mean_style(run)
    path, target = settings.style_image, OTHER[settings.source]
    assert path is not None
    needed = "bz" if target == "magnetogram" else run.channels[0]
    if target == "euv" and len(run.channels) > 1:
        raise ConfigError(f"style image: the run has {len(run.channels)} channels, one file cannot tell their style")
    try:
        seen = observe(path)
        if seen.series != needed:
            raise FrameError("instrument", f"it is of {seen.series}, not of {needed}")
        image = prepare(seen, how).image
    except FrameError as error:
        raise DataError(f"style image {path}: {error}") from None
    return style_of(run, target, image[None, ..., None])


def reference_of(seen: Observation, how: Preparation) -> Reference:
    """Return an image of AIA as what other instruments are calibrated by.

    Raises:
        FrameError: an image of another instrument, or one that cannot be used.
    """
    if seen.instrument != "AIA":
        raise FrameError("instrument", f"it is of {seen.instrument}: give images of AIA")
    return Reference(seen.series, time_of(seen.header), quartiles(prepare(seen, how).image), seen.name)


def recipe(
    run: TrainedRun, settings: Settings, how: Preparation, styles: StyleCode, inputs: Inputs, past: Inputs = ()
) -> str:
    """Return a checksum of all that an output depends on; `past` are the earlier magnetograms."""
    asked = asdict(settings)
    del asked["last_seen"]  # the files' names and checksums stand for it
    everything: dict[str, Any] = {
        "parameters": run.parameters_sha256,
        "config": run.config_sha256,
        "size": run.size,
        "settings": asked,
        "styles": jax.device_get(styles).tolist(),
        "references": list(how.references),
        "degradation": how.degradation_table and file_sha256(how.degradation_table),
        "inputs": list(inputs),
        **({"past": list(past)} if past else {}),
    }
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def provenance(
    run: TrainedRun,
    settings: Settings,
    inputs: Inputs,
    treatments: Sequence[Sequence[Card]],
    recipe: str,
    styles: Float[jax.Array, "n s"],
    past: Inputs = (),
) -> list[Card]:
    """Return the cards that say how an output was made; `past` are the earlier magnetograms."""
    image = settings.style_image
    cards: list[Card] = [
        ("MJRUN", run.name, "folder of the training run"),
        ("MJSTEP", run.step, "training step of the checkpoint"),
        ("MJSIZE", run.size, "[pixel] across the networks' images"),
        ("MJDIRECT", settings.direction, ""),
        ("MJSTYLE", settings.style if image is None else IMAGE + image.name, "where the styles come from"),
        ("MJSAMPLE", len(styles), "realisations"),
        ("MJSEED", settings.seed, "of the random styles"),
        ("MJPARAM", run.parameters_sha256, ""),
        ("MJCONFIG", run.config_sha256, ""),
        ("MJRECIPE", recipe, ""),
        ("JAXVERS", jax.__version__, ""),
    ]
    for number, (name, checksum) in enumerate(past, 1):
        cards += [(f"MJPAST{number}", name, "earlier magnetogram"), (f"MJPASH{number}", checksum, "")]
    for number, ((name, checksum), treatment) in enumerate(zip(inputs, treatments, strict=True), 1):
        cards += [(f"MJFILE{number}", name, "input"), (f"MJINSH{number}", checksum, "")]
        cards += [(f"{key}{number}", value, comment) for key, value, comment in treatment]
    return cards
