"""Synoptic maps of the radial field as observatories and models provide them: FITS, HDF5 of POT3D, text of WSO."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.errors import DataError
from munit_jax.instruments.checks import check_possible, check_signed, check_strong
from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.headers import Header, gauss_in, number, text, time_of
from munit_jax.instruments.interface import Scale
from munit_jax.instruments.magnetographs import TO_HMI, scale_factor
from munit_jax.instruments.reading import HDF5, check_whole, image_header, open_file
from munit_jax.instruments.units import unit_of
from munit_jax.pfss.pot3d import read_pot3d
from munit_jax.pfss.remesh import Cells, car_cells, cea_cells
from munit_jax.pfss.wso_text import is_wso, parse_wso

POLE = 60.0  # degrees of latitude beyond which missing values are taken for a pole that was not seen
POLE_ROWS = 5  # rows whose mean fills a pole
MDI_ERROR = (0.95, 1.3)  # of the two that the sine goes from pole to pole, and what MDI's small maps say
LABELS_WITHIN = 2000  # bytes of a WSO chart, whose heading is short
SPAN_TOLERANCE = 1e-3  # relative: headers have their steps with six digits

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SynopticMap:
    """B_r of the whole Sun.

    Attributes:
        field: gauss, rows from south to north, columns towards growing longitude; several realisations, or one.
        cells: of the map.
        name: of the file.
        date: of the observation, empty where the file has none.
        filled: values that were missing at the poles, see `fill_poles`.
        factor: by which the field was brought to another magnetograph's scale.
    """

    field: Float[np.ndarray, "n row column"]
    cells: Cells
    name: str
    date: str = ""
    filled: int = 0
    factor: float = 1.0


def read_synoptic(path: Path, scale_to: Scale = "none") -> SynopticMap:
    """Read a map of a file, and bring it to a scale, see `magnetographs.scale_factor`.

    Raises:
        DataError: a file that cannot be read, is no map of the whole Sun or has missing values away from the poles; or
            HDF5 without h5py, which comes with the extra `solar`.
    """
    try:
        with path.open("rb") as file:
            if file.read(8) == HDF5:
                field, cells = read_pot3d(path)
                return _whole(field[None], cells, path.name, "")
        with open_file(path) as file:
            if is_wso(start := file.read(LABELS_WITHIN).decode("ascii", "ignore")):
                field, cells = parse_wso(start + file.read().decode("ascii", "ignore"), path.name)
                factor = TO_HMI["WSO"] if scale_to == "hmi" else 1.0
                return SynopticMap(field[None] * factor, cells, path.name, factor=factor)
        with open_file(path) as file:
            header = image_header(file, axes=(2, 3, 4))
            check_whole(file, header)
        with open_file(path) as file, fits.open(file, memmap=False) as units:
            maps = [unit for unit in cast(Any, units) if unit.is_image and len(unit.shape) >= 2]
            if len(maps) > 1:
                logger.warning("%s: the first map is read, %d more are ignored", path, len(maps) - 1)
            if maps:
                return synoptic_map(maps[0].header, maps[0].data, path.name, scale_to)
        raise ValueError("no image of two axes in it")
    except DataError:
        raise
    except Exception as error:  # of many kinds: neither astropy nor h5py is made for damaged files
        raise DataError(f"{path}: {reason_of(error)}") from error


def synoptic_map(header: Header, data: np.ndarray, name: str = "map", scale_to: Scale = "none") -> SynopticMap:
    """Return the map of an image and its header; of a SunPy Map, of its `fits_header` and `data`.

    ADAPT has a third axis, its realisations, and calls its axes 'Long' and 'Lat'; MISSING is its NaN.

    Raises:
        DataError: not a map of the whole Sun, or missing values away from the poles.
    """
    axes = [length for length in np.shape(data) if length > 1]
    ensemble = text(header, "MODEL").upper() == "ADAPT" or text(header, "CTYPE3").upper() == "REALIZATION"
    if len(axes) == 3 and not ensemble:
        raise DataError(
            f"{name}: {axes[0]} layers, and no card marks them as realisations (MODEL = 'ADAPT', or CTYPE3 = "
            "'REALIZATION'): give a file of one layer"
        )
    if len(axes) not in (2, 3):
        raise DataError(f"{name}: an image of {len(axes)} axes, expected 2, or 3 of which the first are realisations")
    field = np.array(data, np.float64).reshape(-1, *axes[-2:])
    rows, columns = field.shape[1:]
    if not text(header, "CTYPE1").upper().startswith(("CRLN", "LONG")):
        raise DataError(
            f"{name}: CTYPE1 = '{text(header, 'CTYPE1')}', expected Carrington longitude (CRLN-CEA or CRLN-CAR)"
        )
    missing = number(header, "MISSING")
    if missing is not None:
        field[field == missing] = np.nan
    try:
        field *= gauss_in(header)
        field[np.isinf(field)] = np.nan
        for one in field:
            check_signed(text(header, "BTYPE"), one)
            check_strong(one)
        check_possible(field)
    except FrameError as error:
        raise DataError(f"{name}: {error}") from None
    factor, warnings = scale_factor(header, scale_to)
    for warning in warnings:
        logger.warning("%s: %s", name, warning)
    from_north = text(header, "CTYPE2").upper().startswith("COLT")
    if (_required(header, "CDELT2", name) < 0) != from_north:
        field = field[:, ::-1]
    left, mirrored = _left_edge(header, columns, name)
    if mirrored:
        field = field[..., ::-1]
    make = cea_cells if _equal_area(header, rows, name) else car_cells
    _check_middle(header, rows, name)
    if empty := int(np.count_nonzero(~field.any(axis=2))) + int(np.count_nonzero(~field.any(axis=1))):
        logger.warning("%s: %d rows and columns are all 0: are their values missing?", name, empty)
    return replace(_whole(field * factor, make(rows, columns, left), name, _date(header)), factor=factor)


def _equal_area(header: Header, rows: int, name: str) -> bool:
    """Return whether the rows are of equal area.

    Their steps decide, since units cannot be trusted (HMI's CUNIT2 is 'Sine Latitude' or 'sin(deg)'); where CTYPE2 is
    CEA, CDELT2 may be off by the quarter that it is off in MDI's maps.
    """
    span = rows * abs(_required(header, "CDELT2", name)) * _degrees(header, 2)
    if text(header, "CTYPE2").upper().endswith("CEA") and MDI_ERROR[0] < span / 2 < MDI_ERROR[1]:
        return True
    for whole, equal_area in ((2.0, True), (360 / np.pi, True), (180.0, False)):
        if abs(span / whole - 1) < SPAN_TOLERANCE:
            return equal_area
    raise DataError(
        f"{name}: {rows} rows of CDELT2 = {header['CDELT2']} are not from pole to pole: expected 2 in all (sine of the "
        f"latitude), 114.59 (the same in degrees) or 180"
    )


def _left_edge(header: Header, columns: int, name: str) -> tuple[float, bool]:
    """Return the Carrington longitude of the left edge, and whether the columns run against it (then of the right).

    HMI's CRVAL1 is a Carrington time in degrees (360 x rotation - longitude), whose CDELT1 is negative. An ADAPT map
    that is not in Carrington's frame (LNGTYPE not 0) has the longitude of its edge in CRLNGEDG.
    """
    step, value, reference = (_required(header, key, name) for key in ("CDELT1", "CRVAL1", "CRPIX1"))
    step, value = step * _degrees(header, 1), value * _degrees(header, 1)
    if abs(abs(step) * columns / 360 - 1) > SPAN_TOLERANCE:
        raise DataError(f"{name}: {columns} columns of CDELT1 = {step} are not the 360 degrees of the whole Sun")
    edge = number(header, "CRLNGEDG")
    if number(header, "LNGTYPE"):
        if edge is None:
            raise DataError(
                f"{name}: LNGTYPE = {header['LNGTYPE']}: its longitudes are not Carrington's, and no CRLNGEDG gives "
                "where they begin"
            )
        return edge % 360, False
    if step < 0 and abs(value) > 360:  # a Carrington time
        step, value = -step, -value
    mirrored = step < 0
    left = value + ((columns + 0.5 if mirrored else 0.5) - reference) * step
    return left % 360, mirrored


def _degrees(header: Header, axis: int) -> float:
    """Return the degrees in the unit of an axis, 1 where CUNIT names no angle ('Sine Latitude', nothing)."""
    unit = unit_of(text(header, f"CUNIT{axis}"))
    return float(unit.to("deg")) if unit is not None and unit.is_equivalent("deg") else 1.0  # pyright: ignore[reportArgumentType]


def _check_middle(header: Header, rows: int, name: str) -> None:
    """Refuse a map whose middle is not the equator by CRPIX2 and CRVAL2, to a row: then it is not from pole to pole."""
    reference, value, step = (number(header, key) for key in ("CRPIX2", "CRVAL2", "CDELT2"))
    if reference is None or value is None or not step:
        return
    equator = 90.0 if text(header, "CTYPE2").upper().startswith("COLT") else 0.0
    off = (value - equator / _degrees(header, 2)) / step + (rows + 1) / 2 - reference
    if abs(off) > 1:
        raise DataError(f"{name}: by CRPIX2 and CRVAL2 the equator is {abs(off):.1f} rows off the middle of the map")


def _whole(field: Float[np.ndarray, "n row column"], cells: Cells, name: str, date: str) -> SynopticMap:
    """Return the map with its poles filled.

    Raises:
        DataError: values that are not finite away from the poles: how many, and where the first one is.
    """
    holes = ~np.isfinite(field)
    if holes.any():
        field = np.stack([fill_poles(one, cells.latitudes) for one in field])
    bad = np.argwhere(~np.isfinite(field))
    if len(bad):
        row, column = bad[0, -2:]
        raise DataError(
            f"{name}: {len(bad):,} of {field.size:,} values are not finite, the first in row {row}, column {column} "
            f"(counted from 0, from the south and from the left): fill them before"
        )
    if holes.any():
        areas = np.diff(cells.sines)[:, None] * np.diff(cells.longitudes)[None] / (2 * 360)
        logger.warning(
            "%s: %d missing values beyond 60 degrees of latitude (%.1f %% of the Sun) are filled with the mean of the "
            "nearest rows",
            name,
            holes.sum(),
            100 * (holes.mean(axis=0) * areas).sum(),
        )
    return SynopticMap(field, cells, name, date, int(holes.sum()))


def fill_poles(
    field: Float[np.ndarray, "row column"], latitudes: Float[np.ndarray, " row"]
) -> Float[np.ndarray, "row column"]:
    """Return a map whose missing values beyond POLE are the mean of the nearest rows that are whole."""
    field = field.copy()
    for side in (-1, 1):
        order = np.argsort(-side * latitudes)  # from the pole on
        cap = order[side * latitudes[order] > POLE]
        whole = [row for row in order[: len(cap) + POLE_ROWS] if np.isfinite(field[row]).all()][:POLE_ROWS]
        if len(whole):
            rows = field[cap]
            field[cap] = np.where(np.isfinite(rows), rows, field[whole].mean())
    return field


def _date(header: Header) -> str:
    """Return the time of the map as the FITS standard writes it; of a day without a time only the day."""
    try:
        return datetime.fromtimestamp(time_of(header), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return text(header, "DATE-OBS") or text(header, "MAPTIME")


def _required(header: Header, key: str, name: str) -> float:
    value = number(header, key)
    if value is None:
        raise DataError(f"{name}: the header has no {key} that is a number: the place of the map is unknown")
    return value
