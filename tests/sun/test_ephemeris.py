from datetime import UTC, datetime, timedelta

import pytest

from munit_jax.sun.ephemeris import carrington_rotation, earth_view, seconds_from_tai


def at(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp())


def test_meeus_example_29a():
    b0, l0, _ = earth_view(at(1992, 10, 13))
    assert b0 == pytest.approx(5.99, abs=0.01)
    assert l0 == pytest.approx(238.63, abs=0.01)


def test_header_of_a_real_magnetogram():
    # hmi_m_20111217_055810.fits: CRLT_OBS, CRLN_OBS, DSUN_OBS of SDO, which is within 0.05 degrees of the Earth.
    b0, l0, distance = earth_view(at(2011, 12, 17, 5, 58, 10))
    assert b0 == pytest.approx(-1.145, abs=0.05)
    assert l0 == pytest.approx(312.09, abs=0.05)
    assert distance == pytest.approx(211.65, abs=0.1)


@pytest.mark.parametrize(
    ("date", "offset"), [((2011, 1, 1), 34), ((2012, 7, 2), 35), ((2015, 7, 2), 36), ((2022, 8, 2), 37)]
)
def test_tai(date, offset):
    assert seconds_from_tai(datetime(*date)) == at(*date) - offset


def test_tai_before_the_table():
    with pytest.raises(ValueError, match="before 2009"):
        seconds_from_tai(datetime(2001, 1, 1))


@pytest.mark.parametrize("first", [datetime(1853, 11, 1, tzinfo=UTC), datetime(2018, 10, 20, tzinfo=UTC)])
def test_a_rotation_begins_where_carrington_s_longitude_is_0(first):
    hours = [int((first + timedelta(hours=k)).timestamp()) for k in range(27 * 24)]
    numbers = [int(carrington_rotation(hour)) for hour in hours]
    assert sorted(set(numbers)) == [numbers[0], numbers[0] + 1]
    longitude = earth_view(hours[numbers.index(numbers[0] + 1)])[1]
    assert 360 - longitude < 360 / 27.2753 / 24 + 1e-6, "within the hour"
    assert numbers[-1] == (1 if first.year == 1853 else 2210)  # the first began on 9 November 1853
