"""An ensemble of boundaries modelled one after the other, and the figures that sum it up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from munit_jax.pfss.boundary_ensemble import Boundaries
from munit_jax.pfss.field import ENERGY_RADII, energy_density
from munit_jax.pfss.harmonics import Transform, analysis
from munit_jax.pfss.model import SELF_CHECK_LIMIT, Corona, ModelSettings, model_corona, wind_at_sheet_end


@dataclass(frozen=True)
class Models:
    """Models of an ensemble.

    Attributes:
        boundaries: which were modelled.
        field: of the boundaries, gauss.
        maps: the fields of `Corona` by name, with a leading axis.
        energy: mean magnetic energy density in erg / cm^3, by the radius.
    """

    boundaries: Boundaries
    field: Float[np.ndarray, "n lat lon"]
    maps: dict[str, np.ndarray]
    energy: dict[float, Float[np.ndarray, "n"]]


def model_ensemble(
    transform: Transform, boundaries: Boundaries, settings: ModelSettings, *, current_sheet: bool = False
) -> Models:
    """Return the models of the boundaries.

    With `current_sheet` the maps have `sheet_speed` and `sheet_field` too: the wind (km/s) and B_r (gauss) at 21.5
    solar radii.
    """
    coronae = [model_corona(transform, boundary, settings) for boundary in boundaries.field]
    maps = {name: np.stack([np.asarray(getattr(one, name)) for one in coronae]) for name in Corona._fields}
    if current_sheet:
        ends = [wind_at_sheet_end(transform, one, settings.rss) for one in coronae]
        maps["sheet_speed"], maps["sheet_field"] = (np.stack(values) for values in zip(*ends, strict=True))
    coefficients = analysis(transform, boundaries.field)
    energy = {
        r: np.asarray(energy_density(transform, coefficients, r, settings.rss))
        for r in ENERGY_RADII
        if r <= settings.rss
    }
    return Models(boundaries, np.asarray(boundaries.field), maps, energy)


def summary(models: Models, transform: Transform, settings: ModelSettings) -> dict[str, Any]:
    """Return what `corona.json` says of an ensemble; of several realisations means, with `spread` and `realisations`.

    The self-check of several realisations is the one that is farthest from 0.
    """
    maps, boundaries = models.maps, models.boundaries
    weights = np.asarray(transform.solid_angles)[:, None] / (4 * np.pi)
    each = {
        "open_flux_mx": maps["open_flux"].astype(float),
        "open_area_fraction": maps["open_area_fraction"],
        "self_check": maps["self_check"],
        "monopole_gauss": np.asarray(boundaries.monopole),
        "unsigned_boundary_gauss": (np.abs(models.field) * weights).sum(axis=(1, 2)),
        "mean_wind_speed_km_s": np.array([_mean(speed, weights) for speed in maps["speed"]]),
    }
    each |= {f"energy_erg_cm3_r{r:g}": values for r, values in models.energy.items()}
    result: dict[str, Any] = {name: float(values.mean()) for name, values in each.items()}
    result["self_check"] = float(each["self_check"][np.argmax(np.abs(each["self_check"]))])
    result["self_check_passed"] = abs(result["self_check"]) <= SELF_CHECK_LIMIT
    result["lines_not_followed"] = int(np.isnan(maps["expansion"]).sum())
    result["insertion"] = boundaries.insertion
    result["realisations"] = len(models.field)
    if len(models.field) > 1:
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
