"""From frames to examples: the features, and one record of a shard."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Float
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from munit_jax.instruments.checks import check_image
from munit_jax.instruments.errors import FrameError
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.sun.ephemeris import earth_view
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.plan import Frame
from tfds_sdoml.sources.interface import Rejection, Source
from tfds_sdoml.sources.synthetic_sun import SyntheticSun
from tfds_sdoml.statistics import histogram
from tfds_sdoml.synthetic_sun.field import TRUTH_COLUMNS, TRUTH_ROWS
from tfds_sdoml.synthetic_sun.observation import binned


def features(config: SdomlConfig) -> tfds.features.FeaturesDict:
    """Return what an example holds; see README.md."""
    scalar = tfds.features.Tensor(shape=(), dtype=np.float32)
    items: dict[str, Any] = {
        "time": tfds.features.Tensor(shape=(), dtype=np.int64),
        "solar_radius": scalar,
        "centre": tfds.features.Tensor(shape=(2,), dtype=np.float32),
        "b0": scalar,
        "l0": scalar,
        "distance": scalar,
    }
    for name, series in (("euv", config.channels), ("magnetogram", config.field)):
        if series:
            items[name] = array_feature((config.size, config.size, len(series)), config.dtype)
    if config.source == "synthetic":
        items["surface_field"] = array_feature((TRUTH_ROWS, TRUTH_COLUMNS), "float16")
    return tfds.features.FeaturesDict(items)


def array_feature(shape: tuple[int, ...], dtype: str) -> tfds.features.Tensor:
    """Return the feature of an array, kept as raw bytes (five times faster than the default)."""
    return tfds.features.Tensor(shape=shape, dtype=np.dtype(dtype), encoding=tfds.features.Encoding.BYTES)


@dataclass(frozen=True)
class Loaded:
    """What became of one frame.

    Attributes:
        levels: of the image of each series, for the comparison with its neighbours; None if the frame is rejected.
        rejected: why, for each image that is to blame.
        record: the example as a shard holds it; None if it is rejected or was not wanted.
        counts: histogram of each series, if they were asked for.
        clipped: pixels beyond the range of the stored type.
    """

    levels: tuple[float, ...] | None
    rejected: list[Rejection]
    record: bytes | None = field(default=None, repr=False)
    counts: np.ndarray | None = field(default=None, repr=False)
    clipped: int = 0


def load(config: SdomlConfig, source: Source, frame: Frame, wanted: bool, counted: bool) -> Loaded:
    """Read and check the images of a frame, and make its record if it is wanted, its histograms if counted."""
    images, levels, rejected = [], [], []
    for series, place in zip(config.series, frame.places, strict=True):
        try:
            image = read(config, source, series, place)
            levels.append(check_image(image, series in config.field))
            images.append(image)
        except FrameError as error:
            rejected.append(Rejection(series, frame.time, place, error.reason, error.detail))
    if rejected:
        return Loaded(None, rejected)
    if not wanted:
        return Loaded(tuple(levels), [])
    example, clipped = example_of(config, frame.time, images)
    if isinstance(source, SyntheticSun):
        example["surface_field"] = source.surface_field(frame.places[0]).astype(np.float16)
    counts = np.stack([histogram(image) for image in images]) if counted else None
    return Loaded(tuple(levels), [], serialized(config, example), counts, clipped)


def read(config: SdomlConfig, source: Source, series: str, place: str) -> Float[np.ndarray, "size size"]:
    """Return one image of the size that the dataset has: the mean over blocks where the source has more pixels."""
    image = source.read(series, place)
    if image.shape != (source.size, source.size):
        raise FrameError("shape", f"{image.shape}, expected {(source.size, source.size)}")
    return image if source.size == config.size else binned(image, source.size // config.size)


def example_of(config: SdomlConfig, time: int, images: list[np.ndarray]) -> tuple[dict[str, Any], int]:
    """Return the example of a time, and how many pixels are clipped to what its type can hold.

    The geometry is SDOML's, as seen from the Earth.
    """
    geometry = sdoml_geometry(config.size, *earth_view(time))
    example: dict[str, Any] = {
        "time": np.int64(time),
        "solar_radius": np.float32(geometry.solar_radius),
        "centre": np.array(geometry.centre, np.float32),
        "b0": np.float32(geometry.b0),
        "l0": np.float32(geometry.l0),
        "distance": np.float32(geometry.distance),
    }
    largest, clipped = float(np.finfo(config.dtype).max), 0
    components = len(config.field)
    for name, of_domain in (("magnetogram", images[:components]), ("euv", images[components:])):
        if not of_domain:
            continue
        stored = np.empty((config.size, config.size, len(of_domain)), config.dtype)
        for channel, image in enumerate(of_domain):
            if max(image.max(), -image.min()) > largest:
                clipped += int(np.count_nonzero(np.abs(image) > largest))
                image = np.clip(image, -largest, largest)
            stored[..., channel] = image
        example[name] = stored
    return example, clipped


def serialized(config: SdomlConfig, example: dict[str, Any]) -> bytes:
    """Return an example as a record; the same example gives the same bytes in any process."""
    kinds: Any = features(config)  # TFDS's types for trees do not agree with each other
    encoded = kinds.encode_example(example)
    arrays = {name: value for name, value in encoded.items() if isinstance(value, bytes)}
    rest = {name: info for name, info in kinds.get_serialized_info().items() if name not in arrays}
    message = ExampleSerializer(rest).get_tf_example({name: encoded[name] for name in rest})
    for name, data in arrays.items():  # the serializer would copy the images five times
        message.features.feature[name].bytes_list.value.append(data)
    return message.SerializeToString(deterministic=True)
