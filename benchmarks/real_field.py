"""EUV images of the emission model above real fields: the whole Sun of 27 days of magnetograms, and its own PFSS.

The synthetic Sun has a list of bipoles, whose loops it draws, and a criterion for coronal holes. A real field has a
potential-field model in their place: loops lie along its field lines, holes are where it is open. `modelled_pairs.py`
uses this.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.ndimage import gaussian_filter

from munit_jax.pfss.boundary import meridian_weight, radial_patch, sample_disk
from munit_jax.pfss.fieldlines import course
from munit_jax.pfss.harmonics import Grid, Transform, analysis, make_transform, synthesis
from munit_jax.pfss.interpolation import cartesian, latitude_longitude
from munit_jax.pfss.model import corona_grid, open_field
from munit_jax.sun.constants import DAY, SOLAR_RADIUS_CM, SYNODIC_CARRINGTON_DAYS
from munit_jax.sun.disk import DiskGeometry
from tfds_sdoml.synthetic_sun.emission import CHANNELS, emission, sigmoid
from tfds_sdoml.synthetic_sun.field import TRUTH_COLUMNS, TRUTH_ROWS, cell_weights, smooth_on_sphere, without_monopole
from tfds_sdoml.synthetic_sun.loops import splat
from tfds_sdoml.synthetic_sun.observation import PSF_WIDTH, corona, low_layer, photon_noise, view

GRID = Grid(TRUTH_ROWS, TRUTH_COLUMNS)
MODEL = Grid(TRUTH_ROWS // 2, TRUTH_COLUMNS // 2)  # of the PFSS
LMAX = 44
AGE = 4.0  # days in which a look loses most of its weight in the map
LEAST_SEEN = 0.5  # of a cell's points, whose pixels must have a field
POLAR_FIELD, POLAR_POWER = 8.0, 8  # gauss; the poles that nobody sees, of cycle 24 after its reversal
LINES = 1500
QUIET_FIELD, WIDTH = 8.0, 1.0  # gauss and degrees: lines begin where the smoothed |B| exceeds this, and in proportion
LONG = 0.8  # solar radii: longer lines are bright at their feet alone, as open ones
OPEN = 1.6  # solar radii from the centre of the Sun: a line that ends higher is open
FOOT = 0.1  # solar radii, along such lines, in which their light falls by e
BRIGHTER = 3.0  # than the loops of the synthetic Sun, whose fields do not saturate at 100 G
HOLE_EDGE = 1.0  # degrees
HOLE_FIELD, HOLE_FIELD_EDGE = 30.0, 5.0  # gauss: open field above this mean |B| is not dark

Map = Float[np.ndarray, "lat lon"]


class Looks(NamedTuple):
    """Magnetograms as patches of the map of the whole Sun; a cell's weight is 0 where it was not seen."""

    times: Int[np.ndarray, " n"]  # seconds since 1970
    fields: Float[np.ndarray, "n lat lon"]  # radial, gauss
    weights: Float[np.ndarray, "n lat lon"]


def looks(
    times: Sequence[int],
    geometries: Sequence[DiskGeometry],
    magnetograms: Sequence[Float[np.ndarray, "h w"]],
) -> Looks:
    """Return magnetograms (gauss; exactly 0 where there are no data) as patches of the map."""
    patch = jax.jit(radial_patch)
    fields, weights = [], []
    for geometry, magnetogram in zip(geometries, magnetograms, strict=True):
        sampling = sample_disk(geometry, GRID)
        seen = patch(sampling, jnp.asarray(magnetogram != 0, jnp.float32)) > LEAST_SEEN
        fields.append(np.asarray(patch(sampling, jnp.asarray(magnetogram, jnp.float32)), np.float16))
        weights.append(np.asarray(sampling.weight * seen, np.float16) * meridian_weight(GRID, geometry.l0))
    return Looks(np.asarray(times), np.stack(fields), np.stack(weights).astype(np.float16))


def whole_sun(every: Looks, time: int) -> Map:
    """Return the radial field (gauss) at a time from the looks of half a rotation around, without net flux."""
    days = np.abs(every.times - time) / DAY
    near = np.flatnonzero(days < SYNODIC_CARRINGTON_DAYS / 2)
    weights = every.weights[near].astype(np.float32) * np.exp(-days[near] / AGE)[:, None, None]
    total = weights.sum(axis=0)
    mean = (weights * every.fields[near]).sum(axis=0) / np.maximum(total, 1e-9)
    sine = np.sin(np.deg2rad(GRID.latitudes))[:, None]
    poles = POLAR_FIELD * np.sign(sine) * np.abs(sine) ** POLAR_POWER
    return without_monopole(np.where(total > 1e-6, mean, poles).astype(np.float32))


@jax.jit
def _pfss(
    transform: Transform, field: Float[Array, "lat lon"], seeds: Float[Array, "n 3"], upward: Float[Array, " n"]
) -> tuple[Float[Array, "step n 3"], Int[Array, "lat lon"]]:
    coefficients = analysis(transform, field)
    volume = corona_grid(transform, coefficients)
    return course(volume, seeds, upward), open_field(transform, volume, synthesis(transform, coefficients))


def euv_image(field: Map, geometry: DiskGeometry, channel: str, rng: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Return the EUV image (DN/s) of a field of the whole Sun from anywhere."""
    points, openness = _lines(field, rng)
    light = emission(field, (channel,), _holes(openness, field))
    layers = low_layer(light, view(geometry), (channel,)) + corona(light, geometry, (channel,))
    layers += _loops(field, points, geometry, channel, rng)
    blurred = gaussian_filter(layers[0], PSF_WIDTH)[None]
    return photon_noise(blurred, (channel,), rng)[0]


def _lines(field: Map, rng: np.random.Generator) -> tuple[Float[np.ndarray, "step n 3"], Int[np.ndarray, "row column"]]:
    """Return field lines (solar radii) from where the field is strong, and the polarity of the open cells, else 0."""
    strength = (_excess(field) * cell_weights(TRUTH_ROWS)).ravel()
    begin = rng.choice(strength.size, LINES, p=strength / strength.sum())
    row, column = np.divmod(begin, TRUTH_COLUMNS)
    within = rng.uniform(-0.5, 0.5, (2, LINES))
    seeds = cartesian(
        jnp.asarray(GRID.latitudes[row] + within[0]), jnp.asarray(GRID.longitudes[column] + within[1]), 1.0
    )
    upward = jnp.where(jnp.asarray(field[row, column]) < 0, -1.0, 1.0)
    coarse = jnp.asarray(field.reshape(MODEL.rows, 2, MODEL.columns, 2).mean(axis=(1, 3)))
    points, openness = _pfss(_transform(), coarse, seeds.astype(jnp.float32), upward)
    return np.asarray(points)[::2], np.asarray(openness)


@lru_cache(maxsize=1)
def _transform() -> Transform:
    return make_transform(MODEL, LMAX)


def _excess(field: Map) -> Map:
    """Return by how much the smoothed |B| exceeds that of the quiet Sun, in gauss, nowhere quite 0."""
    return np.maximum(smooth_on_sphere(np.abs(field), WIDTH) - QUIET_FIELD, 0) + 1e-6


def _holes(openness: Int[np.ndarray, "row column"], field: Map) -> Map:
    """Return how dark the field's coronal holes are, 0 to 1."""
    opened = np.abs(openness).astype(float).repeat(2, axis=0).repeat(2, axis=1)
    quiet = sigmoid((HOLE_FIELD - smooth_on_sphere(np.abs(field), 2 * WIDTH)) / HOLE_FIELD_EDGE)
    return (smooth_on_sphere(opened, HOLE_EDGE) * quiet).astype(np.float32)


def _loops(
    field: Map,
    points: Float[np.ndarray, "step n 3"],
    geometry: DiskGeometry,
    channel: str,
    rng: np.random.Generator,
) -> Float[np.ndarray, "1 h w"]:
    """Return the light of field lines in DN/s: all have the same flux, and short ones are the brightest."""
    radius = np.linalg.norm(points, axis=-1)
    step = np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=-1)
    along, length = step.cumsum(axis=0), step.sum(axis=0)
    fan = (length > LONG) | (radius[-1] > OPEN)
    spread = step * np.where(fan, np.exp(-along / FOOT), 1.0)
    spread /= np.maximum(spread.sum(axis=0), 1e-12)
    degrees = np.rad2deg(np.clip(length, np.deg2rad(1.0), LONG))
    bright = rng.lognormal(0, 1.0, LINES) / np.sqrt(degrees) * (length > 0)
    flux = (_excess(field) * cell_weights(TRUTH_ROWS)).sum() * 4 * np.pi * SOLAR_RADIUS_CM**2 / 2 / 1e21
    weight = spread * bright * (flux / bright.sum())
    latitude, longitude = (np.asarray(angle) for angle in latitude_longitude(jnp.asarray(points)))
    model, height = CHANNELS[channel], radius - 1
    light = BRIGHTER * model.loops * weight * np.exp(-height / model.scale_height)
    lit = light > 0
    return splat(geometry, latitude[lit], longitude[lit], height[lit], light[lit][None])
