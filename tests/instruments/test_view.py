"""The cards that an output takes over from its input."""

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.registration import solar_disk
from munit_jax.instruments.sdoml import sdoml_header
from munit_jax.instruments.view import heliographic_view, view_cards
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.sun.ephemeris import earth_view
from tests.instruments.suns import AU, RSUN, aia_header, euvi_header, wcs_of

TIME = 1297728001  # 2011-02-15 00:00:01 UTC


def without(header, *keys):
    for key in keys:
        del header[key]
    return header


def test_the_grid_is_the_input_s():
    header = aia_header(CROTA2=12.5, CRPIX1=30.25)
    cards = view_cards(header)
    for key in ("CTYPE1", "CUNIT2", "CRPIX1", "CRPIX2", "CRVAL1", "CDELT1", "CDELT2", "CROTA2", "RSUN_OBS"):
        assert cards[key] == header[key]


@pytest.mark.parametrize("turn", ["PC", "CD"])
def test_one_way_to_turn_is_taken_over(turn):
    header = aia_header(**{f"{turn}1_1": 1.0, f"{turn}1_2": 0.1, f"{turn}2_1": -0.1, f"{turn}2_2": 1.0})
    cards = view_cards(header)
    assert cards[f"{turn}1_2"] == 0.1
    assert "CROTA2" not in cards


@pytest.mark.parametrize(
    "cards",
    [
        {"CROTA2": 30.0},
        {"CROTA1": 30.0},
        {"CROTA": 30.0},
        {"CROTA2": "nan", "CROTA1": 30.0},
        {"CROTA2": 30.0, "PC1_1": "nan"},
        {"CROTA2": 30.0, "CD1_1": ""},
        {"PC1_2": -0.5},
        {"PC1_1": 0.0, "PC1_2": -1.0, "PC2_1": 1.0, "PC2_2": 0.0},
        {"CD1_1": 0.0, "CD1_2": -30.0, "CD2_1": 30.0, "CD2_2": 0.0, "CDELT1": 30.0, "CDELT2": 30.0},
        {"CTYPE1": "HPLT-TAN", "CTYPE2": "HPLN-TAN", "CROTA2": 30.0},
        {"CDELT1": -30.0, "CRVAL1": 100.0, "CRVAL2": -50.0, "CROTA2": 30.0},
        {"CUNIT1": "deg", "CDELT1": 30 / 3600, "CRVAL1": 359.99},
    ],
    ids=lambda cards: " ".join(cards),
)
def test_an_output_has_the_sun_where_its_input_has_it(cards):
    header = without(aia_header(), "CROTA2")
    header.update(cards)
    disk, kept = solar_disk(header), solar_disk(view_cards(header))
    np.testing.assert_allclose(kept.centre, disk.centre)
    np.testing.assert_allclose(kept.pixels, disk.pixels)


def test_the_middle_of_the_exposure():
    assert view_cards(aia_header())["DATE-AVG"] == "2011-02-15T00:00:01.340"
    assert view_cards(euvi_header())["DATE-AVG"] == "2011-02-15T00:14:08.010"
    hmi = aia_header(T_OBS="2011.12.17_05:59:52.156_TAI")
    assert view_cards(hmi)["DATE-AVG"] == "2011-12-17T05:59:18.156"  # TAI - UTC was 34 s
    assert view_cards(without(aia_header(), "T_OBS"))["DATE-AVG"] == "2011-02-15T00:00:00.340"
    with pytest.raises(FrameError, match="no time"):
        view_cards(without(aia_header(), "T_OBS", "DATE-OBS"))


def test_the_radius_of_euvi_has_the_name_that_all_look_for():
    header = euvi_header()
    assert view_cards(header)["RSUN_OBS"] == header["RSUN"]


def test_an_observer_that_is_told_is_taken_over():
    cards = view_cards(euvi_header())
    assert (cards["HGLN_OBS"], cards["CRLN_OBS"], cards["CRLT_OBS"]) == (10.0, 109.7, -2.8)
    assert cards["DSUN_OBS"] == 0.96 * AU


def test_carrington_alone_is_enough():
    """As in HMI's headers: nothing is added that could contradict it."""
    cards = view_cards(without(aia_header(), "HGLN_OBS", "HGLT_OBS"))
    assert "HGLN_OBS" not in cards
    assert cards["CRLN_OBS"] == 22.8


def test_aia_with_a_position_in_space_is_on_the_sun_earth_line():
    cards = view_cards(without(aia_header(HAEX_OBS=-1.2e11), "HGLN_OBS", "HGLT_OBS"))
    assert (cards["HGLN_OBS"], cards["HGLT_OBS"]) == (0.0, -6.8)


def test_the_earth_s_place_for_sdo_where_none_is_told():
    header = without(aia_header(), "HGLN_OBS", "HGLT_OBS", "CRLN_OBS", "CRLT_OBS", "DSUN_OBS", "RSUN_REF")
    cards = view_cards(header)
    b0, l0, distance = earth_view(TIME)
    assert (cards["HGLN_OBS"], cards["HGLT_OBS"]) == (0.0, b0)
    assert (cards["CRLN_OBS"], cards["CRLT_OBS"]) == (l0, b0)
    assert cards["DSUN_OBS"] == pytest.approx(distance * RSUN)
    assert cards["RSUN_REF"] == 6.957e8


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (("HGLN_OBS", "CRLT_OBS"), "neither HGLN_OBS nor CRLN_OBS"),
        (("DSUN_OBS",), "no DSUN_OBS: the observer cannot be known"),
        (("CRPIX1",), "no CRPIX1"),
    ],
)
def test_an_observer_elsewhere_must_be_told(missing, message):
    with pytest.raises(FrameError, match=message):
        view_cards(without(euvi_header(), *missing))


def test_sdoml_has_the_geometry_of_its_paper_as_seen_from_the_earth():
    header = sdoml_header("0193", TIME, 512)
    geometry = sdoml_geometry(512)
    disk = solar_disk(header)
    np.testing.assert_allclose(disk.centre, geometry.centre)
    assert disk.radius == pytest.approx(geometry.solar_radius)
    assert header["CDELT1"] == pytest.approx(4.8 * header["RSUN_OBS"] / 976, rel=1e-3)
    np.testing.assert_allclose(wcs_of(header).wcs_world2pix(0, 0, 0), (255.5, 255.5))
    view = heliographic_view(view_cards(header), geometry)
    assert (view.b0, view.l0) == pytest.approx(earth_view(TIME)[:2])
    assert view.distance == pytest.approx(earth_view(TIME)[2], rel=1e-4)
    assert sdoml_header("bz", TIME, 512)["CONTENT"] == "MAGNETOGRAM"


def test_cards_fit_a_header(recwarn):
    view_cards(fits.Header.fromstring(aia_header(DSUN_OBS=147724815128.0 + 1 / 3).tostring())).tostring()
    assert not recwarn.list
