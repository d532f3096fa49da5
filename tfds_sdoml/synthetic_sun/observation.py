"""EUV images and magnetograms of the synthetic Sun at any time, seen from the Earth or from another longitude."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter

from munit_jax.sun.disk import (
    DiskGeometry,
    heliographic,
    mu,
    observer_to_heliographic,
    on_disk,
    pixel_grid,
    radius_from_centre,
    sdoml_geometry,
)
from munit_jax.sun.ephemeris import earth_view
from tfds_sdoml.synthetic_sun.emission import CHANNELS, Emission, emission
from tfds_sdoml.synthetic_sun.field import TRUTH_ROWS, block_mean, radial_field
from tfds_sdoml.synthetic_sun.loops import fibril_image, loop_image
from tfds_sdoml.synthetic_sun.regions import fragments_at, regions_at

FIELD_NOISE = 10.0  # gauss, line of sight (Couvidat et al. 2016: HMI's 45 s magnetograms), in a pixel of ...
FIELD_NOISE_SIZE = 512  # ... SDOML's images; the wider pixels of smaller images are means over more of them
EXPOSURE = 2.0  # seconds, of AIA (Lemen et al. 2012)
FULL_SIZE = 4096  # pixels across AIA's detector, of which an image's pixel is a mean
FIBRILS_FROM = 256  # pixels: in smaller images the threads are not resolved
PSF_WIDTH = 0.45  # pixels, standard deviation; the mean over AIA pixels is added by the sampling
LOW_THICKNESS = 0.12  # keeps 1 / mu finite at the limb: the low layer is not infinitely thin
LAYERS = (0.0, 0.03, 0.09, 0.2, 0.5)  # solar radii above the surface: edges of the corona's layers, seen on the disk
RAY_STEP, RAY_REACH = 0.1, 1.0  # solar radii along a ray off the disk: between samples, and to the last one
RAY_HEIGHT = 0.12  # solar radii: where rays have their full contrast
CORONA_EDGE = 1.55  # solar radii from the centre of the disk; beyond it less than 1 % of the limb's light is left

# Of rays: solar radii towards the observer, emissivity of each channel, solar radii along the ray.
Samples = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | np.float32]]


@dataclass(frozen=True)
class Frame:
    """One observation of the synthetic Sun."""

    euv: Float[np.ndarray, "y x channel"]  # DN/s per pixel (SDOML v2 convention), not negative
    magnetogram: Float[np.ndarray, "y x 1"]  # gauss, positive towards the observer, exactly 0 off the disk
    surface_field: Float[
        np.ndarray, "180 360"
    ]  # the truth: B_r in gauss, south to north, Carrington longitude 0 to 360
    geometry: DiskGeometry


def finer(geometry: DiskGeometry, factor: int) -> DiskGeometry:
    """Return the geometry of the same image with every pixel cut into `factor` x `factor`."""
    x, y = ((c + 0.5) * factor - 0.5 for c in geometry.centre)
    return replace(geometry, size=geometry.size * factor, solar_radius=geometry.solar_radius * factor, centre=(x, y))


def binned(image: Float[np.ndarray, "... y x"], factor: int) -> Float[np.ndarray, "... row column"]:
    """Return the mean over blocks of `factor` x `factor` pixels."""
    *front, rows, columns = image.shape
    return image.reshape(*front, rows // factor, factor, columns // factor, factor).mean((-3, -1))


def sample_map(
    maps: Float[np.ndarray, "channel lat lon"],
    latitude: Float[np.ndarray, "place"],
    longitude: Float[np.ndarray, "place"],
) -> Float[np.ndarray, "channel place"]:
    """Return Carrington maps at places in degrees, linearly interpolated."""
    rows, columns = maps.shape[1:]
    y = np.clip((latitude + 90) * (rows / 180) - 0.5, 0, rows - 1.001)
    x = longitude * (columns / 360) - 0.5
    south, west = np.floor(y).astype(np.int32), np.floor(x).astype(np.int32)
    up, right = (y - south).astype(np.float32), (x - west).astype(np.float32)
    west, east = west % columns, (west + 1) % columns
    flat, row = maps.reshape(len(maps), -1), south * columns
    lower = np.take(flat, row + west, axis=1) * (1 - right) + np.take(flat, row + east, axis=1) * right
    row = row + columns
    upper = np.take(flat, row + west, axis=1) * (1 - right) + np.take(flat, row + east, axis=1) * right
    return lower * (1 - up) + upper * up


@dataclass(frozen=True)
class View:
    """The samples of an image that lie on the disk, several a pixel."""

    factor: int  # samples along each side of a pixel
    inside: Bool[np.ndarray, "fine_y fine_x"]  # which samples are on the disk
    latitude: Float[np.ndarray, "place"]  # degrees, of the samples inside
    longitude: Float[np.ndarray, "place"]  # degrees
    mu: Float[np.ndarray, "place"]  # cosine of the angle to the vertical

    def image(self, values: Float[np.ndarray, "channel place"]) -> Float[np.ndarray, "channel y x"]:
        """Return values of the samples inside as images of pixel means, 0 off the disk."""
        images = np.zeros((len(values), *self.inside.shape), np.float32)
        images[:, self.inside] = values
        return binned(images, self.factor)


def view(geometry: DiskGeometry) -> View:
    """Return where the samples of an image's pixels lie on the Sun."""
    factor = 3 if geometry.size <= 64 else 2
    fine = finer(geometry, factor)
    inside = radius_from_centre(fine) < 1
    latitude, longitude = heliographic(fine)
    return View(factor, inside, latitude[inside], longitude[inside], mu(fine)[inside])


def line_of_sight(field: Float[np.ndarray, "lat lon"], geometry: DiskGeometry, seen: View) -> Float[np.ndarray, "y x"]:
    """Return the line-of-sight component (gauss) of a radial field, averaged over pixels; 0 off the disk, no noise."""
    image = seen.image(sample_map(field[None], seen.latitude, seen.longitude) * seen.mu)[0]
    return np.where(on_disk(geometry), image, 0).astype(np.float32)


def low_layer(light: Emission, seen: View, channels: tuple[str, ...]) -> Float[np.ndarray, "channel y x"]:
    """Return the light of the low layer in DN/s: on the disk only, weakly brightened towards the limb."""
    slant = 1 / (seen.mu + LOW_THICKNESS)
    thin = np.array([CHANNELS[name].low_limb for name in channels])[:, None]
    return seen.image(sample_map(light.low, seen.latitude, seen.longitude) * (1 - thin + thin * slant))


def in_front(heights: Float[np.ndarray, "channel 1"], rho2: Float[np.ndarray, "ray"]) -> Samples:
    """Yield where each layer of the corona lies in front of the disk, its mean emissivity, and the path through it."""
    for low, high in pairwise(LAYERS):
        share = (np.exp(-low / heights) - np.exp(-high / heights)) / (high - low)
        path = np.sqrt((1 + high) ** 2 - rho2) - np.sqrt((1 + low) ** 2 - rho2)
        yield np.sqrt((1 + (low + high) / 2) ** 2 - rho2), share, path


def off_limb(heights: Float[np.ndarray, "channel 1"], rho2: Float[np.ndarray, "ray"], step: float) -> Samples:
    """Yield places along the rays off the disk, the emissivity there, and the step to the next."""
    for towards in np.arange(-RAY_REACH, RAY_REACH + step / 2, step):
        emissivity = np.exp((1 - np.sqrt(rho2 + np.float32(towards**2))) / heights) / heights
        yield np.full_like(rho2, towards), emissivity, np.float32(step)


def corona_along(
    maps: Float[np.ndarray, "channel row column"],
    geometry: DiskGeometry,
    samples: Samples,
    west: Float[np.ndarray, "ray"],
    north: Float[np.ndarray, "ray"],
) -> Float[np.ndarray, "channel ray"]:
    """Return the light of the corona along rays in DN/s: the sum of brightness x emissivity x path.

    The rays start `west` and `north` of the centre of the disk, in solar radii, and are parallel, good to 1 / D.
    """
    total = np.zeros((len(maps), len(west)), np.float32)
    for towards, emissivity, path in samples:
        total += sample_map(maps, *observer_to_heliographic(geometry, towards, west, north)) * emissivity * path
    return total


def corona(light: Emission, geometry: DiskGeometry, channels: tuple[str, ...]) -> Float[np.ndarray, "channel y x"]:
    """Return the optically thin light of the corona in DN/s, on the disk and off it."""
    factor = 2 if geometry.size <= 128 else 1
    fine = finer(geometry, factor)
    west, north = (axis.astype(np.float32) for axis in pixel_grid(fine))
    rho, rho2 = np.hypot(west, north), west**2 + north**2
    heights = np.array([CHANNELS[name].scale_height for name in channels], np.float32)[:, None]
    images = np.zeros((len(channels), fine.size, fine.size), np.float32)
    disk, off = rho < 1, (rho >= 1) & (rho < CORONA_EDGE)
    images[:, disk] = corona_along(light.corona, geometry, in_front(heights, rho2[disk]), west[disk], north[disk])
    west, north, rho, rho2 = west[off], north[off], rho[off], rho2[off]
    # The field leads matter up, so that the corona off the limb has rays above its footpoints.
    rays = sample_map(light.rays, *observer_to_heliographic(geometry, np.zeros_like(west), west / rho, north / rho))
    contrast = rays ** np.minimum((rho - 1) / RAY_HEIGHT, 1)
    samples = off_limb(heights, rho2, RAY_STEP if geometry.size > 128 else 2.5 * RAY_STEP)
    images[:, off] = corona_along(light.corona, geometry, samples, west, north) * contrast
    return binned(images, factor)


def photon_noise(
    image: Float[np.ndarray, "channel y x"], channels: tuple[str, ...], generator: np.random.Generator
) -> Float[np.ndarray, "channel y x"]:
    """Return the image (DN/s) as counted: Poisson photons in all detector pixels of the mean."""
    pixels = (FULL_SIZE / image.shape[-1]) ** 2
    photons = np.array([EXPOSURE * pixels / CHANNELS[name].gain for name in channels])[:, None, None]
    return generator.poisson(image * photons) / photons


def field_noise(size: int) -> float:
    """Return the noise of a pixel's line-of-sight field in gauss (standard deviation), for images of `size` pixels."""
    return FIELD_NOISE * min(1.0, size / FIELD_NOISE_SIZE)


def observe(seed: int, time: int, size: int, channels: tuple[str, ...], west: float = 0.0) -> Frame:
    """Return what an observer sees at `time` (UTC, seconds since 1970) in the given AIA channels.

    The same arguments give the same frame, in any order of the calls. The observer is `west` degrees west of the Earth
    (as seen from it, so ahead of it), at the same latitude and distance.

    Raises:
        ValueError: a channel that the model does not have.
    """
    unknown = sorted(set(channels) - set(CHANNELS))
    if unknown:
        raise ValueError(f"the synthetic Sun has the channels {', '.join(CHANNELS)}, not {', '.join(unknown)}")
    b0, l0, distance = earth_view(time)
    geometry = sdoml_geometry(size, b0, (l0 + west) % 360, distance)
    vantage = [round(west % 360 * 3600)] if west else []
    generator = np.random.default_rng(np.random.SeedSequence([seed, 4, time, *vantage]))
    # One degree a pixel, and finer for large images.
    field = radial_field(seed, time, TRUTH_ROWS * max(1, min(4, size // 128)))
    disk, seen = on_disk(geometry), view(geometry)
    magnetogram = line_of_sight(field, geometry, seen)
    magnetogram += np.where(disk, generator.normal(0, field_noise(size), disk.shape), 0)

    light = emission(field, channels)
    regions = regions_at(seed, time)
    loops = loop_image(regions, fragments_at(regions, time), time, geometry, channels, seed)
    image = low_layer(light, seen, channels) + corona(light, geometry, channels) + loops
    if size >= FIBRILS_FROM:
        image += fibril_image(block_mean(field), light, geometry, channels, seed)
    image = np.stack([gaussian_filter(layer, PSF_WIDTH) for layer in image])
    euv = photon_noise(image, channels, generator)
    return Frame(
        euv=np.moveaxis(euv, 0, -1).astype(np.float32),
        magnetogram=magnetogram[..., None].astype(np.float32),
        surface_field=block_mean(field),
        geometry=geometry,
    )
