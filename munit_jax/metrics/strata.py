"""The parts of the disk that scores are taken over: masks of an image's pixels."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from munit_jax.sun.disk import DiskGeometry, heliographic, mu, radius_from_centre

# The limb ring of SDOML's magnetograms is an artefact of their resampling: score inside 200 of 203.3 pixels.
SCORED_RADIUS = 200 / 203.3
INNER_RADIUS = 2 / 3  # solar radii
ACTIVE = 250.0  # gauss, of the true |B| (Dannehl et al. 2024)

MU_STEP = 0.1
MU_EDGES = tuple(round(k * MU_STEP, 1) for k in range(1, 10))  # the scored disk ends at mu = 0.18
LONGITUDE_STEP = 30
LONGITUDE_EDGES = tuple(range(-90, 90, LONGITUDE_STEP))

# `mu_0.3` is mu in [0.3, 0.4); `longitude_-30` the 30 degrees west of 30 degrees east of the central meridian.
BY_PLACE = (
    "disk",
    "inner_disk",
    *(f"mu_{edge}" for edge in MU_EDGES),
    *(f"longitude_{edge}" for edge in LONGITUDE_EDGES),
)
BY_FIELD = ("active_regions", "quiet_sun")
STRATA = (*BY_PLACE, *BY_FIELD)


def strata_by_place(geometry: DiskGeometry) -> Bool[np.ndarray, "strata h w"]:
    """Return the masks `BY_PLACE`; all of them lie on the scored disk."""
    radius, cosine = radius_from_centre(geometry), mu(geometry)
    _, longitude = heliographic(replace(geometry, l0=180.0))  # 0..360, with the central meridian at 180
    longitude -= 180
    scored = radius < SCORED_RADIUS
    masks = [scored, scored & (radius < INNER_RADIUS)]
    masks += [scored & (cosine >= edge) & (cosine < edge + MU_STEP) for edge in MU_EDGES[:-1]]
    masks.append(scored & (cosine >= MU_EDGES[-1]))  # 1 in the centre
    masks += [scored & (longitude >= edge) & (longitude < edge + LONGITUDE_STEP) for edge in LONGITUDE_EDGES]
    return np.stack(masks)


def with_strata_by_field(by_place: Bool[Array, "places h w"], true: Float[Array, "h w"]) -> Bool[Array, "strata h w"]:
    """Return the masks `STRATA`: those by place and, of the scored disk, active regions and the quiet Sun."""
    active = jnp.abs(true) >= ACTIVE
    return jnp.concatenate([by_place, jnp.stack([by_place[0] & active, by_place[0] & ~active])])
