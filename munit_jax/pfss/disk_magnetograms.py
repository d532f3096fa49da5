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
from munit_jax.instruments.headers import gauss_in, quality_of, text, time_of
from munit_jax.instruments.interface import PROGRAM, Scale
from munit_jax.instruments.magnetographs import scale_factor
from munit_jax.instruments.reading import read_image
from munit_jax.instruments.registration import check_inside, register, solar_disk
from munit_jax.instruments.telescopes import telescope_of, without_marker
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
    flags: int = 0  # of QUALITY, those of damage
    factor: float = 1.0  # by which the field was brought to another magnetograph's scale


def read_magnetogram(path: Path, scale_to: Scale = "none") -> DiskMagnetogram:
    """Read a magnetogram, or all realisations of a translation, and bring it to a scale.

    A magnetograph that has no file in `munit_jax.instruments` is read by the common keywords. See
    `magnetographs.scale_factor` for the scale.

    Raises:
        DataError: a file that cannot be read, is not in gauss or lacks the position of the Sun or of the observer.
    """
    try:
        header, image = read_image(path)
        known = None if text(header, "ORIGIN") == PROGRAM else telescope_of(header)
        if known:
            header = known[0].common(header)
            image = without_marker(known[0], header, image)
        factor, warnings = scale_factor(header, scale_to)
        gauss = np.float32(gauss_in(header))
        disk, cards, seconds = solar_disk(header), view_cards(header), time_of(header)
        flags = quality_of(header) & ~(known[0].harmless if known else 0)
        size = min(LARGEST, round(disk.radius / SDOML_RADIUS_FRACTION))
        geometry = heliographic_view(cards, sdoml_geometry(size))
        check_inside(image, disk)
        images = _realisations(path, image)
        for warning in {*warnings, *(warning for one in images for warning in check_field(header, one * gauss, disk))}:
            logger.warning("%s: %s", path, warning)
        field = np.stack(
            [register(without_markers(one * gauss) * np.float32(factor), disk, geometry) for one in images]
        )
    except (FrameError, ValueError) as error:
        raise DataError(f"{path}: {reason_of(error)}") from error
    return DiskMagnetogram(field, geometry, seconds, path.name, flags, factor)


def _realisations(path: Path, image: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "n y x"]:
    """Return the realisations of a translation; of other files the image."""
    with fits.open(path, memmap=False) as units:
        if REALISATIONS not in units:
            return image[None]
        layer: Any = units[REALISATIONS]
        return np.asarray(layer.data, np.float32)
