"""FITS files read into SDOML images: units, geometry, damage."""

import gzip
import pickle
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.telescopes import observe
from munit_jax.sun.disk import on_disk, sdoml_geometry
from tests.tfds_sdoml.sources.fits_files import Layout, seen, write_aia, write_hmi
from tests.tfds_sdoml.sun_images import euv_image, field_image
from tfds_sdoml.sources.fits import Fits

SIZE = 16
UNIFORM = np.full((SIZE, SIZE), 100.0, np.float32)
SUN = euv_image(100.0, 64)
DISK = on_disk(sdoml_geometry(SIZE))


def utc(*clock: int) -> int:
    return int(datetime(*clock, tzinfo=UTC).timestamp())


def read(folder: Path, name: str = "a.fits", series: str = "0171"):
    """An image as it is calibrated, before the checks that tell the Sun from these flat images."""
    seen = observe(folder / name)
    assert seen.series == series
    return seen.telescope.calibrate(seen, Preparation(sdoml_geometry(SIZE))).image


@pytest.mark.parametrize(
    "unit", ["DN/s", "DN/sec", "dn/(s pix)", "DN / s", "DN / (pix s)", "DN/pix/s", "DN s-1", "DN s^-1"]
)
def test_a_rate_is_not_divided_by_the_exposure(tmp_path, unit):
    write_aia(tmp_path / "a.fits", UNIFORM, BUNIT=unit)
    np.testing.assert_allclose(read(tmp_path), 100)


@pytest.mark.parametrize("unit", [None, "DN", "DN/pix", "counts", "DN / pixel"])
def test_counts_are_divided_by_the_exposure(tmp_path, unit):
    write_aia(tmp_path / "a.fits", UNIFORM, BUNIT=unit)
    image = read(tmp_path)
    np.testing.assert_allclose(image, 50)
    assert image.dtype == np.float32
    assert image.flags.writeable
    assert image.shape == (SIZE, SIZE)


@pytest.mark.parametrize("exptime", [None, 0.0, -1.0])
def test_an_image_without_an_exposure_is_an_error(tmp_path, exptime):
    write_aia(tmp_path / "a.fits", UNIFORM, exptime=exptime)
    with pytest.raises(FrameError, match=r"unreadable: .*EXPTIME"):
        read(tmp_path)


def test_the_same_sun_in_several_layouts_is_one_image(tmp_path):
    def scene(west, north):
        return 100 + 40 * np.cos(3 * west) * np.sin(2 * north + 1)

    layouts = [Layout(8 * SIZE), Layout(4 * SIZE, crota2=180.0), Layout(6 * SIZE, 36.0, (44.0, 50.5), crota2=30.0)]
    for i, layout in enumerate(layouts):
        write_aia(tmp_path / f"{i}.fits", seen(scene, layout), layout)
        write_hmi(tmp_path / f"{i}_hmi.fits", seen(scene, layout), layout)
    inside = on_disk(sdoml_geometry(SIZE), 0.95)
    images = [read(tmp_path, f"{i}.fits")[inside] for i in range(3)]
    fields = [read(tmp_path, f"{i}_hmi.fits", "bz")[inside] for i in range(3)]
    np.testing.assert_allclose(images, [images[0]] * 3, rtol=0.01)
    np.testing.assert_allclose(fields, 2 * np.array(images), rtol=1e-5)


def test_aia_is_not_negative_and_keeps_its_corona(tmp_path):
    image = np.where(DISK, -2.0, 6.0).astype(np.float32)
    write_aia(tmp_path / "a.fits", image)
    np.testing.assert_array_equal(read(tmp_path), np.where(DISK, 0, 3))


def test_the_field_is_gauss_and_zero_off_the_disk(tmp_path):
    image = np.where(DISK, -150.5, 7.0).astype(np.float32)
    write_hmi(tmp_path / "a.fits", image)
    np.testing.assert_allclose(read(tmp_path, series="bz"), np.where(DISK, -150.5, 0), rtol=1e-6)
    image[~DISK] = np.nan
    write_hmi(tmp_path / "b.fits", image)
    np.testing.assert_allclose(read(tmp_path, "b.fits", "bz"), np.where(DISK, -150.5, 0), rtol=1e-6)


@pytest.mark.parametrize("compressed", [False, True])
def test_blank_pixels_are_missing(tmp_path, compressed):
    image = np.where(DISK, 200, -32768).astype(np.int16)
    write_aia(tmp_path / "a.fits", image, compressed=compressed, BLANK=-32768)
    np.testing.assert_allclose(read(tmp_path), np.where(DISK, 100, 0))
    image[8, 8] = -32768
    write_aia(tmp_path / "b.fits", image, compressed=compressed, BLANK=-32768)
    with pytest.raises(FrameError, match="not finite: 1 pixels of the disk are missing"):
        read(tmp_path, "b.fits")


def test_blank_means_nothing_among_floats(tmp_path):
    write_aia(tmp_path / "a.fits", UNIFORM)
    raw = (tmp_path / "a.fits").read_bytes()
    card = b"BLANK   =               -32768".ljust(80)
    (tmp_path / "a.fits").write_bytes(raw.replace(b"EXTEND  =                    T".ljust(80), card))
    np.testing.assert_allclose(read(tmp_path), 50)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_an_image_that_is_cut_off_is_an_error(tmp_path, compressed, zipped):
    image = np.random.default_rng(0).integers(0, 1000, (128, 128)).astype(np.int32)
    write_aia(tmp_path / "whole.fits", image, compressed=compressed)
    raw = (tmp_path / "whole.fits").read_bytes()
    name = "a.fits.gz" if zipped else "a.fits"
    (tmp_path / name).write_bytes(gzip.compress(raw)[:-3000] if zipped else raw[: -len(raw) // 4])
    assert name in Fits(tmp_path, SIZE).listing("0171").places
    with pytest.raises(FrameError, match=r"unreadable: (the file is cut off: .* bytes|Compressed file ended)"):
        read(tmp_path, name)


@pytest.mark.parametrize("keyword", [b"NAXIS1  =", b"BITPIX  =", b"NAXIS   ="])
def test_a_damaged_file_costs_no_more_than_itself(tmp_path, keyword):
    write_aia(tmp_path / "good.fits", UNIFORM)
    raw = (tmp_path / "good.fits").read_bytes()
    (tmp_path / "bad.fits").write_bytes(raw.replace(keyword, b"BROKEN  ="))
    (tmp_path / "bad.fits.gz").write_bytes(gzip.compress(raw)[:20] + b"\xff" * 1000)
    source = Fits(tmp_path, SIZE)
    listing = source.listing("0171")
    assert "good.fits" in listing.places
    assert "bad.fits.gz" in [row.place for row in listing.rejected if row.reason == "unreadable"]
    for name in ("bad.fits", "bad.fits.gz"):
        with pytest.raises(FrameError, match=r"unreadable: ."):
            source.read("0171", name)


def test_a_file_that_has_gone_is_an_error(tmp_path):
    with pytest.raises(FrameError, match="unreadable: No such file"):
        read(tmp_path)


def test_a_header_without_a_disk_and_a_cutout_are_errors(tmp_path):
    write_aia(tmp_path / "a.fits", UNIFORM, CRPIX1=None)
    with pytest.raises(FrameError, match="unreadable: the header has no CRPIX1"):
        read(tmp_path)
    write_aia(tmp_path / "b.fits", UNIFORM, Layout(SIZE, centre=(2.0, 8.0)))
    with pytest.raises(
        FrameError, match=r"off-centre disk: .*centre 2, 8, radius 6 pixels.* not all in the image of 16"
    ):
        read(tmp_path, "b.fits")


TABLE = """\
DATE T_START T_STOP VER_NUM WAVE_STR WAVELNTH EFF_AREA EFF_WVLN EFFA_P1 EFFA_P2 EFFA_P3
2017-12-10T05:05:15.000 2010-03-24T00:00:00.000 2011-01-01T00:00:00.000 8 171_THIN 171 4.0 171.1 0.0 0.0 0.0
2017-12-10T05:05:16.000 2011-01-01T00:00:00.000 2012-01-01T00:00:00.000 8 171_THIN 171 3.0 171.1 -0.001 0.0 0.0
"""


def test_the_degradation_is_corrected_by_the_table(tmp_path):
    pytest.importorskip("aiapy", reason="aiapy is an optional package")
    (tmp_path / "table.txt").write_text(TABLE)
    write_aia(tmp_path / "a.fits", SUN, time="2011-04-11T12:00:00Z")
    write_aia(tmp_path / "late.fits", SUN, time="2015-04-11T12:00:00Z")
    source = Fits(tmp_path, 64, degradation_table=tmp_path / "table.txt")
    expected = SUN / 2 / (0.75 * (1 - 0.001 * 100.5))
    for copy in (source, pickle.loads(pickle.dumps(source))):
        np.testing.assert_allclose(copy.read("0171", "a.fits"), expected, rtol=1e-6)
    with pytest.raises(FrameError, match="its degradation is not known: No valid calibration epoch"):
        source.read("0171", "late.fits")
    (tmp_path / "other.txt").write_text("A B\n1 2\n")
    with pytest.raises(ValueError, match=r"other.txt: not a table of AIA's degradation"):
        Fits(tmp_path, degradation_table=tmp_path / "other.txt")


def test_the_factor_is_asked_for_once_a_channel_and_day(tmp_path, monkeypatch):
    asked = []

    def degradation(channel, time, correction_table, calibration_version):
        asked.append((channel.value, time.isot[:10], correction_table["VER_NUM"], calibration_version))
        return np.array([0.5])

    utilities, calibrate = ModuleType("aiapy.calibrate.utils"), ModuleType("aiapy.calibrate")
    vars(utilities)["get_correction_table"] = lambda path: {"VER_NUM": [9, 10]}
    vars(calibrate)["degradation"] = degradation
    for module in (ModuleType("aiapy"), calibrate, utilities):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    (tmp_path / "table.txt").write_text("")
    for hour in (0, 23):
        write_aia(tmp_path / f"{hour}.fits", SUN, time=f"2011-04-11T{hour:02d}:00:00Z")
    write_hmi(tmp_path / "hmi.fits", field_image(100.0, 64))
    source = Fits(tmp_path, 64, degradation_table=tmp_path / "table.txt")
    for hour in (0, 23):
        np.testing.assert_allclose(source.read("0171", f"{hour}.fits"), SUN, rtol=1e-6)
    source.read("bz", "hmi.fits")
    assert asked == [(171, "2011-04-11", [9, 10], 10)]


def test_a_table_that_is_absent_or_cannot_be_used_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"no file .*table.txt: give the table of AIA's degradation, or none"):
        Fits(tmp_path, degradation_table=tmp_path / "table.txt")
    (tmp_path / "table.txt").write_text(TABLE)
    monkeypatch.setitem(sys.modules, "aiapy.calibrate.utils", None)
    with pytest.raises(ValueError, match=r'needs the package aiapy: pip install "munit-jax\[solar\]"'):
        Fits(tmp_path, degradation_table=tmp_path / "table.txt")


def test_real_files_are_told_apart(shared):
    """Of these a quicklook image and a magnetogram with fewer filtergrams have harmless flags."""
    source = Fits(shared / "data" / "fits")
    listing = source.listing("0171")
    places = ("aia_171_level1.fits", "aia_20110319_105400_0171.fits", "secchi_l0_a.fits", "secchi_l0_b.fits")
    assert tuple(listing.places) == places
    assert listing.times.tolist()[:2] == [utc(2011, 2, 15, 0, 0, 1), utc(2011, 3, 19, 10, 54, 1)]
    # Carrington longitudes of the observers: STEREO A 87 degrees west of the Earth, B 94 degrees east.
    earth, _, ahead, behind = (view[1] for view in listing.views or ())
    assert (ahead - earth) % 360 == pytest.approx(87, abs=0.2)
    assert (earth - behind) % 360 == pytest.approx(94, abs=0.2)
    assert source.listing("bz").places == ["hmi_m_20111217_055810.fits"]
    others = {row.place: (row.series, row.reason) for row in listing.rejected}
    assert others == {"test_coadd_solar_map.fits": ("?", "instrument")}


def test_what_translate_refuses_is_rejected_by_the_build(tmp_path):
    bright = np.where(SUN > 50, 20_000 + SUN, SUN)
    lost = SUN.copy()
    lost[30:42, 30:42] = 0
    for name, image, reason in (
        ("saturated", bright, "saturated"),
        ("lost", lost, "missing blocks"),
        ("elsewhere", np.roll(SUN, 3, axis=1), "off-centre disk"),
    ):
        write_aia(tmp_path / f"{name}.fits", image)
        with pytest.raises(FrameError, match=f"^{reason}: "):
            Fits(tmp_path, 64).read("0171", f"{name}.fits")
    field = field_image(100.0, 64)
    for name, image, reason in (
        ("marked", np.where(field > 250, -9999.0, field), "unreadable: .* values such as -9999 G"),
        ("unsigned", np.abs(field), "unreadable: no value is negative"),
        ("off", np.roll(field, 2, axis=0), "off-centre disk: its limb is .* west and"),
    ):
        write_hmi(tmp_path / f"{name}.fits", image.astype(np.float32))
        with pytest.raises(FrameError, match=f"^{reason}"):
            Fits(tmp_path, 64).read("bz", f"{name}.fits")


def test_what_translate_warns_of_is_logged(tmp_path, caplog):
    layout = Layout(64, solar_radius=30.0)
    rho = np.hypot(*(np.indices((64, 64)) - 31.5)) / 30
    image = np.where(rho < 1, np.random.default_rng(0).uniform(80, 120, rho.shape), 10 * np.exp(-4 * rho))
    write_aia(tmp_path / "a.fits", image, layout)
    Fits(tmp_path, 64).read("0171", "a.fits")
    assert "a.fits: the image ends at 1.07 solar radii: the corona beyond is taken as dark" in caplog.messages


def test_the_limb_of_a_real_aia_image_is_at_sdomls_radius(shared):
    """At the limb the opaque Sun stops hiding half of the corona: the brightness has risen half-way to its peak."""
    image = Fits(shared / "data" / "fits").read("0171", "aia_20110319_105400_0171.fits")
    y, x = np.indices(image.shape) - 255.5
    radius, rings = np.hypot(x, y), np.arange(190, 215)
    limbs = []
    for part in (x + y > 0, x + y < 0, x > y, x < y):
        profile = np.array([np.median(image[part & (np.abs(radius - ring) < 0.5)]) for ring in rings])
        half = (profile.max() + profile[:5].mean()) / 2
        rise = slice(profile.argmax() + 1)
        limbs.append(np.interp(half, profile[rise], rings[rise]))
    assert np.mean(limbs) == pytest.approx(203.3, abs=1)
    np.testing.assert_allclose(limbs, 203.3, atol=2)  # the corona differs around the limb


def test_a_real_magnetogram_is_where_a_reference_library_has_it(shared):
    path = shared / "data" / "fits" / "hmi_m_20111217_055810.fits"
    image, geometry = Fits(path.parent).read("bz", path.name), sdoml_geometry(512)
    np.testing.assert_array_equal(image[~on_disk(geometry)], 0)
    header, field = fits.getheader(path, 1), np.nan_to_num(np.asarray(fits.getdata(path, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(header)
    y, x = np.nonzero(on_disk(geometry, 0.95))
    degrees = [(z - 255.5) / geometry.solar_radius * header["RSUN_OBS"] / 3600 for z in (x, y)]
    column, row = (np.rint(z).astype(int) for z in wcs.wcs_world2pix(*degrees, 0))
    reach = range(-4, 5)  # 9 of the 9.5 pixels that make a new one
    expected = np.mean([field[row + i, column + j] for i in reach for j in reach], axis=0)
    assert np.corrcoef(image[y, x], expected)[0, 1] > 0.995
    spot = np.argmax(np.abs(expected))
    assert spot == np.argmax(np.abs(image[y, x]))
    assert image[y[spot], x[spot]] == pytest.approx(expected[spot], rel=0.01)
