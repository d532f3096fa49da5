import logging

import numpy as np
import pytest

from munit_jax.errors import DataError
from munit_jax.heliosphere.boundary import InnerBoundary, inner_boundary, seconds_of
from munit_jax.pfss.harmonics import Grid
from tests.heliosphere.winds import GRID, TIME, some_wind


def test_speed_along_a_parallel_is_linear_between_rows():
    boundary = some_wind(2)
    expected = (500 + 2 * 31.25 + 0.1 * GRID.longitudes) * np.array([[1], [1.01]])
    np.testing.assert_allclose(boundary.speed_along(31.25), expected)
    np.testing.assert_allclose(
        boundary.speed_along(90.0)[0], boundary.speed[0, -1], err_msg="the pole has its last row"
    )


def test_missing_speeds_are_those_of_the_neighbours_on_the_parallel(caplog):
    speed = np.array([[[np.nan, 100, 200, np.nan], [1, 2, 3, 4]]])
    with caplog.at_level(logging.WARNING, "munit_jax"):
        made = inner_boundary({"sheet_speed": speed, "sheet_field": speed * 0}, Grid(2, 4), 21.5, TIME)
    np.testing.assert_allclose(made.speed[0], [[400 / 3, 100, 200, 500 / 3], [1, 2, 3, 4]])
    assert "2 of 8 speeds are missing" in caplog.text


def test_a_parallel_without_wind_is_refused():
    speed = np.array([[[np.nan] * 4, [1, 2, 3, 4]]])
    with pytest.raises(DataError, match="a parallel without any speed"):
        inner_boundary({"sheet_speed": speed, "sheet_field": speed}, Grid(2, 4), 21.5, TIME)


def test_maps_of_another_grid_are_refused():
    with pytest.raises(ValueError, match=r"speed \(1, 4, 2\) and field \(1, 4, 2\): expected both to be \(1, 2, 4\)"):
        InnerBoundary(np.ones((1, 4, 2)), np.ones((1, 4, 2)), Grid(2, 4), 21.5, TIME)


@pytest.mark.parametrize("date", ["2012-11-20T12:00:00", "2012-11-20T12:00"])
def test_dates_are_utc(date):
    assert seconds_of(date) == TIME


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_a_date_there_is_no_way_to_the_earth(date):
    with pytest.raises(DataError, match=f"the date of the map is '{date}': the wind at the Earth needs one"):
        seconds_of(date)
