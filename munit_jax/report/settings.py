"""The settings of an evaluation, validated before any work is done."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from munit_jax.errors import ConfigError
from munit_jax.instruments.interface import Scale
from munit_jax.pfss.harmonics import Grid, Transform, make_transform
from munit_jax.pfss.model import ModelSettings
from munit_jax.pfss.wind import CURRENT_SHEET_END


@dataclass(frozen=True)
class CoronaSettings:
    """How coronae are compared: of at most `frames`, evenly spaced (0 for all), and `samples` realisations of each.

    Maps have twice as many columns as rows, and harmonics up to the degree `lmax`. Raises as `make_transform`;
    ConfigError for the wind at the Earth from a source surface that is beyond the end of the current sheet.
    """

    frames: int = 10
    samples: int = 4
    rows: int = 180
    lmax: int = 60
    model: ModelSettings = field(default_factory=ModelSettings)
    earth: bool = False  # follow the wind of far sides to the Earth, by HUXt
    transform: Transform = field(init=False, repr=False, compare=False)  # the tables of the maps

    def __post_init__(self):
        object.__setattr__(self, "transform", make_transform(Grid(self.rows, 2 * self.rows), self.lmax))
        if self.earth and self.model.rss >= CURRENT_SHEET_END:
            raise ConfigError(f"earth begins at {CURRENT_SHEET_END} solar radii, rss={self.model.rss} is not below")


@dataclass(frozen=True)
class PairSettings:
    """Files to evaluate: images, true magnetograms, and how far apart in time and place two of a pair may be."""

    images: tuple[Path, ...]
    truth: tuple[Path, ...]
    hours: float = 6.0
    degrees: float = 10.0

    def __post_init__(self):
        if not self.images or not self.truth:
            raise ConfigError("images and truth: give both, or neither for the run's own dataset")
        if self.hours < 0 or self.degrees < 0:
            raise ConfigError(f"pair_hours={self.hours:g} and pair_degrees={self.degrees:g} must not be negative")


@dataclass(frozen=True)
class Settings:
    """What is evaluated; ConfigError for a value that is out of range."""

    split: str = "test"
    samples: int = 16  # realisations of each frame
    limit: int = 0  # frames, evenly spaced; 0 for all
    seed: int = 0  # of the styles, the same for all frames, and of the resampling
    show: tuple[str, ...] = ()  # times of frames to draw, ISO 8601; the nearest are taken
    data_dir: str | None = None  # the datasets' folder, None for that of the training
    corona: CoronaSettings | None = None
    background: tuple[str, ...] = ()  # see `backgrounds.open_background`
    dataset: str | None = None  # that is evaluated, None for the run's own
    pairs: PairSettings | None = None  # files that are evaluated instead of a dataset
    scale_to: Scale = "none"  # of true magnetograms of files and of the background

    def __post_init__(self):
        if self.samples < 2:
            raise ConfigError(f"samples={self.samples}: give at least 2, an ensemble is scored")
        if self.limit < 0:
            raise ConfigError(f"limit={self.limit}: give a number of frames, or 0 for all")
        if self.corona is not None and not 1 <= self.corona.samples <= self.samples:
            raise ConfigError(f"corona_samples={self.corona.samples}: give 1 to samples={self.samples}")
        if self.corona is not None and self.corona.frames < 0:
            raise ConfigError(f"corona_frames={self.corona.frames}: give a number of frames, or 0 for all")
        if self.background and self.corona is None:
            raise ConfigError("background is for the corona: give --corona too")
        if self.dataset is not None and self.pairs is not None:
            raise ConfigError("dataset and images: give one of them")
        for time in self.show:
            try:
                datetime.fromisoformat(time)
            except ValueError:
                raise ConfigError(f"show={time!r}: give a time such as 2012-11-03T12:00") from None
