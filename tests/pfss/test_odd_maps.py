"""Synoptic maps with one thing odd in them: read as their cards say, refused by name, or warned of."""

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.errors import DataError
from munit_jax.pfss.ensemble import on_grid
from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.synoptic_maps import read_synoptic, synoptic_map

ROWS, COLUMNS = 36, 72
CARDS = {
    "CTYPE1": "CRLN-CEA",
    "CTYPE2": "CRLT-CEA",
    "CRPIX1": 36.5,
    "CRVAL1": 180.0,
    "CDELT1": 5.0,
    "CRPIX2": 18.5,
    "CRVAL2": 0.0,
    "CDELT2": 2 / ROWS,
    "BUNIT": "Gauss",
}
FIELD = np.random.default_rng(0).normal(0, 10, (ROWS, COLUMNS))
RADIAN = np.pi / 180


def header(**cards):
    return fits.Header({key: value for key, value in (CARDS | cards).items() if value is not None})


def read(field=FIELD, **cards):
    return on_grid(synoptic_map(header(**cards), field), Grid(ROWS, COLUMNS))[0]


@pytest.mark.parametrize(
    ("field", "cards"),
    [
        (FIELD, {"CRVAL1": 540.0}),
        (FIELD, {"CRVAL1": -180.0}),
        (FIELD, {"CRVAL1": 2.5, "CRPIX1": 1.0}),
        (np.roll(FIELD, 7, axis=1), {"CRVAL1": 145.0}),
        (FIELD[:, ::-1], {"CDELT1": -5.0}),
        (FIELD[::-1], {"CDELT2": -2 / ROWS}),
        (FIELD, {"CDELT1": 5 * RADIAN, "CRVAL1": 180 * RADIAN, "CUNIT1": "rad"}),
        (FIELD, {"CDELT2": 2 / ROWS / RADIAN, "CUNIT2": "deg"}),
        (FIELD, {"CDELT2": 2 / ROWS, "CUNIT2": "rad"}),
        (FIELD, {"CUNIT2": "Sine Latitude", "CRVAL2": -1 + 1 / ROWS, "CRPIX2": 1.0}),
        (1e-4 * FIELD, {"BUNIT": "T"}),
        (FIELD, {"BUNIT": "Maxwell/cm^2"}),
        (FIELD[None], {}),
    ],
)
def test_one_map_said_in_many_ways(field, cards):
    np.testing.assert_allclose(read(field, **cards), read(), rtol=1e-5, atol=1e-4)


def test_latitudes_in_radians_are_those_in_degrees():
    in_degrees = {"CTYPE2": "CRLT-CAR", "CDELT2": 5.0, "CUNIT2": "deg", "CRVAL2": -87.5, "CRPIX2": 1.0}
    in_radians = in_degrees | {"CDELT2": 5 * RADIAN, "CUNIT2": "rad", "CRVAL2": -87.5 * RADIAN}
    np.testing.assert_allclose(read(**in_radians), read(**in_degrees), rtol=1e-6, atol=1e-5)


def with_patch(value):
    field = FIELD.copy()
    field[10:12, 20:30] = value
    return field


@pytest.mark.parametrize(
    ("field", "cards", "message"),
    [
        (FIELD, {"CRPIX2": 28.5}, "by CRPIX2 and CRVAL2 the equator is 10.0 rows off the middle of the map"),
        (FIELD, {"CRVAL2": 0.5}, "the equator is 9.0 rows off the middle"),
        (1e-4 * FIELD, {}, r"unit: its strongest field is 0\.00\d+ G: is BUNIT right\?"),
        (0 * FIELD, {}, "unit: its strongest field is 0 G"),
        (np.stack([FIELD, np.abs(FIELD)]), {"MODEL": "ADAPT"}, "no value is negative"),
        (with_patch(np.inf), {}, "20 of 2,592 values are not finite, the first in row 10, column 20"),
        (with_patch(-9999), {}, "20 values such as -9999 G"),
        (FIELD.T, {"CTYPE1": "CRLT-CEA", "CTYPE2": "CRLN-CEA"}, "CTYPE1 = 'CRLT-CEA', expected Carrington longitude"),
        (FIELD[:, :36], {}, "36 columns of CDELT1 = 5.0 are not the 360 degrees"),
        (FIELD[18:], {}, "18 rows of CDELT2 = 0.0555556 are not from pole to pole|are not from pole to pole"),
        (FIELD, {"BUNIT": "G/pixel"}, "unit: BUNIT = 'G/pixel', expected a magnetic field"),
    ],
)
def test_maps_that_cannot_be(field, cards, message):
    with pytest.raises(DataError, match=message):
        read(field, **cards)


def test_rows_and_columns_of_nothing_but_0_are_warned_of(caplog):
    field = FIELD.copy()
    field[:3] = 0
    field[:, 5] = 0
    synoptic_map(header(), field)
    assert "map: 4 rows and columns are all 0: are their values missing?" in caplog.messages


def test_the_first_of_several_maps_is_read_and_the_log_says_so(tmp_path, caplog):
    units = fits.PrimaryHDU(FIELD, header()), fits.ImageHDU(-FIELD, header())
    fits.HDUList(list(units)).writeto(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_synoptic(tmp_path / "a.fits").field[0], FIELD)
    assert f"{tmp_path / 'a.fits'}: the first map is read, 1 more are ignored" in caplog.messages
