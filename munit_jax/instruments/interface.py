"""The interface of an instrument: recognise its images by their header, and bring them to the networks' scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.instruments.calibration import Reference
from munit_jax.instruments.checks import FOURTEEN_BITS, Camera
from munit_jax.instruments.headers import Header
from munit_jax.instruments.registration import SolarDisk
from munit_jax.sun.disk import DiskGeometry

Card = tuple[str, str | float, str]  # keyword, value, comment
Scale = str  # of a magnetogram: `none` as its instrument measured it, `hmi` as HMI would have

PROGRAM = "munit_jax"  # ORIGIN of what it writes


def as_it_is(header: fits.Header) -> fits.Header:
    """Return a header whose keywords are the common ones."""
    return header


@dataclass(frozen=True)
class Telescope:
    """An instrument; each has a file of its own here, and a place in `telescopes.TELESCOPES`.

    Attributes:
        name: as users know it.
        series_of: of a header: AIA's channel (`0193`), the one that is like it, or `bz` for a magnetogram of the line
            of sight; None for an image of another instrument; FrameError for one of its own that cannot be used.
        calibrate: brings an image to DN/s as AIA has them or to gauss, and to the geometry of the training.
        common: the header with the Sun, the observer and the time under the common keywords, where its own has others.
        harmless: the bits of QUALITY that do not matter.
        doubtful: those that a warning reports.
        camera: which values its pixels can have; of an imager in EUV.
        marker: the keyword with the value of missing pixels, in addition to BLANK and NaN.
    """

    name: str
    series_of: Callable[[Header], str | None]
    calibrate: "Callable[[Observation, Preparation], Prepared]"
    common: Callable[[fits.Header], fits.Header] = as_it_is
    harmless: int = 0
    doubtful: int = 0
    camera: Camera = FOURTEEN_BITS
    marker: str | None = None


@dataclass(frozen=True)
class Observation:
    """An image as the instrument took it, in the unit of the file, its common header, and the name of the file."""

    header: fits.Header
    image: Float[np.ndarray, "y x"]
    disk: SolarDisk
    telescope: Telescope
    series: str
    name: str


@dataclass(frozen=True)
class Prepared:
    """An image as the networks take it (DN/s or gauss), cards on its calibration, and warnings."""

    image: Float[np.ndarray, "size size"]
    treatment: tuple[Card, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """How images are prepared: in the geometry of the training, calibrated and corrected for degradation by these.

    Magnetograms are brought to the scale of `scale_to`, see `magnetographs.scale_factor`.
    """

    geometry: DiskGeometry
    references: Sequence[Reference] = ()
    degradation_table: Path | None = None
    scale_to: Scale = "none"
