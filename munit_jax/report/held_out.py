"""The held-out frames that are evaluated, each with its baselines."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int
from tqdm import tqdm

from munit_jax.data.context import Past
from munit_jax.data.datasets import Frames, Watch, geometry_of, spaced
from munit_jax.data.normalization import Normalization
from munit_jax.data.pipeline import DataSettings, FrameContext, archive_of, context_of_scored, no_context
from munit_jax.errors import DataError
from munit_jax.metrics.baselines import (
    BASELINES,
    Climate,
    another_date,
    day_before,
    digest,
    earlier_field,
    learn_climate,
    without_others,
)
from munit_jax.metrics.strata import strata_by_place
from munit_jax.report.file_pairs import FilePairs
from munit_jax.report.settings import Settings
from munit_jax.sun.constants import SOLAR_RADIUS_CM
from munit_jax.trained_run import TrainedRun

# Single magnetograms, scored too. `model_mean`: the mean of the realisations; `model_own_style`: the translation with
# the style of the true magnetogram, a bound for what a style can do, not a prediction.
SINGLES = ("model_mean", "model_own_style", *BASELINES)
COLUMNS = ("model", *SINGLES)


@dataclass(frozen=True)
class Dates:
    """Times of the frames of a split (seconds since 1970) and checksums of their magnetograms."""

    times: Int[np.ndarray, " frame"]
    digests: tuple[bytes, ...]

    @property
    def sha256(self) -> str:
        """Checksum of both."""
        return hashlib.sha256(self.times.tobytes() + b"".join(self.digests)).hexdigest()


def read_dates(frames: Frames | FilePairs, watch: Watch = iter) -> Dates:
    """Read the dates of a split, of which only the magnetograms are needed."""
    read = (frames[i] for i in watch(range(len(frames))))
    times, digests = zip(*((int(frame["time"]), digest(frame["magnetogram"][..., 0])) for frame in read), strict=True)
    return Dates(np.array(times, np.int64), digests)


@dataclass
class HeldOutFrames:
    """The frames of a split that are evaluated, in the order of time, with the magnetograms that need no network."""

    frames: Frames | FilePairs  # of the split
    dates: Dates  # of all of them
    climate: Climate  # of the training split
    euv: Normalization  # of its images
    numbers: Sequence[int]  # of the frames that are evaluated
    context: FrameContext = no_context
    past: Past | None = None  # earlier magnetograms, where the networks take them

    def __post_init__(self):
        self.numbers = sorted(self.numbers, key=lambda i: self.dates.times[i])
        self.times = self.dates.times[self.numbers]
        self._before, self._other = day_before(self.dates.times), another_date(self.dates.digests)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, k: int) -> dict[str, Any]:
        """Return the k-th frame as `measurement.make_measure` takes it."""
        i = self.numbers[k]
        frame = self.frames[i]
        true = frame["magnetogram"][..., 0]
        before, other = self._before[i], self._other[i]
        fields = without_others(self.climate, self.euv, frame)
        missing = np.full_like(true, np.nan)
        rotated = missing if before is None else earlier_field(self.frames[before], frame)
        shuffled = missing if other is None else self.frames[other]["magnetogram"][..., 0]
        fields |= {"day_before": (rotated, np.abs(rotated)), "shuffled": (shuffled, np.abs(shuffled))}
        # The EUV proxy, which has no sign, has |B| at least.
        known = {name: not all(np.isnan(field).all() for field in fields[name]) for name in BASELINES}
        geometry, context = geometry_of(frame), self.context(frame)
        return ({} if context is None else {"context": context}) | {
            "euv": frame["euv"],
            "true": true,
            "places": strata_by_place(geometry) & frame.get("seen", np.True_),
            "signed": np.stack([fields[name][0] for name in BASELINES]),
            "unsigned": np.stack([fields[name][1] for name in BASELINES]),
            "available": np.array([known.get(name, True) for name in SINGLES]),
            "square_centimetres": np.float64((SOLAR_RADIUS_CM / geometry.solar_radius) ** 2),
        }


def data_of(run: TrainedRun, settings: Settings) -> DataSettings:
    """Return the run's data in the folder of the settings."""
    data = run.config.data
    return data if settings.data_dir is None else replace(data, data_dir=settings.data_dir)


def scored_data(run: TrainedRun, settings: Settings) -> DataSettings:
    """Return the data that are evaluated: the run's, or another dataset."""
    data, name = data_of(run, settings), settings.dataset
    return data if name is None else replace(data, euv=name, magnetogram=name)


def open_frames(data: DataSettings, split: str, *more: str) -> Frames:
    """Return the frames of a split with both domains, and more features."""
    return Frames(data.euv, split, ("euv", "magnetogram", *more), data.channels, data.data_dir)


def open_held_out(run: TrainedRun, settings: Settings, like: HeldOutFrames | None = None) -> HeldOutFrames:
    """Open the frames of the split, or pairs of files, and learn the baselines from the run's training split.

    Raises:
        DataError: a dataset without simultaneous magnetograms, without the split or of another size than the run's
            images; other frames than those of another run, `like`; see `FilePairs`.
    """
    data, scored = data_of(run, settings), scored_data(run, settings)
    if not data.paired:
        raise DataError(
            f"{run.name} was trained on {data.euv} and {data.magnetogram}, which are not simultaneous: there is no "
            "true magnetogram to compare with"
        )
    if like is not None and settings.pairs is None and like.frames.name != scored.euv:
        raise DataError(
            f"{run.name} was trained on {data.euv}, the other run on {like.frames.name}: compare runs on one dataset"
        )
    frames = (
        open_frames(scored, settings.split)
        if settings.pairs is None
        else FilePairs(run, settings.pairs, settings.scale_to)
    )
    train = open_frames(data, "train")
    if not len(frames) or not len(train):
        have = ", ".join(split for split in ("train", "validation", "test") if len(open_frames(scored, split)))
        raise DataError(
            f"{frames.name} has no frames in the split {settings.split!r}, or none to learn baselines from "
            f"in {data.euv}: it has {have}"
        )
    if frames.size != run.size:
        raise DataError(
            f"{frames.name} has images of {frames.size} pixels, {run.name} was trained on {run.size}: build it with "
            f"--size={run.size}"
        )
    bar = partial(tqdm, unit="frame", dynamic_ncols=True, leave=False)
    magnetograms = frames
    if isinstance(frames, Frames):
        magnetograms = Frames(scored.euv, settings.split, ("magnetogram",), data.channels, data.data_dir)
    dates = read_dates(magnetograms, partial(bar, desc="dates"))
    if like is not None and (frames.size, dates.sha256) != (like.frames.size, like.dates.sha256):
        raise DataError(
            f"{frames.name} of {run.name} has other frames than that of the other run: compare runs on one dataset"
        )
    euv, past = run.translator.euv, archive_of(scored)
    climate = learn_climate(train, euv, partial(bar, desc="training frames, for the baselines"))
    numbers = list(spaced(len(frames), settings.limit))
    return HeldOutFrames(frames, dates, climate, euv, numbers, context_of_scored(scored, past), past)
