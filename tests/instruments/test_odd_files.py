"""Files with one thing wrong in them, as users have them: refused by its name, or read as astropy reads it."""

import gzip
import os
import re

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.errors import DataError
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.reading import read_image
from munit_jax.instruments.telescopes import observe, prepare
from munit_jax.instruments.view import view_cards
from munit_jax.pfss.disk_magnetograms import read_magnetogram
from munit_jax.sun.disk import sdoml_geometry
from tests.instruments.suns import aia_header, observer_cards, rate, write
from tests.tfds_sdoml.sources.fits_files import write_hmi
from tests.tfds_sdoml.sun_images import field_image

SIZE = 64
HOW = Preparation(sdoml_geometry(SIZE))
IMAGE = 2 * rate(aia_header(SIZE), (SIZE, SIZE))
RSUN_OBS = aia_header()["RSUN_OBS"]
PC = dict(zip(("PC1_1", "PC1_2", "PC2_1", "PC2_2"), (1.0, 0.0, 0.0, 1.0), strict=True))


def refusal(path):
    """Why translate does not take a file."""
    try:
        seen = observe(path)
        prepare(seen, HOW)
        view_cards(seen.header)
    except FrameError as error:
        return str(error)
    return "taken"


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        (PC | {"CROTA2": 30.0}, "CROTA2 = 30 and PC (0 degrees) disagree about the turn"),
        ({"RSUN_OBS": 1.05 * RSUN_OBS}, "and DSUN_OBS = 1.49598e+11 m (959.2 arcsec) disagree about how large the Sun"),
        ({"RSUN_OBS": 1.25 * RSUN_OBS, "DSUN_OBS": None}, "off-centre disk: its limb is "),
        ({"RSUN_OBS": 0.85 * RSUN_OBS, "DSUN_OBS": None}, "off-centre disk: its limb is "),
        ({"RSUN_OBS": RSUN_OBS / 3600}, "RSUN_OBS = 0.266453 and DSUN_OBS"),
        ({"DSUN_OBS": 1.496e8}, "DSUN_OBS = 1.496e+08, expected the distance from the Sun in metres"),
        ({"DSUN_OBS": 0.99}, "DSUN_OBS = 0.99, expected the distance from the Sun in metres"),
        ({"RSUN_REF": 695700.0}, "RSUN_REF = 695700, expected the Sun's radius in metres"),
        ({"CRLT_OBS": 95.0}, "CRLT_OBS = 95, expected a latitude in degrees"),
        ({"T_OBS": "2013-02-15T00:00:00Z", "DATE-OBS": "2011-02-15T00:00:00"}, "are 731 days apart: one of them is w"),
        ({"T_OBS": "2011-02-15T25:61:00"}, "T_OBS = '2011-02-15T25:61:00': there is no such time of day"),
        ({"T_OBS": "2011-02-15T00:00:61"}, "there is no such time of day"),
        ({"T_OBS": "15/02/11", "DATE-OBS": None}, "no time in T_OBS = '15/02/11'"),
        ({"EXPTIME": 1e-9}, "EXPTIME = 1e-09 s, which no EUV camera exposes: is its unit right?"),
        ({"EXPTIME": "2 s"}, "the header has no EXPTIME that is a number"),
        ({"CRPIX1": "nan"}, "the header has no CRPIX1 that is a number"),
        ({"QUALITY": "GOOD"}, "QUALITY = 'good', expected a number"),
        ({"BUNIT": "sqrt(DN)"}, "BUNIT = 'sqrt(DN)', expected DN or DN/s"),
        ({"BUNIT": "1000 DN"}, "BUNIT = '1000 DN', expected DN or DN/s"),
    ],
)
def test_cards_that_cannot_be_or_contradict_each_other(tmp_path, cards, message):
    path = write(tmp_path / "a.fits", IMAGE, aia_header(SIZE, **cards))
    assert message in refusal(path)


def test_a_disk_that_is_a_little_too_large_is_warned_of(tmp_path):
    for factor, warned in ((1.0, False), (1.12, True)):
        header = aia_header(SIZE, RSUN_OBS=factor * RSUN_OBS, DSUN_OBS=None)
        path = write(tmp_path / f"{factor}.fits", 2 * rate(aia_header(SIZE), (SIZE, SIZE)), header)
        found = [text for text in prepare(observe(path), HOW).warnings if "of the solar radius in the header" in text]
        assert bool(found) == warned


@pytest.mark.parametrize("cards", [PC | {"CROTA2": 0.0}, PC | {"CROTA2": 360.5}, {"CROTA1": 0.0, "CROTA2": 0.0}])
def test_cards_that_agree_are_taken(tmp_path, cards):
    path = write(tmp_path / "a.fits", IMAGE, aia_header(SIZE, **cards))
    assert prepare(observe(path), HOW).warnings == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: np.clip(np.rint(x * 0.9), 0, 255), "unit: whole numbers from 0 to 255, as pictures have, not DN"),
        (lambda x: np.stack([x, x]), "no image of two axes in it"),
        (lambda x: np.where(np.arange(SIZE)[:, None] < 32, 0, x), "missing blocks: "),
        (lambda x: (x > 200).astype(float), "missing blocks: "),
        (lambda x: x.max() - x, "off-disk level: "),
        (lambda x: x * 1e30, "DN, which no camera counts"),
    ],
    ids=["8 bits", "cube", "half", "mask", "inverted", "huge"],
)
def test_images_that_cannot_be(tmp_path, change, message):
    assert message in refusal(write(tmp_path / "a.fits", change(IMAGE), aia_header(SIZE)))


@pytest.mark.parametrize(
    ("change", "cards", "message"),
    [
        (lambda x: 1e-4 * x, {}, r"unit: its strongest field is 0\.0\d+ G: is BUNIT right\?"),
        (lambda x: 0 * x, {}, r"unit: its strongest field is 0 G"),
        (lambda x: np.where(np.arange(256)[:, None] < 128, 0, x), {}, r"missing blocks: \d+ blocks of 4 x 4"),
        (lambda x: x, {"RSUN_OBS": 880.0}, r"off-centre disk: it ends at 1\.0\d of the solar radius in the heade"),
        (lambda x: x, {"RSUN_REF": 695700.0}, r"RSUN_REF = 695700, expected the Sun's radius in metres"),
    ],
    ids=["tesla", "empty", "half", "radius", "kilometres"],
)
def test_magnetograms_that_cannot_be_are_refused_alike(tmp_path, change, cards, message):
    observer = {key: value for key, value in observer_cards(20.0, 5.0).items() if key != "DSUN_OBS"}
    write_hmi(tmp_path / "a.fits", change(field_image(50.0, 256)).astype(np.float32), **(observer | cards))
    assert re.search(message, refusal(tmp_path / "a.fits"))
    with pytest.raises(DataError, match=message):
        read_magnetogram(tmp_path / "a.fits")


def test_a_map_of_the_whole_sun_is_no_magnetogram_of_the_disk(tmp_path):
    write_hmi(tmp_path / "a.fits", field_image(50.0, SIZE), CTYPE1="CRLN-CEA", RSUN_OBS=None)
    with pytest.raises(DataError, match="CTYPE1 = 'CRLN-CEA', expected helioprojective"):
        read_magnetogram(tmp_path / "a.fits")


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        (lambda raw: gzip.compress(gzip.compress(raw)), "it is packed by gzip twice: unpack it"),
        (lambda raw: b"\x1f\x9d\x90" + raw, "it is packed by compress: unpack it"),
        (lambda raw: b"\x28\xb5\x2f\xfd" + raw, "it is packed by zstd: unpack it"),
        (lambda raw: b"PK\x03\x04" + raw, "it is a zip file, and its name does not say when and what it is"),
        (
            lambda raw: re.sub(rb"NAXIS1  = +64", b"NAXIS1  =                  -64", raw, count=1),
            "axes of -64, 64 pixels",
        ),
        (lambda raw: b"\xef\xbb\xbf" + raw, "no FITS file: it does not begin with SIMPLE"),
    ],
)
def test_containers_that_are_not_read_are_named(tmp_path, pack, message):
    path = write(tmp_path / "a.fits", IMAGE, aia_header(SIZE))
    path.write_bytes(pack(path.read_bytes()))
    assert message in refusal(path)


def test_a_pipe_or_a_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.fits")
    (tmp_path / "folder.fits").mkdir()
    for name in ("pipe.fits", "folder.fits"):
        assert "it is a folder, a pipe or a device: give a file" in refusal(tmp_path / name)


def test_the_first_of_several_images_is_read_and_the_log_says_so(tmp_path, caplog):
    caplog.set_level("INFO")
    header = aia_header(SIZE)
    units = fits.PrimaryHDU(IMAGE.astype(np.float32), header), fits.ImageHDU(IMAGE[::-1].astype(np.float32), header)
    fits.HDUList(list(units)).writeto(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_image(tmp_path / "a.fits")[1], IMAGE.astype(np.float32))
    assert f"{tmp_path / 'a.fits'}: the first of its 2 images is read" in caplog.messages


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", ">f8"])
def test_scaled_and_missing_values_are_astropy_s(tmp_path, dtype):
    path = tmp_path / "a.fits"
    counts = np.clip(np.rint(IMAGE / 8), 0, 250).astype(dtype)
    fits.PrimaryHDU(counts, aia_header(SIZE)).writeto(path)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as (image,):
        image.header["BSCALE"] = 8.0
        if "i" in dtype:
            image.header["BLANK"] = int(image.data[0, 0])
    expected = fits.getdata(path).astype(np.float32)
    np.testing.assert_array_equal(read_image(path)[1], expected)
    assert np.isnan(expected).any() == ("i" in dtype)
