"""SUVI's level 1b as it comes: with a CONTINUE card that cannot be parsed, and as netCDF."""

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.instruments.calibration import Reference
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.telescopes import identify, observe, prepare
from munit_jax.sun.disk import on_disk, sdoml_geometry
from tests.instruments.suns import AU, RSUN, grid_cards, rate

SIZE = 64
HOW = Preparation(sdoml_geometry(SIZE), [Reference("0171", None, (300.0, 300.0, 300.0), "made up")])
SHOWN = on_disk(HOW.geometry, 0.9)
CARDS = {
    "TELESCOP": "G16",
    "INSTRUME": "GOES-R Series Solar Ultraviolet Imager",
    "WAVELNTH": 171.0,
    "WAVEUNIT": "angstrom",
    "BUNIT": "W m-2 sr-1",
    "EXPTIME": 1.0,
    "DATE-OBS": "2021-12-31T00:06:10.822",
    "HGLN_OBS": 0.0,
    "HGLT_OBS": -2.9,
    "DSUN_OBS": AU,
    "RSUN": 51.2,  # pixels
    "ECLIPSE": 0,
}


def header():
    return fits.Header({**CARDS, **grid_cards(128, 0.4 * 128, AU)})


def radiance():
    return (rate(header(), (128, 128)) / 500).astype(np.float32)


def check(path):
    assert identify(path)[1:] == (observe(path).telescope, "0171")
    seen = observe(path)
    assert seen.disk.radius == pytest.approx(51.2, rel=1e-3)
    assert prepare(seen, HOW).image[SHOWN].mean() == pytest.approx(300, rel=0.02)
    assert seen.header["DATE-OBS"].startswith("2021-12-31T00:06:10.8")


def test_a_continue_card_that_cannot_be_parsed_does_no_harm(tmp_path):
    path = tmp_path / "a.fits"
    broken = header()
    broken["LONGKEY"] = "x" * 60
    broken["DUMMY"] = "y"
    fits.PrimaryHDU(radiance(), broken).writeto(path)
    content = path.read_bytes()
    card = next(content[k : k + 80] for k in range(0, len(content), 80) if content[k : k + 5] == b"DUMMY")
    path.write_bytes(content.replace(card, b"CONTINUE   this_is_not_quoted".ljust(80)))
    with fits.open(path) as units, pytest.raises(fits.VerifyError):
        units.verify("exception")
    check(path)


def write_netcdf(path):
    h5py = pytest.importorskip("h5py", reason="h5py comes with the extra `solar`")
    packed = np.round((radiance() + 0.1) / 1e-4).astype(np.int16)
    packed[0, 0] = -1
    with h5py.File(path, "w") as file:
        rad = file.create_dataset("RAD", data=packed)
        fill = {"_FillValue": np.int16([-1]), "scale_factor": np.float32([1e-4]), "add_offset": np.float32([-0.1])}
        rad.attrs.update({**fill, "units": np.bytes_("W m-2 sr-1")})
        for key, value in header().items():
            if key == "DATE-OBS":
                value = (np.datetime64(value) - np.datetime64("2000-01-01T12:00:00")) / np.timedelta64(1, "s")
            if key not in ("TELESCOP", "INSTRUME", "BUNIT"):
                file[key] = np.array(list(value), "S1") if isinstance(value, str) else value
        file.attrs["platform_ID"], file.attrs["instrument_type"] = np.bytes_("G16"), np.bytes_(CARDS["INSTRUME"])


def test_netcdf_is_read_as_fits_is(tmp_path):
    write_netcdf(tmp_path / "a.nc")
    check(tmp_path / "a.nc")
    assert np.isnan(observe(tmp_path / "a.nc").image[0, 0])


def test_other_hdf5_is_refused(tmp_path):
    path = tmp_path / "a.nc"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(FrameError, match=r"unreadable: (netCDF needs h5py|HDF5, but not SUVI's level 1b)"):
        observe(path)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"ECLIPSE": 2}, "quality: ECLIPSE = 2"),
        ({"EMPTY": True}, "quality: EMPTY = T"),
        ({"WAVELNTH": 284.0}, "SUVI 284: of SUVI's channels 171, 195, 304 have one of AIA like it"),
        ({"BUNIT": "DN"}, "unit: BUNIT = 'DN', expected a radiance"),
        ({"SAT_PIX": 1000}, r"saturated: SAT_PIX: 6\.1% of the image"),
        ({"DSUN_OBS": None}, "the header has no solar radius"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, cards, message):
    changed = header()
    for key, value in cards.items():
        changed[key] = value
        if value is None:
            del changed[key]
    fits.PrimaryHDU(radiance(), changed).writeto(tmp_path / "a.fits")
    with pytest.raises(FrameError, match=message):
        prepare(observe(tmp_path / "a.fits"), HOW)


def test_the_radius_is_that_of_the_distance(tmp_path):
    fits.PrimaryHDU(radiance(), header()).writeto(tmp_path / "a.fits")
    seen = observe(tmp_path / "a.fits")
    assert "RSUN" not in seen.header
    assert seen.header["RSUN_REF"] == RSUN
