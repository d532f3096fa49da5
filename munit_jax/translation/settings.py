"""The settings of a translation, and the files that they name in addition to the inputs."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from munit_jax.data.context import Magnetogram, Past, past_from
from munit_jax.errors import ConfigError, DataError
from munit_jax.instruments.aia import AIA
from munit_jax.instruments.calibration import Reference, quartiles, reference_of_training
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import time_of
from munit_jax.instruments.interface import Observation, Preparation, Scale
from munit_jax.instruments.telescopes import observe, prepare
from munit_jax.instruments.view import heliographic_view, view_cards
from munit_jax.networks.munit import OTHER, Domain, StyleCode
from munit_jax.trained_run import TrainedRun

Direction = Literal["euv_to_magnetogram", "magnetogram_to_euv"]
IMAGE = "image:"


@dataclass(frozen=True)
class Settings:
    """What is made of each input; ConfigError for a value that cannot be.

    Attributes:
        style: `random` (see `TrainedRun.random_styles`), `mean` (the prior's mean, one realisation), or `image:FILE`
            (the style of a real image of the target, one realisation).
        samples: realisations of each input, with random styles.
        seed: of the random styles, which all inputs share: realisation k has one style in a whole series.
        last_seen: files of earlier magnetograms, for a run that takes them as context.
        force: translate images that are unlike those of the training, with a warning.
    """

    direction: str = "euv_to_magnetogram"
    style: str = "random"
    samples: int = 16
    seed: int = 0
    last_seen: tuple[Path, ...] = ()
    force: bool = False

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

    @property
    def target(self) -> Domain:
        """The domain that is made."""
        return OTHER[self.source]


def preparation(
    run: TrainedRun, references: Sequence[Reference] = (), table: Path | None = None, scale_to: Scale = "none"
) -> Preparation:
    """Return how images are prepared for a run: calibrated by the references, otherwise by its training images."""
    return Preparation(run.geometry, [*references, *reference_of_training(run.disk_percentiles)], table, scale_to)


def series_of(run: TrainedRun, domain: Domain) -> tuple[str, ...]:
    """Return the series of a domain's images, in the order of the networks' channels: `0193` and the like, or `bz`."""
    return run.channels if domain == "euv" else ("bz",)


def check_trained(run: TrainedRun, settings: Settings) -> None:
    """Refuse (ConfigError) a direction or kind of style that a run was not trained for."""
    run.check_makes(settings.target)
    if settings.style_image is not None and not run.config.recipe.objective.trains_style_encoders:
        raise ConfigError(
            f"style={settings.style}: {run.name} was trained with random styles alone and cannot encode that of an "
            "image; take random or mean, or a run with an image, style or cycle weight"
        )


def styles(run: TrainedRun, settings: Settings, how: Preparation) -> StyleCode:
    """Return the style codes of the realisations.

    ConfigError for a style image where there are several channels, DataError for one that cannot be used.
    """
    if settings.style_image is None:
        return run.random_styles(settings.seed, settings.samples) if settings.style == "random" else run.mean_style()
    series, *others = series_of(run, settings.target)
    if others:
        raise ConfigError(f"style image: the run has {1 + len(others)} channels, but one file has the style of one")
    with _named("style image", settings.style_image):
        image = prepare(_observe(settings.style_image, series), how).image
    return run.translator.style_of(run.generators, settings.target, image[None, ..., None])


def past_of(paths: Sequence[Path], how: Preparation) -> Past:
    """Return files of earlier magnetograms as a `Past`, in the geometry of the training; DataError for a bad file."""
    magnetograms: list[Magnetogram] = []
    for path in paths:
        with _named("last_seen", path):
            seen = _observe(path, "bz")
            geometry = heliographic_view(view_cards(seen.header), how.geometry)
            magnetograms.append((prepare(seen, how).image, geometry, float(time_of(seen.header))))
    return past_from([time for *_, time in magnetograms], magnetograms.__getitem__)


def reference_of(path: Path, how: Preparation) -> Reference:
    """Return an AIA image as the reference by which other instruments are calibrated; DataError for a bad file."""
    with _named("calibrate_to", path):
        seen = observe(path)
        if seen.telescope is not AIA:
            raise FrameError("instrument", f"it is of {seen.telescope.name}: give images of AIA")
        image = prepare(seen, replace(how, references=())).image  # as bright as it is
        return Reference(seen.series, time_of(seen.header), quartiles(image), seen.name)


def file_sha256(path: Path) -> str:
    """Return the checksum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _observe(path: Path, series: str) -> Observation:
    seen = observe(path)
    if seen.series != series:
        raise FrameError("instrument", f"it is of {seen.series}, not of {series}")
    return seen


@contextmanager
def _named(setting: str, path: Path) -> Iterator[None]:
    """Turn a FrameError into a DataError that names the setting and its file."""
    try:
        yield
    except FrameError as error:
        raise DataError(f"{setting}: {path}: {error}") from None
