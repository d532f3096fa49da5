"""Magnetograms of the disk out of FITS files: those that `munit_jax.translate` writes, and HMI's or anybody's.

They are brought to an upright image by the code that makes the datasets (`tfds_sdoml.sources.reprojection`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.errors import DataError
from munit_jax.sun.disk import SDOML_RADIUS_FRACTION, DiskGeometry, sdoml_geometry
from munit_jax.translation.instruments import FEWER_AVERAGED
from munit_jax.translation.view import heliographic_view, view_cards
from tfds_sdoml.sources.fits import read_image
from tfds_sdoml.sources.fits_headers import HMI_HARMLESS, quality_of, reason_of, text, time_of
from tfds_sdoml.sources.interface import FrameError
from tfds_sdoml.sources.reprojection import register, solar_disk

LARGEST = 1024  # pixels across the upright image: 7 a degree in the centre, of which a cell takes means
GAUSS = ("g", "gauss", "mx/cm^2")
REALISATIONS = "REALISATIONS"  # the HDU of `munit_jax.translation.fits_output`


@dataclass(frozen=True)
class DiskMagnetogram:
    """The line-of-sight field of the disk, or several realisations of it.

    Attributes:
        field: gauss, 0 off the disk; solar north up.
        geometry: with the direction from which it was seen.
        time: UTC seconds since 1970.
        name: of the file.
        flags: HMI's quality flags that tell of harm.
    """

    field: Float[np.ndarray, "n size size"]
    geometry: DiskGeometry
    time: int
    name: str
    flags: int = 0


def read_magnetogram(path: Path) -> DiskMagnetogram:
    """Read a magnetogram; of a file of `munit_jax.translate` all realisations.

    Raises:
        DataError: a file that cannot be read, is not in gauss or does not tell where the Sun or the observer is.
    """
    try:
        header, image = read_image(path)
        unit = text(header, "BUNIT")
        if unit.lower() not in GAUSS:
            raise FrameError("unreadable", f"BUNIT = '{unit}', expected a magnetogram in gauss")
        cards, disk, seconds = view_cards(header), solar_disk(header), time_of(header)
        size = min(LARGEST, round(disk.radius / SDOML_RADIUS_FRACTION))
        geometry = heliographic_view(cards, sdoml_geometry(size))
        images = _realisations(path, image)
        field = np.stack([register(one, disk, geometry) for one in images])
    except (FrameError, ValueError) as error:
        raise DataError(f"{path}: {reason_of(error)}") from error
    return DiskMagnetogram(field, geometry, seconds, path.name, quality_of(header) & ~(HMI_HARMLESS | FEWER_AVERAGED))


def _realisations(path: Path, image: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "n y x"]:
    """Return the realisations of a translation; of other files the image."""
    with fits.open(path, memmap=False) as units:
        if REALISATIONS not in units:
            return image[None]
        layer: Any = units[REALISATIONS]
        return np.asarray(layer.data, np.float32)
