"""Files of AIA, EUVI and SDOML that the tests make up: a noisy disk with a bright spot at a place on the Sun.

Where the spot is in an image is worked out here by Thompson 2006 (A&A 449, 791, equations 11 and 4) and astropy's WCS,
on the gnomonic projection, independently of the program's own geometry.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from munit_jax.data.context import context_signs
from munit_jax.data.normalization import Normalization
from munit_jax.data.pipeline import DataSettings
from munit_jax.networks.munit import Architecture, init_generators
from munit_jax.trained_run import TrainedRun
from munit_jax.training.objectives import Objective
from munit_jax.training.settings import RunConfig, RunSettings, ScoreSettings
from munit_jax.training.state import OptimizerSettings
from munit_jax.training.step import Recipe
from munit_jax.translator import Translator
from tests.training.conftest import TINY

AU = 1.495978707e11
RSUN = 6.957e8
DISK, SPOT = 150.0, 600.0  # DN/s


def grid_cards(
    size: int, radius: float, distance: float, crpix=None, crval=(0.0, 0.0), **turn: float
) -> dict[str, Any]:
    """The cards of a grid on which the Sun is `radius` pixels large, seen from a distance in metres."""
    arcsec = float(np.rad2deg(np.arcsin(RSUN / distance))) * 3600
    middle = (size + 1) / 2
    x, y = crpix or (middle, middle)
    return {
        "CTYPE1": "HPLN-TAN",
        "CTYPE2": "HPLT-TAN",
        "CUNIT1": "arcsec",
        "CUNIT2": "arcsec",
        "CRPIX1": x,
        "CRPIX2": y,
        "CRVAL1": crval[0],
        "CRVAL2": crval[1],
        "CDELT1": arcsec / radius,
        "CDELT2": arcsec / radius,
        **(turn or {"CROTA2": 0.0}),
    }


def observer_cards(longitude: float, latitude: float, distance: float = AU) -> dict[str, Any]:
    """The cards of an observer above a Carrington longitude."""
    return {
        "CRLN_OBS": longitude,
        "CRLT_OBS": latitude,
        "HGLN_OBS": 10.0,
        "HGLT_OBS": latitude,
        "DSUN_OBS": distance,
        "RSUN_REF": RSUN,
    }


def aia_header(size: int = 64, radius: float | None = None, **cards: Any) -> fits.Header:
    """The header of an AIA 171 image."""
    own = {
        "TELESCOP": "SDO/AIA",
        "INSTRUME": "AIA_3",
        "WAVELNTH": 171,
        "WAVEUNIT": "angstrom",
        "T_OBS": "2011-02-15T00:00:01.34Z",
        "DATE-OBS": "2011-02-15T00:00:00.34",
        "EXPTIME": 2.0,
        "QUALITY": 0,
        "RSUN_OBS": float(np.rad2deg(np.arcsin(RSUN / AU))) * 3600,
    }
    if "T_OBS" in cards:
        own.pop("DATE-OBS")  # of another day
    return _header(own | grid_cards(size, radius or 0.4 * size, AU) | observer_cards(22.8, -6.8) | cards)


def euvi_header(size: int = 64, radius: float | None = None, distance: float = 0.96 * AU, **cards: Any) -> fits.Header:
    """The header of a level-0 EUVI 171 image of STEREO A."""
    own = {
        "TELESCOP": "STEREO",
        "OBSRVTRY": "STEREO_A",
        "INSTRUME": "SECCHI",
        "DETECTOR": "EUVI",
        "WAVELNTH": 171,
        "WAVEUNIT": "angstrom",
        "DATE-OBS": "2011-02-15T00:14:00.006",
        "DATE-AVG": "2011-02-15T00:14:08.010",
        "EXPTIME": 16.0,
        "BUNIT": "DN",
        "BIASMEAN": 725.0,
        "RSUN": float(np.rad2deg(np.arcsin(RSUN / distance))) * 3600,
    }
    grid = grid_cards(size, radius or 0.33 * size, distance)
    return _header(own | grid | observer_cards(109.7, -2.8, distance) | cards)


def _header(cards: dict[str, Any]) -> fits.Header:
    return fits.Header([(key, value) for key, value in cards.items() if value is not None])


def to_pixel(header: fits.Header, longitude: float, latitude: float) -> tuple[float, float]:
    """The pixel (x, y), from 0, of a place on the Sun."""
    b, b0 = np.deg2rad(latitude), np.deg2rad(header["CRLT_OBS"])
    lon = np.deg2rad(longitude - header["CRLN_OBS"])
    radius, distance = header["RSUN_REF"], header["DSUN_OBS"]
    x = radius * np.cos(b) * np.sin(lon)
    y = radius * (np.sin(b) * np.cos(b0) - np.cos(b) * np.cos(lon) * np.sin(b0))
    z = radius * (np.sin(b) * np.sin(b0) + np.cos(b) * np.cos(lon) * np.cos(b0))
    assert z > radius**2 / distance, "the place is behind the limb"
    away = np.sqrt(x**2 + y**2 + (distance - z) ** 2)
    angles = np.rad2deg([np.arctan2(x, distance - z), np.arcsin(y / away)])
    column, row = wcs_of(header).wcs_world2pix(*angles, 0)
    return float(column), float(row)


def to_sun(header: fits.Header, column: float, row: float) -> tuple[float, float]:
    """The Carrington longitude and latitude in degrees at a pixel of the disk."""
    theta_x, theta_y = np.deg2rad(wcs_of(header).wcs_pix2world(column, row, 0))
    theta_x = np.arctan2(np.sin(theta_x), np.cos(theta_x))
    sight = np.array([np.cos(theta_y) * np.sin(theta_x), np.sin(theta_y), -np.cos(theta_y) * np.cos(theta_x)])
    observer = np.array([0.0, 0.0, header["DSUN_OBS"]])
    along = -observer @ sight
    along -= np.sqrt(along**2 - observer @ observer + header["RSUN_REF"] ** 2)
    x, y, z = (observer + along * sight) / header["RSUN_REF"]
    b0 = np.deg2rad(header["CRLT_OBS"])
    latitude = np.arcsin(y * np.cos(b0) + z * np.sin(b0))
    longitude = np.rad2deg(np.arctan2(x, z * np.cos(b0) - y * np.sin(b0))) + header["CRLN_OBS"]
    return float(longitude % 360), float(np.rad2deg(latitude))


def wcs_of(header: fits.Header) -> WCS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        return WCS(header)


def rate(header: fits.Header, shape: tuple[int, int], spot: tuple[float, float] | None = None, seed: int = 0):
    """An image in DN/s: a noisy disk, and a round spot 4 degrees wide at (Carrington longitude, latitude)."""
    y, x = np.indices(shape, np.float64)
    wcs = wcs_of(header)
    theta_x, theta_y = wcs.wcs_pix2world(x, y, 0)
    theta_x = (theta_x + 180) % 360 - 180
    limb = np.rad2deg(np.arcsin(RSUN / header["DSUN_OBS"]))
    image = np.where(np.hypot(theta_x, theta_y) < limb, DISK, 0.02 * DISK)
    image *= np.random.default_rng(seed).uniform(0.9, 1.1, shape)
    if spot is not None:
        column, row = to_pixel(header, *spot)
        scale = limb / abs(wcs.wcs.cdelt[0]) * np.deg2rad(4.0)
        image += SPOT * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * scale**2))
    return image


def write_aia(path: Path, size: int = 64, spot=None, seed: int = 0, **cards: Any) -> Path:
    header = aia_header(size, **cards)
    return write(path, rate(header, (size, size), spot, seed) * header.get("EXPTIME", 1.0), header)


def write_euvi(path: Path, size: int = 64, spot=None, seed: int = 0, **cards: Any) -> Path:
    header = euvi_header(size, **cards)
    return write(path, 725.0 + rate(header, (size, size), spot, seed) * header["EXPTIME"], header)


def write(path: Path, image: np.ndarray, header: fits.Header) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(image.astype(np.float32), header).writeto(path)
    return path


def run_config(
    architecture: Architecture, channels: tuple[str, ...], planes: tuple[str, ...], scales: dict[str, Normalization]
) -> RunConfig:
    """The config of a run with such networks and scaling."""
    run = RunSettings(0, None, 7, 1, 7, 7, 0, 1.0, "fair_crps", ScoreSettings(2, 0, 0))
    data = DataSettings("sdoml/a", "sdoml/a", True, channels, 0, "none", scales, None, planes)
    return RunConfig(run, data, Recipe(architecture, Objective(), OptimizerSettings()), {})


def untrained_run(
    size: int = 64,
    channels: tuple[str, ...] = ("0171",),
    planes: tuple[str, ...] = (),
    objective: Objective | None = None,
) -> TrainedRun:
    """A run without networks, for what does not need them."""
    linear = Normalization("linear", signed=True, scale=(1.0,), limit=(1.0,))
    architecture = Architecture(euv_channels=len(channels), context_planes=len(context_signs(planes)))
    config = run_config(architecture, channels, planes, {"euv": linear, "magnetogram": linear})
    if objective is not None:
        config = replace(config, recipe=replace(config.recipe, objective=objective))
    return TrainedRun(
        name="untrained",
        step=7,
        size=size,
        config=config,
        translator=Translator(architecture, linear, linear),
        generators=None,
        parameters_sha256="p" * 64,
        config_sha256="c" * 64,
        disk_percentiles={},
    )


def conditioned_run(planes: tuple[str, ...], size: int = 16) -> TrainedRun:
    """A run whose networks, small and as they were drawn, take conditioning planes."""
    architecture = replace(TINY, context_planes=len(context_signs(planes)))
    scales = {
        "euv": Normalization("asinh", signed=False, scale=(50.0,), limit=(9000.0,)),
        "magnetogram": Normalization("asinh", signed=True, scale=(20.0,), limit=(1500.0,)),
    }
    return replace(
        untrained_run(size, planes=planes),
        config=run_config(architecture, ("0171",), planes, scales),
        translator=Translator(architecture, **scales),
        generators=init_generators(architecture, 0),
    )
