"""Field lines: where they end, which are open, and their course for pictures.

Lines are followed with the classical Runge-Kutta method (order 4) along the direction of the field, by steps in
proportion to the height above the surface, since structures of a potential field are as large as they are high.
"""

from typing import NamedTuple

import contourpy
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from munit_jax.solar.harmonics import Grid
from munit_jax.solar.interpolation import FieldGrid, field_at

STEP = 0.25  # of the height
LEAST_HEIGHT = 0.02  # solar radii: steps do not shrink below that of this height
MOST_STEPS = 400  # a line is done in 15 to 90
LANDINGS = 4  # secant steps by which a line is brought to its end
CHUNK = 1080  # lines at a time: a chunk is done when its longest line is, and its points stay in the cache


class Ends(NamedTuple):
    """Where lines end.

    Attributes:
        points: on the inner or outer sphere, solar radii; of lines that did not end, where they were given up.
        inner: whether it is the inner sphere.
        outer: whether it is the outer sphere.
    """

    points: Float[Array, "n 3"]
    inner: Bool[Array, "n"]
    outer: Bool[Array, "n"]


def trace(field: FieldGrid, seeds: Float[Array, "n 3"], along: Float[Array, "n"], chunk: int = CHUNK) -> Ends:
    """Follow field lines to their ends.

    Args:
        field: between two spheres.
        seeds: where they begin, solar radii.
        along: 1 to follow the field, -1 to go against it.
        chunk: lines that are followed at a time.
    """
    count = len(seeds)
    chunk = min(chunk, count)
    missing = -count % chunk
    seeds = jnp.concatenate([seeds, seeds[:missing]]).reshape(-1, chunk, 3)
    along = jnp.concatenate([along, along[:missing]]).reshape(-1, chunk)
    ends = jax.lax.map(lambda lines: _trace_chunk(field, *lines), (seeds, along))
    points, inner, outer = (values.reshape(-1, *values.shape[2:])[:count] for values in ends)
    return Ends(points, inner, outer)


class _Lines(NamedTuple):
    """Lines on their way: their last points between the spheres, which go on, and which left through the inner one."""

    number: Int[Array, ""]
    points: Float[Array, "n 3"]
    inside: Bool[Array, "n"]
    inner: Bool[Array, "n"]


def _trace_chunk(field: FieldGrid, seeds: Float[Array, "n 3"], along: Float[Array, "n"]) -> Ends:
    def unfinished(lines: _Lines) -> Bool[Array, ""]:
        return lines.inside.any() & (lines.number < MOST_STEPS)

    def advance(lines: _Lines) -> _Lines:
        ahead = _step(field, lines.points, along * step_length(field, lines.points))
        radius = jnp.linalg.norm(ahead, axis=-1)
        below = lines.inside & (radius < field.inner)
        inside = lines.inside & ~below & (radius <= field.outer)
        points = jnp.where(inside[:, None], ahead, lines.points)
        return _Lines(lines.number + 1, points, inside, lines.inner | below)

    nowhere = jnp.zeros(len(seeds), bool)
    lines = jax.lax.while_loop(unfinished, advance, _Lines(jnp.zeros((), jnp.int32), seeds, ~nowhere, nowhere))
    target = jnp.where(lines.inner, field.inner, field.outer)
    ends = _land(field, lines.points, along * step_length(field, lines.points), target)
    points = jnp.where(lines.inside[:, None], lines.points, ends)
    return Ends(points, lines.inner, ~lines.inside & ~lines.inner)


def step_length(field: FieldGrid, points: Float[Array, "n 3"], part: float = STEP) -> Float[Array, "n"]:
    """Return the steps in solar radii: a part of the height above the inner sphere, and of a least height."""
    return part * (jnp.linalg.norm(points, axis=-1) - field.inner + LEAST_HEIGHT)


def _step(field: FieldGrid, points: Float[Array, "n 3"], length: Float[Array, "n"]) -> Float[Array, "n 3"]:
    """Return the points a step of Runge-Kutta further; against the field where the length is negative."""

    def direction(at: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
        b = field_at(field, at)
        return b / jnp.maximum(jnp.linalg.norm(b, axis=-1, keepdims=True), jnp.finfo(b.dtype).tiny)

    h = length[:, None]
    k1 = direction(points)
    k2 = direction(points + h / 2 * k1)
    k3 = direction(points + h / 2 * k2)
    k4 = direction(points + h * k3)
    return points + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def _land(
    field: FieldGrid, last: Float[Array, "n 3"], length: Float[Array, "n"], target: Float[Array, "n"]
) -> Float[Array, "n 3"]:
    """Return where the next step meets a sphere that it crosses: the part of it that just does (secant method)."""
    begin = jnp.linalg.norm(last, axis=-1)

    def refine(_: Int[Array, ""], state: tuple[Array, Array]) -> tuple[Array, Array]:
        part, _ahead = state
        ahead = _step(field, last, part * length)
        rise = jnp.linalg.norm(ahead, axis=-1) - begin
        return jnp.clip(part * (target - begin) / jnp.where(rise == 0, 1, rise), 0, 1), ahead

    _, ahead = jax.lax.fori_loop(0, LANDINGS, refine, (jnp.ones_like(begin), last))
    return ahead * (target / jnp.linalg.norm(ahead, axis=-1))[:, None]


def course(
    field: FieldGrid, seeds: Float[Array, "n 3"], along: Float[Array, "n"], part: float = STEP / 4
) -> Float[Array, "step n 3"]:
    """Return points along field lines, for pictures: after its end a line's last point is repeated.

    Args:
        field, seeds, along: see `trace`.
        part: see `step_length`.
    """

    def advance(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        points, inside = state
        ahead = _step(field, points, along * step_length(field, points, part))
        radius = jnp.linalg.norm(ahead, axis=-1)
        limit = jnp.clip(radius, field.inner, field.outer)
        ahead = jnp.where(inside[:, None], ahead * (limit / radius)[:, None], points)
        return (ahead, inside & (limit == radius)), ahead

    _, points = jax.lax.scan(advance, (seeds, jnp.ones(len(seeds), bool)), None, length=MOST_STEPS)
    return jnp.concatenate([seeds[None], points])


def neutral_line(grid: Grid, field: Float[np.ndarray, "lat lon"]) -> list[Float[np.ndarray, "point 2"]]:
    """Return the lines where a map changes its sign, as (latitude, longitude) in degrees.

    Lines that cross longitude 360 go on to 360 + half a cell and begin again half a cell behind 0.
    """
    closed = np.concatenate([field, field[:, :1]], axis=1)
    longitudes = np.append(grid.longitudes, grid.longitudes[0] + 360)
    lines = contourpy.contour_generator(longitudes, grid.latitudes, closed).lines(0.0)
    return [np.asarray(line)[:, ::-1] for line in lines]
