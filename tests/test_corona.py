"""The command as users call it: exit codes, messages and what it writes."""

import json
import sys

import numpy as np
import pytest
from astropy.io import fits

from tests.commands import call
from tests.pfss.suns import write_disk, write_synoptic

pytestmark = pytest.mark.optimized

MAPS = {"boundary", "source_surface", "open_field", "wind_speed", "expansion_factor"}
SHEET_MAPS = {"wind_speed_21.5", "radial_field_21.5"}
PICTURES = {"boundary", "source_surface", "open_field", "wind_speed", "field_lines"}
SMALL = ("--rows=18", "--lmax=8")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "give either --magnetogram=FILES with --background=FILE, or --synoptic=FILE"),
        (("--magnetogram=*.fits", "--synoptic=a.fits"), "give either --magnetogram"),
        (("--magnetogram=*.fits",), "no background: give --background=FILE, a synoptic map, or --background=none"),
        (("--synoptic=a.fits",), "no output: give --output=FOLDER"),
        (("--synoptic=a.fits", "--output=out"), "no file a.fits"),
        (("--magnetogram=*.fits", "--background=none", "--output=out"), "no file matches --magnetogram='*.fits'"),
        (("--synoptic=a.fits", "--insertion=both", "--output=out"), "--insertion=both is for magnetograms"),
        (("--insertion=some",), "should be one of <as_is|flux_matched|both>"),
        (("--earth=mars",), "'mars' should be one of earth, stereo_a, stereo_b, solar_orbiter"),
        (("--inner_boundary=wsa,enlil",), "'enlil' should be one of wsa, netcdf, csv, euhforia"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(flags, message, tmp_path):
    result = call("corona", tmp_path, *flags)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--lmax=99",), "lmax = 99 on 18 x 36 cells: expected 1 to 8"),
        (("--rss=22", "--current_sheet"), "--current_sheet ends at 21.5 solar radii, --rss=22.0 is not below"),
        (("--rss=29", "--sheet_end=28", "--inner_boundary"), "--current_sheet ends at 28.0 solar radii"),
        (("--sheet_end=60", "--current_sheet"), "--sheet_end=60.0: expected 5 to 50 solar radii"),
        (("--wind=gentle",), "--wind=gentle: expected swig-wsa2 or swig-wsa"),
    ],
)
def test_a_setting_that_cannot_work(flags, message, tmp_path):
    write_synoptic(tmp_path / "a.fits")
    result = call("corona", tmp_path, "--synoptic=a.fits", "--output=out", *SMALL, *flags)
    assert result.returncode == 2
    assert message in result.stderr


def test_a_synoptic_map(tmp_path):
    write_synoptic(tmp_path / "gong.fits", rows=72)
    result = call("corona", tmp_path, "--synoptic=gong.fits", "--output=out", "--current_sheet", *SMALL)
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out"
    names = {f"{name}.fits" for name in MAPS | SHEET_MAPS} | {f"{name}.png" for name in PICTURES} | {"corona.json"}
    assert {path.name for path in out.iterdir()} == names
    content = json.loads((out / "corona.json").read_text())
    assert content["grid"] == [18, 36]
    assert (content["lmax"], content["rss"], content["seed_radius"]) == (8, 2.5, 1.0)
    assert content["date"] == "2011-02-15"
    assert abs(content["self_check"]) < 0.05  # in cells of 10 degrees
    assert 0.1 < content["open_area_fraction"] < 0.5
    assert content["monopole_gauss"] == pytest.approx(0, abs=0.05)
    assert content["realisations"] == 1
    assert "spread" not in content
    with fits.open(out / "open_field.fits") as hdus:
        header, polarity = hdus[0].header, hdus[0].data
        assert len(hdus) == 1
    assert (header["CTYPE1"], header["CRVAL1"], header["CDELT1"]) == ("CRLN-CAR", 180.0, 10.0)
    assert set(np.unique(polarity)) == {-1, 0, 1}
    assert (polarity[-1] == 1).all()
    wind = fits.getdata(out / "wind_speed.fits")
    assert np.isfinite(wind).all()
    assert 280 < wind.min() < wind.max() < 911


def test_files_for_models_of_the_heliosphere_without_huxt(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huxt", None)  # to import it is an error
    write_synoptic(tmp_path / "gong.fits", rows=72)
    flags = ("--inner_boundary=wsa,netcdf,csv,euhforia", "--sheet_end=30", "--nofigures", *SMALL)
    result = call("corona", tmp_path, "--synoptic=gong.fits", "--output=out", *flags)
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out"
    assert {path.name for path in (out / "boundary").iterdir()} == {
        f"R000.{x}" for x in ("wsa.fits", "nc", "csv", "dat")
    }
    with fits.open(out / "boundary" / "R000.wsa.fits") as hdus:
        assert hdus[0].header["RADOUT"] == 30
        np.testing.assert_allclose(hdus[0].data[1], fits.getdata(out / "wind_speed_30.fits"), rtol=1e-6)


def test_the_earth_needs_huxt_which_is_said_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr("munit_jax.heliosphere.choices.find_spec", lambda _: None)
    write_synoptic(tmp_path / "gong.fits")
    result = call("corona", tmp_path, "--synoptic=gong.fits", "--output=out", "--earth", *SMALL)
    assert result.returncode == 2
    assert result.stderr.startswith("error: the wind at the Earth needs HUXt")
    assert not (tmp_path / "out").exists()


def test_realisations_of_two_vantage_points_in_both_ways(tmp_path):
    write_synoptic(tmp_path / "gong.fits")
    write_disk(tmp_path / "a.fits", 20.0, realisations=2)
    write_disk(tmp_path / "b.fits", 110.0, realisations=2)
    flags = (
        "--magnetogram=[ab].fits",
        "--background=gong.fits",
        "--insertion=both",
        "--output=out",
        "--nofigures",
    )
    result = call("corona", tmp_path, *flags, *SMALL)
    assert result.returncode == 0, result.stderr
    for folder, insertion in ((tmp_path / "out", "as_is"), (tmp_path / "out" / "flux_matched", "flux_matched")):
        content = json.loads((folder / "corona.json").read_text())
        assert content["insertion"] == insertion
        assert content["realisations"] == 2
        each = content["each"]["open_flux_mx"]
        assert content["open_flux_mx"] == pytest.approx(np.mean(each))
        assert content["spread"]["open_flux_mx"] == pytest.approx(np.std(each))
        assert each[1] > each[0]  # the second is 1.1 times the first
        with fits.open(folder / "boundary.fits") as hdus:
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "STD", "REALISATIONS"]
            assert hdus[0].header["INSERT"] == insertion
            assert hdus[2].data.shape == (2, 18, 36)
