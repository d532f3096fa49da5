"""Spherical harmonics of real fields on a grid of even steps in latitude and longitude."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact
from scipy.special import sph_legendre_p_all

from munit_jax.instruments.reading import memory_there

BYTES_A_VALUE = 100  # of the maps and of the tables, while they are made


@dataclass(frozen=True)
class Grid:
    """Cells of even steps: rows from south to north, columns at longitudes from 0 to 360 degrees, values in the middle.

    The colatitudes are the nodes of Fejer's first quadrature rule, exact for harmonics up to degree `rows - 1` (Fejer
    1933; Waldvogel 2006, BIT 46, 195).

    Raises:
        ValueError: fewer than 2 rows or columns.
    """

    rows: int = 180
    columns: int = 360

    def __post_init__(self):
        if self.rows < 2 or self.columns < 2:
            raise ValueError(f"a grid needs 2 rows and columns or more, got {self.rows} x {self.columns}")

    @property
    def latitudes(self) -> Float[np.ndarray, "lat"]:
        """Latitudes of the middles of the rows in degrees."""
        return (np.arange(self.rows) + 0.5) * (180 / self.rows) - 90

    @property
    def longitudes(self) -> Float[np.ndarray, "lon"]:
        """Longitudes of the middles of the columns in degrees."""
        return (np.arange(self.columns) + 0.5) * (360 / self.columns)

    @property
    def solid_angles(self) -> Float[np.ndarray, "lat"]:
        """Quadrature weight of a cell of each row in steradians (Fejer's first rule); they sum to 4 pi."""
        colatitude = np.deg2rad(90 - self.latitudes)[:, None]
        k = np.arange(1, self.rows // 2 + 1)
        series = (np.cos(2 * k * colatitude) / (4 * k**2 - 1)).sum(axis=1)
        return 2 / self.rows * (1 - 2 * series) * 2 * np.pi / self.columns


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["legendre", "slope", "over_sine", "solid_angles"],
    meta_fields=["grid", "lmax"],
)
@dataclass(frozen=True)
class Transform:
    """The tables of a grid and a highest degree: a tree of arrays that goes through jit as an argument.

    Harmonics are orthonormal with the Condon-Shortley phase. A real field follows from its complex coefficients of
    order m >= 0, in an array [order m, degree l] that is 0 where l < m.

    Attributes:
        grid: of the maps.
        lmax: highest degree.
        legendre: P_lm, such that P_lm(cos theta) exp(i m phi) is Y_lm, theta the colatitude.
        slope: their derivative by theta.
        over_sine: m P_lm / sin(theta).
        solid_angles: quadrature weights in steradians.
    """

    grid: Grid
    lmax: int
    legendre: Float[Array, "m l lat"]
    slope: Float[Array, "m l lat"]
    over_sine: Float[Array, "m l lat"]
    solid_angles: Float[Array, "lat"]


def make_transform(grid: Grid, lmax: int, dtype: type[np.floating] = np.float32) -> Transform:
    """Return the tables, computed in double precision and kept in `dtype` (float64 needs `jax_enable_x64`).

    Up to (rows - 1) / 2 the quadrature is exact and `analysis` gives back what `synthesis` was made of; one degree more
    is off by 3e-4 of the largest coefficient at 36 rows, lmax = 35 by 17 %.

    Raises:
        ValueError: a degree that the grid does not resolve.
    """
    largest = (min(grid.rows, grid.columns) - 1) // 2
    if not 1 <= lmax <= largest:
        more = f"; for {lmax} take {2 * lmax + 1} rows or more" if lmax > largest else ""
        expected = f"expected 1 to {largest}, half of the rows less one{more}"
        raise ValueError(f"lmax = {lmax} on {grid.rows} x {grid.columns} cells: {expected}")
    needed = BYTES_A_VALUE * (grid.rows * grid.columns + grid.rows * (lmax + 1) ** 2)
    if needed > (there := memory_there()):
        raise ValueError(
            f"{grid.rows} rows with lmax = {lmax} take about {needed / 1e9:.0f} GB of memory and the machine has "
            f"{there / 1e9:.0f}: take fewer rows"
        )
    colatitude = np.deg2rad(90 - grid.latitudes)
    # Orders 0 to lmax come first along the second axis, the negative ones behind them.
    legendre, slope = sph_legendre_p_all(lmax, lmax, colatitude, diff_n=1)[:, :, : lmax + 1].swapaxes(1, 2)
    order = np.arange(lmax + 1)[:, None, None]
    tables = (legendre, slope, order * legendre / np.sin(colatitude), grid.solid_angles)
    return Transform(grid, lmax, *(jnp.asarray(table, dtype) for table in tables))


@jax.jit
def analysis(transform: Transform, field: Float[Array, "*n lat lon"]) -> Complex[Array, "*n m l"]:
    """Return the coefficients of maps, the integrals of field x conjugate of Y_lm over the sphere."""
    count = transform.lmax + 1
    waves = scaled(jnp.fft.rfft(field)[..., :count], _half_cell(transform, -1))
    weighted = transform.legendre * transform.solid_angles[None, None]
    parts = jnp.stack([waves.real, waves.imag])
    real, imaginary = jnp.einsum("mlj,c...jm->c...ml", weighted, parts, precision="highest")
    return jax.lax.complex(real, imaginary)


@jax.jit
def synthesis(
    transform: Transform, coefficients: Complex[Array, "*n m l"], table: Float[Array, "m l lat"] | None = None
) -> Float[Array, "*n lat lon"]:
    """Return the maps with coefficients of Y_lm, or of another `table` of the transform times exp(i m phi)."""
    parts = jnp.stack([coefficients.real, coefficients.imag])
    table = transform.legendre if table is None else table
    real, imaginary = jnp.einsum("mlj,c...ml->c...jm", table, parts, precision="highest")
    waves = scaled(jax.lax.complex(real, imaginary), _half_cell(transform, 1))
    return jnp.fft.irfft(waves, transform.grid.columns, norm="forward")


def scaled(values: Inexact[Array, "*n k"], factor: Inexact[Array, "k"]) -> Inexact[Array, "*n k"]:
    """Return values times a factor along the last axis, such as coefficients times a function of the degree."""
    return jnp.einsum("...k,k->...k", values, factor)


@jax.jit
def mean_over_sphere(transform: Transform, maps: Float[Array, "*n lat lon"]) -> Float[Array, "*n"]:
    """Return the means of maps over the sphere."""
    return jnp.einsum("...jk,j->...", maps, transform.solid_angles, precision="highest") / (4 * jnp.pi)


def degrees(transform: Transform) -> Float[Array, "l"]:
    """Return the degrees from 0 to `lmax`, in the precision of the tables."""
    return jnp.arange(transform.lmax + 1, dtype=transform.legendre.dtype)


@jax.jit
def power(a: Complex[Array, "*n m l"], b: Complex[Array, "*n m l"]) -> Float[Array, "*n l"]:
    """Return the cross-power of each degree, whose sum is the mean of the product of two fields over the sphere."""
    products = (a * b.conj()).real
    return (2 * products.sum(axis=-2) - products[..., 0, :]) / (4 * jnp.pi)


def _half_cell(transform: Transform, sign: int) -> Complex[Array, "m"]:
    """Return the phases between the first column's middle and longitude 0."""
    phase = np.exp(sign * 1j * np.pi / transform.grid.columns * np.arange(transform.lmax + 1))
    return jnp.asarray(phase, jnp.result_type(transform.legendre.dtype, jnp.complex64))
