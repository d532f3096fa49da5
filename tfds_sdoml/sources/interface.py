"""What a source of frames offers, whatever its files look like on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from munit_jax.instruments.errors import Reason
from munit_jax.sun.vantage import View


class Rejection(NamedTuple):
    """A row of rejected.csv: a frame that is there and was not used; `time` is None where it has none."""

    series: str
    time: int | None
    place: str
    reason: Reason
    detail: str


@dataclass(frozen=True)
class Listing:
    """The frames of one series, in any order, several of one time included."""

    times: Int[np.ndarray, "frame"]
    places: Sequence[str]  # in the source's own words, which `Source.read` understands
    rejected: Sequence[Rejection] = ()  # frames that the list shows to be useless: no time, a quality flag
    views: Sequence[View] | None = None  # from where each was seen; None for the Earth


@runtime_checkable
class Source(Protocol):
    """Frames on disk or in a bucket. Reading is safe from several threads, and a source can be pickled.

    One convention for all: AIA in DN/s per pixel as SDOML v2 has it (the mean over the pixels that were binned), the
    field in gauss; row 0 is south, column 0 is east; the geometry is SDOML's (`munit_jax.sun.disk.sdoml_geometry`);
    times are int64 seconds since 1970-01-01 UTC. A series is named as in SDOML's file names: `0193` for an AIA channel,
    `bx`, `by`, `bz` for the components of the field, of which `bz` is the one along the line of sight.
    """

    size: int  # pixels across its images
    spawn: bool  # whether reading is computing, so that processes read faster than threads

    def listing(self, series: str) -> Listing:
        """Return the frames of a series.

        Raises:
            OSError: a folder or store that is not there or cannot be read.
            ValueError: none of the files or arrays that this kind of source has (the message says what was sought,
                what was found and what to do).
        """
        ...

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image, float32, new and writeable, in DN/s per pixel or gauss.

        Raises:
            FrameError: this image cannot be read; others may.
        """
        ...
