"""What an output holds, by hand-worked values, and how it is written."""

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.files import write_fits
from munit_jax.instruments.registration import solar_disk, upright
from munit_jax.instruments.view import view_cards
from munit_jax.sun.disk import on_disk, sdoml_geometry
from munit_jax.translation.fits_output import (
    MAGNETOGRAM,
    as_hdus,
    fingerprint_of,
    on_input_grid,
    polarity,
    product_of,
)
from tests.instruments.suns import aia_header

VIEW = view_cards(aia_header(2))
CARDS = [("MJDIGEST", "abc", ""), ("MJFILE1", "Sünne.fits", "input")]


def test_polarity_by_hand():
    field = np.array([5.0, -1.0, 2.0, 0.0])[:, None, None]  # two and a half of four are positive
    assert polarity(field).item() == pytest.approx(0.625)
    assert polarity(-field).item() == pytest.approx(0.625)
    assert polarity(field[:1]).item() == 1
    assert polarity(np.array([3.0, -3.0])[:, None, None]).item() == 0.5
    assert polarity(np.zeros((4, 1, 1))).item() == 0.5
    assert np.isnan(polarity(np.full((2, 1, 1), np.nan))).all()


def test_the_layers_by_hand(tmp_path):
    realisations = np.array([[[10.0, np.nan], [-4.0, 0.0]], [[20.0, np.nan], [4.0, 0.0]]], np.float32)
    write_fits(tmp_path / "a.fits", as_hdus(realisations, MAGNETOGRAM, VIEW, CARDS))
    with fits.open(tmp_path / "a.fits", checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "STD", "POLARITY", "REALISATIONS"]
        np.testing.assert_array_equal(hdus[0].data, [[15, np.nan], [0, 0]])
        np.testing.assert_array_equal(hdus["STD"].data, [[5, np.nan], [4, 0]])
        np.testing.assert_array_equal(hdus["POLARITY"].data, [[1, np.nan], [0.5, 0.5]])
        np.testing.assert_array_equal(hdus["REALISATIONS"].data, realisations)
        header = hdus[0].header
        assert [hdu.header.get("BUNIT") for hdu in hdus] == ["G", "G", "", "G"]
        assert all(hdu.header["SYNTHET"] is True for hdu in hdus)
        assert all(hdu.header["CRPIX1"] == VIEW["CRPIX1"] for hdu in hdus)
    assert (header["CONTENT"], header["INSTRUME"], header["ORIGIN"]) == (
        "SYNTHETIC MAGNETOGRAM",
        "MUNIT_JAX",
        "munit_jax",
    )
    assert (header["DATAMIN"], header["DATAMAX"], header["DATAMEDN"], header["DATAMEAN"]) == (0, 15, 0, 5)
    assert header["DATARMS"] == pytest.approx(7.07107)
    assert header["MJFILE1"] == "S?nne.fits"
    assert "WAVELNTH" not in header
    assert fingerprint_of(tmp_path / "a.fits") == "abc"


def test_one_realisation_tells_no_spread():
    hdus = as_hdus(np.ones((1, 2, 2), np.float32), MAGNETOGRAM, VIEW, CARDS)
    assert np.isnan(hdus["STD"].data).all()
    assert np.isnan(hdus["POLARITY"].data).all()
    np.testing.assert_array_equal(hdus[0].data, 1)


def test_an_euv_image_has_no_polarity():
    hdus = as_hdus(np.ones((3, 2, 2), np.float32), product_of("0171"), VIEW, CARDS)
    assert [hdu.name for hdu in hdus] == ["PRIMARY", "STD", "REALISATIONS"]
    assert (hdus[0].header["BUNIT"], hdus[0].header["WAVELNTH"]) == ("DN/s", 171)
    assert hdus[0].header["CONTENT"] == "SYNTHETIC AIA 171"


def test_there_and_back_is_the_image_itself():
    """On a grid of the same pixels nothing is resampled; off the limb there is no field."""
    geometry = sdoml_geometry(32)
    images = np.random.default_rng(0).normal(size=(2, 32, 32))
    field = on_input_grid(images, geometry, upright(geometry), (32, 32), field=True)
    np.testing.assert_allclose(field, np.where(on_disk(geometry), images, np.nan), rtol=1e-5, atol=1e-6)
    euv = on_input_grid(images, geometry, upright(geometry), (32, 32), field=False)
    np.testing.assert_allclose(euv, images, rtol=1e-5, atol=1e-6)


def test_what_the_networks_did_not_see_is_nan():
    """A field of view that is wider than that of the training."""
    geometry = sdoml_geometry(32)
    disk = solar_disk(aia_header(100, 20.0))
    euv = on_input_grid(np.ones((1, 32, 32)), geometry, disk, (100, 100), field=False)[0]
    reach = 15.5 / geometry.solar_radius * 20.0
    y, x = np.indices((100, 100))
    np.testing.assert_array_equal(np.isfinite(euv), np.maximum(abs(x - 49.5), abs(y - 49.5)) <= reach)
    np.testing.assert_allclose(euv[np.isfinite(euv)], 1, rtol=1e-6)


def test_a_file_that_is_no_output_has_no_fingerprint(tmp_path):
    assert fingerprint_of(tmp_path / "none.fits") is None
    (tmp_path / "a.fits").write_bytes(b"not FITS")
    assert fingerprint_of(tmp_path / "a.fits") is None
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(tmp_path / "b.fits")
    assert fingerprint_of(tmp_path / "b.fits") is None


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.fits"
    write_fits(path, as_hdus(np.ones((1, 2, 2), np.float32), MAGNETOGRAM, VIEW, CARDS))
    before = path.read_bytes()
    hdus = as_hdus(np.zeros((1, 2, 2), np.float32), MAGNETOGRAM, VIEW, CARDS)

    def writeto(file, checksum):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(hdus, "writeto", writeto)
    with pytest.raises(OSError, match="no space left"):
        write_fits(path, hdus)
    assert path.read_bytes() == before
