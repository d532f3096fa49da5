import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.registration import SolarDisk, block_mean, missing_on_disk, reproject, solar_disk
from munit_jax.sun.disk import heliographic_to_pixel, on_disk, sdoml_geometry
from tests.tfds_sdoml.sources.fits_files import RSUN_OBS, Layout, seen

SIZE = 64
GEOMETRY = sdoml_geometry(SIZE)
PLACE = sdoml_geometry(2, b0=-7.0), 22.0, 35.0  # a view of the Sun, and the latitude and longitude of a spot


def spot(west, north):
    """A round spot 0.08 solar radii wide on the surface at the place, drawn where the observer sees it."""
    view, latitude, longitude = PLACE
    x, y, visible = heliographic_to_pixel(view, np.array([latitude]), np.array([longitude]))
    assert visible.all()
    x, y = (x[0] - view.centre[0]) / view.solar_radius, (y[0] - view.centre[1]) / view.solar_radius
    return 100 * np.exp(-((west - x) ** 2 + (north - y) ** 2) / (2 * 0.08**2))


def centroid(image):
    y, x = np.indices(image.shape)
    return (x * image).sum() / image.sum(), (y * image).sum() / image.sum()


@pytest.mark.parametrize(
    "layout",
    [
        Layout(64),
        Layout(64, crota2=30.0),
        Layout(128, crota2=180.0),
        Layout(200, solar_radius=70.0, centre=(90.25, 110.5), crota2=-75.0),
        Layout(300, solar_radius=141.0, centre=(151.0, 147.5), crota2=180.0135),
        Layout(40, solar_radius=15.0),
    ],
    ids=str,
)
def test_a_spot_on_the_sun_is_where_the_geometry_has_it(layout):
    image = reproject(seen(spot, layout), solar_disk(layout.header()), GEOMETRY)
    view, latitude, longitude = PLACE
    x, y, _ = heliographic_to_pixel(sdoml_geometry(SIZE, b0=view.b0), np.array([latitude]), np.array([longitude]))
    np.testing.assert_allclose(centroid(image), (x[0], y[0]), atol=0.02)
    # The spot's flux in square solar radii: the mean is kept.
    flux = 100 * 2 * np.pi * 0.08**2
    assert image.sum() / GEOMETRY.solar_radius**2 == pytest.approx(flux, rel=0.02)


def test_an_image_in_the_geometry_itself_comes_back():
    image = np.random.default_rng(0).uniform(1, 2, (SIZE, SIZE))
    np.testing.assert_allclose(reproject(image, solar_disk(Layout(SIZE).header()), GEOMETRY), image, atol=1e-4)


def test_half_a_turn_reverses_rows_and_columns():
    image = np.random.default_rng(0).uniform(1, 2, (SIZE, SIZE))
    turned = reproject(image, solar_disk(Layout(SIZE, crota2=180.0).header()), GEOMETRY)
    np.testing.assert_allclose(turned, image[::-1, ::-1], atol=1e-4)


def test_a_quarter_of_a_turn_by_hand():
    # Thompson 2006, equation 8: with CROTA2 = 90, (right, up) in the image is (north, east) on the Sun.
    image = np.zeros((SIZE, SIZE))
    image[30:34, 50:54] = 1  # to the right of the middle: in the north
    x, y = centroid(reproject(image, solar_disk(Layout(SIZE, crota2=90.0).header()), GEOMETRY))
    assert (x, y) == pytest.approx((31.5, 51.5), abs=0.01)


@pytest.mark.parametrize("size", [64, 96, 128, 200, 300, 610])
def test_the_level_of_a_uniform_disk_is_kept(size):
    layout = Layout(size, solar_radius=0.45 * size)
    image = reproject(seen(lambda x, y: 50.0 * (np.hypot(x, y) < 1), layout), solar_disk(layout.header()), GEOMETRY)
    np.testing.assert_allclose(image[on_disk(GEOMETRY, 0.92)], 50, rtol=1e-6)
    assert image.sum() == pytest.approx(50 * np.pi * GEOMETRY.solar_radius**2, rel=0.005)


def test_a_large_image_is_averaged_and_not_sampled():
    """Where a new pixel is 9 x 9 old ones and nothing is turned, it is their mean to the last digits."""
    layout = Layout(9 * SIZE)
    image = np.random.default_rng(0).normal(size=(9 * SIZE, 9 * SIZE)) + seen(spot, layout)
    np.testing.assert_allclose(reproject(image, solar_disk(layout.header()), GEOMETRY), block_mean(image, 9), atol=1e-9)


def test_nothing_is_seen_outside_the_input():
    layout = Layout(SIZE, solar_radius=30.0)
    image = reproject(np.ones((SIZE, SIZE)), solar_disk(layout.header()), GEOMETRY)
    assert image[0, 0] == 0
    assert image[SIZE // 2, SIZE // 2] == 1


@pytest.mark.parametrize("angle", [0.0, 30.0, 180.0135, -75.0])
@pytest.mark.parametrize("convention", ["CROTA2", "PC", "CD", "degrees"])
def test_the_centre_and_the_scale_agree_with_a_reference_library(angle, convention):
    header = Layout(200, 70.0, (90.25, 110.5), angle).header() | {"CRVAL1": -4.5, "CRVAL2": 2.9}
    turn = np.array([[np.cos(t := np.deg2rad(angle)), -np.sin(t)], [np.sin(t), np.cos(t)]])
    if convention == "degrees":
        for key in ("CRVAL1", "CRVAL2", "CDELT1", "CDELT2"):
            header[key] /= 3600
        header |= {"CUNIT1": "deg", "CUNIT2": "deg"}
    elif convention != "CROTA2":
        scale = header["CDELT1"] if convention == "CD" else 1
        cells = {f"{convention}{i + 1}_{j + 1}": turn[i, j] * scale for i in (0, 1) for j in (0, 1)}
        del header["CROTA2"]
        header |= cells
    disk = solar_disk(header)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(fits.Header(header))
    west, north = np.array([0.0, 0.5, -0.3]), np.array([0.0, 0.2, 0.7])
    expected = wcs.wcs_world2pix(west * RSUN_OBS / 3600, north * RSUN_OBS / 3600, 0)
    np.testing.assert_allclose(disk.centre[:, None] + disk.pixels @ np.stack([west, north]), expected, atol=2e-3)
    assert disk.radius == pytest.approx(70.0)


@pytest.mark.parametrize(
    ("keywords", "arcsec"),
    [
        ({"RSUN_OBS": 970.0, "R_SUN": 3.0}, 970.0),
        ({"RSUN": 970.0}, 970.0),
        ({"DSUN_OBS": 1.496e11, "RSUN_REF": 6.96e8}, 959.63),
        ({"DSUN_OBS": 1.496e11, "R_SUN": 3.0}, 959.63),
        ({"R_SUN": 1608.94397, "IMSCL_MP": 0.599076}, 963.88),  # a synoptic image: pixels of level 1
        ({"R_SUN": 40.0}, 40 * RSUN_OBS / 30),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else None,
)
def test_the_solar_radius_comes_from_what_the_header_has(keywords, arcsec):
    header = Layout(SIZE, solar_radius=30.0).header()
    del header["RSUN_OBS"]
    assert solar_disk(header | keywords).radius == pytest.approx(30 * arcsec / RSUN_OBS, rel=1e-4)


@pytest.mark.parametrize("key", ["CRPIX1", "CRPIX2", "CDELT1", "CDELT2"])
@pytest.mark.parametrize("value", [None, "nan", "missing"])
def test_a_header_without_a_scale_or_a_centre_is_an_error(key, value):
    header = Layout(SIZE).header()
    del header[key]
    with pytest.raises(FrameError, match=f"unreadable: the header has no {key} that is a number"):
        solar_disk(header if value is None else header | {key: value})


def test_a_header_without_a_radius_is_an_error():
    header = Layout(SIZE).header()
    del header["RSUN_OBS"]
    with pytest.raises(FrameError, match="no solar radius: no RSUN_OBS, RSUN_ARC, RSUN, DSUN_OBS or R_SUN above 0"):
        solar_disk(header)


def test_an_unknown_unit_and_pixels_of_no_size_are_errors():
    with pytest.raises(FrameError, match="CUNIT1 = 'furlong', expected an angle in arcsec, deg or rad"):
        solar_disk(Layout(SIZE).header() | {"CUNIT1": "furlong"})
    with pytest.raises(FrameError, match="make pixels of no size"):
        solar_disk(Layout(SIZE).header() | {"CDELT2": 0.0})


def test_a_disk_is_inside_an_image_or_not():
    disk = SolarDisk(np.array([31.5, 49.5]), np.array([[0.0, -10.0], [20.0, 0.0]]))
    assert disk.margin((70, 42)) >= 1
    assert disk.margin((69, 42)) < 1
    assert disk.margin((70, 41)) < 1
    assert disk.radius == pytest.approx(np.sqrt(200))


def test_missing_pixels_count_on_the_disk_only():
    layout = Layout(128, solar_radius=50.0)
    image = seen(lambda x, y: np.where(np.hypot(x, y) < 1, 1.0, np.nan), layout)
    disk = solar_disk(layout.header())
    assert missing_on_disk(image, disk, GEOMETRY) == 0
    image[60, 60] = np.nan  # one of four
    assert missing_on_disk(image, disk, GEOMETRY) == 0
    image[60:64, 60:64] = np.nan
    assert missing_on_disk(image, disk, GEOMETRY) == 4
