"""Files drawn at random: what is read is what astropy reads, and what is not as it should be is refused."""

import bz2
import gzip
import lzma
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.reading import kind_of, read_image
from munit_jax.instruments.telescopes import observe, prepare
from munit_jax.sun.disk import on_disk, sdoml_geometry
from tests.tfds_sdoml.sources.fits_files import Layout, write_aia, write_hmi
from tests.tfds_sdoml.sun_images import euv_image, field_image

SIZE = 64
HOW = Preparation(sdoml_geometry(SIZE))
DISK, WHOLE_WITHIN = on_disk(HOW.geometry), on_disk(HOW.geometry, 0.98)  # what the limb lacks is dark
IMAGES = {"0171": (write_aia, euv_image(100.0, SIZE), 0.5), "bz": (write_hmi, field_image(50.0, SIZE), 1.0)}
NAMES = ("a.fits", "a.fts", "a.FITS.gz", "a.fit.bz2", "a.fits.fz", "a", "a.dat", "a [1].b", "ä.fits")
PACKED = (bytes, gzip.compress, bz2.compress, lzma.compress)
CONTAINERS = ("primary", "extension", "second extension", "compressed", "third axis of 1", "after a cube")
SHAPES = ((1, 1), (1, SIZE), (SIZE, 1), (SIZE, SIZE // 2))
MARKERS = (np.nan, np.inf, -np.inf, -9999.0, -32768.0, 65535.0, 1e30)
WHOLE = {
    "zero": lambda x: 0 * x,
    "constant": lambda x: 0 * x - 32768,
    "dark": lambda x: -abs(x),
    "nan": lambda x: x + np.nan,
}


@dataclass(frozen=True)
class Drawn:
    """A file: of which series, how it is packed, and what is wrong with it."""

    series: str
    container: str
    name: str
    pack: object
    dtype: str
    shape: tuple[int, int] | None = None
    whole: str | None = None
    marker: float | None = None
    place: tuple[int, int] = (0, 0)

    def image(self):
        image = IMAGES[self.series][1].astype(np.float64)
        if self.marker is not None:
            image[self.place] = self.marker
        if self.whole is not None:
            image = WHOLE[self.whole](image)
        return (image if self.shape is None else image[: self.shape[0], : self.shape[1]]).astype(self.dtype)

    def write(self, path):
        IMAGES[self.series][0](path, self.image(), Layout(SIZE))
        with fits.open(path) as (primary,):
            data, header = primary.data, primary.header
            hdus = {
                "primary": lambda: [primary],
                "extension": lambda: [fits.PrimaryHDU(), fits.ImageHDU(data, header)],
                "second extension": lambda: [fits.PrimaryHDU(), TABLE, fits.ImageHDU(data, header)],
                "compressed": lambda: [
                    fits.PrimaryHDU(),
                    fits.CompImageHDU(data, header, compression_type="GZIP_1", quantize_level=0),
                ],
                "third axis of 1": lambda: [fits.PrimaryHDU(data[None], header)],
                "after a cube": lambda: [fits.PrimaryHDU(np.zeros((2, 3, 4))), fits.ImageHDU(data, header)],
            }
            content = fits.HDUList(hdus[self.container]())
            content.writeto(path.with_name("made"))
        path.write_bytes(self.pack(path.with_name("made").read_bytes()))


TABLE = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.zeros(3))])
good = st.builds(
    Drawn,
    st.sampled_from(tuple(IMAGES)),
    st.sampled_from(CONTAINERS),
    st.sampled_from(NAMES),
    st.sampled_from(PACKED),
    st.sampled_from(("float32", "float64", ">f4")),
)
place = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))
wrong = st.one_of(
    st.fixed_dictionaries({}),
    st.fixed_dictionaries({"marker": st.sampled_from(MARKERS), "place": place}),
    st.fixed_dictionaries({"whole": st.sampled_from(tuple(WHOLE))}),
    st.fixed_dictionaries({"shape": st.sampled_from(SHAPES)}),
)
files = st.builds(lambda one, changes: Drawn(**(vars(one) | changes)), good, wrong)


def astropy_reads(path):
    """The first image of two axes, or of one more of length 1, as float32."""
    with fits.open(path) as units:
        images = (unit.data for unit in units if unit.is_image and unit.data is not None)
        first = next(data for data in images if data.size == np.prod(data.shape[-2:]))
        return first.reshape(first.shape[-2:]).astype(np.float32)


def made_of(path):
    """The prepared image, or why there is none."""
    try:
        return prepare(observe(path), HOW).image
    except FrameError as error:
        return str(error)


def check_file(drawn):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / drawn.name
        drawn.write(path)
        assert kind_of(path) == "fits"
        expected = astropy_reads(path)
        expected[~np.isfinite(expected)] = np.nan
        np.testing.assert_array_equal(read_image(path)[1], expected)
        made = made_of(path)
    if isinstance(made, str):
        assert made, "refused without a reason"
        assert not is_good(drawn), made
        return
    assert not is_bad(drawn), "accepted in silence"
    factor, kept = IMAGES[drawn.series][2], np.isfinite(expected)
    if drawn.series == "bz":
        kept &= DISK
    np.testing.assert_allclose(made[kept], factor * expected[kept], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(made[~kept], 0)


def is_good(drawn):
    return (drawn.shape, drawn.whole, drawn.marker) == (None, None, None)


def is_bad(drawn):
    """Whether it must be refused: off the disk, what is missing counts as dark, and magnetograms have no values."""
    if drawn.marker is None:
        return not is_good(drawn)
    if not np.isfinite(drawn.marker):
        return WHOLE_WITHIN[drawn.place]
    return drawn.series != "bz" or DISK[drawn.place]


@settings(max_examples=50, deadline=None)
@given(files)
def test_a_file_is_read_as_astropy_reads_it_or_refused(drawn):
    check_file(drawn)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(files)
def test_a_thousand_files_are_read_as_astropy_reads_them_or_refused(drawn):
    check_file(drawn)
