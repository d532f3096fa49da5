"""Geometry of the solar disk in an image: pixels, heliographic coordinates and the angle to the vertical."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from munit_jax.sun.constants import ASTRONOMICAL_UNIT

SDOML_RADIUS_FRACTION = 203.3 / 512  # solar radius over the width of the image (Galvez et al. 2019, section 3)


@dataclass(frozen=True)
class DiskGeometry:
    """Where the Sun is in a square gnomonic (TAN) image, x (columns) towards solar west and y (rows) towards north.

    Attributes:
        size: width and height of the image in pixels, whose centres have integer coordinates.
        solar_radius: radius of the limb in pixels.
        centre: (x, y) of the centre of the disk in pixels.
        b0: heliographic latitude of the centre of the disk in degrees.
        l0: Carrington longitude of the centre of the disk in degrees.
        distance: from the observer to the centre of the Sun in solar radii, more than 1.

    Raises:
        ValueError: a size or radius that is not positive, or an observer inside the Sun.
    """

    size: int
    solar_radius: float
    centre: tuple[float, float]
    b0: float = 0.0
    l0: float = 0.0
    distance: float = ASTRONOMICAL_UNIT

    def __post_init__(self):
        if self.size <= 0 or self.solar_radius <= 0:
            raise ValueError(f"size and solar_radius must be positive, got {self.size} and {self.solar_radius}")
        if self.distance <= 1:
            raise ValueError(f"the observer must be outside the Sun: distance > 1 solar radius, got {self.distance}")


def sdoml_geometry(size: int, b0: float = 0.0, l0: float = 0.0, distance: float = ASTRONOMICAL_UNIT) -> DiskGeometry:
    """Return the geometry of an SDOML image (512 px, solar radius 203.3 px, centred), scaled to `size` pixels."""
    middle = (size - 1) / 2
    return DiskGeometry(size, SDOML_RADIUS_FRACTION * size, (middle, middle), b0, l0, distance)


def pixel_grid(geometry: DiskGeometry) -> tuple[Float[np.ndarray, "y x"], Float[np.ndarray, "y x"]]:
    """Return x and y of every pixel, from the centre of the disk, in solar radii."""
    pixels = np.arange(geometry.size, dtype=np.float64)
    x = (pixels - geometry.centre[0]) / geometry.solar_radius
    y = (pixels - geometry.centre[1]) / geometry.solar_radius
    return np.meshgrid(x, y)


def radius_from_centre(geometry: DiskGeometry) -> Float[np.ndarray, "y x"]:
    """Return the distance of every pixel from the centre of the disk in solar radii: 1 at the limb."""
    return np.hypot(*pixel_grid(geometry))


def on_disk(geometry: DiskGeometry, limit: float = 1.0) -> Bool[np.ndarray, "y x"]:
    """Return where the pixel centre is nearer than `limit` solar radii to the centre of the disk."""
    return radius_from_centre(geometry) < limit


def elongation(rho: Float[np.ndarray, "..."], distance: float) -> Float[np.ndarray, "..."]:
    """Return the angle eps (radians) between the centre of the disk and what is seen `rho` solar radii from it.

    tan(eps) = rho tan(asin(1 / D)) at the distance D, so that the limb is at rho = 1.
    """
    return np.arctan(rho / np.sqrt(distance**2 - 1))


def angle_to_vertical(rho: Float[np.ndarray, "..."], distance: float) -> Float[np.ndarray, "..."]:
    """Return the angle theta + eps (radians) between the line of sight and the surface's normal; NaN where rho > 1.

    theta is the heliocentric angle from the centre of the disk. D sin(eps) = sin(theta + eps) is the sine rule in the
    triangle of the Sun's centre, the observer and the point (Thompson 2006, A&A 449, 791, section 4).
    """
    sine = distance * np.sin(elongation(rho, distance))
    return np.arcsin(np.where(rho <= 1, np.clip(sine, -1, 1), np.nan))


def mu(geometry: DiskGeometry) -> Float[np.ndarray, "y x"]:
    """Return the cosine of the angle between line of sight and vertical: 1 in the centre, 0 at the limb, NaN off."""
    return np.cos(angle_to_vertical(radius_from_centre(geometry), geometry.distance))


def heliographic(geometry: DiskGeometry) -> tuple[Float[np.ndarray, "y x"], Float[np.ndarray, "y x"]]:
    """Return latitude (-90..90) and Carrington longitude (0..360) of every pixel in degrees; NaN off the disk."""
    x, y = pixel_grid(geometry)
    rho = np.hypot(x, y)
    theta = angle_to_vertical(rho, geometry.distance) - elongation(rho, geometry.distance)
    # sin(theta) / rho is finite in the centre, where rho is 0 and the direction does not matter.
    scale = np.sin(theta) / np.where(rho > 0, rho, 1)
    return observer_to_heliographic(geometry, np.cos(theta), x * scale, y * scale)


def observer_to_heliographic(
    geometry: DiskGeometry,
    towards: Float[np.ndarray, "..."],
    west: Float[np.ndarray, "..."],
    north: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Return latitude and Carrington longitude (degrees) of points given on the observer's axes, at any radius."""
    sin_b0, cos_b0 = np.sin(np.deg2rad(geometry.b0)), np.cos(np.deg2rad(geometry.b0))
    along_axis = north * cos_b0 + towards * sin_b0
    in_meridian = towards * cos_b0 - north * sin_b0
    latitude = np.rad2deg(np.arctan2(along_axis, np.hypot(in_meridian, west)))
    longitude = np.rad2deg(np.arctan2(west, in_meridian)) + geometry.l0
    return latitude, longitude - 360 * np.floor(longitude / 360)


def heliographic_to_observer(
    geometry: DiskGeometry,
    latitude: Float[np.ndarray, "..."],
    longitude: Float[np.ndarray, "..."],
    radius: Float[np.ndarray, "..."] | float = 1.0,
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Return the components (towards the observer, west, north) in solar radii of points given in degrees."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(np.asarray(longitude) - geometry.l0)
    sin_b0, cos_b0 = np.sin(np.deg2rad(geometry.b0)), np.cos(np.deg2rad(geometry.b0))
    along_axis, in_meridian = np.sin(phi), np.cos(phi) * np.cos(lam)
    towards = in_meridian * cos_b0 + along_axis * sin_b0
    north = along_axis * cos_b0 - in_meridian * sin_b0
    return radius * towards, radius * np.cos(phi) * np.sin(lam), radius * north


def observer_to_pixel(
    geometry: DiskGeometry,
    towards: Float[np.ndarray, "..."],
    west: Float[np.ndarray, "..."],
    north: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Bool[np.ndarray, "..."]]:
    """Return x, y (pixels) and visibility of points on the observer's axes (solar radii, not inside the Sun).

    A point is hidden when it is inside the cone of the limb and behind the limb's plane, which is 1 / D in front of the
    Sun's centre.
    """
    magnification = np.sqrt(geometry.distance**2 - 1) / (geometry.distance - towards)
    scale = geometry.solar_radius * magnification
    visible = (towards >= 1 / geometry.distance) | (np.hypot(west, north) * magnification > 1)
    return geometry.centre[0] + scale * west, geometry.centre[1] + scale * north, visible


def heliographic_to_pixel(
    geometry: DiskGeometry,
    latitude: Float[np.ndarray, "..."],
    longitude: Float[np.ndarray, "..."],
    radius: Float[np.ndarray, "..."] | float = 1.0,
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Bool[np.ndarray, "..."]]:
    """Return x, y (pixels) and visibility of points at a latitude and Carrington longitude in degrees.

    The inverse of `heliographic` for the surface (`radius` 1, in solar radii); larger radii are points in the corona.
    """
    return observer_to_pixel(geometry, *heliographic_to_observer(geometry, latitude, longitude, radius))
