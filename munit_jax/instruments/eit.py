"""EIT on SOHO: level 0 as the spacecraft sent it, and level 1 of the Institut d'Astrophysique Spatiale."""

import re

import numpy as np
from astropy.io import fits

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.euv_imagers import channel_like, darkest, like_aia
from munit_jax.instruments.headers import TIME_KEYS, Header, iso, moment, number, required, rotation, text
from munit_jax.instruments.interface import Observation, Preparation, Prepared, Telescope
from munit_jax.sun.constants import ASTRONOMICAL_UNIT, AU, SOLAR_RADIUS
from munit_jax.sun.ephemeris import earth_view

CHANNELS = {171: "0171", 195: "0193", 304: "0304"}  # 284 (Fe XV) has no channel of AIA like it
PEDESTAL, PEDESTAL_TOLERANCE = 850.0, 60.0  # DN of a pixel without light (eit_dark.pro of SolarSoft), and how far off
# SOHO circles a point in front of the Earth: 0.9898 to 0.9916 of its distance on five dates, and within 0.3 degrees.
OF_EARTHS_DISTANCE = 0.9908
CORRECTED = re.compile(r"CORRECTED DATE_OBS = '([^']+)'")  # a comment of level 0: the clock aboard was 110 s fast


def series_of(header: Header) -> str | None:
    """Return the channel of AIA that an image of EIT is like; FrameError for a part of the field of view."""
    by_name = text(header, "TELESCOP").startswith("Extreme-ultraviolet Imaging Telescope")
    if text(header, "INSTRUME") != "EIT" and not by_name:
        return None
    if (what := text(header, "OBJECT") or "full FOV") != "full FOV":
        raise FrameError("instrument", f"EIT, OBJECT = '{what}': expected 'full FOV', the whole disk")
    return channel_like(header, "EIT", CHANNELS)


def is_level_1(header: Header) -> bool:
    """Return whether an image was calibrated by the Institut d'Astrophysique Spatiale."""
    return text(header, "LEVEL") == "L1"


def common(header: fits.Header) -> fits.Header:
    """Return the header with the Sun, the observer and the time under the common keywords.

    At level 0 SC_ROLL is the roll of the image and SOLAR_R the radius in pixels; the distance is that of HEC_X, HEC_Y
    and HEC_Z (km), without them SOHO's from the Earth's.
    """
    header = header.copy()
    if not is_level_1(header):
        seconds = _time(header)
        for key in (*TIME_KEYS, "TIME-OBS", "TIME_OBS"):
            header.remove(key, ignore_missing=True)
        header["DATE-OBS"], header["TIMESYS"] = iso(seconds), "UTC"
        for axis, name in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
            header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = name, "arcsec"
        if rotation(header) is None:
            header["CROTA2"] = number(header, "SC_ROLL") or 0.0
        header["RSUN_OBS"] = required(header, "SOLAR_R") * abs(required(header, "CDELT1"))
        kilometres = [number(header, f"HEC_{axis}") for axis in "XYZ"]
        known = None not in kilometres
        earth = earth_view(round(seconds))[2] / ASTRONOMICAL_UNIT * AU
        header["DSUN_OBS"] = 1000 * float(np.linalg.norm(kilometres)) if known else OF_EARTHS_DISTANCE * earth  # pyright: ignore[reportArgumentType, reportCallIssue]
    header["HGLN_OBS"], header["HGLT_OBS"] = 0.0, required(header, "SOLAR_B0", "the observer cannot be known")
    header["RSUN_REF"] = SOLAR_RADIUS
    return header


def _time(header: fits.Header) -> float:
    """Return the time of level 0, UTC seconds since 1970: corrected, otherwise DATE_OBS (DATE-OBS may be 11-DEC-96)."""
    match = CORRECTED.search("\n".join(map(str, header.get("COMMENT") or ())))
    return moment({"DATE-OBS": match[1]} if match else {key: text(header, key) for key in ("DATE_OBS", "DATE-OBS")})


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Bring to AIA's brightness, at level 0 minus the pedestal, which every received pixel exceeds."""
    if is_level_1(seen.header):
        return like_aia(seen, how)
    pedestal = darkest(seen.image)
    if abs(pedestal - PEDESTAL) > PEDESTAL_TOLERANCE:
        raise FrameError(
            "unreadable",
            f"its darkest pixels are at {pedestal:g}, expected EIT's pedestal of {PEDESTAL:g} DN: is it level 0?",
        )
    return like_aia(seen, how, pedestal, seen.image == 0)


EIT = Telescope("EIT", series_of, calibrate, common)
