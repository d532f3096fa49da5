"""Observations of the synthetic Sun as FITS files with the headers of AIA, EUVI and HMI, and its surface as a map."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.sun.constants import SOLAR_RADIUS
from munit_jax.sun.disk import DiskGeometry
from munit_jax.sun.ephemeris import earth_view

Instrument = Literal["AIA 171", "AIA 193", "AIA 304", "EUVI 171", "EUVI 195", "EUVI 304", "HMI"]

_OF_IMAGERS: dict[str, dict[str, Any]] = {
    "AIA": {"TELESCOP": "SDO/AIA", "INSTRUME": "AIA_SYNTHETIC", "BUNIT": "DN/s", "QUALITY": 0},
    # Level 1: the bias is off, so that the darkest pixels are at 0.
    "EUVI": {
        "TELESCOP": "STEREO",
        "OBSRVTRY": "STEREO_A",
        "INSTRUME": "SECCHI",
        "DETECTOR": "EUVI",
        "BUNIT": "DN/s",
        "BIASMEAN": 725.0,
    },
    "HMI": {
        "TELESCOP": "SDO/HMI",
        "INSTRUME": "HMI_SYNTHETIC",
        "CONTENT": "MAGNETOGRAM",
        "BUNIT": "Gauss",
        "QUALITY": 0,
    },
}


def write_disk(
    path: Path, image: Float[np.ndarray, "y x"], geometry: DiskGeometry, time: int, instrument: Instrument
) -> Path:
    """Write an image of the disk, north up, as a file of an instrument and return the path.

    Args:
        path: of the file, whose folder is made; a file that is there is replaced.
        image: DN/s per pixel of an EUV channel, or gauss along the line of sight.
        geometry: of the image, with its observer.
        time: of the observation, seconds since 1970 UTC.
        instrument: whose file it is, with the wavelength in angstrom.
    """
    name, _, wavelength = instrument.partition(" ")
    header = fits.Header(_OF_IMAGERS[name] | _cards(geometry, time))
    if wavelength:
        header["WAVELNTH"], header["WAVEUNIT"], header["EXPTIME"] = int(wavelength), "angstrom", 1.0
    return _write(path, image, header)


def write_surface(path: Path, surface_field: Float[np.ndarray, "lat lon"], time: int) -> Path:
    """Write B_r of the whole surface (gauss, south to north, Carrington longitude 0 to 360) as a synoptic map.

    The cells are even in latitude and longitude (CAR); the time is in seconds since 1970 UTC. Returns the path.
    """
    header = fits.Header({"BUNIT": "Gauss", "CONTENT": "SYNOPTIC MAP", "DATE-OBS": _date(time)})
    spans = (("CRLN-CAR", surface_field.shape[1], 360.0), ("CRLT-CAR", surface_field.shape[0], 180.0))
    for axis, (name, count, span) in enumerate(spans, start=1):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = name, "deg"
        header[f"CRPIX{axis}"], header[f"CRVAL{axis}"] = (count + 1) / 2, 180.0 if axis == 1 else 0.0
        header[f"CDELT{axis}"] = span / count
    return _write(path, surface_field, header)


def _cards(geometry: DiskGeometry, time: int) -> dict[str, Any]:
    """Return the cards of the grid, the observer and the time."""
    radius = float(np.rad2deg(np.arcsin(1 / geometry.distance))) * 3600  # arcsec
    cards: dict[str, Any] = {"DATE-OBS": _date(time), "CROTA2": 0.0}
    for axis, centre, name in ((1, geometry.centre[0], "HPLN-TAN"), (2, geometry.centre[1], "HPLT-TAN")):
        cards |= {f"CTYPE{axis}": name, f"CUNIT{axis}": "arcsec", f"CRPIX{axis}": centre + 1, f"CRVAL{axis}": 0.0}
        cards[f"CDELT{axis}"] = radius / geometry.solar_radius
    return cards | {
        "RSUN_OBS": radius,
        "RSUN_REF": SOLAR_RADIUS,
        "DSUN_OBS": geometry.distance * SOLAR_RADIUS,
        "CRLN_OBS": geometry.l0,
        "CRLT_OBS": geometry.b0,
        "HGLN_OBS": (geometry.l0 - earth_view(time)[1] + 180) % 360 - 180,
        "HGLT_OBS": geometry.b0,
    }


def _date(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.000")


def _write(path: Path, image: np.ndarray, header: fits.Header) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(image.astype(np.float32), header).writeto(path, overwrite=True)
    return path
