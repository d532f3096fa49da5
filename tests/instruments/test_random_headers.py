"""Headers drawn at random: where the Sun is in the pixels is what astropy's WCS says, or the header is refused."""

import contextlib

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import moment
from munit_jax.instruments.registration import solar_disk
from munit_jax.instruments.units import gauss_per

RADIUS = 960.0  # arcsec
PER_ARCSEC = {"arcsec": 1.0, "ARCSEC": 1.0, "arcsecs": 1.0, "deg": 1 / 3600, "degree": 1 / 3600, "rad": np.pi / 648000}
FORMS = ("none", "CROTA2", "CROTA1", "CROTA", "PC", "CD")


@st.composite
def headers(draw):
    """A header as instruments write them, and the same as the FITS standard wants it."""
    swapped = draw(st.booleans())
    names = ("HPLT-TAN", "HPLN-TAN") if swapped else ("HPLN-TAN", "HPLT-TAN")
    form = draw(st.sampled_from(FORMS if not swapped else ("none", "PC", "CD")))
    angle = draw(st.floats(-180, 180)) if form != "none" else 0.0
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    steps = [draw(st.floats(0.3, 20)) * draw(st.sampled_from((-1, 1))) for _ in range(2)]
    ours, standard = fits.Header(), fits.Header()
    for axis in (1, 2):
        unit = draw(st.sampled_from((*PER_ARCSEC, "")))
        per = PER_ARCSEC[unit or "arcsec"]
        value, pixel = draw(st.floats(-900, 900)), draw(st.floats(-100, 5000))
        ours[f"CTYPE{axis}"] = standard[f"CTYPE{axis}"] = names[axis - 1]
        ours[f"CUNIT{axis}"], standard[f"CUNIT{axis}"] = unit, "arcsec"
        ours[f"CRPIX{axis}"] = standard[f"CRPIX{axis}"] = pixel
        ours[f"CRVAL{axis}"], standard[f"CRVAL{axis}"] = value * per, value
        if form != "CD":
            ours[f"CDELT{axis}"], standard[f"CDELT{axis}"] = steps[axis - 1] * per, steps[axis - 1]
        ratio = steps[2 - axis] / steps[axis - 1]
        row = (cosine, -sine) if axis == 1 else (sine, cosine)
        for k, x in enumerate(row, 1):
            if form == "PC":
                ours[f"PC{axis}_{k}"] = standard[f"PC{axis}_{k}"] = x
            elif form == "CD":
                ours[f"CD{axis}_{k}"], standard[f"CD{axis}_{k}"] = x * steps[axis - 1] * per, x * steps[axis - 1]
            elif form.startswith("CROTA"):  # Thompson 2006, equation 32
                standard[f"PC{axis}_{k}"] = x if k == axis else x * ratio
    if form.startswith("CROTA"):
        ours[form] = angle
    ours["RSUN_OBS"] = RADIUS
    return ours, standard


def check_header(pair):
    ours, standard = pair
    disk, wcs = solar_disk(ours), WCS(standard)
    towards = np.array([[0.0, 0.0], [300.0, -200.0], [-700.0, 500.0]])  # arcsec west and north
    world = towards[:, ::-1] if ours["CTYPE1"].startswith("HPLT") else towards
    expected = wcs.wcs_world2pix(world / 3600, 0)
    made = disk.centre + towards / RADIUS @ disk.pixels.T
    scale = np.abs(disk.pixels).max() / RADIUS  # pixels per arcsec
    np.testing.assert_allclose(made, expected, atol=0.3 * scale + 1e-6)  # the plane, within 1800 arcsec of TAN


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(headers())
def test_the_sun_is_where_astropy_has_it(pair):
    check_header(pair)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(headers())
def test_the_sun_is_where_astropy_has_it_in_a_thousand_headers(pair):
    check_header(pair)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12) | st.sampled_from(("G", "kG", "10 G", "Mx/cm2", "T", "m/s", "K", "G/s", "1e400 G", "0 G")))
def test_a_unit_is_converted_or_refused(name):
    """Whatever stands in the card: a positive number of gauss, or FrameError."""
    try:
        factor = gauss_per(name)
    except FrameError:
        return
    assert np.isfinite(factor)
    assert factor > 0


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(("T_OBS", "DATE-AVG", "DATE-OBS", "TIME-OBS", "TIMESYS")), st.text(max_size=25)))
def test_a_time_is_read_or_refused(cards):
    with contextlib.suppress(ValueError):
        assert np.isfinite(moment(cards))
