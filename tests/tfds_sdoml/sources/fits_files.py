"""FITS files as AIA and HMI write them, of scenes that the tests make up.

A scene is a function of (west, north) in solar radii; a `Layout` says how a telescope sees the Sun, and `seen` takes
the picture. So the same scene can be written in several layouts, and read back it has to be the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.sun.disk import SDOML_RADIUS_FRACTION

RSUN_OBS = 960.0  # arcsec
Scene = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Layout:
    """How a telescope sees the Sun: by default as SDOML has it.

    Attributes:
        size: width and height of the image in pixels.
        solar_radius: in pixels; None for SDOML's.
        centre: (x, y) of the centre of the disk, from 0; None for the middle of the image.
        crota2: degrees by which solar north is turned in the image, as the keyword has it.
    """

    size: int
    solar_radius: float | None = None
    centre: tuple[float, float] | None = None
    crota2: float = 0.0

    @property
    def radius(self) -> float:
        return self.solar_radius or SDOML_RADIUS_FRACTION * self.size

    @property
    def middle(self) -> tuple[float, float]:
        return self.centre or ((self.size - 1) / 2, (self.size - 1) / 2)

    def header(self) -> dict[str, Any]:
        """The keywords that say where the Sun is."""
        scale = RSUN_OBS / self.radius
        return {
            "CTYPE1": "HPLN-TAN",
            "CTYPE2": "HPLT-TAN",
            "CUNIT1": "arcsec",
            "CUNIT2": "arcsec",
            "CRPIX1": self.middle[0] + 1,
            "CRPIX2": self.middle[1] + 1,
            "CRVAL1": 0.0,
            "CRVAL2": 0.0,
            "CDELT1": scale,
            "CDELT2": scale,
            "CROTA2": self.crota2,
            "RSUN_OBS": RSUN_OBS,
        }


def seen(scene: Scene, layout: Layout) -> Float[np.ndarray, "size size"]:
    """Return the picture of a scene: the value in the centre of every pixel."""
    y, x = np.indices((layout.size, layout.size), np.float64)
    right, up = (x - layout.middle[0]) / layout.radius, (y - layout.middle[1]) / layout.radius
    angle = np.deg2rad(layout.crota2)
    west, north = right * np.cos(angle) - up * np.sin(angle), right * np.sin(angle) + up * np.cos(angle)
    return scene(west, north)


def write(path: Path, image: np.ndarray, header: dict[str, Any], compressed: bool = False) -> None:
    """Write an image; a keyword that is None is left out. `compressed` is as JSOC does it: in the first extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cards = fits.Header([(key, value) for key, value in header.items() if value is not None])
    if compressed:
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image, cards)]).writeto(path)
    else:
        fits.PrimaryHDU(image, cards).writeto(path)


def write_aia(
    path: Path,
    image: np.ndarray,
    layout: Layout | None = None,
    *,
    channel: int = 171,
    exptime: float | None = 2.0,
    time: str | None = "2011-03-19T10:54:01.34Z",
    compressed: bool = False,
    **keywords: Any,
) -> None:
    """Write an image of AIA in DN (in another unit with `BUNIT`), by default in SDOML's layout.

    Further keywords are added or replace others; None removes them. `DATE-OBS` is written `DATE_OBS`.
    """
    header = {
        "TELESCOP": "SDO/AIA",
        "INSTRUME": "AIA_3",
        "WAVELNTH": channel,
        "T_OBS": time,
        "EXPTIME": exptime,
        "QUALITY": 0,
        **(layout or Layout(len(image))).header(),
        **keywords,
    }
    write(path, image, header, compressed)


def write_hmi(
    path: Path,
    image: np.ndarray,
    layout: Layout | None = None,
    *,
    time: str | None = "2011.12.17_05:59:52.156_TAI",
    compressed: bool = False,
    **keywords: Any,
) -> None:
    """Write a magnetogram of HMI in gauss, as `write_aia`."""
    header = {
        "TELESCOP": "SDO/HMI",
        "INSTRUME": "HMI_SIDE1",
        "WAVELNTH": 6173.0,
        "CONTENT": "MAGNETOGRAM",
        "BUNIT": "Gauss",
        "T_OBS": time,
        "QUALITY": 0,
        **(layout or Layout(len(image))).header(),
        **keywords,
    }
    write(path, image, header, compressed)
