"""Files are recognised by what they hold."""

import bz2
import gzip

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.reading import kind_of, read_image, stem

IMAGE = np.arange(12, dtype=np.float32).reshape(3, 4)


def content(tmp_path, *hdus):
    fits.HDUList(list(hdus)).writeto(tmp_path / "made", overwrite=True)
    return (tmp_path / "made").read_bytes()


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz", "a.bz2", "a", "a.dat"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
def test_any_compression_under_any_name(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(content(tmp_path, fits.PrimaryHDU(IMAGE))))
    assert kind_of(tmp_path / name) == "fits"
    np.testing.assert_array_equal(read_image(tmp_path / name)[1], IMAGE)


def test_the_first_image_of_two_axes_counts(tmp_path):
    hdus = fits.PrimaryHDU(np.zeros((2, 3, 4))), fits.CompImageHDU(IMAGE, compression_type="GZIP_1", quantize_level=0)
    (tmp_path / "a.fits").write_bytes(content(tmp_path, *hdus))
    np.testing.assert_array_equal(read_image(tmp_path / "a.fits")[1], IMAGE)


def test_blank_is_nan(tmp_path):
    image = fits.PrimaryHDU(np.array([[1, -32768]], np.int16))
    image.header["BLANK"] = -32768
    (tmp_path / "a.fits").write_bytes(content(tmp_path, image))
    np.testing.assert_array_equal(read_image(tmp_path / "a.fits")[1], [[1, np.nan]])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: b"not FITS", "unreadable: no FITS file: it does not begin with SIMPLE"),
        (lambda raw: raw[:2885], "unreadable: the file is cut off: 5 of 48 bytes of the image"),
        (lambda raw: gzip.compress(raw)[:60], "unreadable: "),
        (lambda raw: b"", "unreadable: no FITS file"),
    ],
    ids=["text", "cut off", "gzip cut off", "empty"],
)
def test_what_cannot_be_read_says_so(tmp_path, damage, message):
    (tmp_path / "a.fits").write_bytes(damage(content(tmp_path, fits.PrimaryHDU(IMAGE))))
    assert kind_of(tmp_path / "a.fits") == "fits"  # by its name, so that it is listed
    with pytest.raises(FrameError, match=message):
        read_image(tmp_path / "a.fits")


def test_other_files_are_no_fits(tmp_path):
    (tmp_path / "notes.txt").write_text("SIMILAR")
    assert kind_of(tmp_path / "notes.txt") is None


@pytest.mark.parametrize("name", ["a.b.fits", "a.b.FITS.gz", "a.b.fts.bz2", "a.b.fits.fz"])
def test_stem(name):
    assert stem(name) == "a.b"
