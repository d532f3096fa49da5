"""translate, the dataset build and corona read one file alike: the same pixels, or the same refusal."""

import bz2
import gzip
import re

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.errors import DataError
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.telescopes import observe, prepare
from munit_jax.pfss.disk_magnetograms import read_magnetogram
from munit_jax.sun.disk import on_disk, sdoml_geometry
from munit_jax.translation.settings import Settings
from munit_jax.translation.translation import Translation
from tests.instruments.suns import euvi_header, observer_cards, untrained_run
from tests.tfds_sdoml.sources.fits_files import Layout, write, write_aia, write_hmi
from tests.tfds_sdoml.sun_images import euv_image, field_image
from tfds_sdoml.sources.fits import Fits

SIZE = 64
SUN, FIELD = euv_image(100.0, SIZE), field_image(50.0, SIZE)
DISK = on_disk(sdoml_geometry(SIZE))
OBSERVER = observer_cards(20.0, 5.0)
LAYOUT = Layout(SIZE).header()


def compressed(path):
    with fits.open(path) as (image,):
        packed = fits.CompImageHDU(image.data, image.header, compression_type="GZIP_1", quantize_level=0)
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path, overwrite=True)


def repacked(pack):
    return lambda path: path.write_bytes(pack(path.read_bytes()))


CONTAINERS = {
    "plain": lambda path: None,
    "gzip": repacked(gzip.compress),
    "bzip2": repacked(bz2.compress),
    "compressed extension": compressed,
}
PLACES = {
    "upright": {},
    "turned by CROTA2": {"CROTA2": 180.0},
    "turned by CROTA": {"CROTA2": None, "CROTA": 30.0},
    "turned by PC": {"CROTA2": None, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
    "in degrees": {f"{key}{k}": LAYOUT[f"{key}{k}"] / 3600 for key in ("CDELT", "CRVAL") for k in (1, 2)}
    | {"CUNIT1": "deg", "CUNIT2": "deg"},
    "off by CRVAL": {"CRPIX1": 30.0, "CRVAL1": -2.5 * LAYOUT["CDELT1"]},
}


def write_euvi(path, image, BUNIT="DN", **cards):
    """Level 0 of EUVI: the bias of the camera and 16 s of exposure; photons are brought to DN by the one factor."""
    write(path, 725 + 16 * image, dict(euvi_header(SIZE)) | LAYOUT | {"RSUN": None, "BUNIT": BUNIT} | cards)


# How its files are written, their series, an image of the Sun, the units, and the factor from the image to the result.
INSTRUMENTS = {
    "AIA": (write_aia, "0171", SUN, {"DN": 1, "DN/s": 1, "counts": 1, "": 1}, 0.5),
    "EUVI": (write_euvi, "0171", SUN, {"DN": 1, "photon": 1, "counts": 1, "": 1}, None),
    "HMI": (write_hmi, "bz", FIELD, {"Gauss": 1, "T": 1e-4, "kG": 1e-3, "Mx/cm^2": 1}, 1.0),
}


def readers(path, series):
    """What each command makes of a file, in the geometry of 64 pixels."""
    run = untrained_run(SIZE, channels=("0171" if series == "bz" else series,))
    settings = Settings(direction="magnetogram_to_euv" if series == "bz" else "euv_to_magnetogram", samples=1)
    translation = Translation(run, settings)
    yield lambda: translation.load([observe(path)], [(path.name, "")]).image[..., 0]
    yield lambda: Fits(path.parent, SIZE).read(series, path.name)
    if series == "bz":
        yield lambda: read_magnetogram(path).field[0]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_same_pixels(tmp_path, instrument, place):
    """All containers and units of each instrument, under names that say nothing."""
    write_one, series, image, units, scale = INSTRUMENTS[instrument]
    for number, (container, (unit, factor)) in enumerate(zip(CONTAINERS.items(), units.items(), strict=True)):
        path = tmp_path / f"{number}.dat"
        write_one(path, (factor * image).astype(np.float32), BUNIT=unit, **OBSERVER, **PLACES[place])
        container[1](path)
        first, *others = (read() for read in readers(path, series))
        for other in others:
            np.testing.assert_array_equal(other[DISK], first[DISK])
        if place == "upright" and scale:
            expected = 2 * scale * image if unit == "DN/s" else scale * image
            np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-4)
        if place == "upright" and not scale:  # brought to AIA's quartiles
            np.testing.assert_allclose(first, image * np.median(first[DISK] / image[DISK]), rtol=1e-3, atol=0.1)


BAD = {
    "no radius": {"RSUN_OBS": None, "DSUN_OBS": None},
    "no centre": {"CRPIX2": None},
    "another projection": {"CTYPE1": "RA---TAN"},
    "another unit of angle": {"CUNIT1": "furlong"},
    "no size": {"CDELT1": 0.0},
    "another unit": {"BUNIT": "m/s"},
    "a cutout": {"CRPIX1": 5.0},
    "the Sun elsewhere": {"CRPIX1": 35.0},
}


@pytest.mark.parametrize("kind", [*BAD, "cut off", "text"])
@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_same_refusal(tmp_path, instrument, kind):
    write_one, series, image, *_ = INSTRUMENTS[instrument]
    path = tmp_path / "a.fits"
    write_one(path, image, **(OBSERVER | BAD.get(kind, {})))
    if kind == "cut off":
        path.write_bytes(path.read_bytes()[:10_000])
    if kind == "text":
        path.write_text("no image")
    refusals = set()
    for read in readers(path, series):
        with pytest.raises((FrameError, DataError)) as caught:
            read()
        refusals.add(str(caught.value).removeprefix(f"{path}: "))
    assert len(refusals) == 1


def made_of(read):
    try:
        return read()
    except (FrameError, DataError) as error:
        return re.sub(r"^/\S+: ", "", str(error))


def test_real_files_of_every_instrument(shared):
    """The same pixels, or the same refusal; corona reads magnetographs too that the networks do not know."""
    folders = [shared / "data" / name for name in ("fits", "instruments", "faults")]
    paths = [path for folder in folders for path in folder.rglob("*.f*ts*") if path.stat().st_size < 10e6]
    known = set()
    for path in paths:
        seen = made_of(lambda path=path: observe(path))
        if isinstance(seen, str):
            assert made_of(lambda path=path: Fits(path.parent, SIZE).read("0171", path.name)) == seen
            continue
        known.add(seen.telescope.name)
        first, second, *corona = [made_of(read) for read in readers(path, seen.series)]
        np.testing.assert_array_equal(second, first, err_msg=path.name)
        for field in corona:
            if not isinstance(first, str):
                how = Preparation(sdoml_geometry(len(field)))
                disk = on_disk(how.geometry)
                np.testing.assert_array_equal(prepare(seen, how).image[disk], field[disk])
    assert known >= {"AIA", "EUVI", "HMI"}


def test_another_instrument_is_refused_by_the_build_with_its_name(tmp_path):
    """EUVI, which translate takes, is of no dataset."""
    write_aia(tmp_path / "a.fits", SUN)
    write_euvi(tmp_path / "e.fits", SUN)
    (row,) = Fits(tmp_path, SIZE).listing("0171").rejected
    assert (row.place, row.reason) == ("e.fits", "instrument")
    assert re.match("EUVI: datasets are of AIA, HMI", row.detail)
