"""Inputs as users have them on which programs of this kind went wrong: each is right now, or refused by name."""

import shutil

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.command_line import matching
from munit_jax.errors import DataError
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import time_of
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.reading import files_below
from munit_jax.instruments.registration import solar_disk
from munit_jax.instruments.telescopes import observe, prepare
from munit_jax.pfss.disk_magnetograms import read_magnetogram
from munit_jax.pfss.ensemble import on_grid
from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.synoptic_maps import read_synoptic, synoptic_map
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.translation.settings import Settings
from munit_jax.translation.translate_files import translate_files
from munit_jax.translation.translation import Translation
from tests.commands import call
from tests.instruments.suns import aia_header, rate, untrained_run, write, write_aia
from tests.tfds_sdoml.sources.fits_files import write_hmi
from tfds_sdoml.sources.fits import Fits

GRID = Grid(36, 72)


@pytest.fixture
def faults(shared):
    return shared / "data" / "faults"


@pytest.fixture(scope="module")
def gong(request):
    shared = request.getfixturevalue("shared")
    return read_synoptic(shared / "data" / "synoptic" / "gong_20190310.fits")


@pytest.mark.parametrize("name", ["s01_tesla", "s03_mT", "s04_kG", "s05_uT", "s08_10G"])
def test_1_units_of_a_synoptic_map_are_converted(faults, gong, name):
    field = read_synoptic(faults / f"{name}.fits").field
    np.testing.assert_allclose(field, gong.field, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s11_velocity.fits", "unit: BUNIT = 'm/s', expected a magnetic field in G, T or Mx/cm"),
        ("s28_nan_poles_10pc.fits", "values are not finite, the first in row"),
        ("s33_9999_no_key.fits", "values such as -9999 G, which no place on the Sun has"),
        ("s35_sentinel_inside.fits", "values such as -32768 G, which no place on the Sun has"),
        ("s44_cut.fits", "the file is cut off: 141,"),
        ("s54_wso.txt", "29 numbers at longitude 360, expected 30"),
        ("s59_flux_std_count.fits.gz", "3 layers, and no card marks them as realisations"),
    ],
)
def test_1_14_15_17_34_a_map_that_cannot_be_right_is_refused_by_name(faults, name, message):
    with pytest.raises(DataError, match=message):
        read_synoptic(faults / name)


def test_16_rows_of_colatitudes_are_turned(faults, gong):
    ours, theirs = (on_grid(one, GRID)[0] for one in (read_synoptic(faults / "s22_colat.fits"), gong))
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("name", ["synthetic_header_as_is", "synthetic_cdelt2_right"])
def test_27_the_rows_of_mdi_are_of_equal_area_though_cdelt2_is_wrong(shared, name):
    whole = read_synoptic(shared / "data" / "instruments" / "mdi_synoptic_small" / f"{name}.fits.gz")
    np.testing.assert_allclose(np.diff(whole.cells.sines), 2 / 180)


def test_r1_an_adapt_map_out_of_carrington_s_frame_has_its_edge_in_a_card(shared):
    (path,) = (shared / "data" / "instruments" / "adapt").glob("*.fits")
    header, data = fits.getheader(path), fits.getdata(path)
    assert synoptic_map(header, data).cells.longitudes[0] == pytest.approx(0)
    header["LNGTYPE"], header["CRLNGEDG"] = 1, 137.0
    assert synoptic_map(header, data).cells.longitudes[0] == pytest.approx(137)


def test_r2_maps_of_one_day_have_their_time_of_day(gong):
    assert gong.date == "2019-03-10T00:14:00"


def test_r3_a_field_strength_is_refused(shared):
    path = shared / "data" / "synoptic" / "gong_20190310.fits"
    header = fits.getheader(path)
    header["BTYPE"] = "Magnetic Field Strength"
    with pytest.raises(DataError, match=r"no value is negative \(BTYPE = 'Magnetic Field Strength'\)"):
        synoptic_map(header, np.abs(fits.getdata(path)))


FACTORS = {"T": 1e-4, "mT": 0.1, "kG": 1e-3, "Gauss": 1, "GAUSS": 1, "10 G": 0.1, "microtesla": 100}
FACTORS |= {"Mx/cm^2": 1, "Mx / cm2": 1, "Mx cm-2": 1, "Mx/cm**2": 1}


@pytest.mark.parametrize(("unit", "factor"), FACTORS.items())
def test_3_4_units_of_a_magnetogram_are_converted_by_all_readers(tmp_path, unit, factor):
    gauss = np.random.default_rng(0).normal(0, 50, (64, 64))
    write_hmi(tmp_path / "gauss.fits", gauss)
    write_hmi(tmp_path / "other.fits", factor * gauss, BUNIT=unit)
    how = Preparation(sdoml_geometry(64))
    source = Fits(tmp_path, 64)
    for read in (
        lambda path: prepare(observe(path), how).image,
        lambda path: source.read("bz", path.name),
        lambda path: read_magnetogram(path).field,
    ):
        one, other = (read(tmp_path / name) for name in ("gauss.fits", "other.fits"))
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-3)


def test_5_a_turn_by_crota_alone_is_that_of_crota2(faults):
    header = fits.getheader(faults / "y05_crota_only.fits")
    turned = header.copy()
    turned["CROTA2"] = turned.pop("CROTA")
    for one, other in ((header, turned), (header, fits.getheader(faults / "y01_euvi_a.fits"))):
        np.testing.assert_allclose(solar_disk(one).pixels, solar_disk(other).pixels, rtol=2e-3, atol=1e-2)


@pytest.mark.parametrize("name", ["euvi_lost_block_16", "euvi_lost_corner_4rows", "y07_masked_corners_0"])
def test_10_lost_pixels_do_not_decide_the_bias(faults, name):
    how = Preparation(sdoml_geometry(64), [_reference()])
    whole, lost = (prepare(observe(faults / f"{which}.fits"), how) for which in ("y01_euvi_a", name))
    ours, theirs = ({key: value for key, value, _ in one.treatment} for one in (lost, whole))
    assert ours["MJBIAS"] == pytest.approx(725.242)
    assert ours["MJGAIN"] == pytest.approx(theirs["MJGAIN"], rel=1e-3)
    np.testing.assert_allclose(lost.image[16:48, 16:48], whole.image[16:48, 16:48], rtol=1e-2, atol=1)


def _reference():
    from munit_jax.instruments.calibration import Reference

    return Reference("0193", None, (80.0, 120.0, 200.0), "by hand")


def test_11_26_times_in_tai_before_2009_and_by_timesys():
    card = {"T_OBS": "2003.01.01_00:00:32_TAI"}
    assert time_of(card) == time_of({"DATE-OBS": "2003-01-01T00:00:00"})
    assert time_of({"DATE-OBS": "2003-01-01T00:00:32", "TIMESYS": "TAI"}) == time_of(card)
    assert time_of({"DATE-OBS": "2025/01/09", "TIME-OBS": "12:00:18", "TIMESYS": "GPS"}) == time_of(
        {"DATE-OBS": "2025-01-09T12:00:00"}
    )


@pytest.fixture
def trained_like(monkeypatch):
    """A run that knows how bright the disks of its training were."""
    run = untrained_run(64)
    run.disk_percentiles["0171"] = {"25": 120.0, "50": 150.0, "75": 180.0}  # pyright: ignore[reportIndexIssue]
    return run


WRONG = {
    "log10": lambda x: np.log10(np.maximum(x, 1)),
    "z-score": lambda x: (x - x.mean()) / x.std(),
    "thousandth": lambda x: x / 1000,
    "negative": lambda x: -x,
    "exposure in ms": lambda x: x,
}


@pytest.mark.parametrize("kind", WRONG)
def test_12_brightness_unlike_the_training_is_refused_or_warned_of(identity, trained_like, tmp_path, kind):
    header = aia_header(64, EXPTIME=2000.0 if kind == "exposure in ms" else 2.0)
    image = WRONG[kind](2.0 * rate(header, (64, 64)))
    path = write(tmp_path / "a.fits", image, header)
    (row,) = translate_files(Translation(trained_like, Settings(samples=1)), [path], tmp_path / "out")
    assert row.status == "refused"
    assert row.reason in ("unlike the training", "constant", "off-disk level")
    if row.reason == "unlike the training":
        assert "--force translates it nevertheless" in row.detail
        (row,) = translate_files(Translation(trained_like, Settings(samples=1, force=True)), [path], tmp_path / "out")
        assert (row.status, row.reason) == ("written", "warning")
        assert "times those of the run's images" in row.detail
        assert fits.getheader(tmp_path / "out" / row.output)["MJWARN1"].startswith("the quartiles of its disk are")


def test_12_a_good_image_is_neither(identity, trained_like, tmp_path):
    path = write_aia(tmp_path / "a.fits")
    (row,) = translate_files(Translation(trained_like, Settings(samples=1)), [path], tmp_path / "out")
    assert (row.status, row.reason, row.detail) == ("written", "", "")
    header = aia_header(64, BUNIT="K")
    path = write(tmp_path / "k.fits", rate(header, (64, 64)), header)
    (row,) = translate_files(Translation(trained_like, Settings(samples=1)), [path], tmp_path / "out")
    assert (row.status, row.reason, row.detail) == ("refused", "unit", "BUNIT = 'K', expected DN or DN/s")


def test_12_an_exposure_in_milliseconds_that_says_so_is_read():
    header = aia_header(64)
    header["EXPTIME"] = (2000.0, "[ms] exposure")
    from munit_jax.instruments.headers import exposure

    assert exposure(header) == pytest.approx(2.0)


def test_14_a_marker_in_a_magnetogram_is_refused(tmp_path):
    field = np.random.default_rng(0).normal(0, 50, (256, 256))
    field[100, 120] = -9999
    write_hmi(tmp_path / "a.fits", field)
    with pytest.raises(DataError, match="1 values such as -9999 G, which no place on the Sun has"):
        read_magnetogram(tmp_path / "a.fits")
    with pytest.raises(FrameError, match="1 values such as -9999 G"):
        prepare(observe(tmp_path / "a.fits"), Preparation(sdoml_geometry(64)))


@pytest.mark.parametrize(
    "units", [("arcsecs", "ARCSEC"), ("degree", "deg"), ("rad", "arcsec"), ("arcsec", "deg"), ("", "")]
)
def test_30_each_axis_has_its_own_unit_in_all_spellings(units):
    header, expected = aia_header(64, CROTA2=20.0), solar_disk(aia_header(64, CROTA2=20.0))
    per_arcsec = {"degree": 1 / 3600, "deg": 1 / 3600, "rad": np.pi / 648000}
    for axis, unit in enumerate(units, 1):
        for card in ("CDELT", "CRVAL"):
            header[f"{card}{axis}"] *= per_arcsec.get(unit, 1)
        header[f"CUNIT{axis}"] = unit
    np.testing.assert_allclose(solar_disk(header).pixels, expected.pixels, rtol=1e-9, atol=1e-9)


def test_32_33_38_links_equal_names_and_suffixes(identity, trained_like, tmp_path):
    for folder in ("x", "y"):
        write_aia(tmp_path / folder / "a.fits")
    shutil.copy(tmp_path / "x" / "a.fits", tmp_path / "b.fits.fz")
    (tmp_path / "gone.fits").symlink_to(tmp_path / "nowhere.fits")
    paths = [tmp_path / "x" / "a.fits", tmp_path / "y" / "a.fits", tmp_path / "b.fits.fz", tmp_path / "gone.fits"]
    rows = translate_files(Translation(trained_like, Settings(samples=1)), paths, tmp_path / "out")
    assert [row.output for row in rows] == ["x/a_magnetogram.fits", "y/a_magnetogram.fits", "b_magnetogram.fits", ""]
    assert all((tmp_path / "out" / row.output).is_file() for row in rows[:3])
    assert (rows[3].status, rows[3].detail) == ("refused", "No such file or directory")
    missing = call("translate", tmp_path, "--workdir=run", "--output=out", "--input=gone*.fits")
    assert "no file matches" not in missing.stderr, "a link that leads nowhere is a file to be refused"


def test_32_a_folder_is_an_input_and_circles_of_links_are_walked_once(tmp_path):
    write_aia(tmp_path / "in" / "below" / "a.fits")
    (tmp_path / "in" / "below" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / ".hidden").write_text("")
    (tmp_path / "in" / "gone.fits").symlink_to(tmp_path / "nowhere")
    expected = [tmp_path / "in" / name for name in (".hidden", "below/a.fits", "gone.fits")]
    assert matching("input", [str(tmp_path / "in")], files_below) == expected
    assert matching("input", [str(tmp_path / "in" / "**")]) == expected[1:]


@pytest.mark.parametrize("name", ["a.fits.fz", "a.fts.gz", "a.fit.bz2", "a", "a.dat"])
def test_8_the_build_finds_files_by_what_they_hold(tmp_path, name):
    import bz2
    import gzip

    write_aia(tmp_path / "plain.fits")
    content = (tmp_path / "plain.fits").read_bytes()
    packed = {".gz": gzip.compress, ".bz2": bz2.compress}.get("." + name.rpartition(".")[2], lambda x: x)(content)
    (tmp_path / name).write_bytes(packed)
    source = Fits(tmp_path, 16)
    assert sorted(source.listing("0171").places) == sorted(["plain.fits", name])
    np.testing.assert_array_equal(source.read("0171", name), source.read("0171", "plain.fits"))


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"EXPTIME": "none"}, "no EXPTIME that is a number: how long the exposure was cannot be known"),
        ({"EXPTIME": None}, "no EXPTIME or XPOSURE that is a number: how long the exposure was cannot be known"),
        ({"WAVELNTH": 19.3}, "SDO/AIA AIA_3 19.3: not an image of AIA, EUVI, EUI FSI, .*, PHI FDT that can be used"),
        ({"CTYPE1": "RA---TAN"}, "CTYPE1 = 'RA---TAN', expected helioprojective"),
        ({"CUNIT2": "furlong"}, "CUNIT2 = 'furlong', expected an angle"),
    ],
)
def test_34_messages_name_the_card(tmp_path, cards, message):
    header = aia_header(64, **cards)
    path = write(tmp_path / "a.fits", rate(aia_header(64), (64, 64)), header)
    with pytest.raises(FrameError, match=message):
        prepare(observe(path), Preparation(sdoml_geometry(64)))


def test_34_a_zero_level_that_cannot_be_known_is_named(faults):
    with pytest.raises(FrameError, match="no BIASMEAN that is a number: its zero level cannot be known"):
        prepare(observe(faults / "y04_no_biasmean.fits"), Preparation(sdoml_geometry(64), [_reference()]))


def test_34_a_wavelength_in_nanometres_is_read(tmp_path):
    header = aia_header(64, WAVELNTH=19.3, WAVEUNIT="nm")
    assert observe(write(tmp_path / "a.fits", rate(header, (64, 64)), header)).series == "0193"


def test_42_an_image_that_does_not_fit_into_memory_is_refused_before_it_is_read(tmp_path):
    header = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": 2_000_000, "NAXIS2": 1_000_000})
    (tmp_path / "a.fits").write_bytes(header.tostring().encode())
    with pytest.raises(FrameError, match=r"takes about 144000 GB of memory and the machine has \d+: bin the image"):
        observe(tmp_path / "a.fits")


def test_43_an_image_that_ends_close_to_the_limb_is_warned_of(tmp_path):
    header = aia_header(64, radius=31.0)
    path = write(tmp_path / "a.fits", 2 * rate(header, (64, 64)), header)
    (warning,) = prepare(observe(path), Preparation(sdoml_geometry(64))).warnings
    assert warning == "the image ends at 1.03 solar radii: the corona beyond is taken as dark"


def test_r4_the_middle_of_the_exposure_comes_before_its_start():
    cards = {"DATE-OBS": "2022-04-01T09:00:00", "DATE-AVG": "2022-04-01T09:00:05"}
    assert time_of(cards) == time_of({"DATE-OBS": cards["DATE-AVG"]})
