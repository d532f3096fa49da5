"""From prepared datasets to batches: open, check, crop, flip, normalise, shuffle, repeat."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grain
import numpy as np
from jaxtyping import Float

from munit_jax.data.augment import FIELD_ALONE, Flip, random_crop, random_flip, random_reversal
from munit_jax.data.context import LAST_SEEN, Earlier, context_of, context_signs
from munit_jax.data.last_seen import ROTATION_DAYS, Magnetogram, Past, latest
from munit_jax.data.normalization import Normalization, normalize
from munit_jax.errors import ConfigError, DataError
from munit_jax.sun.disk import DiskGeometry
from tfds_sdoml.build import build, is_prepared
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.sdoml_dataset_builder import Builder

# Reading costs a few CPU milliseconds an example: two threads and a short queue keep any step fed.
READ_THREADS = 2
READ_AHEAD = 16

GEOMETRY = ("solar_radius", "centre", "b0", "l0", "distance")  # of a frame
LINE_OF_SIGHT = "bz"  # the component of the field that the networks make

# Of the planes `last_seen`: days between an image and the latest magnetogram that may be used. In training drawn, and
# some images have none; frames that are scored have half a rotation, as the point opposite the Earth.
TRAINING_GAPS = (1.0, ROTATION_DAYS)
WITHOUT_PAST = 0.2
SCORED_GAP = ROTATION_DAYS / 2

# A frame -> its planes of context, None if there are none
FrameContext = Callable[[Mapping[str, np.ndarray]], Float[np.ndarray, "h w k"] | None]

# What goes through numbers of frames may be watched: a bar, say, that shows how far it is.
Watch = Callable[[Iterable[int]], Iterable[int]]


@dataclass(frozen=True)
class DataSettings:
    """Where the images come from and what is done to them.

    euv, magnetogram: dataset names, such as sdoml/aia0193_hmi; the same name twice for a dataset that has both.
    paired: examples are simultaneous; otherwise each domain is shuffled for itself.
    channels: the EUV channels to use, in this order, as the dataset names them (0193).
    crop: side of the random square in pixels, 0 for the whole image.
    data_dir: the datasets' folder, None for the usual one (~/tensorflow_datasets or TFDS_DATA_DIR).
    context: planes that go with the images; see `munit_jax.data.context`.
    reversal: whether the field of half of the examples is reversed, as in the next cycle.
    """

    euv: str
    magnetogram: str
    paired: bool
    channels: tuple[str, ...]
    crop: int
    flip: Flip
    normalization: Mapping[str, Normalization]
    data_dir: str | None
    context: tuple[str, ...] = ()
    reversal: bool = False


class Frames:
    """The frames of one split of one dataset, in physical units; `frames[i]` reads one.

    A frame holds `euv` (h, w, channels) in DN/s and `magnetogram` (h, w, 1) in gauss, float32, as far as the dataset
    has them and they are asked for, `time` in seconds since 1970, and the geometry: `solar_radius` and `centre` in
    pixels, `b0` and `l0` in degrees, `distance` in solar radii; see `geometry_of`.
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
        self.config: SdomlConfig = builder.builder_config
        self.size = self.config.size

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        example = self.source[index]
        frame = {field: example[field] for field in (*self.domains, "time", *GEOMETRY)}
        for domain, layers in self.layers.items():
            # Datasets may store float16, in which sums overflow and small steps are lost.
            frame[domain] = frame[domain][..., layers].astype(np.float32)
            check_finite(frame[domain], f"{domain} of {self.name}, {self.split} split, {format_time(frame['time'])}")
        return frame


def spaced(count: int, limit: int) -> Iterable[int]:
    """Return at most `limit` (0: all) evenly spaced numbers of `count` frames."""
    if not limit or count <= limit:
        return range(count)
    return [int(i) for i in np.linspace(0, count - 1, limit).round()]


def geometry_of(frame: Mapping[str, np.ndarray]) -> DiskGeometry:
    """Return where the Sun is in a frame, and from where it is seen."""
    x, y = (float(value) for value in frame["centre"])
    size = next(frame[domain].shape[0] for domain in ("euv", "magnetogram") if domain in frame)
    b0, l0, distance = (float(frame[name]) for name in ("b0", "l0", "distance"))
    return DiskGeometry(size, float(frame["solar_radius"]), (x, y), b0, l0, distance)


class Archive:
    """The magnetograms of all splits of a dataset; `archive(time)` gives the latest, see `Past`.

    Also those of a split that is not trained on: what was seen is an input, not something to learn from.
    """

    def __init__(self, name: str, data_dir: str | None):
        splits = (Frames(name, split, ("magnetogram",), (), data_dir) for split in ("train", "validation", "test"))
        self.frames = [frames for frames in splits if len(frames)]
        times = [int(frames.source[i]["time"]) for frames in self.frames for i in range(len(frames))]
        places = [(frames, i) for frames in self.frames for i in range(len(frames))]
        order = np.argsort(times, kind="stable")
        self.times, self.places = np.array(times, np.float64)[order], [places[k] for k in order]

    def __call__(self, time: float) -> Magnetogram | None:
        """Return a magnetogram as a `Past` does."""
        k = latest(self.times, time)
        if k is None:
            return None
        frames, i = self.places[k]
        frame = frames[i]
        return frame["magnetogram"][..., 0], geometry_of(frame), float(frame["time"])


def no_context(_frame: Mapping[str, np.ndarray]) -> None:
    """The context of frames whose networks take none."""
    return


def archive_of(settings: DataSettings) -> Archive | None:
    """Return the magnetograms of the past, None where the networks take none."""
    return Archive(settings.magnetogram, settings.data_dir) if LAST_SEEN in settings.context else None


def context_of_scored(settings: DataSettings, past: Past | None) -> FrameContext:
    """Return what makes the context of the frames of a dataset, as they are scored; it raises as `frame_context`."""
    earlier = None if past is None else Earlier(past, SCORED_GAP, settings.normalization["magnetogram"])
    return lambda frame: frame_context(settings.context, frame, earlier)


def frame_context(
    names: Sequence[str], frame: Mapping[str, np.ndarray], earlier: Earlier | None = None
) -> Float[np.ndarray, "h w k"] | None:
    """Return the planes of a frame, None if there are none; see `context_of`.

    Raises:
        DataError: a frame of a time whose cycle is not known.
    """
    try:
        return context_of(names, geometry_of(frame), float(frame["time"]), earlier)
    except ValueError as error:
        raise DataError(f"data.context: {error}") from None


def open_dataset(name: str, data_dir: str | None) -> Builder:
    """Return the builder of a prepared dataset; the embedded synthetic Sun is made on the way where it is missing.

    Raises:
        DataError: the name is unknown, the dataset is not prepared (the message says how to build it), or the folder
            cannot be read or written.
    """
    try:
        prepared = is_prepared(name, data_dir)
    except ValueError as error:
        raise DataError(str(error)) from None
    if not prepared and not name.startswith("sdoml/synthetic"):
        place = f" --data_dir={data_dir}" if data_dir else ""
        raise DataError(
            f"dataset {name} is not prepared: build it with "
            f"`python -m tfds_sdoml.build {name} --manual_dir=FOLDER_OF_FILES{place}`, "
            "or try --config=configs/aia193.py:quickstart, which needs no data"
        )
    try:
        return build(name, data_dir)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot make or read {name}: {error}; or choose another --config.data.data_dir") from None


def dataset_statistics(name: str, data_dir: str | None) -> Mapping[str, Mapping[str, float]]:
    """Return the percentiles that a dataset was stored with, by series; raises as `open_dataset`."""
    return open_dataset(name, data_dir).statistics


def describe_images(settings: DataSettings) -> dict[str, Any]:
    """Return what has to be known of a run's images to translate others of their kind, as JSON holds it.

    `size`: pixels across a frame. `disk_percentiles`: of each series of the EUV dataset, `{"0193": {"50": DN/s}}`, over
    the disks of the train split; empty where the dataset has none.
    """
    builder: Any = open_dataset(settings.euv, settings.data_dir)
    return {"size": int(builder.builder_config.size), "disk_percentiles": builder.statistics}


def format_time(seconds: Any) -> str:
    """Return seconds since 1970 as an ISO time, UTC."""
    return f"{np.datetime64(int(seconds), 's')}Z"


def check_finite(image: np.ndarray, what: str) -> None:
    """Raise DataError with the count and the place if an image holds NaN or infinite values."""
    bad = ~np.isfinite(image)
    if bad.any():
        row, column = np.argwhere(bad)[0][:2]
        raise DataError(
            f"{bad.sum()} of {bad.size} values are not finite in the {what} (first at row {row}, column {column}): "
            "leave the frame out or mend it, and build the dataset again"
        )


def training_batches(
    settings: DataSettings, batch_size: int, seed: int, host: int = 0, hosts: int = 1, first: int = 0
) -> grain.DatasetIterator:
    """Return an endless iterator of batches.

    A batch is {"images": {domain: (b, h, w, c) float32 in [-1, 1]}, "time": {domain: (b,) seconds since 1970}}, and
    with planes of context "contexts": {domain: (b, h, w, k)}, those of the domain's image.
    The same seed gives the same examples, whatever the devices, threads and hosts.

    Args:
        settings: what is read.
        batch_size: of the global batch.
        seed: of the order, the crops and the flips.
        host, hosts: which of how many hosts this is. It gets every `hosts`-th example of the global batch, from
            `host` on, and reads no others; b is then batch_size / hosts.
        first: the number of the first batch, counted from 0: a run that goes on after n steps begins with batch n.

    Raises:
        DataError, ConfigError: see `open_dataset`, `Frames` and `random_crop`; a batch that the hosts cannot share.
    """
    if batch_size % hosts:
        raise ConfigError(f"batch_size={batch_size} does not divide by {hosts} hosts: use a multiple of {hosts}")
    if settings.paired:
        if settings.euv != settings.magnetogram:
            raise ConfigError(
                f"data.paired needs one dataset with both domains, got data.euv={settings.euv} and "
                f"data.magnetogram={settings.magnetogram}: name one, or set data.paired=False"
            )
        stream = _stream(settings, settings.euv, ("euv", "magnetogram"), seed)
    else:
        # Seeds of their own: with one seed, two datasets of equal length would come paired.
        euv = _stream(settings, settings.euv, ("euv",), 2 * seed)
        magnetogram = _stream(settings, settings.magnetogram, ("magnetogram",), 2 * seed + 1)
        stream = grain.experimental.ZipMapDataset([euv, magnetogram]).map(_merge)
    return iter(
        stream[host::hosts]
        .batch(batch_size // hosts, drop_remainder=True)[first:]
        .to_iter_dataset(grain.ReadOptions(num_threads=READ_THREADS, prefetch_buffer_size=READ_AHEAD))
    )


def _stream(settings: DataSettings, name: str, domains: tuple[str, ...], seed: int) -> grain.MapDataset:
    frames = Frames(name, "train", domains, settings.channels, settings.data_dir)
    past, scaling = archive_of(settings), settings.normalization["magnetogram"]
    signs = {**FIELD_ALONE, "context": context_signs(settings.context)}

    def prepare(frame: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, Any]:
        images = {domain: frame[domain] for domain in domains}
        earlier = None
        if past is not None and rng.random() >= WITHOUT_PAST:
            earlier = Earlier(past, rng.uniform(*TRAINING_GAPS), scaling)
        if (planes := frame_context(settings.context, frame, earlier)) is not None:
            images["context"] = planes
        images = random_flip(random_crop(images, settings.crop, rng), settings.flip, rng, signs)
        if settings.reversal:
            images = random_reversal(images, rng, signs)
        example = {
            "images": {d: np.ascontiguousarray(normalize(settings.normalization[d], images[d])) for d in domains},
            "time": {d: np.int64(frame["time"]) for d in domains},
        }
        if settings.context:
            example["contexts"] = {d: np.ascontiguousarray(images["context"]) for d in domains}
        return example

    return grain.MapDataset.source(frames).seed(seed).shuffle().repeat(None).random_map(prepare)


def _merge(examples: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    first, second = examples
    return {key: {**first[key], **second[key]} for key in first}
