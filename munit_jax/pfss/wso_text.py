"""Synoptic charts of the Wilcox Solar Observatory as text: the line-of-sight field, 30 rows by 72 columns."""

import re

import numpy as np
from jaxtyping import Float

from munit_jax.errors import DataError
from munit_jax.pfss.remesh import Cells, cea_cells

LABEL = re.compile(r"CT(\d{4}):(\d{1,3})")
ROWS, COLUMNS = 30, 72
STEP = 360 // COLUMNS  # degrees
GAUSS = 0.01  # in a microtesla


def is_wso(content: str) -> bool:
    """Return whether a text has the labels of a chart, `CT2108:360`."""
    return LABEL.search(content) is not None


def parse_wso(content: str, name: str) -> tuple[Float[np.ndarray, "30 72"], Cells]:
    """Return the radial field (gauss, from the south, towards growing longitude) and the cells of a chart.

    After each label come 30 values in microtesla, from north to south at equal steps of the sine of the latitude. The
    columns, every 5 degrees, go from longitude 360 down; the last one, at 0, is the first one a rotation later. The
    field along the line of sight, seen on the central meridian, is taken as that of a radial one: over the cosine of
    the latitude.

    Raises:
        DataError: a column without 30 numbers, or a longitude that is not there.
    """
    parts = LABEL.split(content)[1:]  # rotation, longitude, values; again and again
    columns: dict[int, list[float]] = {}
    for longitude, values in zip(parts[1::3], parts[2::3], strict=True):
        # Numbers of eight characters run into each other: -1737.094-1656.065
        found = [float(word) for word in re.findall(r"-?\d+\.\d+", values)]
        if len(found) != ROWS:
            raise DataError(f"{name}: {len(found)} numbers at longitude {longitude}, expected {ROWS}")
        columns.setdefault(int(longitude) % 360, found)
    if missing := [degrees for degrees in range(0, 360, STEP) if degrees not in columns]:
        raise DataError(
            f"{name}: no column for the longitudes {missing[0]} and {len(missing) - 1} others: give a whole map"
        )
    cells = cea_cells(ROWS, COLUMNS, -STEP / 2)
    line_of_sight = np.array([columns[degrees] for degrees in range(0, 360, STEP)]).T[::-1] * GAUSS
    sines = (cells.sines[1:] + cells.sines[:-1]) / 2
    return line_of_sight / np.sqrt(1 - sines**2)[:, None], cells
