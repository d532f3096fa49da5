"""Inner boundaries whose wind is known."""

from datetime import UTC, datetime

import numpy as np

from munit_jax.heliosphere.boundary import InnerBoundary
from munit_jax.pfss.harmonics import Grid

GRID = Grid(36, 72)
TIME = int(datetime(2012, 11, 20, 12, tzinfo=UTC).timestamp())


def some_wind(realisations: int = 1) -> InnerBoundary:
    """Return a boundary with another value in every cell."""
    latitude, longitude = np.meshgrid(GRID.latitudes, GRID.longitudes, indexing="ij")
    speed = 500 + 2 * latitude + 0.1 * longitude
    field = 1e-3 * (latitude - 0.1 * longitude)
    scale = 1 + 0.01 * np.arange(realisations)[:, None, None]
    return InnerBoundary(scale * speed, scale * field, GRID, 21.5, TIME)


def along(profile: np.ndarray, radius: float = 21.5) -> InnerBoundary:
    """Return a boundary with a profile of speeds along every parallel, on as many columns."""
    grid = Grid(len(profile) // 2, len(profile))
    speed = np.broadcast_to(profile, (1, grid.rows, grid.columns)).astype(np.float64)
    return InnerBoundary(speed, np.sign(speed), grid, radius, TIME)
