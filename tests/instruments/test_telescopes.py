"""From files as instruments leave them to what the networks take: units, recognition, refusals by name."""

import re
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.instruments import aia
from munit_jax.instruments.aia import AIA
from munit_jax.instruments.calibration import Reference
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.euvi import EUVI, bias_of
from munit_jax.instruments.hmi import HMI
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.sdoml import sdoml_header
from munit_jax.instruments.telescopes import observation, observe, prepare, recognise
from munit_jax.sun.disk import on_disk, sdoml_geometry
from tests.instruments.suns import aia_header, euvi_header, rate, write, write_aia, write_euvi
from tests.tfds_sdoml.sources.fits_files import write_hmi
from tfds_sdoml.sources.fits import Fits
from tfds_sdoml.sources.npz_v1 import NpzV1

SIZE = 64
HOW = Preparation(sdoml_geometry(SIZE))
DISK = on_disk(HOW.geometry, 0.9)
FAINT = Preparation(sdoml_geometry(SIZE), (Reference("0171", 0, (300.0, 300.0, 300.0), "a.fits"),))


def prepared(path, how=HOW):
    return prepare(observe(path), how)


def test_aia_is_what_the_datasets_have(tmp_path):
    """The same pixels as `tfds_sdoml` stores of the same file."""
    write_aia(tmp_path / "a.fits", 200, CROTA2=30.0)
    image = prepared(tmp_path / "a.fits").image
    np.testing.assert_array_equal(image, Fits(tmp_path, SIZE).read("0171", "a.fits"))
    assert image[DISK].mean() == pytest.approx(150, rel=0.01)
    assert {key: value for key, value, _ in prepared(tmp_path / "a.fits").treatment} == {"MJEXPT": 2.0}


def test_aia_per_second_is_not_divided_again(tmp_path):
    header = aia_header(SIZE, BUNIT="DN/s")
    path = write(tmp_path / "a.fits", rate(header, (SIZE, SIZE)), header)
    assert prepared(path).image[DISK].mean() == pytest.approx(150, rel=0.01)


@pytest.mark.parametrize("unit", ["photon", "ph/s", "electron / s", "photon / (pix s)"])
def test_photons_are_refused_of_aia_and_scaled_of_euvi(tmp_path, unit):
    path = write_aia(tmp_path / "a.fits", BUNIT=unit)
    with pytest.raises(FrameError, match=f"unit: BUNIT = '{re.escape(unit)}', expected DN or DN/s: divide by the cam"):
        prepared(path)
    header = euvi_header(128, BUNIT=unit)
    path = write(tmp_path / "e.fits", rate(header, (128, 128)), header)
    assert prepared(path, FAINT).image[DISK].mean() == pytest.approx(300, rel=0.02)


def test_sdoml_is_what_the_datasets_have(tmp_path):
    name = "AIA20110215_0000_0171.npz"
    image = 4 * rate(aia_header(512, 203.3, CROTA2=0.0), (512, 512))  # version 1 sums 2 x 2 pixels
    np.savez(tmp_path / name, x=image.astype(np.float32))
    seen = observe(tmp_path / name)
    assert (seen.telescope, seen.series) == (AIA, "0171")
    np.testing.assert_allclose(
        prepare(seen, Preparation(sdoml_geometry(512))).image, NpzV1(tmp_path).read("0171", name), rtol=1e-5
    )
    assert prepare(seen, HOW).image[DISK].mean() == pytest.approx(150, rel=0.01)


def test_euvi_has_its_bias_off_and_the_brightness_of_aia(tmp_path):
    result = prepared(write_euvi(tmp_path / "a.fits", 128), FAINT)
    assert result.image[DISK].mean() == pytest.approx(300, rel=0.02)
    treatment = {key: value for key, value, _ in result.treatment}
    assert treatment["MJBIAS"] == 725
    assert treatment["MJEXPT"] == 16
    assert treatment["MJGAIN"] == pytest.approx(2, rel=0.02)
    assert treatment["MJREFR"] == "a.fits"


def test_a_bias_that_is_off_is_not_taken_off_again(tmp_path):
    header = euvi_header(128)
    counts = rate(header, (128, 128)) * 16
    assert bias_of(header, counts + 725) == 725
    assert bias_of(header, counts) == 0
    with pytest.raises(FrameError, match=r"darkest pixels are at 4\d\d\.?\d*, neither at BIASMEAN = 725 nor at 0"):
        bias_of(header, (counts + 725) / 2 + 30)
    path = write(tmp_path / "a.fits", counts, header)
    assert prepared(path, FAINT).image[DISK].mean() == pytest.approx(300, rel=0.02)


@pytest.mark.parametrize(
    ("cards", "telescope", "series"),
    [
        ({"TELESCOP": "SDO/AIA", "WAVELNTH": 193}, AIA, "0193"),
        ({"DETECTOR": "EUVI", "WAVELNTH": 195}, EUVI, "0193"),
        ({"DETECTOR": "EUVI", "WAVELNTH": 304}, EUVI, "0304"),
        ({"DETECTOR": "EUVI", "WAVELNTH": 171}, EUVI, "0171"),
        ({"TELESCOP": "SDO/HMI", "CONTENT": "MAGNETOGRAM"}, HMI, "bz"),
    ],
)
def test_who_took_it(cards, telescope, series):
    assert recognise(fits.Header(cards)) == (telescope, series)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"DETECTOR": "EUVI", "WAVELNTH": 284}, "instrument: EUVI 284: of EUVI's channels 171, 195, 304"),
        (
            {"TELESCOP": "GONG", "INSTRUME": "NSO"},
            "instrument: GONG NSO: not an image of AIA, EUVI, EUI FSI, ",
        ),
        ({}, "instrument: unknown: not an image of AIA"),
        ({"ORIGIN": "munit_jax", "TELESCOP": "SDO/AIA", "WAVELNTH": 171}, "instrument: it was made by munit_jax"),
    ],
)
def test_who_is_not_known(cards, message):
    with pytest.raises(FrameError, match=message):
        recognise(fits.Header(cards))


def test_a_quicklook_image_is_good_and_one_with_other_flags_is_not(tmp_path):
    prepared(write_aia(tmp_path / "a.fits", QUALITY=1 << 30))
    with pytest.raises(FrameError, match="quality: QUALITY = 0x00002000"):
        prepared(write_aia(tmp_path / "b.fits", QUALITY=(1 << 30) + (1 << 13)))


def damaged(change, **cards):
    header = aia_header(128, **cards)
    return observation(header, change(rate(header, (128, 128)) * 2).astype(np.float32), "a.fits")


def lost(image):
    image[60:76, 40:56] = np.nan
    return image


def filled(image):
    image[60:76, 40:56] = 0
    return image


@pytest.mark.parametrize(
    ("change", "cards", "message"),
    [
        (lambda x: 100 * x, {}, "saturated: 100.0% of the disk"),
        (filled, {}, "missing blocks: "),
        (lost, {}, "not finite: "),
        (lambda x: x[:100], {}, "off-centre disk: the disk .* is not all in the image of 128 x 100"),
        (lambda x: np.random.default_rng(0).uniform(100, 110, x.shape), {}, "off-disk level: "),
        (lambda x: np.roll(x, 25, axis=1), {}, "off-centre disk: its centroid is"),
        (lambda x: x, {"EXPTIME": 0.0}, "unreadable: EXPTIME = 0.0 s"),
        (lambda x: x, {"QUALITY": 1 << 16}, "quality: QUALITY = 0x00010000"),
    ],
    ids=["saturated", "blocks", "nan", "partial", "no sun", "elsewhere", "exposure", "dark image"],
)
def test_bad_images_are_refused_by_name(change, cards, message):
    with pytest.raises(FrameError, match=message):
        prepare(damaged(change, **cards), HOW)


def test_a_magnetogram_is_zero_off_the_disk(tmp_path):
    image = np.random.default_rng(0).normal(0, 20, (SIZE, SIZE)).astype(np.float32)
    write_hmi(tmp_path / "a.fits", image)
    seen = observe(tmp_path / "a.fits")
    assert (seen.telescope, seen.series) == (HMI, "bz")
    field = prepare(seen, HOW).image
    np.testing.assert_array_equal(field[~on_disk(HOW.geometry)], 0)
    np.testing.assert_allclose(field[DISK], image[DISK], atol=1e-3)
    np.testing.assert_array_equal(field, Fits(tmp_path, SIZE).read("bz", "a.fits"))  # as the datasets have it


def test_other_npz_files_are_refused(tmp_path):
    np.savez(tmp_path / "frame.npz", x=np.ones((4, 4)))
    with pytest.raises(FrameError, match=r"an npz of SDOML is called AIAYYYYMMDD_HHMM_0193\.npz"):
        observe(tmp_path / "frame.npz")


def test_the_other_components_of_the_field_are_refused(tmp_path):
    np.savez(tmp_path / "HMI20110215_0000_bx.npz", x=np.ones((512, 512), np.float32))
    with pytest.raises(FrameError, match="instrument: bx: the networks are for the line of sight, bz"):
        observe(tmp_path / "HMI20110215_0000_bx.npz")


def test_degradation_is_divided_by(tmp_path, monkeypatch):
    monkeypatch.setattr(aia, "degradation", lambda table, channel, day: {(171, 15020): 0.8}[channel, day])
    path = write_aia(tmp_path / "a.fits")
    how = replace(FAINT, degradation_table=tmp_path / "table.txt")
    np.testing.assert_allclose(prepared(path, how).image, prepared(path).image / 0.8, rtol=1e-6)
    assert [key for key, *_ in prepared(path, how).treatment] == ["MJEXPT", "MJDEGR"]


def test_without_a_table_aia_is_brought_to_the_brightness_of_a_reference(tmp_path):
    """Twice as bright, and the card says so; SDOML's images are corrected."""
    made = prepared(write_aia(tmp_path / "a.fits"), FAINT)
    assert made.image[DISK].mean() == pytest.approx(300, rel=0.02)
    treatment = {key: value for key, value, _ in made.treatment}
    assert treatment == {"MJEXPT": 2.0, "MJGAIN": pytest.approx(2, rel=0.02), "MJREFR": "a.fits"}
    header = sdoml_header("0171", 1_300_000_000, SIZE)
    image = rate(header, (SIZE, SIZE)).astype(np.float32)
    corrected = prepare(observation(header, image, "a.npz"), FAINT)
    assert [key for key, *_ in corrected.treatment] == ["MJEXPT"]
    assert corrected.image[DISK].mean() == pytest.approx(150, rel=0.02)
