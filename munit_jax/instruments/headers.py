"""Keywords of FITS headers: text, numbers, units, times, quality flags and exposures."""

import re
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.time import Time
from erfa import ErfaWarning

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.units import DETECTED, gauss_per, is_rate, scale_of
from munit_jax.sun.constants import DAY

type Header = Mapping[str, Any] | fits.Header

TIME = re.compile(
    r"(?P<date>\d{4}[-./]\d\d[-./]\d\d)"
    r"(?:[T_ ](?P<clock>\d\d:\d\d(?::\d\d(?:\.\d*)?)?)(?:[_ ]?(?P<scale>Z|UTC|TAI|TT|GPS))?)?"
)
CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d(?:\.\d*)?))?")
# The middle of the exposure first, then its start.
TIME_KEYS = ("T_OBS", "DATE-AVG", "DATE-OBS", "DATE_OBS", "DATE-BEG")
CLOCK_KEYS = {"DATE-OBS": "TIME-OBS", "DATE_OBS": "TIME_OBS"}  # of dates without a time of day
TAI_MINUS_GPS = 19  # seconds
EXPOSURE_KEYS = ("EXPTIME", "XPOSURE")
EXPOSURES = (1e-3, 5e3)  # seconds
UNIT_IN_COMMENT = re.compile(r"\[(\w+)\]")


def text(header: Header, key: str) -> str:
    """Return the value of a keyword as text, empty where there is none."""
    try:
        return str(header.get(key, "")).strip()
    except fits.VerifyError:
        return ""


def number(header: Header, key: str) -> float | None:
    """Return the value of a keyword; None where it is absent, blank, no number or not finite (JSOC writes 'nan')."""
    try:
        value: Any = header[key]
        value = float(value)
    except (KeyError, TypeError, ValueError, fits.VerifyError):
        return None
    return value if np.isfinite(value) else None


def required(header: Header, key: str, why: str = "where the Sun is cannot be known") -> float:
    """Return the value of a keyword; FrameError where it is absent or no number."""
    value = number(header, key)
    if value is None:
        raise FrameError("unreadable", f"the header has no {key} that is a number: {why}")
    return value


def rotation(header: Header) -> float | None:
    """Return the degrees by which the axes are turned: CROTA2, or CROTA1 or CROTA of older files; None without."""
    angles = (number(header, key) for key in ("CROTA2", "CROTA1", "CROTA"))
    return next((angle for angle in angles if angle is not None), None)


def time_of(header: Header) -> int:
    """Return the time of an observation to the nearest second, as UTC seconds since 1970; see `moment`."""
    return round(moment(header))


def moment(header: Header) -> float:
    """Return the time of an observation as UTC seconds since 1970: the middle of the exposure, or its start.

    The scale follows the time (HMI's T_OBS ends in _TAI; Z is UTC), or is TIMESYS, or UTC. A date may have its
    time of day in a card of its own; JSOC's seconds may be 60. ValueError where none of TIME_KEYS has a time,
    or two of them are more than a day apart.
    """
    times = {key: time for key in TIME_KEYS if (time := _moment(header, key)) is not None}
    if not times:
        there = ", ".join(f"{key} = '{text(header, key)}'" for key in TIME_KEYS if key in header)
        raise ValueError(f"no time in {there or ' or '.join(TIME_KEYS)}")
    first = next(iter(times))
    for key, time in times.items():
        if abs(time - times[first]) > DAY:
            both = f"{first} = '{text(header, first)}' and {key} = '{text(header, key)}'"
            raise ValueError(f"{both} are {abs(time - times[first]) / DAY:.0f} days apart: one of them is wrong")
    return times[first]


def _moment(header: Header, key: str) -> float | None:
    """Return the time in a card, and in that of its clock, as UTC seconds since 1970; None where there is none."""
    match = TIME.fullmatch(text(header, key))
    clock = match and CLOCK.fullmatch(match["clock"] or text(header, CLOCK_KEYS.get(key, "")))
    if not match or not clock:
        return None
    hours, minutes, seconds = int(clock[1]), int(clock[2]), float(clock[3] or 0)
    if hours > 24 or minutes > 59 or seconds >= 61:
        raise ValueError(f"{key} = '{text(header, key)}': there is no such time of day")
    day = datetime.strptime(re.sub(r"[./]", "-", match["date"]), "%Y-%m-%d").replace(tzinfo=UTC)
    day += timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return _utc(day, match["scale"] or text(header, "TIMESYS").upper() or "UTC")


def _utc(clock: datetime, scale: str) -> float:
    """Return the UTC seconds since 1970 of a clock in a time scale."""
    if scale in ("UTC", "Z"):
        return clock.timestamp()
    if scale not in ("TAI", "TT", "GPS"):
        raise ValueError(f"the time scale {scale} is not known: expected UTC, TAI, TT or GPS")
    if scale == "GPS":
        clock, scale = clock + timedelta(seconds=TAI_MINUS_GPS), "TAI"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ErfaWarning)  # leap seconds to come are not known
        time: Any = Time(clock.replace(tzinfo=None), scale=scale.lower())
        year, month, day, hour, minute, second = time.utc.ymdhms
    return datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() + float(second)


def iso(seconds: float | int) -> str:
    """Return UTC seconds since 1970 as FITS writes a time, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")


def quality_of(header: Header) -> int:
    """Return QUALITY, a number or a hexadecimal string (FrameError for other text); 0, which is good, for none."""
    word = text(header, "QUALITY").lower()
    if re.fullmatch(r"0x[0-9a-f]+", word):
        return int(word, 16) & 0xFFFFFFFF
    value = number(header, "QUALITY")
    if value is None and word not in ("", "nan", "none"):
        raise FrameError("quality", f"QUALITY = '{word}', expected a number")
    return int(value or 0) & 0xFFFFFFFF


def check_quality(header: Header, harmless: int, doubtful: int = 0) -> tuple[str, ...]:
    """Refuse an image (FrameError `quality`) with a flag that is not harmless; return a warning of doubtful ones."""
    flags = quality_of(header) & ~harmless
    if flags & ~doubtful:
        raise FrameError("quality", f"QUALITY = {flags:#010x}")
    return (f"QUALITY = {flags:#010x}: near real time, made before all data were there",) if flags else ()


def brightness_is_rate(header: Header, counted: tuple[str, ...] = DETECTED) -> bool:
    """Return whether the pixels of an EUV image are per second, by BUNIT or PIXLUNIT; raises as `is_rate`."""
    key = "BUNIT" if text(header, "BUNIT") else "PIXLUNIT"
    return is_rate(text(header, key), key, counted)


def gauss_in(header: Header) -> float:
    """Return the gauss in a magnetogram's unit, that of BUNIT or, where it names none, gauss; raises as `gauss_per`."""
    return gauss_per(text(header, "BUNIT") or "G")


def exposure(header: Header, counted: tuple[str, ...] = DETECTED) -> float:
    """Return the seconds by which an EUV image is to be divided: 1 where its unit is already DN/s.

    They are those of EXPTIME or XPOSURE, in the unit in its comment.

    Raises:
        FrameError: no exposure time, or none above 0; a unit that is no number of what is `counted`.
    """
    if brightness_is_rate(header, counted):
        return 1.0
    key = next((key for key in EXPOSURE_KEYS if number(header, key) is not None), None)
    key = key or next((key for key in EXPOSURE_KEYS if key in header), " or ".join(EXPOSURE_KEYS))
    seconds = required(header, key, "how long the exposure was cannot be known")
    comment = str(header.comments[key]) if isinstance(header, fits.Header) else ""
    if match := UNIT_IN_COMMENT.match(comment):
        seconds *= scale_of(match[1], key, "s")
    if seconds <= 0:
        raise FrameError("unreadable", f"{key} = {seconds} s: an exposure must be above 0")
    if not EXPOSURES[0] <= seconds <= EXPOSURES[1]:
        raise FrameError("unit", f"{key} = {seconds:g} s, which no EUV camera exposes: is its unit right?")
    return seconds
