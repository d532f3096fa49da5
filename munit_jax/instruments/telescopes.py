"""Every instrument: from a file to an image as the networks take it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.instruments import sdoml
from munit_jax.instruments.aia import AIA
from munit_jax.instruments.checks import (
    check_exposed,
    check_field,
    check_image,
    check_limb,
    check_no_picture,
    check_size,
    sdoml_limb,
)
from munit_jax.instruments.eit import EIT
from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.eui import EUI
from munit_jax.instruments.euvi import EUVI
from munit_jax.instruments.gong import GONG
from munit_jax.instruments.headers import Header, check_quality, gauss_in, number, text
from munit_jax.instruments.hmi import HMI
from munit_jax.instruments.interface import PROGRAM, Observation, Preparation, Prepared, Telescope
from munit_jax.instruments.mdi import MDI
from munit_jax.instruments.phi import PHI
from munit_jax.instruments.reading import image_header, kind_of, open_file, read_image
from munit_jax.instruments.registration import check_inside, solar_disk
from munit_jax.instruments.suvi import SUVI
from munit_jax.instruments.suvi_netcdf import read_suvi_netcdf
from munit_jax.instruments.swap import SWAP

TELESCOPES = (AIA, EUVI, EUI, SUVI, SWAP, EIT, HMI, MDI, GONG, PHI)
CLOSE_CROP = 1.1  # solar radii: the networks saw the corona to 1.26


def recognise(header: Header) -> tuple[Telescope, str]:
    """Return the instrument and the series of an image; FrameError for one that cannot be used."""
    if text(header, "ORIGIN") == PROGRAM:
        raise FrameError("instrument", f"it was made by {PROGRAM}: give an image that was taken")
    if known := telescope_of(header):
        return known
    cards = ("TELESCOP", "INSTRUME", "CONTENT", "WAVELNTH")
    who = " ".join(filter(None, (text(header, key) for key in cards))) or "unknown"
    what = f"not an image of {', '.join(t.name for t in TELESCOPES)} that can be used"
    raise FrameError(
        "instrument", f"{who}: {what}, by TELESCOP, INSTRUME, DETECTOR, CONTENT, CTYPE1, WAVELNTH and WAVEUNIT"
    )


def telescope_of(header: Header) -> tuple[Telescope, str] | None:
    """Return the instrument and the series of an image, None for another one; FrameError as `recognise`."""
    return next(((one, series) for one in TELESCOPES if (series := one.series_of(header))), None)


def header_of(path: Path) -> fits.Header:
    """Return the header of a file, reading no more of it; that of an npz of SDOML is made from its name.

    Raises FrameError for an impossible name, and what astropy makes of damaged files.
    """
    if match := _sdoml_name(path):
        return _sdoml_header(match)
    if kind_of(path) == "hdf5":
        return read_suvi_netcdf(path)[0]
    with open_file(path) as file:
        return image_header(file)


def identify(path: Path) -> tuple[fits.Header, Telescope, str]:
    """Return the common header of a file, its instrument and its series, reading no more of it; raises as `observe`."""
    try:
        header = header_of(path)
        telescope, series = recognise(header)
        return telescope.common(header), telescope, series
    except FrameError:
        raise
    except Exception as error:  # astropy raises many kinds for damaged files
        raise FrameError("unreadable", reason_of(error)) from error


def observe(path: Path) -> Observation:
    """Read a file: FITS of one of TELESCOPES, netCDF of SUVI, or an npz of SDOML version 1.

    Raises:
        FrameError: a file that cannot be read, of something else, or without a keyword that is needed.
    """
    if match := _sdoml_name(path):
        return observation(_sdoml_header(match), sdoml.read_image(path, match[3]), path.name)
    return observation(*(read_suvi_netcdf(path) if kind_of(path) == "hdf5" else read_image(path)), path.name)


def _sdoml_name(path: Path) -> re.Match[str] | None:
    """Return the name of an SDOML npz; None for FITS. FrameError for what is neither."""
    match kind_of(path):
        case "npz":
            if match := sdoml.named(path.name):
                return match
            raise sdoml.misnamed()
        case "tar":
            raise FrameError("unreadable", "it is an archive of files: unpack it")
        case _:
            return None


def _sdoml_header(match: re.Match[str]) -> fits.Header:
    series = match[3]
    if series in ("bx", "by"):
        raise FrameError("instrument", f"{series}: the networks are for the line of sight, bz")
    try:
        return sdoml.sdoml_header(series, sdoml.time_in_name(match), sdoml.SIZE)
    except ValueError as error:
        raise FrameError("no time", str(error)) from None


def observation(header: fits.Header, image: Float[np.ndarray, "y x"], name: str) -> Observation:
    """Return an image and its header as an observation; raises as `observe`."""
    telescope, series = recognise(header)
    header = telescope.common(header)
    return Observation(header, without_marker(telescope, header, image), solar_disk(header), telescope, series, name)


def without_marker(telescope: Telescope, header: Header, image: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "y x"]:
    """Return an image with NaN where it has the value of the telescope's keyword for missing pixels."""
    value = number(header, telescope.marker) if telescope.marker else None
    return image if value is None else np.where(image == np.float32(value), np.float32(np.nan), image)


def prepare(seen: Observation, how: Preparation) -> Prepared:
    """Check an observation and return it as the networks take it: DN/s or gauss, in the geometry of the training.

    Raises:
        FrameError: quality flags, overexposure, blocks or pixels that are missing, a disk that is not all in the image
            or not where the header says, no Sun.
    """
    warnings = check_quality(seen.header, seen.telescope.harmless, seen.telescope.doubtful)
    check_inside(seen.image, seen.disk)
    field = seen.series == "bz"
    if (radius := seen.disk.radius) < how.geometry.solar_radius / 2:
        warnings += (
            f"its solar radius is {radius:.0f} pixels, the networks' {how.geometry.solar_radius:.0f}: it is coarse",
        )
    if field:
        warnings += check_field(seen.header, seen.image * np.float32(gauss_in(seen.header)), seen.disk)
    else:
        check_no_picture(seen.image)
        check_exposed(seen.header, seen.image, seen.disk, seen.telescope.camera)
    prepared = seen.telescope.calibrate(seen, how)
    check_image(prepared.image, field)
    if not field:
        margin = seen.disk.margin(seen.image.shape)
        if margin < CLOSE_CROP:
            warnings += (f"the image ends at {margin:.2f} solar radii: the corona beyond is taken as dark",)
        warnings += check_limb(sdoml_limb(prepared.image, field))
        warnings += check_size(prepared.image, seen.disk.radius)
    return replace(prepared, warnings=prepared.warnings + warnings)
