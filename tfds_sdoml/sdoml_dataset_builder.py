"""TFDS builder of EUV images and magnetograms of the Sun: the SDOML dataset, and a synthetic Sun in the same form."""

import functools
import logging
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from munit_jax.solar.disk import DiskGeometry, sdoml_geometry
from tfds_sdoml.ephemeris import DAY, earth_view
from tfds_sdoml.join import TOLERANCE, join_nearest
from tfds_sdoml.sources import NPZ_V1_SIZE, FrameFile, find_npz_v1, read_npz_v1
from tfds_sdoml.splits import SYNODIC_ROTATION_DAYS, blocked
from tfds_sdoml.synthetic import observe
from tfds_sdoml.synthetic_field import TRUTH_COLUMNS, TRUTH_ROWS

logger = logging.getLogger(__name__)

MAGNETOGRAM_SERIES = "bz"
EUV_CHANNELS = ("0171", "0193", "0304")
FRAMES_WORTH_A_PROCESS = 45  # a process takes seconds to start, a frame a twentieth of one or more


@dataclass(eq=False, kw_only=True)
class SdomlConfig(tfds.core.BuilderConfig):
    """What a dataset holds.

    Attributes:
        source: `npz_v1` or `synthetic`.
        channels: AIA channels, in the order of the array; may be empty.
        magnetogram: whether the examples hold one.
        size: width and height of the images in pixels.
        test_months, validation_months, guard_days: of the blocked split.
        tolerance: of the join by time, seconds.
        seed, start, frames, cadence: of the synthetic Sun; `start` in seconds since 1970, `cadence` in seconds.
    """

    name: str
    source: str
    channels: tuple[str, ...]
    magnetogram: bool
    size: int
    test_months: tuple[int, ...] = (11, 12)
    validation_months: tuple[int, ...] = (5,)
    guard_days: int | float = SYNODIC_ROTATION_DAYS
    tolerance: int = TOLERANCE
    seed: int = 0
    start: int = int(datetime(2011, 1, 1, tzinfo=UTC).timestamp())
    frames: int = 0
    cadence: int = DAY

    def parameters(self) -> dict[str, Any]:
        """Return all that the data depend on, as JSON keeps it."""
        skipped = {"name", "description", "version", "release_notes", "supported_versions", "tags"}
        items = {name: value for name, value in asdict(self).items() if name not in skipped}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in items.items()}


def synthetic_config(size: int, every_days: int) -> SdomlConfig:
    """Return the configuration of three years of the synthetic Sun."""
    return SdomlConfig(
        name=f"synthetic_{size}",
        description=f"The synthetic Sun, 2011 to 2013, one frame in {every_days} d, {size} x {size} pixels.",
        source="synthetic",
        channels=EUV_CHANNELS,
        magnetogram=True,
        size=size,
        frames=-(-1096 // every_days),
        cadence=every_days * DAY,
    )


def npz_v1_config(channels: tuple[str, ...], magnetogram: bool) -> SdomlConfig:
    """Return the configuration of SDOML v1 files: these channels, with or without a magnetogram of the same time."""
    parts = ["aia" + "_".join(channels)] if channels else []
    if magnetogram:
        parts.append("hmi" if channels else "hmi_bz")
    return SdomlConfig(
        name="_".join(parts),
        description="SDOML v1 files: " + ", ".join([f"AIA {c}" for c in channels] + ["HMI Bz"] * magnetogram) + ".",
        source="npz_v1",
        channels=channels,
        magnetogram=magnetogram,
        size=NPZ_V1_SIZE,
    )


class Builder(tfds.core.GeneratorBasedBuilder):
    """EUV images and line-of-sight magnetograms; see README.md for the features and the conventions."""

    name = "sdoml"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "SDOML v1 files and the synthetic Sun."}  # noqa: RUF012 (the base class's name and type)
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put SDOML v1 files (AIAYYYYMMDD_HHMM_0193.npz, HMIYYYYMMDD_HHMM_bz.npz) anywhere below the folder that is "
        "given as --manual_dir. They are described at https://doi.org/10.3847/1538-4365/ab1005."
    )
    BUILDER_CONFIGS = [  # noqa: RUF012 (the base class's name and type)
        synthetic_config(64, 1),
        synthetic_config(128, 1),
        synthetic_config(256, 2),
        synthetic_config(512, 3),
        *(npz_v1_config((channel,), False) for channel in EUV_CHANNELS),
        npz_v1_config((), True),
        *(npz_v1_config((channel,), True) for channel in EUV_CHANNELS),
        npz_v1_config(EUV_CHANNELS, True),
    ]

    def __init__(self, **kwargs: Any):
        """Make a builder; the arguments are those of the base class.

        Raises:
            ValueError: data of this name and version are there, but were built under other parameters.
        """
        kwargs.setdefault("file_format", "array_record")  # the format that is read and written without TensorFlow
        super().__init__(**kwargs)
        held, wanted = dict(self.info.metadata or {}).get("parameters"), self.builder_config.parameters()
        if held != wanted:
            different = sorted(key for key in wanted if (held or {}).get(key) != wanted[key])
            raise ValueError(
                f"{self.data_path} was built under other parameters ({', '.join(different)} differ): "
                "delete that folder to build it anew, or give another data_dir"
            )

    @property
    def builder_config(self) -> SdomlConfig:
        """What the dataset holds: `channels`, `magnetogram`, `size`, `source` and the rest."""
        config = super().builder_config
        assert isinstance(config, SdomlConfig)
        return config

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        size, channels = config.size, len(config.channels)
        scalar = tfds.features.Tensor(shape=(), dtype=np.float32)
        features: dict[str, Any] = {
            "time": tfds.features.Tensor(shape=(), dtype=np.int64),
            "solar_radius": scalar,
            "centre": tfds.features.Tensor(shape=(2,), dtype=np.float32),
            "b0": scalar,
            "l0": scalar,
            "distance": scalar,
        }
        if config.channels:
            features["euv"] = array_feature((size, size, channels), np.float32)
        if config.magnetogram:
            features["magnetogram"] = array_feature((size, size, 1), np.float32)
        if config.source == "synthetic":
            features["surface_field"] = array_feature((TRUTH_ROWS, TRUTH_COLUMNS), np.float16)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://doi.org/10.3847/1538-4365/ab1005",
            metadata=tfds.core.MetadataDict(parameters=config.parameters()),
            disable_shuffling=True,  # the examples of a split stay in the order of time
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        if config.source == "synthetic":
            frames = [{} for _ in range(config.frames)]
            times = config.start + config.cadence * np.arange(config.frames, dtype=np.int64)
        else:
            frames, times = joined_frames(config, Path(dl_manager.manual_dir))
        masks = blocked(times, config.test_months, config.validation_months, config.guard_days)
        if not masks["train"].any():
            raise ValueError(
                f"sdoml/{config.name}: none of the {len(times)} frames is left for train: all are in, or within "
                f"{config.guard_days} days of, the test months {config.test_months} and the validation months "
                f"{config.validation_months}; add frames of other months"
            )
        logger.info("%d of %d frames are in the guard gaps and in no split", masks["guard"].sum(), len(times))
        return {
            name: self._generate_examples([(int(times[i]), frames[i]) for i in np.flatnonzero(masks[name])], name)
            for name in ("train", "validation", "test")
            if masks[name].any()
        }

    def _generate_examples(
        self, frames: list[tuple[int, dict[str, FrameFile]]], split: str
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        config, times = self.builder_config, [time for time, _ in frames]
        if config.source == "synthetic":
            examples = synthetic_examples(config, times)
        else:
            examples = (npz_v1_example(config, time, files) for time, files in frames)
        yield from zip(
            times, tqdm(examples, total=len(frames), desc=f"sdoml/{config.name} {split}", unit="frame"), strict=True
        )


def array_feature(shape: tuple[int, ...], dtype: Any) -> tfds.features.Tensor:
    """Return the feature of an array, kept as raw bytes (five times faster than the default)."""
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding=tfds.features.Encoding.BYTES)


def joined_frames(config: SdomlConfig, folder: Path) -> tuple[list[dict[str, FrameFile]], np.ndarray]:
    """Return the files of each example by series, and the examples' times.

    The magnetogram's time counts where there is one, otherwise the first channel's.

    Raises:
        FileNotFoundError: a series without files.
        ValueError: no two frames are near enough in time.
    """
    series = [MAGNETOGRAM_SERIES] * config.magnetogram + list(config.channels)
    found = {name: find_npz_v1(folder, name) for name in series}
    times = {name: np.array([frame.time for frame in frames], np.int64) for name, frames in found.items()}
    indices = join_nearest(times, config.tolerance)
    count = len(indices[series[0]])
    if count == 0:
        numbers = ", ".join(f"{len(frames)} of {name}" for name, frames in found.items())
        raise ValueError(f"{folder}: no frames lie within {config.tolerance} s of each other (found {numbers})")
    frames = [{name: found[name][indices[name][k]] for name in series} for k in range(count)]
    return frames, times[series[0]][indices[series[0]]]


def geometry_features(geometry: DiskGeometry, time: int) -> dict[str, Any]:
    """Return the time and the geometry as features of an example."""
    return {
        "time": np.int64(time),
        "solar_radius": np.float32(geometry.solar_radius),
        "centre": np.array(geometry.centre, np.float32),
        "b0": np.float32(geometry.b0),
        "l0": np.float32(geometry.l0),
        "distance": np.float32(geometry.distance),
    }


def synthetic_example(config: SdomlConfig, time: int) -> dict[str, Any]:
    """Return the example of the synthetic Sun at a time."""
    frame = observe(config.seed, time, config.size, config.channels)
    return geometry_features(frame.geometry, time) | {
        "euv": frame.euv,
        "magnetogram": frame.magnetogram,
        "surface_field": frame.surface_field.astype(np.float16),
    }


def synthetic_examples(config: SdomlConfig, times: list[int]) -> Iterator[dict[str, Any]]:
    """Yield the examples of the synthetic Sun at many times, made by all cores where that is worth their start."""
    make = functools.partial(synthetic_example, config)
    workers = min(os.cpu_count() or 1, len(times) // FRAMES_WORTH_A_PROCESS)
    # The matrices are small: threads of the linear algebra would only wait for each other.
    if workers < 2:
        with threadpool_limits(1):
            yield from map(make, times)
        return
    # A forked copy of a process that runs JAX may hang: the workers start afresh.
    context, limit = multiprocessing.get_context("spawn"), functools.partial(threadpool_limits, 1)
    with ProcessPoolExecutor(workers, context, initializer=limit) as pool:
        yield from pool.map(make, times, chunksize=8)


def npz_v1_example(config: SdomlConfig, time: int, files: dict[str, FrameFile]) -> dict[str, Any]:
    """Return the example of SDOML v1 files at a time; the geometry is SDOML's, as seen from the Earth."""
    example = geometry_features(sdoml_geometry(config.size, *earth_view(time)), time)
    if config.channels:
        example["euv"] = np.stack([read_npz_v1(files[channel].path) for channel in config.channels], axis=-1)
    if config.magnetogram:
        example["magnetogram"] = read_npz_v1(files[MAGNETOGRAM_SERIES].path)[..., None]
    return example
