"""Which instrument took an image, what of its images is refused, and how its own keywords become the common ones."""

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.instruments import eit, gong, mdi
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import time_of
from munit_jax.instruments.magnetographs import TO_HMI, scale_factor
from munit_jax.instruments.registration import solar_disk
from munit_jax.instruments.simultaneous import join_nearest
from munit_jax.instruments.telescopes import recognise
from munit_jax.instruments.view import observer
from munit_jax.sun.constants import AU, DAY, SOLAR_RADIUS
from munit_jax.sun.ephemeris import earth_view
from munit_jax.sun.vantage import directions, separations

EUI = {"OBSRVTRY": "Solar Orbiter", "INSTRUME": "EUI", "DETECTOR": "FSI", "WAVELNTH": 174}
PHI = {"OBSRVTRY": "Solar Orbiter", "INSTRUME": "PHI", "TELESCOP": "SOLO/PHI/FDT", "BUNIT": "G"}
EIT = {"TELESCOP": "SOHO", "INSTRUME": "EIT", "WAVELNTH": 195, "OBJECT": "full FOV"}
MDI = {"TELESCOP": "SOHO", "CAMERA": "MDI", "BUNIT": "Gauss"}
GONG = {"TELESCOP": "NSO-GONG", "IMTYPE": "MAGNETIC", "DTYPE": "OBSERVE", "BUNIT": "GAUSS"}


@pytest.mark.parametrize(
    ("cards", "name", "series"),
    [
        (EUI, "EUI FSI", "0171"),
        (EUI | {"WAVELNTH": 304}, "EUI FSI", "0304"),
        ({"INSTRUME": "SWAP", "LEVEL": 1, "WAVELNTH": 174}, "SWAP", "0171"),
        ({"INSTRUME": "GOES-R Series Solar Ultraviolet Imager", "WAVELNTH": 195}, "SUVI", "0193"),
        (EIT, "EIT", "0193"),
        (EIT | {"INSTRUME": "", "TELESCOP": "Extreme-ultraviolet Imaging Telescope (EIT)"}, "EIT", "0193"),
        (PHI | {"BTYPE": "LOS Magnetic Field Strength"}, "PHI FDT", "bz"),
        (PHI | {"BTYPE": "BLOS"}, "PHI FDT", "bz"),
        (MDI, "MDI", "bz"),
        ({"TELESCOP": "SOHO", "INSTRUME": "MDI", "BUNIT": "Gauss"}, "MDI", "bz"),
        (GONG, "GONG", "bz"),
    ],
)
def test_who_took_it(cards, name, series):
    telescope, of = recognise(fits.Header(cards))
    assert (telescope.name, of) == (name, series)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        (EUI | {"DETECTOR": "HRI_EUV"}, "EUI HRI_EUV: it sees a patch, not the whole disk"),
        (EUI | {"FILENAME": "solo_L2_eui-fsi174-occulter_20220401T000045248_V01.fits"}, "EUI FSI, occulter by its"),
        (
            EUI | {"FILENAME": "solo_L2_eui-fsi174-image-short_20220801T000045248_V01.fits"},
            "EUI FSI, image-short by its",
        ),
        (EUI | {"IMGTYPE": "dark"}, "IMGTYPE = 'dark': expected 'solar image'"),
        (EUI | {"COMPLETE": "I"}, "missing blocks: COMPLETE = 'I'"),
        (EUI | {"WAVELNTH": 195}, "FSI 195: of FSI's channels 174, 304 have one of AIA like it"),
        ({"INSTRUME": "SWAP", "LEVEL": 0, "WAVELNTH": 174}, "SWAP, LEVEL = '0': expected level 1"),
        (EIT | {"WAVELNTH": 284}, "EIT 284: of EIT's channels 171, 195, 304"),
        (EIT | {"OBJECT": "partial FOV"}, "EIT, OBJECT = 'partial FOV': expected 'full FOV'"),
        (PHI | {"BTYPE": "Magnetic Field Strength"}, "PHI, BTYPE = 'Magnetic Field Strength': expected blos"),
        (PHI | {"BTYPE": "Magnetic Field Inclination"}, "PHI, BTYPE = 'Magnetic Field Inclination': expected blos"),
        (PHI | {"TELESCOP": "SOLO/PHI/HRT", "BTYPE": "BLOS"}, "SOLO/PHI/HRT: it sees a patch"),
        (MDI | {"CTYPE1": "CRLN-CEA"}, "not an image of"),
        (MDI | {"BUNIT": "m/s"}, "not an image of"),
        (GONG | {"DTYPE": "SYNOPTIC"}, "not an image of"),
    ],
)
def test_what_is_refused(cards, message):
    with pytest.raises(FrameError, match=message):
        recognise(fits.Header(cards))


def test_level_0_of_eit_has_the_common_keywords():
    header = fits.Header(EIT | {"SC_ROLL": 180.0, "SOLAR_R": 372.0, "CDELT1": 2.63, "CDELT2": 2.63, "SOLAR_B0": -7.2})
    header.update({"CRPIX1": 512.5, "CRPIX2": 512.5, "HEC_X": -1.4e8, "HEC_Y": 4e7, "HEC_Z": 0.0})
    header["DATE_OBS"] = "2004-03-01T00:00:10.515Z"
    header["COMMENT"] = "CORRECTED DATE_OBS = '2004-02-29T23:58:20.443Z'"
    common = eit.common(header)
    assert common["DATE-OBS"] == "2004-02-29T23:58:20.443"
    disk = solar_disk(common)
    assert disk.radius == pytest.approx(372)
    np.testing.assert_allclose(disk.pixels, -372 * np.eye(2), atol=1e-6)  # upside down
    b0, l0, distance = observer(common, time_of(common))
    assert (b0, l0) == (-7.2, pytest.approx(earth_view(time_of(common))[1]))
    assert distance == pytest.approx(np.hypot(1.4e11, 4e10) / SOLAR_RADIUS)
    for key in ("COMMENT", "HEC_X"):
        del header[key]
    header["DATE-OBS"], header["DATE_OBS"] = "11-DEC-96", "1996-12-11T19:00:14.254Z"
    assert eit.common(header)["DATE-OBS"] == "1996-12-11T19:00:14.254"
    assert eit.common(header)["DSUN_OBS"] == pytest.approx(0.9908 * 0.9846 * AU, rel=1e-3)  # the Earth in December


def test_an_older_header_of_mdi_has_the_common_keywords():
    older = {"OBS_DIST": 0.974, "OBS_L0": 130.9, "OBS_B0": -6.0, "P_ANGLE": -180.0, "R_SUN": 496.0, "DSUN_OBS": AU}
    header = fits.Header(MDI | older | {"CTYPE1": "solar-x", "CTYPE2": "solar-y"})
    header.update({"CRPIX1": 64.5, "CRPIX2": 64.5, "CDELT1": 16.0, "CDELT2": 16.0})
    common = mdi.common(header)
    assert observer(common, 0) == (-6.0, 130.9, pytest.approx(0.974 * AU / SOLAR_RADIUS))
    radius = np.rad2deg(np.arcsin(SOLAR_RADIUS / (0.974 * AU))) * 3600 / 16.0
    np.testing.assert_allclose(solar_disk(common).pixels, -radius * np.eye(2), atol=1e-6)
    assert mdi.common(fits.Header(MDI)) == fits.Header(MDI)


def test_gong_has_the_common_keywords():
    cards = {"FNDLMBMA": 385.0, "FNDLMBMI": 383.0, "SEMIDIAM": 0.0047, "P_ANGLE": 0.0, "DISTANCE": 0.983}
    header = fits.Header(GONG | cards | {"B0": -3.9, "L0": 330.4, "CRPIX1": 400.0, "CRPIX2": 440.0})
    header.update({"CTYPE1": "GONGX", "CTYPE2": "GONGY", "DATE-OBS": "2025/01/09", "TIME-OBS": "01:35:16.008"})
    common = gong.common(header)
    assert common["DATE-OBS"] == "2025-01-09T01:34:58.008"  # 18 leap seconds since 1980
    assert solar_disk(common).radius == pytest.approx(384)
    assert observer(common, 0) == (-3.9, 330.4, pytest.approx(0.983 * AU / SOLAR_RADIUS))
    del header["SEMIDIAM"]
    with pytest.raises(FrameError, match="no SEMIDIAM that is a number"):
        gong.common(header)


def test_the_scale_of_hmi():
    assert scale_factor(fits.Header(MDI), "none") == (1.0, ())
    assert scale_factor(fits.Header(MDI), "hmi") == (0.701, ())
    assert scale_factor(fits.Header(GONG), "hmi") == (1.438, ())
    assert scale_factor(fits.Header({"TELESCOP": "SDO/HMI"}), "hmi") == (1.0, ())
    assert scale_factor(fits.Header({"ORIGIN": "munit_jax", "TELESCOP": "SOHO"}), "hmi") == (1.0, ())
    factor, (warning,) = scale_factor(fits.Header(PHI), "hmi")
    assert (factor, warning) == (1.0, "no factor from SOLO/PHI/FDT to HMI is known: its field is left unchanged")
    assert scale_factor(fits.Header({"MODEL": "ADAPT", "ORIGIN": "NSO GONG"}), "hmi")[1]
    assert set(TO_HMI) == {"HMI", "MDI", "GONG", "SOLIS", "MWO", "WSO"}


def test_an_observer_at_rest_keeps_its_direction_and_longitudes_count_as_angles():
    b0, l0, seconds = np.array([0.0, 0.0, 7.0]), np.array([10.0, 10.0 - 360 / 25.38, 10.0]), np.array([0.0, DAY, 0.0])
    towards = directions(b0, l0, seconds)
    np.testing.assert_allclose(separations(towards[:1], towards[1:]), [0, 7], atol=1e-6)


def test_frames_are_joined_by_time_and_place():
    """Two observers 120 degrees apart, at one time; the one at 120 degrees has no partner in the first hour."""
    times = {"bz": np.array([0, 10, 7200]), "0171": np.array([5, 7200, 7210])}
    longitudes = {"bz": np.array([0.0, 120.0, 120.0]), "0171": np.array([0.2, 0.0, 120.3])}
    towards = {
        name: directions(np.zeros(3), longitudes[name] - 360 / 25.38 * times[name] / DAY, times[name].astype(float))
        for name in times
    }
    joined = join_nearest(times, 360, towards, 0.5)
    assert {name: index.tolist() for name, index in joined.items()} == {"bz": [0, 2], "0171": [0, 2]}
    by_time = join_nearest(times, 360)
    assert {name: index.tolist() for name, index in by_time.items()} == {"bz": [0, 2], "0171": [0, 1]}
