import sys

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.errors import DataError
from munit_jax.pfss.remesh import car_cells
from munit_jax.pfss.synoptic_maps import _whole, fill_poles, read_synoptic, synoptic_map

ADAPT = {
    "MODEL": "ADAPT",
    "MAPTIME": "2020-01-01T00:00:00",
    "MISSING": -9999.0,
    "CTYPE1": "Long",
    "CTYPE2": "Lat",
    "CRPIX1": 18.5,
    "CRPIX2": 9.5,
    "CRVAL1": 180.0,
    "CRVAL2": 0.0,
    "CDELT1": 10.0,
    "CDELT2": 10.0,
}
NOISE = np.random.default_rng(0).normal(0, 10, (18, 36))
SINES = {  # of HMI's synoptic charts, in 36 x 18 cells
    "TELESCOP": "SDO/HMI",
    "CTYPE1": "CRLN-CEA",
    "CTYPE2": "CRLT-CEA",
    "CUNIT1": "Degree",
    "CUNIT2": "Sine Latitude",
    "CRPIX1": 18.5,
    "CRPIX2": 9.5,
    "CRVAL1": 795420.0,
    "CRVAL2": 0.0,
    "CDELT1": -10.0,
    "CDELT2": 0.111111,
}


def write(path, data, header):
    fits.PrimaryHDU(np.asarray(data, np.float32), fits.Header(header)).writeto(path)
    return path


def test_gong_lies_as_sunpy_says(shared):
    path = shared / "data" / "synoptic" / "gong_20190310.fits"
    ours = read_synoptic(path)
    assert ours.date == "2019-03-10T00:14:00"
    assert ours.cells.longitudes[0] == pytest.approx(333.0)  # LONG0
    pytest.importorskip("sunpy", reason="sunpy comes with the extra `solar`")
    import astropy.units as u
    from sunpy.map import Map

    theirs = Map(path)
    at = theirs.pixel_to_world([0, 359] * u.pix, [0, 120] * u.pix)
    middles = ((ours.cells.longitudes[1:] + ours.cells.longitudes[:-1]) / 2)[[0, 359]] % 360
    np.testing.assert_allclose(at.lon.deg % 360, middles, atol=1e-6)
    sines = ((ours.cells.sines[1:] + ours.cells.sines[:-1]) / 2)[[0, 120]]
    np.testing.assert_allclose(np.sin(at.lat.rad), sines, atol=1e-5)
    assert ours.field[0, 120, 359] == theirs.data[120, 359]


def test_the_daily_frame_has_its_newest_part_around_its_observer(shared):
    path = shared / "data" / "synoptic" / "hmi_mrdailysynframe_20181106.fits"
    whole = read_synoptic(path)
    assert whole.field.shape == (1, 360, 720)
    assert whole.filled == 1537
    assert np.isfinite(whole.field).all()
    # The 120 degrees on the left are the disk of that day (FRWINDOW), whose middle is CRLN_OBS = 219.89.
    assert whole.cells.longitudes[0] + 60 == pytest.approx(219.89, abs=0.5)
    assert whole.date == "2018-11-06T11:55:31"  # 37 s before TAI


def test_carrington_time_runs_against_longitude():
    whole = synoptic_map(SINES, NOISE.copy())
    assert whole.cells.longitudes[[0, -1]] == pytest.approx([0, 360])  # 795420 = 360 x 2209.5
    assert np.diff(whole.cells.sines) == pytest.approx(np.full(18, 1 / 9))


def test_a_map_against_the_order_of_the_grid():
    data = np.arange(18 * 36, dtype=float).reshape(18, 36) - 300
    turned = ADAPT | {"CTYPE1": "CRLN-CAR", "CDELT1": -10.0, "CDELT2": -10.0}
    np.testing.assert_array_equal(synoptic_map(turned, data).field[0], data[::-1, ::-1])
    assert synoptic_map(turned, data).cells.longitudes[0] == pytest.approx(0)


def test_adapt_has_realisations_and_its_own_missing_value(tmp_path):
    data = np.random.default_rng(0).normal(size=(12, 18, 36))
    data[:, 0] = ADAPT["MISSING"]
    whole = read_synoptic(write(tmp_path / "adapt.fts", data, ADAPT))
    assert whole.field.shape == (12, 18, 36)
    assert whole.filled == 12 * 36
    assert whole.date == "2020-01-01T00:00:00"
    np.testing.assert_allclose(whole.field[3, 0], data[3, 1:6].mean(), rtol=1e-5)
    np.testing.assert_allclose(whole.cells.sines, np.sin(np.deg2rad(np.arange(-90, 91, 10))))


@pytest.mark.parametrize("transposed", [False, True])
def test_hdf5_of_pot3d(tmp_path, transposed):
    h5py = pytest.importorskip("h5py", reason="h5py comes with the extra `solar`")
    colatitude, longitude = np.linspace(0, np.pi, 19), np.linspace(0, 2 * np.pi, 37)
    field = np.cos(colatitude)[:, None] * 5 + np.sin(longitude)[None]
    with h5py.File(tmp_path / "br.h5", "w") as file:
        data = file.create_dataset("Data", data=field.T if transposed else field)
        for k, scale in enumerate((longitude, colatitude)):
            file[f"dim{k + 1}"] = scale
            file[f"dim{k + 1}"].make_scale()
            data.dims[k].attach_scale(file[f"dim{k + 1}"])
    whole = read_synoptic(tmp_path / "br.h5")
    np.testing.assert_allclose(whole.field[0], field[::-1, :-1], rtol=1e-12)
    assert np.rad2deg(np.arcsin(whole.cells.sines[1])) == pytest.approx(-85.0)
    assert whole.cells.longitudes[:2] == pytest.approx([-5, 5])


def test_hdf5_without_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "br.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match=r"HDF5 needs h5py: install munit_jax\[solar\]"):
        read_synoptic(tmp_path / "br.h5")


def test_values_that_are_not_finite_are_counted_and_the_first_is_named():
    field = np.zeros((1, 4, 8))
    field[0, 2, 5], field[0, 1, 1] = np.nan, np.inf
    with pytest.raises(DataError, match=r"a\.fits: 2 of 32 values are not finite, the first in row 1, column 1"):
        _whole(field, car_cells(4, 8), "a.fits", "")


def test_poles_are_filled_from_the_rows_beside_them():
    field = np.arange(60, dtype=float)[:, None] * np.ones(4)
    field[:2], field[2, 1] = np.nan, np.nan
    filled = fill_poles(field, np.linspace(-88.5, 88.5, 60))
    assert filled[0].tolist() == [5.0] * 4  # the mean of rows 3 to 7
    assert filled[2].tolist() == [2.0, 5.0, 2.0, 2.0]
    np.testing.assert_array_equal(filled[3:], field[3:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CTYPE1": "HPLN-TAN"}, "CTYPE1 = 'HPLN-TAN', expected Carrington longitude"),
        ({"CDELT1": -5.0}, r"36 columns of CDELT1 = -5\.0 are not the 360 degrees"),
        ({"CDELT2": 5.0}, r"18 rows of CDELT2 = 5\.0 are not from pole to pole"),
        ({"CRVAL1": "nan"}, "the header has no CRVAL1 that is a number"),
    ],
)
def test_headers_of_something_else(change, message):
    with pytest.raises(DataError, match=message):
        synoptic_map(SINES | change, NOISE.copy())


def test_a_hole_is_refused_with_its_place(tmp_path):
    data = NOISE.copy()
    data[9, 4] = np.nan
    with pytest.raises(DataError, match=r"hole\.fits: 1 of 648 values are not finite, the first in row 9, column 4"):
        read_synoptic(write(tmp_path / "hole.fits", data, SINES))


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "letter.fits").write_text("a letter")
    with pytest.raises(DataError, match=r"letter\.fits: "):
        read_synoptic(tmp_path / "letter.fits")
    with pytest.raises(DataError, match=r"table\.fits: no image of two axes"):
        read_synoptic(write(tmp_path / "table.fits", np.zeros(5), {}))


def test_an_adapt_map_out_of_carrington_s_frame_without_its_edge_is_refused():
    header = fits.Header(ADAPT | {"LNGTYPE": 1})
    with pytest.raises(DataError, match=r"LNGTYPE = 1: its longitudes are not Carrington's, and no CRLNGEDG gives"):
        synoptic_map(header, np.ones((18, 36)) * [[1, -1] * 18])


def test_hourly_maps_of_one_day_are_told_apart_by_the_time_of_day():
    dates = {
        synoptic_map(
            fits.Header(SINES | {"DATE-OBS": "2023-09-30", "TIME-OBS": clock}), np.array([[1.0, -1.0] * 18] * 18)
        ).date
        for clock in ("06:44", "07:44")
    }
    assert dates == {"2023-09-30T06:44:00", "2023-09-30T07:44:00"}


@pytest.mark.parametrize(("telescope", "factor"), [("SDO/HMI", 1.0), ("NSO-GONG", 1.438), ("SOHO MDI", 0.701)])
def test_a_map_on_the_scale_of_hmi(telescope, factor):
    header, data = fits.Header(SINES | {"TELESCOP": telescope}), np.array([[1.0, -1.0] * 18] * 18)
    plain, scaled = synoptic_map(header, data), synoptic_map(header, data, scale_to="hmi")
    np.testing.assert_allclose(scaled.field, factor * plain.field)
    assert (plain.factor, scaled.factor) == (1.0, factor)


def chart(values):
    """A chart of WSO in lines of 6, 8, 8 and 8 numbers; values of (column from longitude 360 down, row from north)."""
    lines = ["heading of some kind", ""]
    for k, column in enumerate(values):
        numbers = [f"{value:9.3f}" for value in column]
        lines += [f"CT2108:{360 - 5 * k:03d}" + "".join(numbers[:6])]
        lines += ["".join(numbers[start : start + 8]) for start in (6, 14, 22)]
    return "\n".join(lines)


def test_a_chart_of_wso_is_in_gauss_and_radial(tmp_path):
    values = np.random.default_rng(0).normal(0, 100, (73, 30))
    values[3, 4:6] = -1000.5, -2000.25  # which run into each other
    path = tmp_path / "WSO.2108.F.txt"
    path.write_text(chart(values))
    read, scaled = read_synoptic(path), read_synoptic(path, "hmi")
    assert read.cells.longitudes[0] == -2.5
    sine = (14.5 - 2 * 14.5 / 29 * 4) / 15  # of the fifth row from the north
    np.testing.assert_allclose(read.field[0, 25, 69], -10.005 / np.sqrt(1 - sine**2), rtol=1e-6)  # at 345 degrees
    sines = np.linspace(14.5, -14.5, 30) / 15
    np.testing.assert_allclose(read.field[0, ::-1, 0] * np.sqrt(1 - sines**2), values[0] / 100, atol=1e-5)
    np.testing.assert_allclose(scaled.field, 3.582 * read.field)
    path.write_text(chart(values[:50]))
    with pytest.raises(DataError, match="no column for the longitudes 5 and 21 others: give a whole map"):
        read_synoptic(path)
