"""What the header of a FITS file of AIA or HMI says: its series, when it was taken, and whether it is good."""

import gzip
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from astropy.io import fits

from munit_jax.sun.ephemeris import seconds_from_tai
from tfds_sdoml.sources.interface import AIA_CHANNELS, FrameError, Reason

type Header = Mapping[str, Any] | fits.Header

TIME = re.compile(r"(\d{4})[-.](\d\d)[-.](\d\d)[T_ ](\d\d):(\d\d):(\d\d(?:\.\d*)?)(?:Z|_?(UTC|TAI))?")
PER_SECOND = re.compile(r"/.*\bs(ec|econds?)?\b|\bs(ec)?\s*(\^|\*\*)?\s*-1\b", re.IGNORECASE)

# Set in the years when lists of cosmic-ray hits could not be read: nothing that shows in a mean over 12 minutes
# (QUAL_NOCOSMICRAY in http://jsoc.stanford.edu/doc/data/hmi/Quality_Bits/QUALITY.txt).
HMI_HARMLESS = 0x400


class Frame(NamedTuple):
    """What a header says: the series (None: of no use here), and either the time or the reason why there is none."""

    series: str | None
    time: int | None
    reason: Reason | None = None
    detail: str = ""


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


def required(header: Header, key: str) -> float:
    """Return the value of a keyword.

    Raises:
        FrameError: no such keyword or no number.
    """
    value = number(header, key)
    if value is None:
        raise FrameError("unreadable", f"the header has no {key} that is a number: where the Sun is cannot be known")
    return value


def reason_of(error: Exception) -> str:
    """Return what an error says, without the path, which is told elsewhere."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def image_header(file: BinaryIO) -> fits.Header:
    """Return the header of the first image of two axes, compressed ones included; the file is then at its data.

    Raises:
        Exception: no FITS file, a damaged one, or no such image in it.
    """
    if file.read(6) != b"SIMPLE":
        raise ValueError("no FITS file: it does not begin with SIMPLE")
    file.seek(0)
    while True:
        try:
            header = fits.Header.fromfile(file)
        except EOFError:
            raise ValueError("no image of two axes in it") from None
        compressed = header.get("ZIMAGE") is True
        image = compressed or header.get("XTENSION", "IMAGE") == "IMAGE"
        if image and header.get("ZNAXIS" if compressed else "NAXIS") == 2:
            return header
        file.seek(header.data_size_padded, os.SEEK_CUR)


def open_file(path: Path) -> BinaryIO:
    """Open a file, compressed by gzip or not.

    Raises:
        OSError: it is not there or must not be read.
    """
    return cast(BinaryIO, gzip.open(path, "rb")) if path.name.lower().endswith(".gz") else path.open("rb")


def series_of(header: Header) -> str | None:
    """Return the series of an image, `0193` or `bz`; None where it is neither AIA's nor a magnetogram of HMI."""
    instrument = f"{text(header, 'TELESCOP')} {text(header, 'INSTRUME')}".upper()
    if "AIA" in instrument:
        channel = f"{round(number(header, 'WAVELNTH') or 0):04d}"
        return channel if channel in AIA_CHANNELS else None
    if "HMI" not in instrument or text(header, "CTYPE1").startswith("CRLN"):  # a synoptic map
        return None
    content, gauss = text(header, "CONTENT").upper(), text(header, "BUNIT").lower() in ("gauss", "g")
    return "bz" if content == "MAGNETOGRAM" or (gauss and not content) else None


def time_of(header: Header) -> int:
    """Return the time of an observation, to the nearest second, as UTC seconds since 1970.

    T_OBS is the middle of the exposure, DATE-OBS its start. HMI's T_OBS ends in _TAI, and its seconds may be 60.

    Raises:
        ValueError: none of the keywords has a time.
    """
    keys = ("T_OBS", "DATE-OBS", "DATE_OBS")
    for key in keys:
        if match := TIME.fullmatch(text(header, key)):
            clock = datetime(*(int(x) for x in match.groups()[:5]), tzinfo=UTC)
            clock += timedelta(seconds=round(float(match[6])))
            return seconds_from_tai(clock) if match[7] == "TAI" else int(clock.timestamp())
    raise ValueError("no time in " + ", ".join(f"{key} = '{text(header, key)}'" for key in keys))


def quality_of(header: Header) -> int:
    """Return QUALITY, a number or a hexadecimal string; 0, which is good, where there is none."""
    word = text(header, "QUALITY").lower()
    return int(word, 16) if re.fullmatch(r"0x[0-9a-f]+", word) else int(number(header, "QUALITY") or 0)


def bad_quality(header: Header, series: str) -> str:
    """Return the quality flags as text where one is set that tells of harm, else nothing."""
    flags = quality_of(header)
    harm = flags if series.isdigit() else flags & ~HMI_HARMLESS
    return f"QUALITY = {flags & 0xFFFFFFFF:#010x}" if harm else ""


def inspect(path: Path) -> Frame:
    """Return what the header of a file says."""
    try:
        with open_file(path) as file:
            header = image_header(file)
    except Exception as error:  # of many kinds: astropy is not made for damaged files
        return Frame(None, None, "unreadable", reason_of(error))
    series = series_of(header)
    if series is None:
        return Frame(None, None)
    try:
        time = time_of(header)
    except ValueError as error:
        return Frame(series, None, "no time", str(error))
    if flags := bad_quality(header, series):
        return Frame(series, time, "quality", flags)
    return Frame(series, time)


def exposure(header: Header) -> float:
    """Return the seconds by which an image of AIA is to be divided: 1 where its unit is already DN/s.

    Raises:
        FrameError: no exposure time, or none above 0.
    """
    if PER_SECOND.search(text(header, "BUNIT") or text(header, "PIXLUNIT")):
        return 1.0
    seconds = required(header, "EXPTIME")
    if seconds <= 0:
        raise FrameError("unreadable", f"EXPTIME = {seconds} s: an exposure must be above 0")
    return seconds
