from datetime import UTC, datetime

import pytest

from munit_jax.sun.ephemeris import earth_view, seconds_from_tai


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
