"""An ensemble of boundaries modelled one after the other, and the figures that sum it up."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from munit_jax.coronal.boundaries import Boundaries
from munit_jax.solar.coronal_model import Corona, ModelSettings, model_corona
from munit_jax.solar.harmonics import Transform, analysis
from munit_jax.solar.pfss import energy_density

ENERGY_RADII = (1.0, 1.1, 1.5, 2.5)  # solar radii
SELF_CHECK_LIMIT = 0.01  # of the open flux


@dataclass(frozen=True)
class Models:
    """Models of an ensemble, each field of `Corona` with a leading axis.

    Attributes:
        boundaries: which were modelled.
        corona: numpy arrays.
        energy: mean magnetic energy density in erg / cm^3, by the radius.
    """

    boundaries: Boundaries
    corona: Corona
    energy: dict[float, Float[np.ndarray, "n"]]


def model_ensemble(transform: Transform, boundaries: Boundaries, settings: ModelSettings) -> Models:
    """Return the models of the boundaries."""
    dtype = transform.legendre.dtype
    coronae = [
        jax.tree.map(np.asarray, model_corona(transform, jnp.asarray(one, dtype), settings)) for one in boundaries.field
    ]
    coefficients = analysis(transform, jnp.asarray(boundaries.field, dtype))
    energy = {
        r: np.asarray(energy_density(transform, coefficients, r, settings.rss))
        for r in ENERGY_RADII
        if r <= settings.rss
    }
    return Models(boundaries, jax.tree.map(lambda *values: np.stack(values), *coronae), energy)


def summary(models: Models, transform: Transform, settings: ModelSettings) -> dict[str, Any]:
    """Return what `corona.json` says of an ensemble; of several realisations means, with `spread` and `realisations`.

    The self-check of several realisations is the one that is farthest from 0.
    """
    corona, boundaries = models.corona, models.boundaries
    weights = np.asarray(transform.solid_angles) / (4 * np.pi)
    each = {
        "open_flux_mx": corona.open_flux,
        "open_area_fraction": corona.open_area_fraction,
        "self_check": corona.self_check,
        "monopole_gauss": boundaries.monopole,
        "unsigned_boundary_gauss": (np.abs(boundaries.field) * weights).sum(axis=(1, 2)),
        "mean_wind_speed_km_s": np.array([_mean(speed, weights) for speed in corona.speed]),
    }
    each |= {f"energy_erg_cm3_r{r:g}": values for r, values in models.energy.items()}
    result: dict[str, Any] = {name: float(values.mean()) for name, values in each.items()}
    result["self_check"] = float(corona.self_check[np.argmax(np.abs(corona.self_check))])
    result["self_check_passed"] = abs(result["self_check"]) <= SELF_CHECK_LIMIT
    result["lines_not_followed"] = int(np.isnan(corona.expansion).sum())
    result["insertion"] = boundaries.insertion
    result["realisations"] = len(boundaries.field)
    if len(boundaries.field) > 1:
        result["spread"] = {name: float(values.std()) for name, values in each.items()}
        result["each"] = {name: [float(value) for value in values] for name, values in each.items()}
    result |= {
        "grid": [transform.grid.rows, transform.grid.columns],
        "lmax": transform.lmax,
        "rss": settings.rss,
        "seed_radius": settings.seed_radius,
    }
    return result


def _mean(values: Float[np.ndarray, "lat lon"], weights: Float[np.ndarray, "lat 1"]) -> float:
    """Return the mean over the sphere of what is known of a map."""
    known = np.isfinite(values)
    return float((np.where(known, values, 0) * weights).sum() / (known * weights).sum())
