"""An evaluation from a run's folder to metrics.json, frames.csv and report.html."""

import hashlib
import logging
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from tqdm import tqdm

import munit_jax
from munit_jax.data.context import Past
from munit_jax.data.datasets import Frames, dataset_statistics, format_time, geometry_of, spaced
from munit_jax.data.pipeline import SCORED_GAP, DataSettings, archive_of, context_of_scored
from munit_jax.errors import DataError, WorkdirError
from munit_jax.files import write_json, write_text
from munit_jax.metrics.baselines import Climate, learn_climate
from munit_jax.report.backgrounds import SURFACE, Background, open_background
from munit_jax.report.corona_frames import Translate
from munit_jax.report.corona_section import CoronaPart, Looked, measure_corona
from munit_jax.report.measurement import Assessment, Held, assess, look, make_measure
from munit_jax.report.parts import Parts
from munit_jax.report.pictures import Picture, worst
from munit_jax.report.report import report
from munit_jax.report.results import findings, frames_csv, metrics_json, per_frame, without_nan
from munit_jax.report.settings import Settings
from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import DiskGeometry
from munit_jax.trained_run import TrainedRun

FOLDER = "evaluation"  # of a run's folder
PARTS = "parts"  # of that
SHOWN = 3  # frames evenly spaced, and as many of the worst
WORST_BY = "abs_correlation"
SMALL = 128  # pixels: up to here all realisations of an image are decoded in one pass, on CPUs too

logger = logging.getLogger(__name__)


def evaluate(run: TrainedRun, settings: Settings, folder: Path, compared: TrainedRun | None = None) -> dict[str, Any]:
    """Evaluate a run, leave report.html, metrics.json and frames.csv in a folder, and return the metrics.

    An evaluation that was stopped goes on where it was; see `Parts`.

    Args:
        run: the generators, for images of the size of their training.
        settings: what is evaluated.
        folder: is made.
        compared: another run, whose scores on the disk stand beside; of the same dataset.

    Raises:
        DataError: a dataset without simultaneous magnetograms or without the split; two runs on different data; a
            background that cannot be read.
        ConfigError: see `Settings`, `Frames` and `open_background`.
        WorkdirError: a folder that cannot be made.
    """
    held = _held(run, settings)
    other_held = None if compared is None else _held(compared, settings, held)
    background = None if settings.corona is None else _background(held, settings)
    _make(folder)
    assessment = _assess(run, held, settings, folder / PARTS)
    other = None
    if compared is not None and other_held is not None:
        other = _assess(compared, other_held, settings, folder / PARTS)
    corona = None if background is None else _corona(run, held, settings, background, folder / PARTS)
    logger.info("scores, resampling and pictures")
    metrics = metrics_json(assessment, _about(run, held, settings, compared), settings.seed, other)
    sentences, sections = findings(assessment, metrics, settings.seed), []
    if corona is not None:
        metrics |= without_nan(corona.json)
        sentences, sections = [*sentences, *corona.sentences], corona.sections
    write_json(folder / "metrics.json", metrics)
    write_text(folder / "frames.csv", frames_csv(assessment))
    shown = _shown(run, held, settings, assessment)
    write_text(folder / "report.html", report(metrics, assessment, sentences, shown, run.config.source, sections))
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    for sentence in (*sentences, *metrics["ensemble"]["verdict"]):
        logger.info("%s", sentence)
    return metrics


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkdirError(f"cannot make {folder}: {error.strerror}; give another --output") from None


def _data(run: TrainedRun, settings: Settings) -> DataSettings:
    data = run.config.data
    return data if settings.data_dir is None else replace(data, data_dir=settings.data_dir)


def _frames(data: DataSettings, split: str, *more: str) -> Frames:
    return Frames(data.euv, split, ("euv", "magnetogram", *more), data.channels, data.data_dir)


def _held(run: TrainedRun, settings: Settings, like: Held | None = None) -> Held:
    """Open the frames of the split, and learn from those of the training what the baselines need.

    They must be those of `like`, if it is given.
    """
    data = _data(run, settings)
    if not data.paired:
        raise DataError(
            f"{run.name} was trained on {data.euv} and {data.magnetogram}, which are not simultaneous: there is no "
            "true magnetogram to compare with"
        )
    if like is not None and like.frames.name != data.euv:
        raise DataError(
            f"{run.name} was trained on {data.euv}, the other run on {like.frames.name}: compare runs on one dataset"
        )
    frames, train = _frames(data, settings.split), _frames(data, "train")
    if not len(frames) or not len(train):
        have = ", ".join(split for split in ("train", "validation", "test") if len(_frames(data, split)))
        raise DataError(
            f"{data.euv} has no frames in the split {settings.split!r}, or none to learn baselines from: it has {have}"
        )
    magnetograms = Frames(data.euv, settings.split, ("magnetogram",), data.channels, data.data_dir)
    dates = look(magnetograms, _bar("dates"))
    if like is not None and (frames.size, dates.sha256) != (like.frames.size, like.dates.sha256):
        raise DataError(
            f"{data.euv} of {run.name} holds other frames than that of the other run: compare runs on one dataset"
        )
    climate = learn_climate(train, run.normalizations["euv"], _bar("training frames, for the baselines"))
    numbers = list(spaced(len(frames), settings.limit))
    past = archive_of(data)
    return Held(frames, dates, climate, run.normalizations["euv"], numbers, context_of_scored(data, past), past)


def _background(held: Held, settings: Settings) -> Background:
    assert settings.corona is not None
    if len(held.frames) < 2:
        raise DataError(f"{held.frames.name} has one frame in the split {held.frames.split}: the corona needs two")
    return open_background(settings.background, settings.corona.transform.grid, held.frames)


def _bar(what: str) -> Any:
    def watch(items: Iterable[int]) -> Iterable[int]:
        return tqdm(items, desc=what, unit="frame", dynamic_ncols=True, leave=False)

    return watch


def _identity(run: TrainedRun, held: Held, settings: Settings) -> dict[str, Any]:
    """Return everything that the sums of a frame depend on."""
    return {
        "program": munit_jax.__version__,
        "parameters": run.parameters_sha256,
        "config": run.config_sha256,
        "size": run.size,
        "convolution": run.architecture.convolution,
        "data": held.frames.name,
        "dates": held.dates.sha256,
        "climate": _climate_sha256(held.climate),
        "split": settings.split,
        "samples": settings.samples,
        "seed": settings.seed,
    }


def _climate_sha256(climate: Climate) -> str:
    arrays = climate.mean, climate.mean_unsigned, climate.unsigned_of_intensity
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _assess(run: TrainedRun, held: Held, settings: Settings, folder: Path) -> Assessment:
    devices, every = jax.local_devices(), settings.samples + 1
    images, a_pass = run.batch_and_pass(every)
    batch = images * len(devices)
    styles = run.random_styles(settings.seed, settings.samples)
    measure = make_measure(run, styles, devices, every if run.size <= SMALL else a_pass)
    identity = _identity(run, held, settings) | {"times": held.times.tolist(), "together": batch}
    return assess(measure, held, batch, Parts(folder, identity), run.name)


def _realisations(run: TrainedRun, settings: Settings) -> Translate:
    """Return the translation of an EUV image in DN/s into realisations in gauss, with the styles of the evaluation."""
    a_pass = settings.samples if run.size <= SMALL else 1
    styles = run.random_styles(settings.seed, settings.samples)

    def of_image(
        euv: Float[np.ndarray, "h w c"], geometry: DiskGeometry, time: int, past: Past | None, gap_days: float
    ) -> Float[np.ndarray, "n h w"]:
        context = run.context(geometry, float(time), past, gap_days)
        contexts = None if context is None else context[None]
        return np.asarray(run.translate(euv[None], styles, contexts, a_pass=a_pass))[0, ..., 0]

    return of_image


def _corona(run: TrainedRun, held: Held, settings: Settings, background: Background, folder: Path) -> CoronaPart:
    assert settings.corona is not None
    truth = (SURFACE,) if held.frames.config.source == "synthetic" else ()
    frames = _frames(_data(run, settings), settings.split, *truth)
    looked = Looked(frames, _realisations(run, settings), held.past, settings.corona, background)
    return measure_corona(looked, folder, _identity(run, held, settings))


def _about(run: TrainedRun, held: Held, settings: Settings, compared: TrainedRun | None) -> dict[str, Any]:
    data = _data(run, settings)
    about: dict[str, Any] = {
        "name": run.name,
        "step": run.step,
        "parameters_sha256": run.parameters_sha256,
        "config_sha256": run.config_sha256,
        "program": f"munit_jax {munit_jax.__version__}",
        "dataset": data.euv,
        "split": settings.split,
        "samples": settings.samples,
        "limit": settings.limit,
        "seed": settings.seed,
        "channels": list(run.channels),
        "size": run.size,
        "first": format_time(held.times[0]),
        "last": format_time(held.times[-1]),
        "frames_for_baselines": len(held.climate.times),
        "days_to_training": days_to_training(held.times, held.climate.times),
        "euv_proxy_channel": run.channels[held.climate.channel],
        "frames_of_splits": {split: len(_frames(data, split)) for split in ("train", "validation", "test")},
        "disk_percentiles": dataset_statistics(data.euv, data.data_dir),
    }
    if compared is not None:
        about["compared_with"] = {
            "name": compared.name,
            "step": compared.step,
            "channels": list(compared.channels),
            "parameters_sha256": compared.parameters_sha256,
        }
    return about


def days_to_training(times: Sequence[int] | np.ndarray, training: Sequence[int]) -> float:
    """Return the days between the nearest two frames of an evaluation and of the training."""
    gaps = np.abs(np.asarray(times)[:, None] - np.asarray(training)[None])
    return round(float(gaps.min()) / DAY, 2)


def _shown(run: TrainedRun, held: Held, settings: Settings, assessment: Assessment) -> dict[str, list[Picture]]:
    """Translate again the frames that are drawn."""
    scores = per_frame(assessment, "model")[WORST_BY]
    chosen = [int(np.abs(held.times - _seconds(time)).argmin()) for time in settings.show]
    groups = {
        "Chosen frames": chosen or list(spaced(len(held), SHOWN)),
        f"The worst frames, by the correlation of |B| ({len(held)} frames)": worst(scores, SHOWN),
    }
    realisations = _realisations(run, settings)

    def draw(k: int) -> Picture:
        frame = held.frames[held.numbers[k]]
        made = realisations(frame["euv"], geometry_of(frame), int(frame["time"]), held.past, SCORED_GAP)
        label = f"{format_time(frame['time'])[:16]}\n|B| correlation {scores[k]:.2f}"
        return Picture(label, frame["euv"][..., 0], frame["magnetogram"][..., 0], made, geometry_of(frame))

    return {title: [draw(int(k)) for k in numbers] for title, numbers in groups.items()}


def _seconds(time: str) -> float:
    moment = datetime.fromisoformat(time)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
