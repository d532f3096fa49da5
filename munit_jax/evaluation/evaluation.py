"""An evaluation from a run's folder to metrics.json, frames.csv and report.html."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from tqdm import tqdm

import munit_jax
from munit_jax import configuration
from munit_jax.data.pipeline import DataSettings, Frames, dataset_statistics, format_time, geometry_of
from munit_jax.errors import ConfigError, DataError
from munit_jax.evaluation.assessment import Assessment, Held, assess, make_measure
from munit_jax.evaluation.baselines import Climate, learn_climate, spaced
from munit_jax.evaluation.corona_frames import CoronaSettings
from munit_jax.evaluation.corona_section import SURFACE, CoronaPart, Looked, measure
from munit_jax.evaluation.parts import Parts
from munit_jax.evaluation.pictures import Picture, worst
from munit_jax.evaluation.report import report
from munit_jax.evaluation.results import findings, frames_csv, metrics_json, per_frame, without_nan
from munit_jax.inference import TrainedRun, make_translate, random_styles, together
from munit_jax.training.writers import write_json, write_text

FOLDER = "evaluation"  # of a run's folder
SHOWN = 3  # frames evenly spaced, and as many of the worst
WORST_BY = "abs_correlation"
SMALL = 128  # pixels: up to here all realisations of an image are decoded in one pass, on CPUs too

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What is evaluated.

    Attributes:
        split: of the dataset of the training.
        samples: realisations of each frame, at least 2.
        limit: frames, evenly spaced; 0 for all.
        seed: of the styles, the same for all frames, and of the resampling.
        show: times of frames that are drawn, ISO 8601; the nearest are taken.
        data_dir: the datasets' folder, None for that of the training.
        corona: how coronae are compared, None for not at all.
        background: files of synoptic maps; see `corona_section.Looked`.

    Raises:
        ConfigError: a value that cannot be.
    """

    split: str = "test"
    samples: int = 16
    limit: int = 0
    seed: int = 0
    show: tuple[str, ...] = ()
    data_dir: str | None = None
    corona: CoronaSettings | None = None
    background: tuple[str, ...] = ()

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
        for time in self.show:
            try:
                datetime.fromisoformat(time)
            except ValueError:
                raise ConfigError(f"show={time!r}: give a time such as 2012-11-03T12:00") from None


def evaluate(run: TrainedRun, settings: Settings, folder: Path, compared: TrainedRun | None = None) -> dict[str, Any]:
    """Evaluate a run, leave report.html, metrics.json and frames.csv in a folder, and return the metrics.

    An evaluation that was stopped goes on where it was; see `Parts`.

    Args:
        run: the generators, for images of the size of their training.
        settings: what is evaluated.
        folder: is made.
        compared: another run, whose scores stand beside; of the same dataset.

    Raises:
        DataError: a dataset without simultaneous magnetograms or without the split; two runs on different data.
        ConfigError: see `Settings` and `Frames`.
    """
    data = _data(run, settings)
    if compared is not None and _data(compared, settings).euv != data.euv:
        raise DataError(
            f"{run.name} was trained on {data.euv} and {compared.name} on {_data(compared, settings).euv}: compare "
            "runs on the same dataset"
        )
    held = _held(run, settings)
    folder.mkdir(parents=True, exist_ok=True)
    parts = _parts(run, held, settings, folder)
    assessment = _assess(run, held, settings, parts)
    other = other_parts = None
    if compared is not None:
        other_held = _held(compared, settings)
        other_parts = _parts(compared, other_held, settings, folder)
        other = _assess(compared, other_held, settings, other_parts)
    logger.info("scores, resampling and pictures")
    metrics = metrics_json(assessment, _about(run, held, settings, compared), settings.seed, other)
    write_json(folder / "metrics.json", metrics)
    write_text(folder / "frames.csv", frames_csv(assessment))
    sentences = findings(assessment, metrics, settings.seed)
    sections = []
    if settings.corona is not None:
        corona = _corona(run, held, settings, settings.corona, folder)
        metrics |= without_nan(corona.json)
        write_json(folder / "metrics.json", metrics)
        sentences, sections = [*sentences, *corona.sentences], corona.sections
    shown = _shown(run, held, settings, assessment)
    write_text(folder / "report.html", report(metrics, assessment, sentences, shown, run.config.to_dict(), sections))
    for done in (parts, other_parts):
        if done is not None:
            done.forget()
    for sentence in (*sentences, *metrics["ensemble"]["verdict"]):
        logger.info("%s", sentence)
    return metrics


def _data(run: TrainedRun, settings: Settings) -> DataSettings:
    config = run.config.copy_and_resolve_references()
    if settings.data_dir is not None:
        config.data.data_dir = settings.data_dir
    return configuration.data_settings(config)


def _frames(data: DataSettings, split: str) -> Frames:
    return Frames(data.euv, split, ("euv", "magnetogram"), data.channels, data.data_dir)


def _held(run: TrainedRun, settings: Settings) -> Held:
    """Open the frames of the split, and learn from those of the training what the baselines need."""
    data = _data(run, settings)
    if not data.paired:
        raise DataError(
            f"{run.name} was trained on {data.euv} and {data.magnetogram}, which are not simultaneous: there is no "
            "true magnetogram to compare with"
        )
    frames, train = _frames(data, settings.split), _frames(data, "train")
    if not len(frames) or not len(train):
        have = ", ".join(split for split in ("train", "validation", "test") if len(_frames(data, split)))
        raise DataError(
            f"{data.euv} has no frames in the split {settings.split!r}, or none to learn baselines from: it has {have}"
        )
    climate = learn_climate(train, run.normalizations["euv"], _bar("training frames, for the baselines"))
    numbers = list(spaced(len(frames), settings.limit))
    return Held(frames, climate, run, numbers, _bar("dates"))


def _bar(what: str) -> Any:
    def watch(items: Iterable[int]) -> Iterable[int]:
        return tqdm(items, desc=what, unit="frame", dynamic_ncols=True, leave=False)

    return watch


def _parts(run: TrainedRun, held: Held, settings: Settings, folder: Path) -> Parts:
    identity = {
        "program": munit_jax.__version__,
        "parameters": run.parameters_sha256,
        "size": run.size,
        "convolution": run.architecture.convolution,
        "data": held.frames.name,
        "climate": _climate_sha256(held.climate),
        "times": [int(time) for time in held.times],
        "settings": {name: asdict(settings)[name] for name in ("split", "samples", "seed")},
    }
    return Parts(folder / "parts", identity)


def _climate_sha256(climate: Climate) -> str:
    arrays = climate.mean, climate.mean_unsigned, climate.unsigned_of_intensity
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _assess(run: TrainedRun, held: Held, settings: Settings, parts: Parts) -> Assessment:
    devices = jax.local_devices()
    every = settings.samples + 1
    images, at_once = together(run, every)
    styles = random_styles(run, settings.seed, settings.samples)
    at_once = every if run.size <= SMALL else at_once
    measure = make_measure(run, styles, devices, at_once)
    return assess(measure, held, images * len(devices), parts, run.name)


def _corona(run: TrainedRun, held: Held, settings: Settings, corona: CoronaSettings, folder: Path) -> CoronaPart:
    data = _data(run, settings)
    truth = (SURFACE,) if held.frames.config.source == "synthetic" else ()
    frames = Frames(data.euv, settings.split, ("euv", "magnetogram", *truth), data.channels, data.data_dir)
    at_once = settings.samples if run.size <= SMALL else 1
    translate = make_translate(run, "euv", at_once)
    styles = random_styles(run, settings.seed, settings.samples)

    def realisations(euv: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "n h w"]:
        return np.asarray(translate(euv[None], styles))[0, ..., 0]

    looked = Looked(frames, lambda frame: realisations(frame["euv"]), realisations, corona, settings.background)
    identity = {"parameters": run.parameters_sha256, "data": data.euv, "split": settings.split, "seed": settings.seed}
    return measure(looked, folder / "parts", identity)


def _about(run: TrainedRun, held: Held, settings: Settings, compared: TrainedRun | None) -> dict[str, Any]:
    data = _data(run, settings)
    about: dict[str, Any] = {
        "name": run.name,
        "step": run.step,
        "checkpoint": "moving average of the generators",
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
        "frames_for_baselines": held.climate.frames,
        "euv_proxy_channel": run.channels[held.climate.channel],
        "data": {f"frames of the {split} split": len(_frames(data, split)) for split in ("train", "validation", "test")}
        | {
            f"percentiles of {series} on the disk": ", ".join(
                f"{name} %: {value:.4g}" for name, value in values.items()
            )
            for series, values in dataset_statistics(data.euv, data.data_dir).items()
        },
    }
    if compared is not None:
        about["compared_with"] = {
            "name": compared.name,
            "step": compared.step,
            "channels": list(compared.channels),
            "parameters_sha256": compared.parameters_sha256,
        }
    return about


def _shown(run: TrainedRun, held: Held, settings: Settings, assessment: Assessment) -> dict[str, list[Picture]]:
    """Translate again the frames that are drawn."""
    scores = per_frame(assessment, "model")[WORST_BY]
    chosen = [int(np.abs(held.times - _seconds(time)).argmin()) for time in settings.show]
    groups = {
        "Chosen frames": chosen or list(spaced(len(held), SHOWN)),
        f"The worst frames, by the correlation of |B| ({len(held)} frames)": worst(scores, SHOWN),
    }
    translate = make_translate(run, "euv", 1)
    styles = random_styles(run, settings.seed, settings.samples)

    def draw(k: int) -> Picture:
        frame = held.frames[held.numbers[k]]
        made = np.asarray(translate(frame["euv"][None], styles))[0, ..., 0]
        label = f"{format_time(frame['time'])[:16]}\n|B| correlation {scores[k]:.2f}"
        return Picture(label, frame["euv"][..., 0], frame["magnetogram"][..., 0], made, geometry_of(frame))

    return {title: [draw(int(k)) for k in numbers] for title, numbers in groups.items()}


def _seconds(time: str) -> float:
    moment = datetime.fromisoformat(time)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
