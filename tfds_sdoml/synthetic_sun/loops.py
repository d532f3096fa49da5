"""Coronal loops and threads of the synthetic Sun: arcs in three dimensions, optically thin, hidden behind the disk."""

from functools import lru_cache, partial

import numpy as np
from jaxtyping import Float, Int

from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import DiskGeometry, heliographic_to_pixel
from tfds_sdoml.synthetic_sun.emission import CHANNELS, FIBRIL_WIDTH, Emission
from tfds_sdoml.synthetic_sun.field import smooth_on_sphere
from tfds_sdoml.synthetic_sun.regions import IS_LEADING, Fragments, Regions

LOOP_LIFE = 40 * DAY  # seconds after which a region has no bright loops
ASPECT = 0.45  # height over distance of the feet: a little less than a semicircle
FAN_FRACTION = 0.35  # of the loops that leave the region as fans, bright only at their feet
FAN_LENGTH = (6.0, 16.0)  # degrees
FIBRILS = 70_000  # threads on the sphere
GUIDING_GRADIENT = 0.5  # gauss a degree: where the field changes less, threads are faint
FIBRIL_HEIGHT = 0.004  # solar radii: low threads, 3000 km above the surface
FIBRIL_LENGTH, FIBRIL_STEPS = 2.4, 10  # degrees; points along one


@lru_cache(maxsize=8)
def loop_table(seed: int, count: int) -> dict[str, np.ndarray]:
    """Draw what distinguishes the loops of a region: arrays with `count` rows, the same for all regions and times."""
    generator = np.random.default_rng(np.random.SeedSequence([seed, 5]))
    leading, following = np.flatnonzero(IS_LEADING), np.flatnonzero(~IS_LEADING)
    draws = generator.random((count, 2))  # row by row, so that a longer table begins with the shorter one
    gauss = generator.normal(size=(count, 8))
    first = leading[(draws[:, 0] ** 1.5 * len(leading)).astype(int)]  # the spots, which come first, hold most loops
    second = following[(draws[:, 1] ** 1.5 * len(following)).astype(int)]
    fan = np.arange(count) % 20 < 20 * FAN_FRACTION
    return {
        "first": np.where(fan & (gauss[:, 7] > 0), second, first),
        "second": second,
        "foot_offsets": gauss[:, :4],
        "lean": 0.35 * gauss[:, 4],
        "brightness": np.exp(1.1 * gauss[:, 5]),
        "fan": fan,
        "direction": 2 * np.pi * draws[:, 0] * 7 % (2 * np.pi),
        "length": FAN_LENGTH[0] + (FAN_LENGTH[1] - FAN_LENGTH[0]) * draws[:, 1],
    }


def loop_points(
    regions: Regions, fragments: Fragments, time: int, seed: int, count: int, steps: int
) -> tuple[Float[np.ndarray, "point"], ...]:
    """Return latitude, longitude (degrees), height (solar radii) and weight of points along all loops.

    The weights of a region sum to its flux in 1e21 Mx.
    """
    young = (time - regions.emergence) < LOOP_LIFE
    table = loop_table(seed, count)
    offsets = table["foot_offsets"]

    def feet(which: Int[np.ndarray, "loop"], shift: Float[np.ndarray, "loop 2"]):
        width = np.minimum(fragments.width[young][:, which], 2.0)
        latitude = fragments.latitude[young][:, which] + width * shift[:, 0]
        stretch = 1 / np.cos(np.deg2rad(latitude))
        return latitude, fragments.longitude[young][:, which] + width * shift[:, 1] * stretch, stretch

    latitude_a, longitude_a, stretch = feet(table["first"], offsets[:, :2])
    latitude_b, longitude_b, _ = feet(table["second"], offsets[:, 2:])
    size = np.abs(fragments.flux[young][:, IS_LEADING].sum(1) / 1e21)[:, None]
    reach = table["length"] * np.minimum(size / 4, 1.0) ** 0.3
    fan = table["fan"]
    latitude_b = np.where(fan, latitude_a + reach * np.sin(table["direction"]), latitude_b)
    longitude_b = np.where(fan, longitude_a + reach * np.cos(table["direction"]) * stretch, longitude_b)

    s = (np.arange(steps) + 0.5) / steps
    north = (latitude_b - latitude_a)[..., None]
    west = ((longitude_b - longitude_a + 180) % 360 - 180)[..., None]
    apart = np.hypot(north, west / stretch[..., None])  # degrees
    across = (0.5 * (1 - np.cos(np.pi * s)))[None, None]
    rise = np.sin(np.pi * s)
    lean = table["lean"][:, None] * rise
    latitude = latitude_a[..., None] + across * north + lean * ASPECT * west / stretch[..., None]
    longitude = longitude_a[..., None] + across * west - lean * ASPECT * north * stretch[..., None]
    height = np.deg2rad(ASPECT * apart) * rise
    lengths = np.maximum(apart, 1.0)
    # Fans are bright at one foot only; short loops are the brightest (heating ~ |B| / length).
    fade = np.where(fan[:, None], np.exp(-4.0 * s), 1.0)
    weight = table["brightness"][:, None] * fade / np.sqrt(lengths) * np.ones_like(height)
    weight *= size[..., None] / np.maximum(weight.sum((1, 2), keepdims=True), 1e-9)
    return latitude.ravel(), longitude.ravel(), height.ravel(), weight.ravel()


def loop_image(
    regions: Regions, fragments: Fragments, time: int, geometry: DiskGeometry, channels: tuple[str, ...], seed: int
) -> Float[np.ndarray, "channel y x"]:
    """Return the light of all loops in DN/s per pixel, as `geometry` sees them (no PSF)."""
    size = geometry.size
    count, steps = (28, 14) if size <= 192 else (80, max(32, size // 8))
    latitude, longitude, height, weight = loop_points(regions, fragments, time, seed, count, steps)
    heights = np.array([CHANNELS[name].scale_height for name in channels])[:, None]
    strength = np.array([CHANNELS[name].loops for name in channels])[:, None]
    light = strength * weight * np.exp(-height / heights)
    return splat(geometry, latitude, longitude, height, light)


def splat(
    geometry: DiskGeometry,
    latitude: Float[np.ndarray, "point"],
    longitude: Float[np.ndarray, "point"],
    height: Float[np.ndarray, "point"],
    light: Float[np.ndarray, "channel point"],
) -> Float[np.ndarray, "channel y x"]:
    """Return points of light (DN/s degree^2) as an image in DN/s per pixel; those behind the disk are hidden."""
    size = geometry.size
    x, y, visible = heliographic_to_pixel(geometry, latitude, longitude, 1 + height)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    inside = visible & (column >= 0) & (column < size - 1) & (row >= 0) & (row < size - 1)
    column, row, right, up = column[inside], row[inside], (x - column)[inside], (y - row)[inside]
    pixel_area = np.rad2deg(1 / geometry.solar_radius) ** 2  # square degrees in the centre of the disk
    image = np.zeros((len(light), size * size), np.float32)
    for rows, columns, share in (
        (row, column, (1 - up) * (1 - right)),
        (row, column + 1, (1 - up) * right),
        (row + 1, column, up * (1 - right)),
        (row + 1, column + 1, up * right),
    ):
        place = rows * size + columns
        for channel, values in enumerate(light):
            image[channel] += np.bincount(place, values[inside] * share / pixel_area, size * size)
    return image.reshape(-1, size, size)


@lru_cache(maxsize=2)
def fibril_table(seed: int) -> tuple[Float[np.ndarray, "fibril"], ...]:
    """Draw latitude, longitude (degrees), length (degrees) and brightness (mean 1) of the threads of the quiet Sun."""
    generator = np.random.default_rng(np.random.SeedSequence([seed, 6]))
    latitude = np.rad2deg(np.arcsin(generator.uniform(-1, 1, FIBRILS)))
    longitude = generator.uniform(0, 360, FIBRILS)
    length = FIBRIL_LENGTH * generator.lognormal(0, 0.4, FIBRILS)
    return latitude, longitude, length, generator.lognormal(-0.18, 0.6, FIBRILS)


def fibril_image(
    field: Float[np.ndarray, "row column"],
    light: Emission,
    geometry: DiskGeometry,
    channels: tuple[str, ...],
    seed: int,
) -> Float[np.ndarray, "channel y x"]:
    """Return the fine threads of the corona in DN/s per pixel: short, low, and along the horizontal field.

    The horizontal part of a potential field follows the gradient of the smoothed radial field (gauss, 180 x 360).
    """
    table = fibril_table(seed)
    in_front = heliographic_to_pixel(geometry, table[0], table[1], 1 + FIBRIL_HEIGHT)[2]
    latitude, longitude, length, brightness = (values[in_front] for values in table)
    row, column = (latitude + 90).astype(int), longitude.astype(int)
    north, west = (slope[row, column] for slope in np.gradient(smooth_on_sphere(field, FIBRIL_WIDTH)))
    stretch = 1 / np.cos(np.deg2rad(latitude))
    west = west * stretch
    steep = np.maximum(np.hypot(north, west), 1e-6)
    s = np.linspace(-1, 1, FIBRIL_STEPS)
    along = (length[:, None] / 2 * s).ravel()
    fade = np.tile((1 - s**2) / (1 - s**2).sum(), len(latitude))
    repeat = partial(np.repeat, repeats=FIBRIL_STEPS)
    part = np.array([CHANNELS[name].fibrils for name in channels])[:, None]
    guided = steep / (steep + GUIDING_GRADIENT)
    each = part * light.corona[:, row, column] * brightness * guided * (4 * np.pi * np.rad2deg(1) ** 2 / FIBRILS)
    return splat(
        geometry,
        np.clip(repeat(latitude) + along * repeat(north / steep), -90, 90),
        repeat(longitude) + along * repeat(west / steep * stretch),
        np.full_like(along, FIBRIL_HEIGHT),
        np.repeat(each, FIBRIL_STEPS, axis=1) * fade,
    )
