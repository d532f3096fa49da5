"""An evaluation from a run's folder to metrics.json, frames.csv and report.html."""

import logging
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

import munit_jax
from munit_jax.data.context import Past
from munit_jax.data.datasets import dataset_statistics, format_time, geometry_of, spaced
from munit_jax.data.pipeline import SCORED_GAP
from munit_jax.errors import ConfigError, DataError, WorkdirError
from munit_jax.figures import FrameImages
from munit_jax.files import write_json, write_text
from munit_jax.report.backgrounds import SURFACE, open_background
from munit_jax.report.corona_frames import CoronaInputs, Translate
from munit_jax.report.corona_section import measure_corona
from munit_jax.report.disk_figures import worst
from munit_jax.report.file_pairs import FilePairs
from munit_jax.report.held_out import HeldOutFrames, data_of, open_frames, open_held_out, scored_data
from munit_jax.report.kept import Kept
from munit_jax.report.measurement import FrameSums, make_measure, measure_frames
from munit_jax.report.report import report
from munit_jax.report.results import findings, frames_csv, metrics_json, per_frame, without_nan
from munit_jax.report.settings import Settings
from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import DiskGeometry
from munit_jax.trained_run import TrainedRun

FOLDER = "evaluation"  # of a run's folder
PARTIAL = "partial"  # of that folder, while an evaluation runs
SHOWN = 3  # frames evenly spaced, and as many of the worst
WORST_BY = "abs_correlation"
SMALL = 128  # pixels: up to here all realisations of an image are decoded in one pass, on CPUs too

logger = logging.getLogger(__name__)


def evaluate(run: TrainedRun, settings: Settings, folder: Path, compared: TrainedRun | None = None) -> dict[str, Any]:
    """Evaluate a run, write report.html, metrics.json and frames.csv into a folder, and return the metrics.

    The scores of `compared`, another run on the same dataset, are compared on the disk.

    Raises:
        DataError: see `open_held_out` and `open_background`.
        ConfigError: see `Frames` and `open_background`.
        WorkdirError: a folder that cannot be made.
    """
    held_out = open_held_out(run, settings)
    of_compared = None if compared is None else open_held_out(compared, settings, held_out)
    inputs = _corona_inputs(run, held_out, settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkdirError(f"cannot make {folder}: {error.strerror}; give another --output") from None
    about, other = _about(run, held_out, settings), None
    if isinstance(held_out.frames, FilePairs):
        held_out.frames.write_table(folder)
    kept = Kept(folder / PARTIAL, about | _computed_from(run, held_out))
    frame_sums = _measure(run, held_out, settings, kept)
    if compared is not None and of_compared is not None:
        about["compared_with"] = _name(compared)
        identity = _about(compared, of_compared, settings) | _computed_from(compared, of_compared)
        other = _measure(compared, of_compared, settings, Kept(kept.folder, identity))
    corona, sections, of_corona = ({}, [], []) if inputs is None else measure_corona(inputs, kept)
    logger.info("scores, resampling and pictures")
    metrics = metrics_json(frame_sums, about, settings.seed, other)
    metrics |= without_nan(corona)
    sentences = [*findings(frame_sums, metrics, settings.seed), *of_corona]
    write_json(folder / "metrics.json", metrics)
    write_text(folder / "frames.csv", frames_csv(frame_sums))
    shown = _shown(run, held_out, settings, frame_sums)
    write_text(folder / "report.html", report(metrics, frame_sums, sentences, shown, run.config.source, sections))
    shutil.rmtree(kept.folder, ignore_errors=True)
    for sentence in (*sentences, *metrics["ensemble"]["verdict"]):
        logger.info("%s", sentence)
    return metrics


def _corona_inputs(run: TrainedRun, held_out: HeldOutFrames, settings: Settings) -> CoronaInputs | None:
    frames, corona = held_out.frames, settings.corona
    if corona is None:
        return None
    if len(frames) < 2:
        raise DataError(f"{frames.name} has one frame in the split {frames.split}: the corona needs two")
    if corona.earth and not frames.has_surface:
        raise ConfigError(f"earth compares far sides with the true ones, which {frames.name} does not have")
    background = open_background(settings.background, corona.transform.grid, frames, settings.scale_to)
    if frames.has_surface:
        frames = open_frames(scored_data(run, settings), settings.split, SURFACE)
    return CoronaInputs(frames, _realisations(run, settings), held_out.past, corona, background)


def _measure(run: TrainedRun, held_out: HeldOutFrames, settings: Settings, kept: Kept) -> FrameSums:
    devices, every = jax.local_devices(), settings.samples + 1
    images, a_pass = run.batch_and_pass(every)
    batch = images * len(devices)
    styles = run.random_styles(settings.seed, settings.samples)
    measure = make_measure(run, styles, devices, every if run.size <= SMALL else a_pass)
    return measure_frames(measure, held_out, batch, kept.of(batch=batch), run.name)


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


def _about(run: TrainedRun, held_out: HeldOutFrames, settings: Settings) -> dict[str, Any]:
    data = data_of(run, settings)
    return _name(run) | {
        "config_sha256": run.config_sha256,
        "program": f"munit_jax {munit_jax.__version__}",
        "dataset": held_out.frames.name,
        "split": held_out.frames.split,
        "samples": settings.samples,
        "limit": settings.limit,
        "seed": settings.seed,
        "scale_to": settings.scale_to,
        "size": run.size,
        "first": format_time(held_out.times[0]),
        "last": format_time(held_out.times[-1]),
        "frames_for_baselines": len(held_out.climate.times),
        "days_to_training": days_to_training(held_out.times, held_out.climate.times),
        "euv_proxy_channel": run.channels[held_out.climate.channel],
        "frames_of_splits": {split: len(open_frames(data, split)) for split in ("train", "validation", "test")},
        "disk_percentiles": dataset_statistics(data.euv, data.data_dir),
        **({"pairs": held_out.frames.about} if isinstance(held_out.frames, FilePairs) else {}),
    }


def _computed_from(run: TrainedRun, held_out: HeldOutFrames) -> dict[str, str]:
    """Return what the sums depend on besides what the report names: the frames themselves, and how convolutions run."""
    return {"frames_sha256": held_out.dates.sha256, "convolution": run.architecture.convolution}


def _name(run: TrainedRun) -> dict[str, Any]:
    checksum = run.parameters_sha256
    return {"name": run.name, "step": run.step, "channels": list(run.channels), "parameters_sha256": checksum}


def days_to_training(times: Sequence[int] | np.ndarray, training: Sequence[int]) -> float:
    """Return the days between the nearest two frames of an evaluation and of the training."""
    gaps = np.abs(np.asarray(times)[:, None] - np.asarray(training)[None])
    return round(float(gaps.min()) / DAY, 2)


def _shown(
    run: TrainedRun, held_out: HeldOutFrames, settings: Settings, frame_sums: FrameSums
) -> dict[str, list[FrameImages]]:
    """Translate again the frames that are drawn."""
    scores = per_frame(frame_sums, "model")[WORST_BY]
    chosen = [int(np.abs(held_out.times - _seconds(time)).argmin()) for time in settings.show]
    groups = {
        "Chosen frames": chosen or list(spaced(len(held_out), SHOWN)),
        f"The worst frames, by the correlation of |B| ({len(held_out)} frames)": worst(scores, SHOWN),
    }
    realisations = _realisations(run, settings)

    def draw(k: int) -> FrameImages:
        frame = held_out.frames[held_out.numbers[k]]
        made = realisations(frame["euv"], geometry_of(frame), int(frame["time"]), held_out.past, SCORED_GAP)
        label = f"{format_time(frame['time'])[:16]}\n|B| correlation {scores[k]:.2f}"
        return FrameImages(label, frame["euv"][..., 0], frame["magnetogram"][..., 0], made, geometry_of(frame))

    return {title: [draw(int(k)) for k in numbers] for title, numbers in groups.items()}


def _seconds(time: str) -> float:
    moment = datetime.fromisoformat(time)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
