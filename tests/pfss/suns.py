"""Small files of a Sun whose radial field is known."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from munit_jax.sun.constants import AU, SOLAR_RADIUS
from munit_jax.sun.disk import DiskGeometry, heliographic, mu

SIZE, RADIUS, DISTANCE = 96, 40.0, AU / SOLAR_RADIUS


def radial(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """A tilted dipole and a quadrupole, gauss."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    return 8 * np.sin(phi) + 4 * np.cos(phi) * np.cos(lam - 1) + 3 * np.cos(phi) ** 2 * np.sin(2 * lam)


def write_disk(
    path: Path, l0: float, *, realisations: int = 0, turned: bool = False, bias: float = 0.0, **cards: Any
) -> Path:
    """Write a magnetogram as it is seen from above (l0, 0); of HMI, or a translation with realisations."""
    middle = (SIZE - 1) / 2
    geometry = DiskGeometry(SIZE, RADIUS, (middle, middle), l0=l0, distance=DISTANCE)
    image = (radial(*heliographic(geometry)) * mu(geometry) + bias).astype(np.float32)
    arcsec = np.rad2deg(np.arcsin(1 / DISTANCE)) * 3600
    header = fits.Header(
        {
            "TELESCOP": "SDO/HMI",
            "INSTRUME": "HMI_SIDE1",
            "CONTENT": "MAGNETOGRAM",
            "BUNIT": "Gauss",
            "DATE-OBS": "2011-02-15T00:00:00",
            "CTYPE1": "HPLN-TAN",
            "CTYPE2": "HPLT-TAN",
            "CUNIT1": "arcsec",
            "CUNIT2": "arcsec",
            "CRPIX1": middle + 1,
            "CRPIX2": middle + 1,
            "CRVAL1": 0.0,
            "CRVAL2": 0.0,
            "CDELT1": arcsec / RADIUS,
            "CDELT2": arcsec / RADIUS,
            "CROTA2": 180.0 if turned else 0.0,
            "RSUN_OBS": arcsec,
            "RSUN_REF": SOLAR_RADIUS,
            "DSUN_OBS": AU,
            "CRLN_OBS": l0,
            "CRLT_OBS": 0.0,
        }
        | cards
    )
    image = image[::-1, ::-1] if turned else image
    hdus = fits.HDUList([fits.PrimaryHDU(image, header)])
    if realisations:
        several = np.stack([image * (1 + 0.1 * k) for k in range(realisations)])
        hdus.append(fits.ImageHDU(several.astype(np.float32), header, name="REALISATIONS"))
    hdus.writeto(path)
    return path


def write_synoptic(path: Path, rows: int = 36) -> Path:
    """Write the whole Sun as GONG does, with its left edge at 120 degrees."""
    columns = 2 * rows
    latitude = np.rad2deg(np.arcsin((np.arange(rows) + 0.5) * 2 / rows - 1))
    longitude = 120 + (np.arange(columns) + 0.5) * 360 / columns
    header = fits.Header(
        {
            "TELESCOP": "NSO-GONG",
            "DATE-OBS": "2011-02-15",
            "BUNIT": "Gauss",
            "CTYPE1": "CRLN-CEA",
            "CTYPE2": "CRLT-CEA",
            "CRPIX1": (columns + 1) / 2,
            "CRPIX2": (rows + 1) / 2,
            "CRVAL1": 300.0,
            "CRVAL2": 0.0,
            "CDELT1": 360 / columns,
            "CDELT2": 2 / rows,
        }
    )
    fits.PrimaryHDU(radial(latitude[:, None], longitude[None]).astype(np.float32), header).writeto(path)
    return path
