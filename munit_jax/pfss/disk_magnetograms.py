"""Magnetograms of the disk: those that `munit_jax.translate` writes, and of any magnetograph by their headers."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.errors import DataError
from munit_jax.instruments.checks import check_field, without_markers
from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.headers import gauss_in, quality_of, time_of
from munit_jax.instruments.hmi import HMI
from munit_jax.instruments.reading import read_image
from munit_jax.instruments.registration import check_inside, register, solar_disk
from munit_jax.instruments.view import heliographic_view, view_cards
from munit_jax.sun.disk import SDOML_RADIUS_FRACTION, DiskGeometry, sdoml_geometry

LARGEST = 1024  # pixels across the upright image: 7 a degree in the centre, of which a cell takes means
REALISATIONS = "REALISATIONS"  # the HDU of `munit_jax.translation.fits_output`

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DiskMagnetogram:
    """The line-of-sight field of the disk, or several realisations of it."""

    field: Float[np.ndarray, "n size size"]  # gauss, 0 off the disk, solar north up
    geometry: DiskGeometry
    time: int  # UTC seconds since 1970
    name: str  # of the file
    flags: int = 0  # HMI's quality flags of damage


def read_magnetogram(path: Path) -> DiskMagnetogram:
    """Read a magnetogram, or all realisations of a translation.

    Raises:
        DataError: a file that cannot be read, is not in gauss or does not tell where the Sun or the observer is.
    """
    try:
        header, image = read_image(path)
        gauss = np.float32(gauss_in(header))
        disk, cards, seconds = solar_disk(header), view_cards(header), time_of(header)
        flags = quality_of(header) & ~HMI.harmless
        size = min(LARGEST, round(disk.radius / SDOML_RADIUS_FRACTION))
        geometry = heliographic_view(cards, sdoml_geometry(size))
        check_inside(image, disk)
        images = _realisations(path, image)
        for warning in {warning for one in images for warning in check_field(header, one * gauss, disk)}:
            logger.warning("%s: %s", path, warning)
        field = np.stack([register(without_markers(one * gauss), disk, geometry) for one in images])
    except (FrameError, ValueError) as error:
        raise DataError(f"{path}: {reason_of(error)}") from error
    return DiskMagnetogram(field, geometry, seconds, path.name, flags)


def _realisations(path: Path, image: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "n y x"]:
    """Return the realisations of a translation; of other files the image."""
    with fits.open(path, memmap=False) as units:
        if REALISATIONS not in units:
            return image[None]
        layer: Any = units[REALISATIONS]
        return np.asarray(layer.data, np.float32)
