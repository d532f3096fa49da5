import numpy as np
import pytest

from munit_jax.errors import DataError
from munit_jax.pfss.disk_magnetograms import read_magnetogram
from munit_jax.sun.disk import heliographic, mu, on_disk
from tests.pfss.suns import DISTANCE, radial, write_disk


@pytest.mark.parametrize("turned", [False, True])
def test_hmi_is_turned_upright(tmp_path, turned):
    disk = read_magnetogram(write_disk(tmp_path / "hmi.fits", 30.0, turned=turned))
    geometry = disk.geometry
    assert (geometry.l0, geometry.b0) == (30.0, 0.0)
    assert geometry.distance == pytest.approx(DISTANCE)
    inner = on_disk(geometry, 0.9)
    expected = radial(*heliographic(geometry)) * mu(geometry)
    np.testing.assert_allclose(disk.field[0][inner], expected[inner], atol=0.15)
    assert not disk.field[0][~on_disk(geometry, 1.1)].any()


def test_a_translation_has_all_its_realisations(tmp_path):
    disk = read_magnetogram(write_disk(tmp_path / "a.fits", 30.0, realisations=3))
    assert len(disk.field) == 3
    inner = on_disk(disk.geometry, 0.9)
    np.testing.assert_allclose(disk.field[2][inner], 1.2 * disk.field[0][inner], rtol=1e-4, atol=1e-5)


def test_quality_flags_are_told_but_those_without_harm(tmp_path):
    assert read_magnetogram(write_disk(tmp_path / "a.fits", 0.0, QUALITY=0x10400)).flags == 0
    assert read_magnetogram(write_disk(tmp_path / "b.fits", 0.0, QUALITY=0x10500)).flags == 0x100


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"BUNIT": "DN/s"}, r"a\.fits: unit: BUNIT = 'DN/s', expected a magnetic field in G, T or Mx/cm"),
        ({"CRPIX1": 500.0}, r"a\.fits: off-centre disk: the disk .* is not all in the image"),
        ({"DATE-OBS": ""}, r"a\.fits: no time"),
    ],
)
def test_what_cannot_be_used(tmp_path, cards, message):
    with pytest.raises(DataError, match=message):
        read_magnetogram(write_disk(tmp_path / "a.fits", 0.0, **cards))


def test_the_real_hmi_image(shared):
    disk = read_magnetogram(shared / "data" / "fits" / "hmi_m_20111217_055810.fits")
    assert disk.geometry.size == 1024
    assert disk.geometry.b0 == pytest.approx(-0.9, abs=0.3)
    assert np.isfinite(disk.field).all()
    assert 5 < np.abs(disk.field[0][on_disk(disk.geometry, 0.9)]).mean() < 30
