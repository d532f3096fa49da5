"""The Sun's differential rotation, and magnetograms rotated by it."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import map_coordinates

from munit_jax.sun.constants import CARRINGTON_DAYS, ROTATION
from munit_jax.sun.disk import (
    DiskGeometry,
    angle_to_vertical,
    heliographic,
    heliographic_to_pixel,
    mu,
    radius_from_centre,
)

CARRINGTON_RATE = 360 / CARRINGTON_DAYS  # degrees a day, sidereal
SMALLEST_MU = 0.1  # nearer to the limb a line-of-sight field hardly depends on the radial one


def rotation_rate(latitude: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return the rotation at a latitude (degrees) relative to the Carrington frame, in degrees a day (`ROTATION`)."""
    sine2 = np.sin(np.deg2rad(latitude)) ** 2
    return ROTATION[0] + ROTATION[1] * sine2 + ROTATION[2] * sine2**2 - CARRINGTON_RATE


def rotated(
    field: Float[np.ndarray, "h w"],
    then: DiskGeometry,
    now: DiskGeometry,
    days: float,
    least_mu: float = SMALLEST_MU,
) -> tuple[Float[np.ndarray, "h2 w2"], Bool[np.ndarray, "h2 w2"]]:
    """Return a magnetogram as it would look `days` later if the surface only rotated, and where it was seen before.

    The field along the line of sight (gauss) is taken as radial, so that it changes with mu; it is 0 where it was not
    seen, or nearer to the limb than `least_mu`. Negative days turn it back.
    """
    on_disk = radius_from_centre(now) < 1
    latitude, longitude = (np.where(on_disk, x, 0.0) for x in heliographic(now))
    x, y, visible = heliographic_to_pixel(then, latitude, longitude - rotation_rate(latitude) * days)
    rho = np.hypot(x - then.centre[0], y - then.centre[1]) / then.solar_radius
    mu_then = np.cos(angle_to_vertical(np.minimum(rho, 1.0), then.distance))
    seen = on_disk & visible & (mu_then > least_mu)
    sampled = map_coordinates(field.astype(np.float64), [y, x], order=1, mode="constant")
    radial = sampled / np.where(seen, mu_then, 1.0)
    return np.where(seen, radial * np.where(on_disk, mu(now), 0.0), 0.0).astype(field.dtype), seen
