"""Where an image was taken from, when, and how its pixels lie on the sky: the cards that an output has of its input.

Keywords after Thompson 2006, A&A 449, 791, and the FITS standard 4.0.
"""

from typing import Any

import numpy as np
from astropy.io import fits
from astropy.time import Time

from munit_jax.sun.constants import ARCSEC_PER_DEGREE, SOLAR_RADIUS_M
from munit_jax.sun.disk import SDOML_RADIUS_FRACTION, DiskGeometry
from munit_jax.sun.ephemeris import earth_view
from tfds_sdoml.sources.fits_headers import TIME, number, required, text, time_of
from tfds_sdoml.sources.interface import FrameError
from tfds_sdoml.sources.reprojection import solar_radius, unit

GRID = ("CTYPE1", "CTYPE2", "CUNIT1", "CUNIT2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2")
PC, CD = (tuple(f"{name}{ij}" for ij in ("1_1", "1_2", "2_1", "2_2")) for name in ("PC", "CD"))
MORE_GRID = ("LONPOLE", "LATPOLE", "WCSNAME")
TIMES = ("DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END", "T_OBS", "T_REC", "TIMESYS")
PLACES = ("HGLN_OBS", "HGLT_OBS", "CRLN_OBS", "CRLT_OBS", "CAR_ROT", "DSUN_OBS", "DSUN_REF", "RSUN_OBS", "RSUN_REF")
VECTORS = tuple(f"{frame}{axis}_OBS" for frame in ("HAE", "HEE", "HEQ", "GAE") for axis in "XYZ")
VELOCITIES = ("OBS_VR", "OBS_VW", "OBS_VN")
WHO = ("TELESCOP", "OBSRVTRY")

COMMENTS = {
    "CROTA2": "[deg] as in the input",
    "DATE-OBS": "start of the observation",
    "DATE-AVG": "middle of the observation, UTC",
    "HGLN_OBS": "[deg] Stonyhurst longitude of the observer",
    "HGLT_OBS": "[deg] heliographic latitude of the observer",
    "CRLN_OBS": "[deg] Carrington longitude of the observer",
    "CRLT_OBS": "[deg] Carrington latitude of the observer",
    "DSUN_OBS": "[m] from the observer to the Sun's centre",
    "RSUN_OBS": "[arcsec] angular radius of the Sun",
    "RSUN_REF": "[m] radius of the Sun",
}


def view_cards(header: fits.Header) -> fits.Header:
    """Return the cards of the grid, the time and the observer of an image, the same as in its own header.

    What readers of images of any instrument look for is added where the instrument has a way of its own to say it:
    DATE-AVG (SDO: T_OBS), RSUN_OBS (EUVI: RSUN), HGLN_OBS and HGLT_OBS (AIA: HAEX_OBS).

    Raises:
        FrameError: a keyword that is missing, and with it where the Sun or the observer is.
    """
    cards = fits.Header()
    turned = CD if any(key in header for key in CD) else PC if any(key in header for key in PC) else ("CROTA2",)
    for key in (*GRID, *turned, *MORE_GRID, *TIMES, *PLACES, *VECTORS, *VELOCITIES, *WHO):
        if key in header and text(header, key) not in ("", "nan"):
            cards[key] = header[key], COMMENTS.get(key, "")
    for axis, ctype in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
        cards.setdefault(f"CTYPE{axis}", ctype)
        cards.setdefault(f"CUNIT{axis}", "arcsec" if unit(header) == 1 else "deg")
        cards.setdefault(f"CRVAL{axis}", 0.0)
        required(header, f"CRPIX{axis}")
    _set(cards, "RSUN_OBS", solar_radius(header))
    try:
        seconds = time_of(header)
    except ValueError as error:
        raise FrameError("no time", str(error)) from None
    if "DATE-OBS" not in cards:
        _set(cards, "DATE-OBS", _isot(Time(seconds, format="unix")))
    if "DATE-AVG" not in cards:
        _set(cards, "DATE-AVG", _middle(header, seconds))
    _set_observer(cards, header, seconds)
    return cards


def _middle(header: fits.Header, seconds: int) -> str:
    """Return T_OBS, which is the middle of the exposure, in UTC; else the time to the nearest second."""
    if match := TIME.fullmatch(text(header, "T_OBS")):
        year, month, day, hour, minute, second, scale = match.groups()
        clock = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
        if scale == "TAI" and float(second) < 60:
            return _isot(Time(clock, scale="tai").utc)
        if scale != "TAI":
            return clock
    return _isot(Time(seconds, format="unix"))


def _isot(time: Any) -> str:  # astropy's Time has no static types
    return str(time.isot)


def _set_observer(cards: fits.Header, header: fits.Header, seconds: int) -> None:
    sdo = text(header, "TELESCOP").upper().startswith("SDO")
    b0, l0, distance = earth_view(seconds)
    if number(header, "DSUN_OBS") is None:
        if not sdo:
            raise FrameError("unreadable", "the header has no DSUN_OBS: the observer cannot be known")
        _set(cards, "DSUN_OBS", distance * SOLAR_RADIUS_M)
    stonyhurst, carrington = (_place(header, name) for name in ("HGLN_OBS HGLT_OBS", "CRLN_OBS CRLT_OBS"))
    if stonyhurst is None and carrington is None and not sdo:
        raise FrameError("unreadable", "the header has neither HGLN_OBS nor CRLN_OBS: the observer cannot be known")
    if stonyhurst is None and sdo and (carrington is None or number(header, "HAEX_OBS") is not None):
        # SDO circles the Earth at 42 000 km: 0.02 degrees, seen from the Sun. Where there is HAEX_OBS, programs that
        # know AIA take the place from there; from CRLN_OBS, the others would be 0.1 degrees off.
        stonyhurst = 0.0, carrington[1] if carrington else b0
        _set(cards, "HGLN_OBS", stonyhurst[0])
        _set(cards, "HGLT_OBS", stonyhurst[1])
    if carrington is None:
        assert stonyhurst is not None
        _set(cards, "CRLN_OBS", (stonyhurst[0] + l0) % 360)
        _set(cards, "CRLT_OBS", stonyhurst[1])
    cards.setdefault("RSUN_REF", SOLAR_RADIUS_M)


def _place(header: fits.Header, keys: str) -> tuple[float, float] | None:
    longitude, latitude = (number(header, key) for key in keys.split())
    return None if longitude is None or latitude is None else (longitude, latitude)


def _set(cards: fits.Header, key: str, value: object) -> None:
    cards[key] = value, COMMENTS[key]  # pyright: ignore[reportArgumentType]


def heliographic_view(cards: fits.Header, geometry: DiskGeometry) -> DiskGeometry:
    """Return a geometry with the direction and distance from which the cards of `view_cards` say the Sun was seen."""
    return DiskGeometry(
        geometry.size,
        geometry.solar_radius,
        geometry.centre,
        b0=required(cards, "CRLT_OBS"),
        l0=required(cards, "CRLN_OBS"),
        distance=required(cards, "DSUN_OBS") / required(cards, "RSUN_REF"),
    )


def sdoml_header(series: str, seconds: int, size: int) -> fits.Header:
    """Return a header for an SDOML image, which comes without: solar north up, seen from the Earth.

    Args:
        series: `0193` and the like, or a component of the field such as `bz`.
        seconds: UTC since 1970.
        size: of the image in pixels.
    """
    b0, l0, distance = earth_view(seconds)
    metres = distance * SOLAR_RADIUS_M
    radius = float(np.rad2deg(np.arcsin(1 / distance))) * ARCSEC_PER_DEGREE
    aia = series.isdigit()
    header = fits.Header()
    header["TELESCOP"] = "SDO/AIA" if aia else "SDO/HMI"
    header["INSTRUME"] = "AIA" if aia else "HMI"
    if aia:
        header["WAVELNTH"] = int(series)
    else:
        header["CONTENT"] = "MAGNETOGRAM"
    header["BUNIT"] = "DN/s" if aia else "Gauss"
    header["DATE-OBS"] = _isot(Time(seconds, format="unix"))
    for axis, name in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = name, "arcsec"
        header[f"CRPIX{axis}"], header[f"CRVAL{axis}"] = (size + 1) / 2, 0.0
        header[f"CDELT{axis}"] = radius / (SDOML_RADIUS_FRACTION * size)
    header["CROTA2"] = 0.0
    header["RSUN_OBS"], header["RSUN_REF"], header["DSUN_OBS"] = radius, SOLAR_RADIUS_M, metres
    header["HGLN_OBS"], header["HGLT_OBS"], header["CRLN_OBS"], header["CRLT_OBS"] = 0.0, b0, l0, b0
    return header
