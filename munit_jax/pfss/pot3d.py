"""Synoptic maps in HDF5, as the programs of the POT3D family read and write them."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from munit_jax.errors import DataError
from munit_jax.instruments.checks import check_possible
from munit_jax.instruments.errors import FrameError
from munit_jax.pfss.remesh import Cells, node_cells


def read_pot3d(path: Path) -> tuple[Float[np.ndarray, "row column"], Cells]:
    """Return the dataset `Data` (gauss, from the south) with its two scales, colatitude and longitude in radians.

    They come in either order. The values are at nodes, with the poles and both longitude 0 and 360 among them.

    Raises:
        DataError: no h5py, which comes with the extra `solar`; other scales, or impossible values.
    """
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError(f"{path}: HDF5 needs h5py: install munit_jax[solar]") from None
    with h5py.File(path) as file:
        if "Data" not in file:
            raise DataError(f"{path}: no dataset Data, but {', '.join(file) or 'nothing'}")
        data: Any = file["Data"]
        field = np.asarray(data, np.float64)
        scales = [np.asarray(axis[0], np.float64) for axis in data.dims if len(axis)]
    if field.ndim != 2 or len(scales) != 2:
        raise DataError(f"{path}: Data has {field.ndim} axes and {len(scales)} scales, expected 2 and 2")
    colatitude, longitude = sorted(scales, key=lambda scale: scale.max())
    if longitude.max() <= np.pi or colatitude.max() > np.pi + 1e-3:
        raise DataError(f"{path}: expected colatitudes (0 to pi) and longitudes (0 to 2 pi) in radians as scales")
    if field.shape == (len(longitude), len(colatitude)):
        field = field.T
    if np.isclose(np.ptp(longitude), 2 * np.pi):  # the same meridian twice
        longitude, field = longitude[:-1], field[:, :-1]
    try:
        check_possible(field)
    except FrameError as error:
        raise DataError(f"{path}: {error}") from None
    order = np.argsort(-colatitude)
    cells = node_cells(90 - np.rad2deg(colatitude[order]), np.rad2deg(longitude))
    return field[order], cells
