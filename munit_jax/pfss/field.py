"""The potential field between the photosphere and a source surface where it is radial (PFSS)."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from munit_jax.pfss.harmonics import Transform, analysis, degrees, mean_over_sphere, power, scaled, synthesis
from munit_jax.sun.constants import SOLAR_RADIUS_CM

Radius = float | Float[Array, ""]  # solar radii

SOURCE_SURFACE = 2.5  # solar radii (Hoeksema, Wilcox & Scherrer 1983)
ENERGY_RADII = (1.0, 1.1, 1.5, 2.5)  # solar radii of the energy densities


@jax.jit
def radial_factor(degree: Float[Array, "l"], r: Radius, rss: Radius) -> Float[Array, "l"]:
    """Return B_r at radius r over B_r at radius 1, for each degree (Schatten, Wilcox & Ness 1969, Solar Phys. 6, 442).

    The monopole goes out as 1 / r^2, which is no solution for the Sun: see `boundary.without_monopole`.
    """
    return r ** -(degree + 2) * (degree + 1 + degree * (r / rss) ** (2 * degree + 1)) / _at_surface(degree, rss)


@jax.jit
def tangential_factor(degree: Float[Array, "l"], r: Radius, rss: Radius) -> Float[Array, "l"]:
    """Return what makes the tangential field at radius r of the boundary's coefficients: it multiplies grad Y_lm."""
    return -(r ** -(degree + 2)) * (1 - (r / rss) ** (2 * degree + 1)) / _at_surface(degree, rss)


def _at_surface(degree: Float[Array, "l"], rss: Radius) -> Float[Array, "l"]:
    return degree + 1 + degree * (1.0 / rss) ** (2 * degree + 1)


@jax.jit
def radial_field(
    transform: Transform, coefficients: Complex[Array, "*n m l"], r: Radius, rss: Radius = SOURCE_SURFACE
) -> Float[Array, "*n lat lon"]:
    """Return B_r on the sphere of radius r, 1 to rss."""
    return synthesis(transform, scaled(coefficients, radial_factor(degrees(transform), r, rss)))


@jax.jit
def source_surface(
    transform: Transform, boundary: Float[Array, "*n lat lon"], rss: Radius = SOURCE_SURFACE
) -> Float[Array, "*n lat lon"]:
    """Return B_r at the source surface from B_r of the boundary: linear, differentiable."""
    return radial_field(transform, analysis(transform, boundary), rss, rss)


@jax.jit
def field(
    transform: Transform,
    coefficients: Complex[Array, "m l"],
    radii: Float[Array, "r"],
    rss: Radius = SOURCE_SURFACE,
) -> Float[Array, "3 r lat lon"]:
    """Return B_r, B_theta (positive to the south) and B_phi (positive to the west) on spheres of the given radii."""
    degree = degrees(transform)

    def shell(r: Float[Array, ""]) -> tuple[Complex[Array, "m l"], Complex[Array, "m l"]]:
        radial = scaled(coefficients, radial_factor(degree, r, rss))
        return radial, scaled(coefficients, tangential_factor(degree, r, rss))

    return vector_field(transform, *jax.vmap(shell)(radii))


@jax.jit
def vector_field(
    transform: Transform, radial: Complex[Array, "r m l"], tangential: Complex[Array, "r m l"]
) -> Float[Array, "3 r lat lon"]:
    """Return the components (r, theta, phi) of the sums of radial Y_lm and tangential grad Y_lm."""
    return jnp.stack(
        [
            synthesis(transform, radial),
            synthesis(transform, tangential, transform.slope),
            synthesis(transform, 1j * tangential, transform.over_sine),
        ]
    )


@jax.jit
def open_flux(
    transform: Transform, surface: Float[Array, "*n lat lon"], rss: Radius = SOURCE_SURFACE
) -> Float[Array, "*n"]:
    """Return the unsigned flux through the source surface in maxwell, from B_r there: the open flux of the Sun."""
    return mean_over_sphere(transform, jnp.abs(surface)) * (4 * np.pi * (rss * SOLAR_RADIUS_CM) ** 2)


@jax.jit
def energy_density(
    transform: Transform, coefficients: Complex[Array, "*n m l"], r: Radius, rss: Radius = SOURCE_SURFACE
) -> Float[Array, "*n"]:
    """Return the magnetic energy density B^2 / 8 pi (erg / cm^3), its mean over the sphere of radius r."""
    degree = degrees(transform)
    squared = radial_factor(degree, r, rss) ** 2 + degree * (degree + 1) * tangential_factor(degree, r, rss) ** 2
    return scaled(power(coefficients, coefficients), squared).sum(axis=-1) / (8 * jnp.pi)
