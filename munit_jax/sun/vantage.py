"""Vantage points of observers, and the angles between them."""

import numpy as np
from jaxtyping import Float

from munit_jax.sun.constants import CARRINGTON_DAYS, DAY

# B0, L0 (degrees) and distance (solar radii) of the Sun's centre as an observer sees it.
View = tuple[float, float, float]


def directions(
    b0: Float[np.ndarray, "n"], l0: Float[np.ndarray, "n"], seconds: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n 3"]:
    """Return unit vectors from the Sun towards observers, on axes that do not turn with the Sun.

    Carrington longitudes (L0, degrees) of one place in space fall by 360 degrees in a sidereal rotation; times are in
    seconds since 1970.
    """
    latitude, longitude = np.deg2rad(b0), np.deg2rad(l0 + 360 / CARRINGTON_DAYS * (seconds / DAY))
    along = np.cos(latitude)
    return np.stack([along * np.cos(longitude), along * np.sin(longitude), np.sin(latitude)], axis=-1)


def separations(one: Float[np.ndarray, "*#n 3"], other: Float[np.ndarray, "*#n 3"]) -> Float[np.ndarray, "*n"]:
    """Return the angles in degrees between directions."""
    cross = np.linalg.norm(np.cross(one, other), axis=-1)
    return np.rad2deg(np.arctan2(cross, (one * other).sum(axis=-1)))
