"""From a file as an instrument left it to what the networks were trained on: DN/s as AIA has them, SDOML's geometry.

| instrument | recognised by | brightness | geometry |
|---|---|---|---|
| AIA level 1, 1.5, synoptic | TELESCOP, INSTRUME | by EXPTIME, by the degradation where a table is given | header |
| EUVI A and B, level 0 | DETECTOR | less the bias (BIASMEAN), by EXPTIME, times a factor to AIA's quartiles | header |
| SDOML version 1 | the file's name | as in the dataset | SDOML's |
| HMI line of sight | TELESCOP, CONTENT | gauss | header |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import DiskGeometry, on_disk
from munit_jax.translation.frame_checks import check_blocks, check_saturation
from munit_jax.translation.intensity import Reference, gain, nearest_reference
from munit_jax.translation.view import sdoml_header
from tfds_sdoml.checks import check_image
from tfds_sdoml.sources import npz_v1
from tfds_sdoml.sources.degradation import degradation
from tfds_sdoml.sources.fits import read_image
from tfds_sdoml.sources.fits_headers import (
    HMI_HARMLESS,
    exposure,
    number,
    quality_of,
    required,
    series_of,
    text,
    time_of,
)
from tfds_sdoml.sources.interface import FrameError
from tfds_sdoml.sources.reprojection import SolarDisk, register, solar_disk

Instrument = Literal["AIA", "EUVI", "HMI"]
Card = tuple[str, str | float, str]  # keyword, value, comment

PROGRAM = "munit_jax"  # ORIGIN of what it writes

# The same lines of iron and helium as AIA's (195 and 193: Fe XII). 284 (Fe XV) has no channel of AIA like it.
EUVI_CHANNELS = {171: "0171", 195: "0193", 304: "0304"}

# AIA's images of the last hours: not final, not bad (SDO User Guide, section 7.7.6, table 2: bit 30).
QUICKLOOK = 1 << 30

# Fewer filtergrams than usual were averaged: noise, which does not matter for one image (QUAL_LOWINTERPNUM in
# http://jsoc.stanford.edu/doc/data/hmi/Quality_Bits/QUALITY.txt).
FEWER_AVERAGED = 0x10000

# The darkest pixels of an EUVI image: within this share of BIASMEAN it is level 0, below it of 0 the bias is off.
# Those of real level-0 images are 0.5 and 0.3 % under BIASMEAN.
BIAS_TOLERANCE = 0.1
DARKEST = 1.0  # per cent of the pixels


@dataclass(frozen=True)
class Observation:
    """An image as the instrument took it.

    Attributes:
        header: of the image.
        image: in the units of the file.
        disk: where the Sun is in it.
        instrument, series: AIA's channel (`0193`), for EUVI the one that is like it, or `bz`.
        name: of the file.
    """

    header: fits.Header
    image: Float[np.ndarray, "y x"]
    disk: SolarDisk
    instrument: Instrument
    series: str
    name: str


@dataclass(frozen=True)
class Prepared:
    """An image as the networks take it, DN/s or gauss, and what was done to it, as cards."""

    image: Float[np.ndarray, "size size"]
    treatment: tuple[Card, ...]


@dataclass(frozen=True)
class Preparation:
    """How images are prepared.

    Attributes:
        geometry: of the training.
        references: what instruments other than AIA are calibrated by; see `intensity`.
        degradation_table: AIA's loss of sensitivity, see `tfds_sdoml.sources.degradation`; None for no correction.
    """

    geometry: DiskGeometry
    references: Sequence[Reference] = ()
    degradation_table: Path | None = None


def observe(path: Path) -> Observation:
    """Read a file: FITS of AIA, EUVI or HMI, or an npz of SDOML version 1.

    Raises:
        FrameError: a file that cannot be read, of something else, or without a keyword that is needed.
    """
    if match := npz_v1.FILE_NAME.fullmatch(path.name):
        series = match[3]
        if series in ("bx", "by"):
            raise FrameError("instrument", f"{series}: the networks are for the line of sight, bz")
        try:
            seconds = npz_v1.time_of(match)
        except ValueError as error:
            raise FrameError("no time", str(error)) from None
        image = npz_v1.NpzV1(path.parent).read(series, path.name)
        return observation(sdoml_header(series, seconds, npz_v1.SIZE), image, path.name)
    if path.suffix.lower() == ".npz":
        raise FrameError("instrument", f"an npz of SDOML is called {npz_v1.file_name('0193')}: its name tells the time")
    return observation(*read_image(path), path.name)


def observation(header: fits.Header, image: Float[np.ndarray, "y x"], name: str) -> Observation:
    """Return an image and its header as an observation.

    Raises:
        FrameError: see `observe`.
    """
    instrument, series = recognise(header)
    return Observation(header, image, solar_disk(header), instrument, series, name)


def recognise(header: fits.Header) -> tuple[Instrument, str]:
    """Return the instrument and the series of an image.

    Raises:
        FrameError: another instrument, or a channel that is like none of AIA's.
    """
    if text(header, "ORIGIN") == PROGRAM:
        raise FrameError("instrument", f"it was made by {PROGRAM}: give an image that was taken")
    if text(header, "DETECTOR").upper() == "EUVI":
        wavelength = round(number(header, "WAVELNTH") or 0)
        if wavelength not in EUVI_CHANNELS:
            known = ", ".join(map(str, EUVI_CHANNELS))
            raise FrameError("instrument", f"EUVI {wavelength}: of EUVI's channels {known} have one of AIA like it")
        return "EUVI", EUVI_CHANNELS[wavelength]
    series = series_of(header)
    if series is None:
        who = " ".join(filter(None, (text(header, key) for key in ("TELESCOP", "INSTRUME", "CONTENT")))) or "unknown"
        raise FrameError("instrument", f"{who}: neither an image of AIA or EUVI nor a magnetogram of HMI")
    return ("AIA" if series.isdigit() else "HMI"), series


def prepare(seen: Observation, how: Preparation) -> Prepared:
    """Return an observation as the networks take it.

    Raises:
        FrameError: quality flags, overexposure, blocks or pixels that are missing, a disk that is not all in the image
            or not where the header says, no Sun.
    """
    prepared = {"AIA": _prepare_aia, "EUVI": _prepare_euvi, "HMI": _prepare_hmi}[seen.instrument](seen, how)
    check_image(prepared.image, field=seen.instrument == "HMI")
    return prepared


def _prepare_aia(seen: Observation, how: Preparation) -> Prepared:
    _check_quality(seen.header, harmless=QUICKLOOK)
    seconds = exposure(seen.header)
    check_saturation(_counts(seen, seconds), seen.disk)
    check_blocks(seen.image, seen.disk)
    factor = 1.0
    if how.degradation_table is not None:
        try:
            factor = degradation(how.degradation_table, int(seen.series), time_of(seen.header) // DAY)
        except ValueError as error:
            raise FrameError("unreadable", f"its degradation is not known: {error}") from error
    image = register(seen.image, seen.disk, how.geometry)
    return Prepared(
        np.maximum(image / np.float32(seconds * factor), 0),
        (
            ("MJEXPT", seconds, "[s] exposure that the image was divided by"),
            ("MJDEGR", factor, "sensitivity (2010: 1) it was divided by"),
        ),
    )


def _prepare_euvi(seen: Observation, how: Preparation) -> Prepared:
    seconds = exposure(seen.header)
    bias = euvi_bias(seen.header, seen.image)
    check_saturation(_counts(seen, seconds), seen.disk)
    check_blocks(seen.image, seen.disk)
    image = register(seen.image - np.float32(bias), seen.disk, how.geometry) / np.float32(seconds)
    reference = nearest_reference(seen.series, time_of(seen.header), how.references)
    factor = gain(image, reference)
    return Prepared(
        np.maximum(image * np.float32(factor), 0),
        (
            ("MJBIAS", bias, "[DN] bias that was subtracted"),
            ("MJEXPT", seconds, "[s] exposure that the image was divided by"),
            ("MJGAIN", factor, "factor to the quartiles of AIA's disk"),
            ("MJREFR", reference.name, "whose quartiles"),
        ),
    )


def _prepare_hmi(seen: Observation, how: Preparation) -> Prepared:
    _check_quality(seen.header, harmless=HMI_HARMLESS | FEWER_AVERAGED)
    image = register(seen.image, seen.disk, how.geometry)
    return Prepared(np.where(on_disk(how.geometry), image, np.float32(0)), ())


def _check_quality(header: fits.Header, harmless: int) -> None:
    if flags := quality_of(header) & ~harmless & 0xFFFFFFFF:
        raise FrameError("quality", f"QUALITY = {flags:#010x}")


def euvi_bias(header: fits.Header, image: Float[np.ndarray, "y x"]) -> float:
    """Return the DN of the camera's bias in an image: BIASMEAN at level 0, 0 where it has been subtracted.

    The image's own darkest pixels decide, in the corners that see no Sun.

    Raises:
        FrameError: they are neither at BIASMEAN nor at 0 (an image that was divided or summed on board).
    """
    darkest, bias = float(np.nanpercentile(image, DARKEST)), required(header, "BIASMEAN")
    if abs(darkest - bias) <= BIAS_TOLERANCE * bias:
        return bias
    if abs(darkest) <= BIAS_TOLERANCE * bias:
        return 0.0
    raise FrameError("unreadable", f"its darkest pixels are at {darkest:g}, neither at BIASMEAN = {bias:g} nor at 0")


def _counts(seen: Observation, seconds: float) -> Float[np.ndarray, "y x"]:
    """Return the image in DN: as it is, or times the exposure where it is a rate (`seconds` is then 1)."""
    return seen.image * np.float32((number(seen.header, "EXPTIME") or 1.0) / seconds)
