"""Every instrument that is read: a file in, an image as the networks take it out."""

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
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.euvi import EUVI
from munit_jax.instruments.headers import Header, check_quality, gauss_in, text
from munit_jax.instruments.hmi import HMI
from munit_jax.instruments.interface import PROGRAM, Observation, Preparation, Prepared, Telescope
from munit_jax.instruments.reading import image_header, kind_of, open_file, read_image
from munit_jax.instruments.registration import check_inside, solar_disk

TELESCOPES = (AIA, EUVI, HMI)
CLOSE_CROP = 1.1  # solar radii: the networks saw the corona to 1.26


def recognise(header: Header) -> tuple[Telescope, str]:
    """Return the instrument and the series of an image; FrameError for one that cannot be used."""
    if text(header, "ORIGIN") == PROGRAM:
        raise FrameError("instrument", f"it was made by {PROGRAM}: give an image that was taken")
    for telescope in TELESCOPES:
        if series := telescope.series_of(header):
            return telescope, series
    cards = ("TELESCOP", "INSTRUME", "CONTENT", "WAVELNTH")
    who = " ".join(filter(None, (text(header, key) for key in cards))) or "unknown"
    what = f"not an image of {', '.join(t.name for t in TELESCOPES)} that can be used"
    raise FrameError(
        "instrument", f"{who}: {what}, by TELESCOP, INSTRUME, DETECTOR, CONTENT, CTYPE1, WAVELNTH and WAVEUNIT"
    )


def header_of(path: Path) -> fits.Header:
    """Return the header of a file, reading no more of it; that of an npz of SDOML is made from its name.

    Raises FrameError for an impossible name, and what astropy makes of damaged files.
    """
    if match := _sdoml_name(path):
        return _sdoml_header(match)
    with open_file(path) as file:
        return image_header(file)


def observe(path: Path) -> Observation:
    """Read a file: FITS of one of TELESCOPES, or an npz of SDOML version 1.

    Raises:
        FrameError: a file that cannot be read, of something else, or without a keyword that is needed.
    """
    if match := _sdoml_name(path):
        return observation(_sdoml_header(match), sdoml.read_image(path, match[3]), path.name)
    return observation(*read_image(path), path.name)


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
    return Observation(header, image, solar_disk(header), telescope, series, name)


def prepare(seen: Observation, how: Preparation) -> Prepared:
    """Check an observation and return it as the networks take it: DN/s or gauss, in the geometry of the training.

    Raises:
        FrameError: quality flags, overexposure, blocks or pixels that are missing, a disk that is not all in the image
            or not where the header says, no Sun.
    """
    check_quality(seen.header, seen.telescope.harmless)
    check_inside(seen.image, seen.disk)
    field = seen.series == "bz"
    warnings: tuple[str, ...] = ()
    if (radius := seen.disk.radius) < how.geometry.solar_radius / 2:
        warnings = (
            f"its solar radius is {radius:.0f} pixels, the networks' {how.geometry.solar_radius:.0f}: it is coarse",
        )
    if field:
        warnings += check_field(seen.header, seen.image * np.float32(gauss_in(seen.header)), seen.disk)
    else:
        check_no_picture(seen.image)
        check_exposed(seen.header, seen.image, seen.disk)
    prepared = seen.telescope.calibrate(seen, how)
    check_image(prepared.image, field)
    if not field:
        margin = seen.disk.margin(seen.image.shape)
        if margin < CLOSE_CROP:
            warnings += (f"the image ends at {margin:.2f} solar radii: the corona beyond is taken as dark",)
        warnings += check_limb(sdoml_limb(prepared.image, field))
        warnings += check_size(prepared.image, seen.disk.radius)
    return replace(prepared, warnings=prepared.warnings + warnings)
