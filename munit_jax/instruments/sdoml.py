"""SDOML version 1: one image of AIA or HMI an npz file, whose name has the series and the time (Galvez et al. 2019)."""

import re
import zlib
from datetime import UTC, datetime
from io import BytesIO
from lzma import LZMAError
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.headers import iso
from munit_jax.instruments.reading import open_file, stem
from munit_jax.sun.constants import ASTRONOMICAL_UNIT, AU, SOLAR_RADIUS
from munit_jax.sun.disk import SDOML_RADIUS_FRACTION
from munit_jax.sun.ephemeris import earth_view, seconds_from_tai

SIZE = 512  # pixels
ORIGIN = "SDOML"  # whose makers corrected AIA's loss of sensitivity
BINNING = 4  # version 1 sums 2 x 2 pixels of AIA, version 2 takes their mean
NAME = re.compile(r"(AIA|HMI)(\d{8}_\d{4})_(\d{4}|b[xyz])")  # of its files, without suffixes
DAMAGED = (BadZipFile, EOFError, LZMAError, OSError, ValueError, zlib.error)  # what numpy raises for a damaged file


def file_name(series: str, time: str = "YYYYMMDD_HHMM") -> str:
    """Return the file name of a series: `0193` and the like for an AIA channel, `bx`, `by`, `bz` for the field."""
    return f"{'AIA' if series.isdigit() else 'HMI'}{time}_{series}.npz"


def named(name: str) -> re.Match[str] | None:
    """Return instrument, time and series out of the name of an SDOML file, whatever its suffix; None for another."""
    return NAME.fullmatch(stem(name))


def misnamed() -> FrameError:
    """Return the refusal of an npz file whose name is not SDOML's: its name alone says when and what it is."""
    what = "it is a zip file, and its name does not say when and what it is"
    return FrameError("instrument", f"{what}: an npz of SDOML is called {file_name('0193')}")


def time_in_name(match: re.Match[str]) -> int:
    """Return the time in a file name as UTC seconds since 1970: AIA's clock is UTC, HMI's is TAI.

    ValueError for a date that does not exist.
    """
    try:
        clock = datetime.strptime(match[2], "%Y%m%d_%H%M").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{match[2]} in its name is no time, expected YYYYMMDD_HHMM") from None
    return seconds_from_tai(clock) if match[1] == "HMI" else int(clock.timestamp())


def read_array(file: Path | BytesIO, key: str, size: int) -> Float[np.ndarray, "size size"]:
    """Return an image of an npz file, float32, in the units it has there; FrameError for no npz, key or other shape."""
    try:
        with open_file(file) if isinstance(file, Path) else file as opened:  # numpy leaves damaged files open
            if opened.read(2) != b"PK":
                raise ValueError("no npz file: it does not begin with PK")
            opened.seek(0)
            image = np.load(opened)[key].astype(np.float32)
    except KeyError:
        raise FrameError("unreadable", f"it has no key {key!r}") from None
    except DAMAGED as error:
        raise FrameError("unreadable", reason_of(error)) from error
    if image.shape != (size, size):
        raise FrameError("shape", f"{image.shape}, expected {(size, size)}")
    return image


def read_image(file: Path | BytesIO, series: str) -> Float[np.ndarray, "size size"]:
    """Return the image of a file, DN/s per pixel on the scale of version 2, or gauss; raises as `read_array`."""
    image = read_array(file, "x", SIZE)
    return image / BINNING if series.isdigit() else image


def sdoml_header(series: str, seconds: int, size: int) -> fits.Header:
    """Return a header for an SDOML image of a time (UTC since 1970), which comes without: north up, from the Earth."""
    b0, l0, distance = earth_view(seconds)
    metres = distance / ASTRONOMICAL_UNIT * AU
    radius = float(np.rad2deg(np.arcsin(SOLAR_RADIUS / metres))) * 3600
    aia = series.isdigit()
    header = fits.Header()
    header["TELESCOP"] = "SDO/AIA" if aia else "SDO/HMI"
    header["INSTRUME"] = "AIA" if aia else "HMI"
    header["ORIGIN"] = ORIGIN
    if aia:
        header["WAVELNTH"] = int(series)
    else:
        header["CONTENT"] = "MAGNETOGRAM"
    header["BUNIT"] = "DN/s" if aia else "Gauss"
    header["DATE-OBS"] = iso(seconds)
    for axis, name in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = name, "arcsec"
        header[f"CRPIX{axis}"], header[f"CRVAL{axis}"] = (size + 1) / 2, 0.0
        header[f"CDELT{axis}"] = radius / (SDOML_RADIUS_FRACTION * size)
    header["CROTA2"] = 0.0
    header["RSUN_OBS"], header["RSUN_REF"], header["DSUN_OBS"] = radius, SOLAR_RADIUS, metres
    header["HGLN_OBS"], header["HGLT_OBS"], header["CRLN_OBS"], header["CRLT_OBS"] = 0.0, b0, l0, b0
    return header
