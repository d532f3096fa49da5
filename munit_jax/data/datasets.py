"""The frames of prepared datasets, in physical units: the one file of munit_jax that opens datasets."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int

from munit_jax.data.context import Magnetogram, Past, past_from
from munit_jax.errors import ConfigError, DataError
from munit_jax.sun.disk import DiskGeometry
from tfds_sdoml.build import build, is_prepared
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.sdoml_dataset_builder import Builder

GEOMETRY = ("solar_radius", "centre", "b0", "l0", "distance")  # the fields of a frame that `geometry_of` reads
LINE_OF_SIGHT = "bz"  # the component of the field that the networks make

# Wraps the frame numbers of a loop, to show its progress.
Watch = Callable[[Iterable[int]], Iterable[int]]


class Frames:
    """The frames of one split of one dataset, in physical units; `frames[i]` reads one.

    A frame has `euv` (h, w, channels) in DN/s and `magnetogram` (h, w, 1) in gauss, float32, those of the two in
    `domains`; `time` in seconds since 1970; and the geometry: `solar_radius` and `centre` in pixels, `b0` and `l0` in
    degrees, `distance` in solar radii; see `geometry_of`.

    Raises:
        DataError: see `open_dataset`; when a frame is read, values that are not finite.
        ConfigError: the dataset lacks a domain, a channel or the line-of-sight field.
    """

    def __init__(
        self, name: str, split: str, domains: tuple[str, ...], channels: tuple[str, ...], data_dir: str | None
    ):
        builder: Any = open_dataset(name, data_dir)  # its decorated methods have no static types
        available, field = builder.builder_config.channels, builder.builder_config.field
        if "euv" in domains and (missing := [c for c in channels if c not in available]):
            raise ConfigError(f"data.channels: {name} has no channel {', '.join(missing)}, only {', '.join(available)}")
        for domain in domains:
            if domain not in builder.info.features:
                raise ConfigError(f"data.{domain}={name} has no {domain}: name a dataset that has")
        if "magnetogram" in domains and LINE_OF_SIGHT not in field:
            raise ConfigError(
                f"data.magnetogram={name} has {', '.join(field)} only: the networks are for {LINE_OF_SIGHT}"
            )
        self.name, self.split, self.domains = name, split, domains
        self.layers = {"euv": [available.index(c) for c in channels]} if "euv" in domains else {}
        if "magnetogram" in domains:
            self.layers["magnetogram"] = [field.index(LINE_OF_SIGHT)]
        # A dataset of a few frames may lack a split; it then has no frames.
        self.source = builder.as_data_source(split) if split in builder.info.splits else ()
        self.builder = builder
        self.config: SdomlConfig = builder.builder_config
        self.size = self.config.size
        self.has_surface = self.config.source == "synthetic"  # the true field of the whole sphere, as `surface_field`

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        example = self._read(self.source, index)
        frame = {field: example[field] for field in (*self.domains, "time", *GEOMETRY)}
        for domain, layers in self.layers.items():
            # Datasets may store float16, in which sums overflow and small steps are lost.
            frame[domain] = frame[domain][..., layers].astype(np.float32)
            check_finite(frame[domain], f"{domain} of {self.name}, {self.split} split, {format_time(frame['time'])}")
        return frame

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        return map(self.__getitem__, range(len(self)))

    def _read(self, records: Sequence[Any], index: int) -> Any:
        try:
            return records[index]
        except Exception as error:  # array_record and TFDS raise many kinds for missing and wrong files
            if not 0 <= index < len(records):
                raise
            info = self.builder.info.splits[self.split]
            path = info.filepaths[np.searchsorted(np.cumsum(info.shard_lengths), index, side="right")]
            reason = " ".join(str(error).split())
            raise DataError(
                f"{path} is damaged ({reason}): delete the folder {path.parent} and build {self.name} again"
            ) from error

    def times(self) -> Int[np.ndarray, " n"]:
        """Return the times of all frames in seconds since 1970; their images are not decoded."""
        if not len(self):
            return np.zeros(0, np.int64)
        records = self.builder.as_data_source(self.split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
        time: Any = tfds.features.FeaturesDict({"time": self.builder.info.features["time"]})
        times = [time.deserialize_example_np(self._read(records, i))["time"] for i in range(len(records))]
        return np.array(times, np.int64)


def spaced(count: int, limit: int) -> Iterable[int]:
    """Return at most `limit` (0: all) evenly spaced numbers of `count` frames."""
    if not limit or count <= limit:
        return range(count)
    return [int(i) for i in np.linspace(0, count - 1, limit).round()]


def geometry_of(frame: Mapping[str, np.ndarray]) -> DiskGeometry:
    """Return the geometry of the disk in a frame."""
    x, y = (float(value) for value in frame["centre"])
    size = next(frame[domain].shape[0] for domain in ("euv", "magnetogram") if domain in frame)
    b0, l0, distance = (float(frame[name]) for name in ("b0", "l0", "distance"))
    return DiskGeometry(size, float(frame["solar_radius"]), (x, y), b0, l0, distance)


def past_magnetograms(name: str, data_dir: str | None) -> Past:
    """Return the magnetograms of all splits of a dataset as a `Past`.

    Held-out splits too: an earlier magnetogram is an input, not a target.
    """
    splits = [Frames(name, split, ("magnetogram",), (), data_dir) for split in ("train", "validation", "test")]
    places = [(frames, i) for frames in splits for i in range(len(frames))]

    def read(k: int) -> Magnetogram:
        frames, i = places[k]
        frame = frames[i]
        return frame["magnetogram"][..., 0], geometry_of(frame), float(frame["time"])

    return past_from([time for frames in splits for time in frames.times()], read)


def open_dataset(name: str, data_dir: str | None) -> Builder:
    """Return the builder of a prepared dataset; the embedded synthetic Sun is built where it is missing.

    Raises:
        DataError: the name is unknown, the dataset is not prepared (the message says how to build it), or the folder
            cannot be read or written.
    """
    try:
        prepared = is_prepared(name, data_dir)
    except ValueError as error:
        place = data_dir or "~/tensorflow_datasets"
        raise DataError(f"cannot open {name} in {place} (--config.data.data_dir): {error}") from None
    if not prepared and not name.startswith("sdoml/synthetic"):
        place = f" --data_dir={data_dir}" if data_dir else ""
        raise DataError(
            f"dataset {name} is not prepared: build it with "
            f"`python -m tfds_sdoml.build {name} --manual_dir=FOLDER_OF_FILES{place}`, "
            "give the folder of one that is built (--config.data.data_dir), "
            "or try --config=configs/aia193.py:quickstart, which needs no data"
        )
    try:
        return build(name, data_dir)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot make or read {name}: {error}; or choose another --config.data.data_dir") from None


def dataset_statistics(name: str, data_dir: str | None) -> Mapping[str, Mapping[str, float]]:
    """Return the percentiles that a dataset was stored with, by series; raises as `open_dataset`."""
    return open_dataset(name, data_dir).statistics


def describe_images(names: Sequence[str], data_dir: str | None) -> dict[str, Any]:
    """Return what a run records of its datasets, that of the EUV images first, as JSON.

    `size`: pixels across an EUV frame. `disk_percentiles`: of each series of the EUV dataset, `{"0193": {"50": DN/s}}`,
    over the disks of the train split; empty for a dataset without statistics. `fingerprints`: of the datasets by name.
    """
    builders = {name: open_dataset(name, data_dir) for name in names}
    euv = names[0]
    return {
        "size": int(builders[euv].builder_config.size),
        "disk_percentiles": builders[euv].statistics,
        "fingerprints": {name: builder.fingerprint for name, builder in builders.items()},
    }


def format_time(seconds: Any) -> str:
    """Return seconds since 1970 as an ISO time, UTC."""
    return f"{np.datetime64(int(seconds), 's')}Z"


def check_finite(image: np.ndarray, what: str) -> None:
    """Raise DataError with the count and the place if an image has NaN or infinite values."""
    bad = ~np.isfinite(image)
    if bad.any():
        row, column = np.argwhere(bad)[0][:2]
        raise DataError(
            f"{bad.sum()} of {bad.size} values are not finite in the {what} (first at row {row}, column {column}): "
            "leave the frame out or correct it, and build the dataset again"
        )
