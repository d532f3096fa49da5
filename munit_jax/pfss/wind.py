"""The speed of the solar wind after Wang, Sheeley and Arge (WSA), and a current sheet beyond the source surface."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from munit_jax.pfss.field import SOURCE_SURFACE, vector_field
from munit_jax.pfss.harmonics import Grid, Transform, analysis, degrees, scaled
from munit_jax.pfss.interpolation import FieldGrid, field_grid, shell_radii

CURRENT_SHEET_END = 21.5  # solar radii (0.1 AU), where models of the heliosphere begin
CURRENT_SHEET_SHELLS = 36


@dataclass(frozen=True)
class Wsa:
    """Coefficients of v = v0 + v1 / (1 + f)^a (1 - c exp(-(d / w)^b))^e."""

    slow: float  # v0, km/s
    fast: float  # v1, km/s
    expansion_power: float  # a
    depth: float  # c
    width: float  # w, degrees
    width_power: float  # b
    power: float  # e
    highest: float = np.inf  # km/s: speeds are capped here


# SWiG, the Solar Wind Generator of Predictive Science Inc. (github.com/predsci/swig, bin/eswim.py 2.0.0): the defaults
# of its models `wsa2` and `wsa`. The form is that of Arge, Odstrcil, Pizzo & Mayer 2003 (AIP Conf. Proc. 679, 190) and
# its later tunings: `wsa2` is the equation in the headers of WSA 4.5's files (VELEQN), whose width is the step of the
# grid in degrees; SWiG says that its width of 1 degree is for cells of 1 degree.
WSA = {
    "swig-wsa2": Wsa(285.0, 625.0, 2 / 9, 0.8, 1.0, 2.0, 3.0),
    "swig-wsa": Wsa(250.0, 680.0, 1 / 3, 0.8, 4.0, 4.0, 1.0, highest=800.0),
}


def wsa_speed(wsa: Wsa, expansion: Float[Array, "*n"], distance: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Return the speed of the wind in km/s, from `expansion_factor` and `boundary_distance` (degrees) at the foot."""
    edge = 1 - wsa.depth * jnp.exp(-((distance / wsa.width) ** wsa.width_power))
    speed = wsa.slow + wsa.fast / (1 + expansion) ** wsa.expansion_power * edge**wsa.power
    return jnp.minimum(speed, wsa.highest)


def expansion_factor(
    at_surface: Float[Array, "*n"], at_source_surface: Float[Array, "*n"], rss: float | Float[Array, ""]
) -> Float[Array, "*n"]:
    """Return f = |B(1)| / (rss^2 |B(rss)|) of flux tubes (Wang & Sheeley 1990, ApJ 355, 726), from |B| at both ends."""
    smallest = jnp.finfo(at_source_surface.dtype).tiny
    return at_surface / (rss**2 * jnp.maximum(at_source_surface, smallest))


@partial(jax.jit, static_argnames="grid")
def boundary_distance(grid: Grid, is_open: Bool[Array, "lat lon"]) -> Float[Array, "lat lon"]:
    """Return how far each open cell is from closed field in degrees; 0 where closed, the farthest where nothing is.

    It is the angle to the middle of the nearest closed cell minus half a cell, which is where the boundary is on
    average. Exact for the cells: along each row the nearest closed column, then the nearest over the rows.
    """
    dtype = jnp.result_type(float)
    across = _columns_to_nearest(~is_open) * (360 / grid.columns)
    half_sine = jnp.sin(jnp.deg2rad(across.astype(dtype)) / 2) ** 2
    half_sine = jnp.where((~is_open).any(axis=1, keepdims=True), half_sine, jnp.inf)
    phi = jnp.deg2rad(jnp.asarray(grid.latitudes, dtype))
    along = jnp.sin((phi[:, None] - phi[None]) / 2) ** 2
    haversine = along[:, :, None] + (jnp.cos(phi)[:, None] * jnp.cos(phi)[None])[:, :, None] * half_sine[None]
    angle = jnp.rad2deg(2 * jnp.arcsin(jnp.sqrt(jnp.minimum(haversine.min(axis=1), 1))))
    return jnp.where(is_open, jnp.maximum(angle - 90 / grid.rows, 0), 0)


def _columns_to_nearest(marked: Bool[Array, "lat lon"]) -> Int[Array, "lat lon"]:
    """Return the columns to the nearest marked one of the row, either way around."""
    columns = marked.shape[1]
    number = jnp.arange(2 * columns)[None]

    def to_the_west(marked: Bool[Array, "lat lon"]) -> Int[Array, "lat lon"]:
        last = jax.lax.cummax(jnp.where(jnp.tile(marked, (1, 2)), number, -columns), axis=1)
        return (number - last)[:, columns:]

    return jnp.minimum(to_the_west(marked), to_the_west(marked[:, ::-1])[:, ::-1])


def current_sheet(
    transform: Transform,
    surface: Float[Array, "lat lon"],
    rss: float | Float[Array, ""] = SOURCE_SURFACE,
    end: float | Float[Array, ""] = CURRENT_SHEET_END,
) -> FieldGrid:
    """Return the field from the source surface to the radius `end` with all lines turned outward.

    Schatten 1971, Cosmic Electrodyn. 2, 232: the potential field outside of rss whose radial part there is |B_r|. The
    sign is that of the line's foot at rss: the current sheet is where it changes.
    """
    radii = shell_radii(jnp.asarray(rss, surface.dtype), jnp.asarray(end, surface.dtype), CURRENT_SHEET_SHELLS)
    coefficients = analysis(transform, jnp.abs(surface))
    degree = degrees(transform)

    def shell(r: Float[Array, ""]) -> tuple[Complex[Array, "m l"], Complex[Array, "m l"]]:
        decay = (r / rss) ** -(degree + 2)
        return scaled(coefficients, decay), scaled(coefficients, -decay / (degree + 1))

    radial, tangential = jax.vmap(shell)(radii)
    return field_grid(transform.grid, vector_field(transform, radial, tangential), radii)
