"""An active region at a known place on the Sun is there in the output, from wherever it was seen."""

import warnings

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.telescopes import observe, prepare
from munit_jax.translation.settings import Settings
from munit_jax.translation.translate_files import translate_files
from munit_jax.translation.translation import Translation
from tests.instruments.suns import AU, SPOT, aia_header, euvi_header, grid_cards, rate, to_sun, untrained_run, write

TURN = np.deg2rad(-7.7)
TURNED = {"PC1_1": np.cos(TURN), "PC1_2": -np.sin(TURN), "PC2_1": np.sin(TURN), "PC2_2": np.cos(TURN), "CROTA2": None}
REAL = ("aia_171_level1.fits", "secchi_l0_a.fits", "secchi_l0_b.fits")
SIZE = 128  # of the networks' images


def separation(one, other):
    """The angle between two places (longitude, latitude) in degrees."""
    (lon1, lat1), (lon2, lat2) = np.deg2rad(one), np.deg2rad(other)
    cosine = np.sin(lat1) * np.sin(lat2) + np.cos(lat1) * np.cos(lat2) * np.cos(lon1 - lon2)
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))


def centroid(image):
    bright = np.nan_to_num(image) - np.nanmax(image) / 3
    bright = np.maximum(bright, 0)
    y, x = np.indices(image.shape)
    return (x * bright).sum() / bright.sum(), (y * bright).sum() / bright.sum()


@pytest.fixture
def identity_translation(identity):
    run = untrained_run(SIZE)
    return Translation(run, Settings(samples=2), Preparation(run.geometry))


def translated(identity_translation, path, folder):
    (row,) = translate_files(identity_translation, [path], folder)
    assert row.status == "written", row
    return folder / row.output


def real_header(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of BLANK among floats
        header = fits.getheader(path)
    del header["BLANK"]
    return header


LAYOUTS = {
    "AIA": ((96, 96), aia_header(96)),
    "AIA, half a turn": ((128, 128), aia_header(**grid_cards(128, 50.0, AU, crpix=(60.3, 71.9), CROTA2=180.0135))),
    "AIA, turned": ((200, 200), aia_header(**grid_cards(200, 70.0, AU, crpix=(90.25, 110.5), CROTA2=-25.0))),
    "AIA, a large image": ((512, 512), aia_header(**grid_cards(512, 203.0, AU, crpix=(250.0, 260.0), CROTA2=12.0))),
    "AIA, not square": ((130, 170), aia_header(**grid_cards(130, 52.0, AU, crpix=(101.5, 62.0), CROTA2=3.0))),
    "EUVI A": ((128, 128), euvi_header(**grid_cards(128, 39.0, 0.96 * AU, None, (-13.5, 156.0), **TURNED))),
    "EUVI B": (
        (128, 128),
        euvi_header(
            distance=1.03 * AU,
            **grid_cards(128, 36.0, 1.03 * AU, (70.0, 61.0), (-18.8, -35.5), **TURNED),
            OBSRVTRY="STEREO_B",
            CRLN_OBS=288.9,
            CRLT_OBS=3.2,
            DSUN_OBS=1.03 * AU,
        ),
    ),
}
PLACES = [(0.0, 0.0), (35.0, 22.0), (-50.0, -18.0)]  # from the centre of the disk in longitude, and the latitude


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_an_active_region_stays_where_it_is(identity_translation, tmp_path, name, place):
    shape, header = LAYOUTS[name]
    check_place(identity_translation, tmp_path, header, shape, place)


@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("name", REAL)
def test_it_does_so_with_the_headers_of_real_images(identity_translation, tmp_path, shared, name, place):
    header = real_header(shared / "data" / "fits" / name)
    check_place(identity_translation, tmp_path, header, (header["NAXIS2"], header["NAXIS1"]), place)


def check_place(identity_translation, folder, header, shape, place):
    spot = (header["CRLN_OBS"] + place[0]) % 360, place[1]
    image = rate(header, shape, spot) * header["EXPTIME"] + header.get("BIASMEAN", 0)
    output = translated(identity_translation, write(folder / "in.fits", image, header), folder / "out")
    with fits.open(output) as hdus:
        mean, made = np.array(hdus[0].data), hdus[0].header
    assert mean.shape == shape
    assert separation(to_sun(made, *centroid(mean)), spot) < 0.5
    for key in ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2", "CROTA2", "PC1_2", "DSUN_OBS", "CRLN_OBS"):
        assert made.get(key) == header.get(key)


@pytest.mark.parametrize("name", REAL)
def test_sunpy_finds_it_there_too(identity_translation, tmp_path, shared, name):
    """Planted, and found again, by SunPy alone."""
    sunpy_map = pytest.importorskip("sunpy.map", reason="sunpy comes with the extra solar")
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    longitude, latitude = 35.0, 22.0
    header = real_header(shared / "data" / "fits" / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of real headers
        given = sunpy_map.Map(rate(header, (128, 128)), header)
    centre = SkyCoord(0 * u.arcsec, 0 * u.arcsec, frame=given.coordinate_frame).heliographic_carrington
    spot = SkyCoord(
        centre.lon + longitude * u.deg,
        latitude * u.deg,
        frame="heliographic_carrington",
        observer=given.observer_coordinate,
        obstime=given.reference_date,
    )
    at = given.world_to_pixel(spot)
    y, x = np.indices((128, 128))
    image = given.data + SPOT * np.exp(-((x - at.x.value) ** 2 + (y - at.y.value) ** 2) / (2 * 3.0**2))
    path = write(tmp_path / "in.fits", image * header["EXPTIME"] + header.get("BIASMEAN", 0), header)
    made = sunpy_map.Map(translated(identity_translation, path, tmp_path / "out"), hdus=0)
    found = made.pixel_to_world(*centroid(made.data) * u.pix).heliographic_carrington
    assert separation((found.lon.deg, found.lat.deg), (spot.lon.deg, spot.lat.deg)) < 0.5
    again = made.world_to_pixel(spot)
    np.testing.assert_allclose([again.x.value, again.y.value], [at.x.value, at.y.value], atol=0.02)


def test_off_the_limb_is_nan_and_the_disk_is_not(identity_translation, tmp_path):
    shape, header = LAYOUTS["AIA, turned"]
    image = rate(header, shape) * header["EXPTIME"]
    output = translated(identity_translation, write(tmp_path / "in.fits", image, header), tmp_path / "out")
    y, x = np.indices(shape)
    on_disk = np.hypot(x - 89.25, y - 109.5) < 70.0
    for name in (0, "STD", "POLARITY", "REALISATIONS"):
        finite = np.isfinite(fits.getdata(output, name))
        np.testing.assert_array_equal(finite, np.broadcast_to(on_disk, finite.shape))


def test_what_the_networks_see_is_the_disk_of_their_training(tmp_path):
    """North up, the radius and the centre of SDOML's geometry, whatever the instrument."""
    run = untrained_run(SIZE)
    for number, (shape, header) in enumerate(LAYOUTS.values()):
        image = rate(header, shape) * header["EXPTIME"] + header.get("BIASMEAN", 0)
        seen = prepare(observe(write(tmp_path / f"{number}.fits", image, header)), Preparation(run.geometry)).image
        disk = seen > 75
        assert np.sqrt(np.count_nonzero(disk) / np.pi) == pytest.approx(203.3 / 512 * SIZE, rel=0.01)
        y, x = np.nonzero(disk)
        assert (x.mean(), y.mean()) == pytest.approx((63.5, 63.5), abs=0.1)
        assert np.median(seen[disk]) == pytest.approx(150, rel=0.03)
