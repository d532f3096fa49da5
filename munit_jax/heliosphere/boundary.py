"""The wind at the sphere where models of the heliosphere begin."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from jaxtyping import Float

from munit_jax.errors import DataError
from munit_jax.pfss.harmonics import Grid
from munit_jax.sun.ephemeris import carrington_rotation

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InnerBoundary:
    """Speed and B_r of the wind on a Carrington grid, rows from south to north.

    Attributes:
        speed: km/s, positive and finite.
        field: B_r in gauss.
        grid: of the maps.
        radius: of the sphere in solar radii.
        time: of the observation, seconds since 1970 UTC.

    Raises:
        ValueError: maps that are not on the grid.
    """

    speed: Float[np.ndarray, "n lat lon"]
    field: Float[np.ndarray, "n lat lon"]
    grid: Grid
    radius: float
    time: int

    def __post_init__(self):
        expected = (len(self.speed), self.grid.rows, self.grid.columns)
        if self.speed.shape != expected or self.field.shape != expected:
            raise ValueError(f"speed {self.speed.shape} and field {self.field.shape}: expected both to be {expected}")

    @property
    def rotation(self) -> float:
        """The Carrington rotation of the time, with its fraction."""
        return carrington_rotation(self.time)

    def speed_along(self, latitude: float) -> Float[np.ndarray, "n lon"]:
        """Return the speed along a parallel (degrees), linear between the rows."""
        row = np.interp(latitude, self.grid.latitudes, np.arange(self.grid.rows))
        south = min(int(row), self.grid.rows - 2)
        return self.speed[:, south] * (south + 1 - row) + self.speed[:, south + 1] * (row - south)


def inner_boundary(maps: Mapping[str, np.ndarray], grid: Grid, radius: float, time: int) -> InnerBoundary:
    """Return the inner boundary of the maps of `model_ensemble` with `sheet_end`.

    Cells without a speed, whose lines were not followed to the surface, have that of their neighbours on the parallel.

    Raises:
        DataError: a parallel without any speed.
    """
    speed = maps["sheet_speed"].astype(np.float64)
    missing = ~np.isfinite(speed)
    if missing.all(axis=-1).any():
        raise DataError("the wind has a parallel without any speed: no field line from there reaches the surface")
    for k, row in zip(*np.nonzero(missing.any(axis=-1)), strict=True):
        known = ~missing[k, row]
        speed[k, row] = np.interp(grid.longitudes, grid.longitudes[known], speed[k, row, known], period=360)
    if missing.any():
        logger.warning("%d of %d speeds are missing and are interpolated along parallels", missing.sum(), missing.size)
    return InnerBoundary(speed, maps["sheet_field"].astype(np.float64), grid, radius, time)


def seconds_of(date: str) -> int:
    """Return the seconds since 1970 of a date as `open_boundaries` gives it.

    Raises:
        DataError: no date, or one that is none.
    """
    try:
        return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise DataError(
            f"the date of the map is '{date}': the wind at the Earth needs one, so give a file with DATE-OBS"
        ) from None
