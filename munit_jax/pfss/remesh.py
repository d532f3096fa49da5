"""Maps of the sphere on other cells: means over overlaps, so that the flux is kept exactly."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from munit_jax.pfss.harmonics import Grid


@dataclass(frozen=True)
class Cells:
    """Cells between meridians and parallels.

    Attributes:
        sines: of the latitudes of the rows' edges, rising from -1 to 1.
        longitudes: of the columns' edges in degrees, rising by 360 in all, from any longitude on.

    Raises:
        ValueError: edges that do not rise or do not go around the sphere.
    """

    sines: Float[np.ndarray, "row_edge"]
    longitudes: Float[np.ndarray, "column_edge"]

    def __post_init__(self):
        whole = np.allclose(self.sines[[0, -1]], [-1, 1], atol=1e-6) and np.isclose(np.ptp(self.longitudes), 360)
        if not whole or (np.diff(self.sines) <= 0).any() or (np.diff(self.longitudes) <= 0).any():
            raise ValueError(
                f"cells must cover the sphere once: expected sines of the latitude from -1 to 1 and longitudes over "
                f"360 degrees, rising, got {self.sines[0]:g} to {self.sines[-1]:g} and "
                f"{self.longitudes[0]:g} to {self.longitudes[-1]:g}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.sines) - 1, len(self.longitudes) - 1

    @property
    def latitudes(self) -> Float[np.ndarray, "row"]:
        """Latitudes of the rows' middles in degrees."""
        edges = np.rad2deg(np.arcsin(np.clip(self.sines, -1, 1)))
        return (edges[1:] + edges[:-1]) / 2


def cea_cells(rows: int, columns: int, left: float = 0.0) -> Cells:
    """Return cells of equal area: even steps in the sine of the latitude, from the longitude `left` (degrees) on."""
    return Cells(np.linspace(-1, 1, rows + 1), left + np.linspace(0, 360, columns + 1))


def car_cells(rows: int, columns: int, left: float = 0.0) -> Cells:
    """Return cells of even steps in latitude, from the longitude `left` (degrees) on."""
    return Cells(np.sin(np.linspace(-np.pi / 2, np.pi / 2, rows + 1)), left + np.linspace(0, 360, columns + 1))


def node_cells(latitudes: Float[np.ndarray, "row"], longitudes: Float[np.ndarray, "column"]) -> Cells:
    """Return the cells around nodes (degrees, rising, less than 360 in all), with edges half-way or at the poles."""
    edges = np.concatenate([[-90.0], (latitudes[1:] + latitudes[:-1]) / 2, [90.0]])
    around = np.append(longitudes, longitudes[0] + 360)
    middles = (around[1:] + around[:-1]) / 2
    return Cells(np.sin(np.deg2rad(edges)), np.concatenate([[middles[-1] - 360], middles]))


def grid_cells(grid: Grid) -> Cells:
    """Return the cells of a grid."""
    return car_cells(grid.rows, grid.columns)


def overlap(
    source: Float[np.ndarray, "source_edge"], target: Float[np.ndarray, "target_edge"]
) -> Float[np.ndarray, "target source"]:
    """Return the part of each target interval that each source interval covers, from the rising edges of both."""
    low = np.maximum(source[None, :-1], target[:-1, None])
    high = np.minimum(source[None, 1:], target[1:, None])
    return np.maximum(high - low, 0) / np.diff(target)[:, None]


def remesh(
    field: Float[np.ndarray, "*n row column"], source: Cells, target: Cells
) -> Float[np.ndarray, "*n row2 column2"]:
    """Return the means of a field over other cells, by area; the flux through the sphere stays the same.

    Raises:
        ValueError: a field of another shape than its cells.
    """
    if field.shape[-2:] != source.shape:
        raise ValueError(f"the field has {field.shape[-2:]} cells, expected {source.shape}")
    rows = overlap(source.sines, target.sines)
    start = source.longitudes - 360 * np.ceil((source.longitudes[0] - target.longitudes[0]) / 360)
    columns = sum(overlap(start + turn, target.longitudes) for turn in (0, 360))
    return rows @ field @ np.transpose(columns)
