"""The radial magnetic field of the synthetic Sun on a full Carrington map, a closed form of the time."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

from munit_jax.sun.constants import DAY, SOLAR_RADIUS_CM
from tfds_sdoml.synthetic_sun.regions import CYCLE_START, Fragments, fragments_at, regions_at

TRUTH_ROWS, TRUTH_COLUMNS = 180, 360  # one degree a pixel

POLAR_FIELD = 9.0  # gauss at the pole in the minimum (Wang, Robbrecht & Sheeley 2009, after WSO)
POLAR_POWER = 8  # B ~ sin^8 of the latitude (Svalgaard, Duvall & Scherrer 1978)
YEARS_TO_REVERSAL = 5.3  # from the minimum to the polar reversal: spring 2014 (Sun et al. 2015)

STRONGEST_FIELD = 2500.0  # gauss, of the largest umbrae at this resolution

SUPERGRANULES = 5000  # on the sphere: cells of 35 000 km (Rieutord & Rincon 2010)
NETWORK_LIFE = 1.5 * DAY  # seconds, of one pattern of cells
PATTERNS = 4  # made once; each turn takes one of them, turned about the axis at random
NETWORK_CANDIDATES = 240_000  # points on the sphere, of which those near a boundary are kept
BOUNDARY_WIDTH = 0.22  # degrees
ELEMENT_WIDTH = 0.17  # degrees, standard deviation of an element of flux
SHARPEST = 0.75  # pixels: a narrower Gaussian is not resolved and would ring
WEB_FLOOR = 0.12  # part of the mean field that is not gathered in the network
SALT_FLUX = 5.5  # gauss: mean unsigned field of the mixed-polarity network when resolved (Jin et al. 2011: 3-7 G)
EPHEMERAL_REGIONS = 220  # on the sphere at a time (Hagenaar 2001: some 1e4 a day, mostly below our resolution)
EPHEMERAL_WEIGHT = 5.0  # flux of one in units of the mean element's


# Supergranular boundaries on a map: the web that gathers flux, positive, of mean 1 over the sphere; and the salt of
# mixed polarity in gauss, of mean 0.
Network = tuple[Float[np.ndarray, "lat lon"], Float[np.ndarray, "lat lon"]]


def map_latitudes(rows: int) -> Float[np.ndarray, "lat"]:
    """Return the latitudes of the rows' middles in degrees, from south to north."""
    return (np.arange(rows) + 0.5) * (180 / rows) - 90


def cell_weights(rows: int) -> Float[np.ndarray, "lat 1"]:
    """Return the part of the sphere's area in each cell of a row."""
    cosine = np.cos(np.deg2rad(map_latitudes(rows)))
    return (cosine / (cosine.sum() * 2 * rows))[:, None]


def gaussians(
    centre: Float[np.ndarray, "fragment"], width: Float[np.ndarray, "fragment"], count: int
) -> tuple[Int[np.ndarray, "fragment offset"], Float[np.ndarray, "fragment offset"]]:
    """Return pixels of an axis and Gaussians on them, out to 4 widths of the widest; centres and widths in pixels."""
    reach = min(int(4 * width.max()) + 1, count // 2 - 1)
    pixel = np.rint(centre).astype(int)[:, None] + np.arange(-reach, reach + 1)
    # At least exp(-30): subnormal numbers would slow the arithmetic down many times.
    exponent = np.maximum(-0.5 * ((pixel - centre[:, None]) / width[:, None]) ** 2, -30)
    return pixel, np.exp(exponent.astype(np.float32))


def gaussian_sum(
    fragments: Fragments, flux: Float[np.ndarray, "region fragment"], rows: int
) -> Float[np.ndarray, "lat lon"]:
    """Return the sum of the fragments in gauss, each normalised on the map to exactly the given flux (maxwell).

    A fragment is a product of a Gaussian in latitude and one in longitude x cos(latitude of its centre), so that the
    sum over all fragments is one product of two matrices.
    """
    step = 180 / rows
    flux, latitude, longitude, width = (
        values[flux != 0] for values in (flux, fragments.latitude, fragments.longitude, fragments.width)
    )
    width = np.hypot(width, step / np.sqrt(12)) / step  # a pixel averages over its own width
    fragment = np.arange(len(flux))[:, None]
    in_latitude = np.zeros((len(flux), rows), np.float32)
    row, values = gaussians((latitude + 90) / step - 0.5, width, rows)
    within = (row >= 0) & (row < rows)
    in_latitude[np.broadcast_to(fragment, row.shape)[within], row[within]] = values[within]
    in_longitude = np.zeros((len(flux), 2 * rows), np.float32)
    column, values = gaussians(longitude / step - 0.5, width / np.cos(np.deg2rad(latitude)), 2 * rows)
    in_longitude[fragment, column % (2 * rows)] = values
    pixel_area = cell_weights(rows)[:, 0] * 4 * np.pi * SOLAR_RADIUS_CM**2
    norm = (in_latitude @ pixel_area) * in_longitude.sum(1)
    return (in_latitude * (flux / norm)[:, None]).astype(np.float32).T @ in_longitude


def polar_caps(time: int, rows: int) -> Float[np.ndarray, "lat 1"]:
    """Return the polar field in gauss: negative in the north until cycle 24 reverses it, the opposite in the south."""
    years = (time - CYCLE_START) / (365.25 * DAY)
    pole = -POLAR_FIELD * np.cos(np.pi / 2 * np.clip(years / YEARS_TO_REVERSAL, 0, 2))
    sine = np.sin(np.deg2rad(map_latitudes(rows)))
    return (pole * np.sign(sine) * np.abs(sine) ** POLAR_POWER)[:, None]


def random_points(generator: np.random.Generator, count: int) -> Float[np.ndarray, "point 3"]:
    """Return points spread evenly over the unit sphere."""
    points = generator.normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def deposit(points: Float[np.ndarray, "point 3"], weights: np.ndarray, rows: int) -> Float[np.ndarray, "lat lon"]:
    """Return the density of weighted points on a map, as a part of its mean over the sphere if the weights sum to 1."""
    step = 180 / rows
    row = np.clip((np.rad2deg(np.arcsin(points[:, 2])) + 90) / step, 0, rows - 1).astype(int)
    column = (np.rad2deg(np.arctan2(points[:, 1], points[:, 0])) % 360 / step).astype(int) % (2 * rows)
    counts = np.bincount(row * 2 * rows + column, weights, 2 * rows * rows).reshape(rows, 2 * rows)
    return smooth_on_sphere(counts, ELEMENT_WIDTH) / smooth_on_sphere(cell_weights(rows), ELEMENT_WIDTH)


def smooth_on_sphere(values: Float[np.ndarray, "lat lon"], width: float) -> Float[np.ndarray, "lat lon"]:
    """Return a Gaussian smoothing of `width` degrees, as wide in kilometres near the poles as at the equator.

    The width is at least `SHARPEST` pixels.
    """
    rows, columns = values.shape
    width = max(width, SHARPEST * 180 / rows)
    smooth = gaussian_filter1d(values, width * rows / 180, axis=0, mode="nearest", truncate=3)
    return np.fft.irfft(np.fft.rfft(smooth) * gaussian_in_waves(rows, width), columns)


@lru_cache(maxsize=32)
def gaussian_in_waves(rows: int, width: float) -> Float[np.ndarray, "lat wave"]:
    """Return the Fourier transform along each parallel of a Gaussian `width` degrees wide on the sphere."""
    cosine = np.cos(np.deg2rad(map_latitudes(rows)))[:, None]
    return np.exp(-0.5 * (np.arange(rows + 1) * np.deg2rad(width) / cosine) ** 2).astype(np.float32)


@lru_cache(maxsize=4 * PATTERNS)
def network_pattern(seed: int, pattern: int, rows: int) -> Network:
    """Make one pattern: elements of flux on the boundaries of cells around random centres (a Worley diagram)."""
    generator = np.random.default_rng(np.random.SeedSequence([seed, 2, pattern]))
    cells = KDTree(random_points(generator, SUPERGRANULES))
    points = random_points(generator, NETWORK_CANDIDATES)
    nearest, second = np.rad2deg(cells.query(points, k=2)[0]).T
    points = points[generator.random(NETWORK_CANDIDATES) < np.exp(-(((second - nearest) / BOUNDARY_WIDTH) ** 2))]
    weights = generator.lognormal(0, 0.9, len(points))
    web = deposit(points, np.full(len(points), 1 / len(points)), rows)
    signs = generator.choice([-1.0, 1.0], len(points))
    few = random_points(generator, EPHEMERAL_REGIONS)
    apart = np.deg2rad(0.55) * generator.normal(size=few.shape)
    pair = np.concatenate([few + apart, few - apart])
    pair /= np.linalg.norm(pair, axis=1, keepdims=True)
    pair_weights = EPHEMERAL_WEIGHT * weights.mean() * generator.lognormal(0, 0.6, EPHEMERAL_REGIONS)
    signed = np.concatenate([signs * weights, pair_weights, -pair_weights])
    salt = deposit(np.concatenate([points, pair]), SALT_FLUX * signed / weights.sum(), rows)
    return (WEB_FLOOR + (1 - WEB_FLOOR) * web).astype(np.float32), salt.astype(np.float32)


def network_at(seed: int, time: int, rows: int) -> Network:
    """Return the network at a time: one pattern fades into the next over its life."""
    turn, phase = divmod(time / NETWORK_LIFE, 1)
    webs, salts = [], []
    for index in (int(turn), int(turn) + 1):
        generator = np.random.default_rng(np.random.SeedSequence([seed, 3, index]))
        degrees, sign = int(generator.integers(360)), generator.choice([-1, 1])
        web, salt = (np.roll(x, degrees * rows // 180, axis=1) for x in network_pattern(seed, index % PATTERNS, rows))
        webs.append(web)
        salts.append(sign * salt)
    angle = np.pi / 2 * phase  # keeps the variance of the salt, since the patterns are independent
    web = (1 - phase) * webs[0] + phase * webs[1]
    return web.astype(np.float32), (np.cos(angle) * salts[0] + np.sin(angle) * salts[1]).astype(np.float32)


def without_monopole(field: Float[np.ndarray, "lat lon"]) -> Float[np.ndarray, "lat lon"]:
    """Return the field with no net flux: each pixel gives up its share of the net flux, in proportion to |B|."""
    weights = cell_weights(len(field))
    net, unsigned = (weights * field).sum(), (weights * np.abs(field)).sum()
    return field - net / unsigned * np.abs(field)


def radial_field(seed: int, time: int, rows: int = TRUTH_ROWS) -> Float[np.ndarray, "lat lon"]:
    """Return B_r in gauss on a map of `rows` x 2 `rows` pixels at `time` (seconds since 1970), without net flux.

    B_r = spots + (plage + polar caps) x web + salt: active regions, caps that reverse with the cycle, and a network of
    supergranular boundaries that gathers the mean field (web) and is of mixed polarity (salt). Rows run from south to
    north, columns over Carrington longitudes from 0 to 360 degrees.
    """
    fragments = fragments_at(regions_at(seed, time), time)
    web, salt = network_at(seed, time, rows)
    spots = gaussian_sum(fragments, fragments.flux * fragments.compact, rows)
    plage = gaussian_sum(fragments, fragments.flux * (1 - fragments.compact), rows)
    field = spots + (plage + polar_caps(time, rows)) * web + salt
    # Gas pressure cannot confine more: the field saturates smoothly.
    field = field / np.sqrt(1 + (field / STRONGEST_FIELD) ** 2)
    return without_monopole(field).astype(np.float32)


def block_mean(field: Float[np.ndarray, "lat lon"]) -> Float[np.ndarray, "row column"]:
    """Return the mean over blocks, by area within each, on a map of 180 x 360 pixels; flux is kept exactly."""
    rows = TRUTH_ROWS
    factor = len(field) // rows
    weights = cell_weights(len(field))
    sums = (field * weights).reshape(rows, factor, 2 * rows, factor).sum((1, 3))
    area = weights.reshape(rows, factor).sum(1, keepdims=True) * factor
    return (sums / area).astype(np.float32)
