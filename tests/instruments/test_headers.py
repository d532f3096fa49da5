"""Times, units, exposures and quality flags of headers, compared with astropy's where it reads them."""

from datetime import UTC

import pytest
from astropy import units as u
from astropy.io import fits
from astropy.time import Time

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import check_quality, exposure, gauss_in, iso, moment, quality_of
from munit_jax.instruments.units import gauss_per, is_rate, scale_of


@pytest.mark.parametrize(
    ("cards", "scale", "clock"),
    [
        ({"DATE-OBS": "2011-02-15T00:00:01.34"}, "utc", "2011-02-15T00:00:01.34"),
        ({"DATE-OBS": "2011-02-15T00:00:01", "TIMESYS": "TAI"}, "tai", "2011-02-15T00:00:01"),
        ({"DATE-OBS": "2011-02-15T00:00:01Z", "TIMESYS": "TAI"}, "utc", "2011-02-15T00:00:01"),
        ({"T_OBS": "2011.02.15_00:00:01_TAI", "DATE-OBS": "2011-02-14T23:00:00"}, "tai", "2011-02-15T00:00:01"),
        ({"T_OBS": "1997.06.30_12:00:00_TAI"}, "tai", "1997-06-30T12:00:00"),
        ({"DATE-OBS": "2011-02-15T00:00:01", "TIMESYS": "TT"}, "tt", "2011-02-15T00:00:01"),
        ({"DATE-OBS": "2011/02/15", "TIME-OBS": "00:00:01"}, "utc", "2011-02-15T00:00:01"),
    ],
)
def test_times_are_astropy_s(cards, scale, clock):
    utc = Time(clock, scale=scale).utc.to_datetime(timezone=UTC)  # its .unix is smeared on days with a leap second
    assert moment(fits.Header(cards)) == pytest.approx(utc.timestamp(), abs=1e-3)


def test_gps_is_19_seconds_behind_tai():
    gps, tai = (moment({"DATE-OBS": "2011-02-15T00:00:01", "TIMESYS": scale}) for scale in ("GPS", "TAI"))
    assert gps - tai == 19


def test_a_second_of_60_is_the_next_minute():
    assert iso(moment({"T_OBS": "2011.02.15_00:00:60_UTC"})) == "2011-02-15T00:01:00.000"


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({}, "no time in T_OBS or DATE-AVG or DATE-OBS"),
        ({"DATE-OBS": "2011-02-15"}, "no time in DATE-OBS = '2011-02-15'"),
        ({"DATE-OBS": "2011-02-15T00:00:01", "TIMESYS": "TDB"}, "the time scale TDB is not known: expected UTC, TAI"),
    ],
)
def test_no_time(cards, message):
    with pytest.raises(ValueError, match=message):
        moment(fits.Header(cards))


@pytest.mark.parametrize("name", ["G", "g", "Gauss", "GAUSS", "Mx/cm^2", "Mx cm-2", "MX/CM^2", "maxwell/cm2"])
def test_spellings_of_gauss(name):
    assert gauss_per(name) == pytest.approx(1)


@pytest.mark.parametrize(("name", "gauss"), [("kG", 1e3), ("T", 1e4), ("mT", 10), ("uT", 0.01), ("10 G", 10)])
def test_other_units_of_the_field_are_converted(name, gauss):
    assert gauss_per(name) == pytest.approx(gauss)


@pytest.mark.parametrize("name", ["", "K", "DN", "kg", "gaussian"])
def test_what_is_no_field_is_refused(name):
    with pytest.raises(FrameError, match=f"unit: BUNIT = '{name}', expected a magnetic field in G, T or Mx/cm"):
        gauss_per(name)


@pytest.mark.parametrize("name", ["arcsec", "ARCSEC", "arcsecs", "deg", "degrees", "rad", "mas"])
def test_angles_are_astropy_s(name):
    unit = {"ARCSEC": "arcsec", "arcsecs": "arcsec", "degrees": "deg"}.get(name, name)
    assert scale_of(name, "CUNIT1", "arcsec") == pytest.approx(u.Unit(unit).to(u.arcsec))


@pytest.mark.parametrize(
    ("name", "rate"),
    [("", False), ("DN", False), ("counts / pixel", False), ("DN/s", True), ("DN/SEC", True), ("DN s^-1 pix^-1", True)],
)
def test_counts_and_rates(name, rate):
    assert is_rate(name) is rate


@pytest.mark.parametrize("name", ["K", "log(DN)", "W/m2"])
def test_what_is_no_count_is_refused(name):
    with pytest.raises(FrameError, match=r"unit: BUNIT = '.*', expected DN or DN/s"):
        is_rate(name)


def test_the_exposure_has_the_unit_of_its_comment():
    assert exposure(fits.Header([("EXPTIME", 2000.0, "[ms] exposure")])) == pytest.approx(2)
    assert exposure(fits.Header([("XPOSURE", 2.0, "[s] exposure")])) == 2
    assert exposure(fits.Header({"EXPTIME": 2.0, "BUNIT": "DN/s"})) == 1
    with pytest.raises(FrameError, match="no EXPTIME that is a number: how long the exposure was"):
        exposure(fits.Header())


@pytest.mark.parametrize("value", [0x400, "0x400", "0x00000400"])
def test_quality_is_a_number_or_hexadecimal(value):
    header = fits.Header({"QUALITY": value})
    assert quality_of(header) == 0x400
    check_quality(header, harmless=0x400)
    with pytest.raises(FrameError, match="quality: QUALITY = 0x00000400"):
        check_quality(header, harmless=0x800)


def test_a_quality_that_is_text_is_refused_and_nan_is_none():
    with pytest.raises(FrameError, match="quality: QUALITY = 'bad', expected a number"):
        check_quality(fits.Header({"QUALITY": "bad"}), 0)
    check_quality(fits.Header({"QUALITY": "nan"}), 0)


def test_the_unit_of_a_magnetogram_is_that_of_its_header_or_gauss():
    assert gauss_in({"BUNIT": "mT"}) == pytest.approx(10)
    assert gauss_in({}) == gauss_in({"BUNIT": " "}) == 1
    with pytest.raises(FrameError, match=r"BUNIT = 'm/s', expected a magnetic field"):
        gauss_in({"BUNIT": "m/s"})
