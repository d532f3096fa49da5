"""Every file of ../shared/data/instruments: read with its planted spots in their places, or refused with the reason.

The files have real headers; the synthetic ones have a spot at (0.5 west, 0.3 north) solar radii, magnetograms one of
the other sign at (0.5 west, 0.3 south) too. NOTE.txt in each folder says what is real.
"""

import re

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from munit_jax.errors import DataError
from munit_jax.instruments.calibration import Reference
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.limb import limb_offset
from munit_jax.instruments.registration import upright
from munit_jax.instruments.telescopes import observe, prepare
from munit_jax.instruments.view import heliographic_view, view_cards
from munit_jax.pfss.boundary import radial_views
from munit_jax.pfss.disk_magnetograms import read_magnetogram
from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.synoptic_maps import read_synoptic
from munit_jax.sun.disk import heliographic, on_disk, pixel_grid, sdoml_geometry

SIZE = 128
GEOMETRY = sdoml_geometry(SIZE)
QUARTILES = (100.0, 150.0, 200.0)
HOW = Preparation(GEOMETRY, [Reference(series, None, QUARTILES, "made up") for series in ("0171", "0193", "0304")])
WEST, NORTH = 0.5, 0.3
GRID, CELL = Grid(90, 180), 2.0  # degrees
HALF_A_DEGREE = np.deg2rad(0.5)  # solar radii in the centre of the disk

# Telescope, series, the start of the observation, B0, and whether the pixels are real (no spot).
IMAGERS = {
    "eui_fsi174_L2/synthetic_bin8.fits": ("EUI FSI", "0171", "2022-04-01T00:00:45", 2.147, False),
    "eui_fsi174_L2/real_8bit_bin8.fits": ("EUI FSI", "0171", "2022-04-01T00:00:45", 2.147, True),
    "eui_fsi304_L1/synthetic_bin4.fits": ("EUI FSI", "0304", "2020-10-21T14:55:10", -6.677, False),
    "swap174_L1/synthetic_bin8.fits": ("SWAP", "0171", "2012-01-01T00:16:07", -2.948, False),
    "swap174_L1/real_bin8.fits": ("SWAP", "0171", "2012-01-01T00:16:07", -2.948, True),
    "suvi195_L2/synthetic_bin8.fits": ("SUVI", "0193", "2019-04-03T09:32:33", -6.438, False),
    "suvi195_L2/real_bin32.fits": ("SUVI", "0193", "2019-04-03T09:32:33", -6.438, True),
    "suvi171_L1b/reconstructed_bin8.fits": ("SUVI", "0171", "2021-12-31T00:06:10", -2.88, False),
    "eit195_L1/synthetic_195_bin8.fits": ("EIT", "0193", "2007-06-01T12:12:32", -0.72, False),
    "eit195_L0/synthetic_171_1996_bin8.fits": ("EIT", "0171", "1996-12-11T19:00:14", -0.44, False),
    "eit195_L0/real_171_2004_bin8.fits": ("EIT", "0171", "2004-03-01T00:58:29", -7.22, True),
    "euvi171_L0/real_A_20090615_128px.fts": ("EUVI", "0171", "2009-06-15T00:09:00", 6.404, True),
    "euvi171_L1/computed_dn_128px.fts": ("EUVI", "0171", "2009-06-15T00:09:00", 6.404, True),
    "euvi171_L1/computed_photons_128px.fts": ("EUVI", "0171", "2009-06-15T00:09:00", 6.404, True),
}
MAGNETOGRAPHS = {
    "phi_fdt_blos/synthetic_L2_bin8.fits": ("PHI FDT", "2025-02-25T21:15:09", -5.898, False),
    "phi_fdt_blos/synthetic_LL02_bin8.fits": ("PHI FDT", "2024-03-05T04:15:09", -4.712, False),
    "gong_bqa/synthetic_bin5.fits": ("GONG", "2025-01-09T01:34:58", -3.937, False),  # 18 s of GPS
    "hmi_nrt/real_quality_1024_bin32.fits": ("HMI", "2011-12-17T05:58:10", -1.145, True),
    "hmi_nrt/real_quality_72704_bin32.fits": ("HMI", "2011-12-17T05:58:10", -1.145, True),
    "mdi_fd_M_96m/real_1999_bin8.fits": ("MDI", "1999-12-11T17:34:43", -0.496, True),
    "mdi_fd_M_96m/real_2009_level18_old_header_128px.fits": ("MDI", "2009-01-31T08:03:02", -6.029, True),
    "mdi_fd_M_96m/real_2010_bin8.fits": ("MDI", "2010-10-15T00:00:26", 5.916, True),
    "mdi_fd_M_96m/real_2011_roll3_bin8.fits": ("MDI", "2011-04-01T00:00:26", -6.532, True),
    "mdi_fd_M_96m/real_sunpy_2010_64px.fits": ("MDI", "2010-10-15T19:12:26", 5.858, True),
}
REFUSED = {
    "eit195_L0/real_195_2004_bin8.fits": "missing blocks: 1 blocks of 4 x 4 pixels",
    "swap174_L1/real_sunpy_100px_CD_not_adapted.fits": "CDELT1 = 32.3816 and CD .* disagree about the size of a pixel",
    "phi_hrt_blos/synthetic_bin16.fits": "SOLO/PHI/HRT: it sees a patch, not the whole disk",
    "mwo/real_bin4.fits": "instrument: 150 ft: not an image of",
    "solis_vsm/synthetic_6302l_bin16.fits": "instrument: solis vsm 630.25: not an image of",
}
# The realisations and the date; of the synthetic ones the strongest place of the map that all four hold.
MAPS = {
    "adapt/real_2of12_bin2.fits": (2, "2017-07-20T08:00:00", False),
    "gong_synoptic_nrt/synthetic.fits.gz": (1, "2023-09-30T06:44:00", True),
    "hmi_synoptic_small/synthetic_bin2.fits.gz": (1, "2018-11-09T12:30:15", True),
    "mdi_synoptic_small/synthetic_header_as_is.fits.gz": (1, "2010-07-27T00:08:31", True),
    "mdi_synoptic_small/synthetic_cdelt2_right.fits.gz": (1, "2010-07-27T00:08:31", True),
    "wso_text/synthetic_WSO.2108.F.txt": (1, "", True),
}
STRONGEST = (18.5, 343.5)  # degrees of latitude and Carrington longitude


@pytest.fixture(scope="module")
def instruments(shared):
    return shared / "data" / "instruments"


def centroid(image, west, north):
    """Where the light of a spot near a place is, less what is around it, in solar radii."""
    x, y = pixel_grid(GEOMETRY)
    near = np.hypot(x - west, y - north) < 0.12
    light = np.maximum(image - np.median(image[near]), 0) * near
    return (light * x).sum() / light.sum(), (light * y).sum() / light.sum()


def modelled(corona, sign):
    """The latitude and Carrington longitude of the strongest cell of one sign in the map that the corona takes."""
    patches, _ = radial_views(GRID, [corona.geometry], [corona.field])
    row, column = np.unravel_index(np.argmax(sign * patches[0]), patches[0].shape)
    return GRID.latitudes[row], (column + 0.5) * CELL


def on_the_sun(view, north):
    """The latitude and Carrington longitude of a place on the disk, by Thompson's equations for a distant observer."""
    b0, towards = np.deg2rad(view["CRLT_OBS"]), np.sqrt(1 - WEST**2 - north**2)
    latitude = np.arcsin(north * np.cos(b0) + towards * np.sin(b0))
    longitude = np.arctan2(WEST, towards * np.cos(b0) - north * np.sin(b0))
    return np.rad2deg(latitude), (np.rad2deg(longitude) + view["CRLN_OBS"]) % 360


@pytest.mark.parametrize("name", IMAGERS)
def test_an_euv_image_lies_where_its_header_says(instruments, name):
    telescope, series, start, b0, real = IMAGERS[name]
    seen = observe(instruments / name)
    assert (seen.telescope.name, seen.series) == (telescope, series)
    view = view_cards(seen.header)
    assert view["DATE-OBS"].startswith(start)
    assert heliographic_view(view, GEOMETRY).b0 == pytest.approx(b0, abs=1e-3)
    made = prepare(seen, HOW)
    inside = made.image[on_disk(GEOMETRY)]
    assert np.median(np.array(QUARTILES) / np.percentile(inside, (25, 50, 75))) == pytest.approx(1, rel=1e-3)
    assert {key: value for key, value, _ in made.treatment}["MJLIKE"] == f"AIA {int(series)}"
    # The real image of EIT, which was resampled, and those of 40 and 128 pixels are off by up to half a pixel.
    off = np.hypot(*limb_offset(made.image, upright(GEOMETRY)))
    assert off < (0.025 if real else 0.005)
    if not real:
        x, y = centroid(made.image, WEST, NORTH)
        assert np.hypot(x - WEST, y - NORTH) < HALF_A_DEGREE


@pytest.mark.parametrize("name", MAGNETOGRAPHS)
def test_a_magnetogram_lies_where_its_header_says(instruments, name):
    telescope, start, b0, real = MAGNETOGRAPHS[name]
    seen = observe(instruments / name)
    assert (seen.telescope.name, seen.series) == (telescope, "bz")
    view = view_cards(seen.header)
    assert view["DATE-OBS"].startswith(start)
    made = prepare(seen, HOW)
    assert ("near real time" in " ".join(made.warnings)) == ("72704" in name)
    corona = read_magnetogram(instruments / name)
    assert corona.geometry.b0 == heliographic_view(view, GEOMETRY).b0 == pytest.approx(b0, abs=1e-3)
    if not real:
        for sign in (1, -1):
            x, y = centroid(sign * made.image, WEST, sign * NORTH)
            assert np.hypot(x - WEST, y - sign * NORTH) < HALF_A_DEGREE
            assert modelled(corona, sign) == pytest.approx(on_the_sun(view, sign * NORTH), abs=CELL)


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(instruments, name):
    with pytest.raises(FrameError, match=REFUSED[name]):
        prepare(observe(instruments / name), HOW)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mwo/real_bin4.fits", "no CRPIX1 that is a number"),
        ("solis_vsm/synthetic_6302l_bin16.fits", "CTYPE1 = 'SOLX', expected helioprojective"),
        ("phi_hrt_blos/synthetic_bin16.fits", "it sees a patch"),
    ],
)
def test_the_corona_refuses_them_too(instruments, name, message):
    with pytest.raises(DataError, match=message):
        read_magnetogram(instruments / name)


@pytest.mark.parametrize("name", MAPS)
def test_a_synoptic_map_has_its_spot_within_a_cell(instruments, name):
    realisations, date, planted = MAPS[name]
    whole = read_synoptic(instruments / name)
    assert (len(whole.field), whole.date) == (realisations, date)
    if planted:
        middles = (whole.cells.longitudes[1:] + whole.cells.longitudes[:-1]) / 2
        field = np.where(np.abs(middles - STRONGEST[1]) < 20, whole.field[0], 0)
        row, column = np.unravel_index(np.argmin(field), field.shape)
        # A cell of WSO's is a thirtieth of the sine of the latitude, and 5 degrees.
        cell = whole.cells.sines[row : row + 2] + np.array([-1, 1]) * np.diff(whole.cells.sines)[row]
        assert cell[0] <= np.sin(np.deg2rad(STRONGEST[0])) <= cell[1]
        assert abs(middles[column] - STRONGEST[1]) <= 360 / len(middles)


def test_every_file_is_in_a_table(instruments):
    files = {
        str(path.relative_to(instruments))
        for path in instruments.rglob("*")
        if path.is_file() and not re.match(r"NOTE|header", path.name)
    }
    assert files == {*IMAGERS, *MAGNETOGRAPHS, *REFUSED, *MAPS}


def test_levels_0_and_1_give_the_same_image(instruments):
    zero, *ones = (
        prepare(observe(instruments / name), HOW).image[on_disk(GEOMETRY)]
        for name in (
            "euvi171_L0/real_A_20090615_128px.fts",
            "euvi171_L1/computed_dn_128px.fts",
            "euvi171_L1/computed_photons_128px.fts",
        )
    )
    for one in ones:
        assert np.corrcoef(zero, one)[0, 1] > 0.9999


def test_an_older_image_of_mdi_is_turned_so_that_the_poles_have_the_polarity_of_their_time(instruments):
    """From 2001 to 2012 the north polar field was negative, the southern one positive; P_ANGLE is -180 in one file."""
    for name in ("real_2009_level18_old_header_128px.fits", "real_2010_bin8.fits"):
        seen = observe(instruments / "mdi_fd_M_96m" / name)
        field = prepare(seen, HOW).image
        latitude = np.nan_to_num(heliographic(heliographic_view(view_cards(seen.header), GEOMETRY))[0])
        north, south = (
            gaussian_filter(field, 1)[on_disk(GEOMETRY, 0.97) & (sign * latitude > 60)].mean() for sign in (1, -1)
        )
        assert north < -0.2 < 0.2 < south


def test_a_magnetogram_is_scaled_where_it_is_asked_for_and_the_cards_say_so(instruments):
    seen = observe(instruments / "mdi_fd_M_96m" / "real_2010_bin8.fits")
    measured, scaled = (prepare(seen, Preparation(GEOMETRY, scale_to=scale)) for scale in ("none", "hmi"))
    np.testing.assert_allclose(scaled.image, 0.701 * measured.image, rtol=1e-5, atol=1e-4)
    assert [card[:2] for card in measured.treatment] == [("MJSCALE", "as measured"), ("MJTOHMI", 1.0)]
    assert [card[:2] for card in scaled.treatment] == [("MJSCALE", "HMI"), ("MJTOHMI", 0.701)]
