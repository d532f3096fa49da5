"""From the frames of datasets to batches: context, crop, flip, normalise, shuffle, repeat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grain
import numpy as np
from jaxtyping import Float

from munit_jax.data.augment import (
    FIELD_ALONE,
    Distortion,
    Flip,
    random_crop,
    random_distortion,
    random_flip,
    random_reversal,
)
from munit_jax.data.context import LAST_SEEN, Earlier, Past, context_of, context_signs
from munit_jax.data.datasets import Frames, geometry_of, past_magnetograms
from munit_jax.data.normalization import Normalization, normalize
from munit_jax.errors import ConfigError, DataError
from munit_jax.sun.constants import SYNODIC_CARRINGTON_DAYS

# Reading costs a few CPU milliseconds an example: two threads and a short queue keep any step fed.
READ_THREADS = 2
READ_AHEAD = 16

# For `last_seen`, days between an image and the latest magnetogram that may be used. Training draws them, and gives a
# share of the images no past at all; frames that are scored have half a rotation, as the point opposite the Earth.
TRAINING_GAPS = (1.0, SYNODIC_CARRINGTON_DAYS)
WITHOUT_PAST = 0.2
SCORED_GAP = SYNODIC_CARRINGTON_DAYS / 2

# A frame -> its planes of context, None if there are none
FrameContext = Callable[[Mapping[str, np.ndarray]], Float[np.ndarray, "h w k"] | None]


@dataclass(frozen=True)
class DataSettings:
    """The sources of the images and their treatment."""

    euv: str  # a dataset's name, such as sdoml/aia0193_hmi
    magnetogram: str  # the same for a dataset that has both
    paired: bool  # examples are simultaneous; otherwise each domain is shuffled separately
    channels: tuple[str, ...]  # EUV channels to use, in this order, as the dataset names them (0193)
    crop: int  # side of the random square in pixels, 0 for the whole image
    flip: Flip
    normalization: Mapping[str, Normalization]
    data_dir: str | None  # None for TFDS's default (~/tensorflow_datasets or TFDS_DATA_DIR)
    context: tuple[str, ...] = ()  # conditioning planes, see `munit_jax.data.context`
    earlier: str | None = None  # the dataset of the earlier magnetograms of `last_seen`, None for `magnetogram`
    reversal: bool = False  # whether the field of half of the examples is reversed, as in the next cycle
    distortion: Distortion = field(default_factory=Distortion)  # how far examples are changed at random

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the datasets, that of the EUV images first."""
        return self.euv, self.magnetogram, *([self.earlier] if self.earlier else [])


def no_context(_frame: Mapping[str, np.ndarray]) -> None:
    """Return no context: for networks that take none."""
    return


def archive_of(settings: DataSettings) -> Past | None:
    """Return the earlier magnetograms of a run, None for networks that take none."""
    if LAST_SEEN not in settings.context:
        return None
    return past_magnetograms(settings.earlier or settings.magnetogram, settings.data_dir)


def context_of_scored(settings: DataSettings, past: Past | None) -> FrameContext:
    """Return the function that makes the context of a scored frame; it raises as `frame_context`."""
    earlier = None if past is None else Earlier(past, SCORED_GAP)
    return lambda frame: frame_context(settings.context, frame, earlier)


def frame_context(
    names: Sequence[str], frame: Mapping[str, np.ndarray], earlier: Earlier | None = None
) -> Float[np.ndarray, "h w k"] | None:
    """Return the planes of a frame, see `context_of`; DataError for one of a time whose cycle is not known."""
    try:
        return context_of(names, geometry_of(frame), float(frame["time"]), earlier)
    except ValueError as error:
        raise DataError(f"data.context: {error}") from None


def training_batches(
    settings: DataSettings, batch_size: int, seed: int, host: int = 0, hosts: int = 1, first: int = 0
) -> grain.DatasetIterator:
    """Return an endless iterator of batches.

    A batch is {"images": {domain: (b, h, w, c) float32 in [-1, 1]}, "time": {domain: (b,) seconds since 1970}}, and
    with planes of context "contexts": {domain: (b, h, w, k)}, those of the domain's image.
    The same seed gives the same order, crops and flips, whatever the devices, threads and hosts.

    A host gets every `hosts`-th example of the global batch, from `host` on, and reads no others: b is
    batch_size / hosts. A run resumed after n steps starts with batch n, its `first`.

    Raises:
        DataError, ConfigError: datasets that are not there, do not fit the settings or have no pairs.
    """
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
    past = archive_of(settings)
    signs = {**FIELD_ALONE, "context": context_signs(settings.context)}

    def prepare(frame: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, Any]:
        images = {domain: frame[domain] for domain in domains}
        earlier = None
        if past is not None and rng.random() >= WITHOUT_PAST:
            earlier = Earlier(past, rng.uniform(*TRAINING_GAPS))
        if (planes := frame_context(settings.context, frame, earlier)) is not None:
            images["context"] = planes
        images = random_distortion(images, settings.distortion, rng)
        images = random_crop(images, settings.crop, rng)
        if settings.flip == "physical":
            images = random_flip(images, rng, signs)
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
