"""From frames to examples: the features, and one record of a shard."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Float, Int
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from munit_jax.instruments.checks import check_image
from munit_jax.instruments.errors import FrameError
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.sun.ephemeris import earth_view
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.percentiles import histogram
from tfds_sdoml.plan import Frame
from tfds_sdoml.sources.interface import Rejection, Source
from tfds_sdoml.sources.synthetic_sun import SyntheticSun
from tfds_sdoml.synthetic_sun.field import TRUTH_COLUMNS, TRUTH_ROWS
from tfds_sdoml.synthetic_sun.observation import binned

SCALARS = ("solar_radius", "b0", "l0", "distance")  # of the geometry


def features(config: SdomlConfig) -> tfds.features.FeaturesDict:
    """Return the features of an example; see docs/datasets.md."""

    def array(shape: tuple[int, ...], dtype: str) -> tfds.features.Tensor:
        # Raw bytes are five times faster than the default.
        return tfds.features.Tensor(shape=shape, dtype=np.dtype(dtype), encoding=tfds.features.Encoding.BYTES)

    items: dict[str, Any] = {
        "time": tfds.features.Tensor(shape=(), dtype=np.int64),
        "centre": tfds.features.Tensor(shape=(2,), dtype=np.float32),
        **{name: tfds.features.Tensor(shape=(), dtype=np.float32) for name in SCALARS},
    }
    for name, series in (("euv", config.channels), ("magnetogram", config.field)):
        if series:
            items[name] = array((config.size, config.size, len(series)), config.dtype)
    if config.source == "synthetic":
        items["surface_field"] = array((TRUTH_ROWS, TRUTH_COLUMNS), "float16")
    return tfds.features.FeaturesDict(items)


@dataclass(frozen=True)
class Loaded:
    """The result of one frame."""

    levels: tuple[float, ...] | None  # of each series, to compare with its neighbours; None if the frame is rejected
    rejected: list[Rejection]  # an image each that is to blame
    record: bytes | None = field(default=None, repr=False)  # as in a shard; None if rejected or not wanted
    digest: int = 0  # SHA-256 of the record
    counts: Int[np.ndarray, "series bin"] | int = field(default=0, repr=False)  # histogram of each series
    clipped: int = 0  # pixels beyond the range of the stored type


def load(config: SdomlConfig, source: Source, frame: Frame, wanted: bool) -> Loaded:
    """Read and check the images of a frame; make its record, checksum and histograms if it is wanted."""
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
    example, clipped = example_of(config, frame, images)
    if isinstance(source, SyntheticSun):
        example["surface_field"] = source.surface_field(frame.places[0]).astype(np.float16)
    record = serialized(config, example)
    digest = int.from_bytes(hashlib.sha256(record).digest())
    return Loaded(tuple(levels), [], record, digest, np.stack([histogram(image) for image in images]), clipped)


def read(config: SdomlConfig, source: Source, series: str, place: str) -> Float[np.ndarray, "size size"]:
    """Return one image of the size that the dataset has: the mean over blocks where the source has more pixels."""
    image = source.read(series, place)
    if image.shape != (source.size, source.size):
        raise FrameError("shape", f"{image.shape}, expected {(source.size, source.size)}")
    return image if source.size == config.size else binned(image, source.size // config.size)


def example_of(config: SdomlConfig, frame: Frame, images: list[np.ndarray]) -> tuple[dict[str, Any], int]:
    """Return the example of a frame, and how many pixels are clipped to the range of its type.

    The geometry is SDOML's, as seen by the observer.
    """
    geometry = sdoml_geometry(config.size, *(frame.view or earth_view(frame.time)))
    example: dict[str, Any] = {"time": np.int64(frame.time), "centre": np.array(geometry.centre, np.float32)}
    example |= {name: np.float32(getattr(geometry, name)) for name in SCALARS}
    largest, clipped = float(np.finfo(config.dtype).max), 0
    components = len(config.field)
    for name, of_domain in (("magnetogram", images[:components]), ("euv", images[components:])):
        if of_domain:
            stack = np.stack(of_domain, axis=-1)
            clipped += int(np.count_nonzero(np.abs(stack) > largest))
            example[name] = np.clip(stack, -largest, largest).astype(config.dtype)
    return example, clipped


def serialized(config: SdomlConfig, example: dict[str, Any]) -> bytes:
    """Return an example as a record; the same example gives the same bytes in any process."""
    kinds: Any = features(config)  # TFDS's types for trees do not agree with each other
    serializer = ExampleSerializer(kinds.get_serialized_info())
    return serializer.get_tf_example(kinds.encode_example(example)).SerializeToString(deterministic=True)
