"""Field lines: where they end, which are open, and their course for pictures."""

from functools import partial
from typing import NamedTuple

import contourpy
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.interpolation import FieldGrid, field_at

STEP = 0.25  # of the height
LEAST_HEIGHT = 0.02  # solar radii: steps do not shrink below that of this height
MOST_STEPS = 400  # a line is done in 2 to 90
ROUNDS = (4, 6, 8, 12, 20, MOST_STEPS - 50)  # steps, after each of which the unfinished lines are gathered
LANDINGS = 3  # secant steps by which a line is brought to its end
CHUNK = 1080  # lines at a time: their points stay in the cache


class Ends(NamedTuple):
    """Where lines end, in solar radii, and on which sphere; on neither where a line was given up."""

    points: Float[Array, "n 3"]
    inner: Bool[Array, "n"]
    outer: Bool[Array, "n"]


class _Lines(NamedTuple):
    """Unfinished lines: the last points between the spheres; whether they continue or left through the inner one."""

    seed: Int[Array, "*n"]
    points: Float[Array, "*n 3"]
    along: Float[Array, "*n"]
    inside: Bool[Array, "*n"]
    inner: Bool[Array, "*n"]


@partial(jax.jit, static_argnames="chunk")
def trace(field: FieldGrid, seeds: Float[Array, "n 3"], along: Float[Array, "n"], chunk: int = CHUNK) -> Ends:
    """Follow field lines from their seeds (solar radii) to their ends, along the field (1) or against it (-1).

    Steps of the classical Runge-Kutta method are in proportion to the height above the inner sphere, since structures
    of a potential field are as large as they are high.
    """
    count = len(seeds)
    chunk = min(chunk, count)
    size = count + -count % chunk
    seed = jnp.arange(size) % count
    nowhere = jnp.zeros(size, bool)
    lines = _Lines(seed, seeds[seed], along[seed], ~nowhere, nowhere)
    rounds = jnp.asarray(ROUNDS)

    def follow(number: Int[Array, ""], lines: _Lines) -> _Lines:
        # Gather the unfinished ones, so that a chunk does not run for a few long lines.
        order = jnp.argsort(~lines.inside, stable=True)
        chunks = jax.tree.map(lambda x: x[order].reshape(-1, chunk, *x.shape[1:]), lines)
        chunks = jax.lax.map(lambda lines: _advance(field, lines, rounds[number]), chunks)
        return jax.tree.map(lambda x: x.reshape(size, *x.shape[2:]), chunks)

    lines = jax.lax.fori_loop(0, len(ROUNDS), follow, lines)
    chunks = jax.tree.map(lambda x: x.reshape(-1, chunk, *x.shape[1:]), lines)
    points = jax.lax.map(lambda lines: _land(field, lines), chunks).reshape(size, 3)
    outer = ~lines.inside & ~lines.inner
    return Ends(*(jnp.zeros_like(x[:count]).at[lines.seed].set(x) for x in (points, lines.inner, outer)))


def _advance(field: FieldGrid, lines: _Lines, most: Int[Array, ""]) -> _Lines:
    """Follow lines until all have left, or for as many steps."""

    def unfinished(state: tuple[Array, _Lines]) -> Bool[Array, ""]:
        return state[1].inside.any() & (state[0] < most)

    def advance(state: tuple[Array, _Lines]) -> tuple[Array, _Lines]:
        number, lines = state
        ahead = _step(field, lines.points, lines.along * step_length(field, lines.points))
        radius = jnp.linalg.norm(ahead, axis=-1)
        below = lines.inside & (radius < field.inner)
        inside = lines.inside & ~below & (radius <= field.outer)
        points = jnp.where(inside[:, None], ahead, lines.points)
        return number + 1, lines._replace(points=points, inside=inside, inner=lines.inner | below)

    return jax.lax.while_loop(unfinished, advance, (jnp.zeros_like(most), lines))[1]


def step_length(
    field: FieldGrid, points: Float[Array, "n 3"], part: float | Float[Array, ""] = STEP
) -> Float[Array, "n"]:
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


def _land(field: FieldGrid, lines: _Lines) -> Float[Array, "n 3"]:
    """Return where the next steps meet the spheres that they cross: the part of each that just does (secant method)."""
    begin = jnp.linalg.norm(lines.points, axis=-1)
    length = lines.along * step_length(field, lines.points)
    target = jnp.where(lines.inner, field.inner, field.outer)

    def refine(_: Int[Array, ""], state: tuple[Array, Array]) -> tuple[Array, Array]:
        part, _ahead = state
        ahead = _step(field, lines.points, part * length)
        rise = jnp.linalg.norm(ahead, axis=-1) - begin
        return jnp.clip(part * (target - begin) / jnp.where(rise == 0, 1, rise), 0, 1), ahead

    _, ahead = jax.lax.fori_loop(0, LANDINGS, refine, (jnp.ones_like(begin), lines.points))
    ahead = ahead * (target / jnp.linalg.norm(ahead, axis=-1))[:, None]
    return jnp.where(lines.inside[:, None], lines.points, ahead)


@jax.jit
def course(
    field: FieldGrid, seeds: Float[Array, "n 3"], along: Float[Array, "n"], part: float | Float[Array, ""] = STEP / 4
) -> Float[Array, "step n 3"]:
    """Return points along field lines for pictures, see `trace`: after its end a line's last point is repeated."""

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

    Lines that cross longitude 360 continue to 360 + half a cell and restart half a cell before 0.
    """
    closed = np.concatenate([field, field[:, :1]], axis=1)
    longitudes = np.append(grid.longitudes, grid.longitudes[0] + 360)
    lines = contourpy.contour_generator(longitudes, grid.latitudes, closed).lines(0.0)
    return [np.asarray(line)[:, ::-1] for line in lines]
