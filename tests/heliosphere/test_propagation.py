"""The wind by HUXt, in an environment that has it (Python 3.12.11 or newer): numba compiles for half a minute."""

import re
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from munit_jax.errors import DataError
from munit_jax.heliosphere.formats import write_netcdf, write_wsa
from munit_jax.heliosphere.streams import streams
from munit_jax.pfss.wind import WSA
from munit_jax.sun.ephemeris import carrington_rotation, earth_view
from tests.commands import call
from tests.heliosphere.winds import TIME, along, some_wind
from tests.pfss.suns import write_disk, write_synoptic

huxt = pytest.importorskip("huxt.huxt", reason="HUXt comes with the extra heliosphere and needs Python 3.12.11")

from munit_jax.heliosphere import propagation  # noqa: E402
from munit_jax.heliosphere.propagation import decelerated, track, wind_at, wind_map  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # those of HUXt and of what it imports
]
DAY = 86400
SOLAR_RADIUS_KM = 695700.0


@pytest.fixture(scope="module")
def earth():
    return track("earth", TIME)


def test_the_earth_is_where_our_ephemeris_has_it(earth):
    b0, _, distance = earth_view(TIME)
    assert earth.latitude[0] == pytest.approx(b0, abs=0.02)
    assert earth.radius[0] == pytest.approx(distance, rel=1e-4)
    np.testing.assert_allclose(earth.longitude, 0, atol=1e-9)
    assert np.diff(earth.times).tolist() == [3600] * (24 * 27)


def test_the_rotation_is_sunpy_s():
    from sunpy.coordinates import sun

    for date in ("2010-05-01", "2012-11-20T12:00", "2024-02-29T23:00"):
        time = int(np.datetime64(date, "s").astype(int))
        assert carrington_rotation(time) == pytest.approx(float(sun.carrington_rotation_number(date)), abs=3e-4)


@pytest.mark.parametrize("place", ["earth", "stereo_a", "stereo_b"])
@pytest.mark.parametrize("radius", [21.5, 30.0])
def test_a_constant_boundary_gives_constant_wind(place, radius):
    """WSA's speed is that at 215 solar radii, where the Earth is; STEREO is within a tenth of it."""
    made = wind_at(along(np.full(72, 400.0), radius), track(place, TIME))
    assert np.ptp(made.speed) < 0.5
    assert made.speed.mean() == pytest.approx(400, rel=2e-3)


@pytest.mark.parametrize("speed", [350.0, 600.0])
@pytest.mark.parametrize("longitude", [40.0, 300.0])
def test_a_stream_arrives_as_huxt_s_profile_has_it(earth, speed, longitude):
    """A bump so gentle that it does not steepen leaves over its longitude and moves with the wind around it."""
    lon = np.arange(1.0, 360, 2)
    away = (lon - longitude + 180) % 360 - 180
    made = wind_at(along(speed + 2 * np.exp(-((away / 12) ** 2))), earth)
    model = propagation._solve(along(np.full(180, speed)), np.full(180, speed), 1.0, (357.0, 3.0))
    profile = model.v_grid[-1, :, 0].value
    radii = model.r.to_value(u.km)
    within = radii < earth.radius.mean() * SOLAR_RADIUS_KM
    travel = np.trapezoid(1 / profile[within], radii[within]) / DAY
    leaves = ((earth_view(TIME)[1] - longitude) / 360 * 27.2753) % 27.2753  # days from TIME on
    arrives = [leaves + travel + turn * 27.2753 for turn in (-1, 0)]
    seen = (earth.times[np.argmax(made.speed[0])] - TIME) / DAY
    assert min(abs(seen - expected) for expected in arrives) < 3 / 24


def test_the_series_is_huxt_s_own_at_the_earth(earth):
    from huxt import huxt_analysis

    lon = np.arange(1.0, 360, 2)
    boundary = along(450 + 150 * np.sin(np.deg2rad(2 * lon)))
    made = wind_at(boundary, earth)
    model = propagation._solve(boundary, boundary.speed[0, 0], 5.0, (355.0, 5.0))
    theirs = huxt_analysis.get_observer_timeseries(model, "Earth")
    seconds = (theirs["mjd"].to_numpy() - 40587) * DAY
    ours = np.interp(seconds, earth.times, made.speed[0])
    np.testing.assert_allclose(ours, theirs["vsw"], atol=6)  # theirs is of the nearest radius, within half a step


def test_a_faster_stream_is_found_where_it_is(earth):
    lon = np.arange(1.0, 360, 2)
    slow_then_fast = np.where((lon > 100) & (lon < 160), 650.0, 350.0)
    (stream,) = streams(earth.times, wind_at(along(slow_then_fast), earth).speed[0])
    assert 550 < stream.peak < 660


def test_the_map_at_the_earth_is_the_series(earth):
    lon = np.arange(1.0, 360, 2)
    boundary = along(450 + 150 * np.sin(np.deg2rad(2 * lon)))
    plane = wind_map(boundary, 0.0)
    assert plane.speed.shape == (1, len(plane.radii), 128)
    row = np.interp(earth.radius[0], plane.radii, np.arange(len(plane.radii)))
    near = plane.speed[0, round(row), [0, -1]].mean()  # half a step west and east of the Earth
    assert near == pytest.approx(wind_at(boundary, earth).speed[0, 0], abs=8)


def test_the_deceleration_is_huxt_s():
    from huxt import huxt_inputs

    speed = np.array([300.0, 700.0])
    theirs, _ = huxt_inputs.map_v_inwards(speed * u.km / u.s, 215 * u.solRad, np.zeros(2) * u.rad, 21.5 * u.solRad)
    np.testing.assert_allclose(decelerated(speed, 21.5), theirs.value, rtol=1e-9)


def test_huxt_reads_our_files_as_they_were_written(tmp_path):
    from huxt import huxt_inputs

    boundary = some_wind()
    write_wsa(tmp_path / "a.fits", boundary, 0)
    speed, longitudes, latitudes, field, *_, rotation = huxt_inputs.get_WSA_maps(str(tmp_path / "a.fits"))
    np.testing.assert_array_equal(speed.value, boundary.speed[0].astype(np.float32))
    np.testing.assert_array_equal(field, (boundary.field[0] * 1e5).astype(np.float32))
    np.testing.assert_allclose(longitudes.to_value(u.deg), boundary.grid.longitudes)
    np.testing.assert_allclose(latitudes.to_value(u.deg), boundary.grid.latitudes, atol=1e-9)
    assert rotation == 2130
    write_netcdf(tmp_path / "a.nc", boundary, 0)
    speed, longitudes, latitudes, field, *_ = huxt_inputs.get_PFSS_maps(str(tmp_path / "a.nc"))
    np.testing.assert_array_equal(speed.value, boundary.speed[0])
    np.testing.assert_array_equal(field, boundary.field[0])
    np.testing.assert_allclose(longitudes.to_value(u.deg), boundary.grid.longitudes)
    np.testing.assert_allclose(latitudes.to_value(u.deg), boundary.grid.latitudes)
    along_equator = huxt_inputs.get_WSA_long_profile(str(tmp_path / "a.fits"), lat=10 * u.deg).value
    np.testing.assert_allclose(along_equator, boundary.speed_along(10.0)[0], rtol=1e-6)


def test_the_coefficients_are_those_of_a_file_of_wsa():
    """The equation in the header of one that comes with HUXt; its width is the step of its grid, ours 1 degree."""
    name = Path(str(huxt.__file__)).parent / "data" / "example_inputs" / "wsa_gong_2024050906.fits"
    header = fits.getheader(name)
    numbers = [float(number) for number in re.findall(r"\d+\.\d+", header["VELEQN"])]
    ours = WSA["swig-wsa2"]
    expected = [
        ours.slow,
        ours.fast,
        1,
        ours.expansion_power,
        1,
        ours.depth,
        header["GRID"],
        ours.width_power,
        ours.power,
    ]
    assert numbers == pytest.approx(expected, abs=1e-5)


def test_from_a_map_to_the_earth_by_one_command(tmp_path):
    write_synoptic(tmp_path / "gong.fits", rows=72)
    write_disk(tmp_path / "a.fits", 20.0, realisations=3)
    flags = ("--magnetogram=a.fits", "--background=gong.fits", "--output=out", "--rows=36", "--lmax=12")
    result = call("corona", tmp_path, *flags, "--earth=earth,stereo_b")
    assert result.returncode == 0, result.stderr
    out = tmp_path / "out"
    made = {f"wind_{place}.{ending}" for place in ("earth", "stereo_b") for ending in ("csv", "fits")}
    assert {*made, "wind.png", "ecliptic.png", "streams.csv"} <= {path.name for path in out.iterdir()}
    table = Table.read(out / "wind_earth.fits")
    assert len(table) == 24 * 27 + 1
    each = np.stack([table[f"r{k:03d}"] for k in range(3)])
    assert 280 < each.min() < each.max() < 285 + 625
    assert np.ptp(each, axis=1).min() > 20
    np.testing.assert_allclose(table["median"], np.median(each, axis=0), atol=0.011)
    assert str(table["time"][0]).startswith("2011-02-15T00:0")
    again = Table.read(out / "wind_earth.csv")
    np.testing.assert_allclose(again["median"], table["median"])


def test_a_spacecraft_that_was_not_there_is_refused():
    with pytest.raises(DataError, match=r"does not have solar_orbiter from 2012-11-20 to 2012-12-17: leave it out"):
        track("solar_orbiter", TIME)
