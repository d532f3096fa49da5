import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.errors import DataError
from munit_jax.pfss.disk_magnetograms import read_magnetogram
from munit_jax.pfss.ensemble import Boundaries, boundaries_of, disk_boundaries, open_boundaries, synoptic_boundaries
from munit_jax.pfss.harmonics import Grid, make_transform, mean_over_sphere
from munit_jax.pfss.synoptic_maps import read_synoptic
from tests.pfss.suns import radial, write_disk, write_synoptic


@pytest.fixture(scope="module")
def transform():
    return make_transform(Grid(36, 72), 10)


def truth(transform):
    grid = transform.grid
    field = jnp.asarray(radial(grid.latitudes[:, None], grid.longitudes[None]), jnp.float32)
    return np.asarray(field - mean_over_sphere(transform, field))


# The polar rows of a map of equal area are 13 degrees high, over which the field changes by 0.7 gauss.
def test_a_synoptic_map_is_the_sun(tmp_path, transform):
    boundaries = synoptic_boundaries(read_synoptic(write_synoptic(tmp_path / "gong.fits", rows=72)), transform)
    np.testing.assert_allclose(boundaries.field[0], truth(transform), atol=0.75)
    assert boundaries.insertion is None


def test_a_disk_in_its_own_sun_changes_nothing(tmp_path, transform):
    background = read_synoptic(write_synoptic(tmp_path / "gong.fits", rows=72))
    disk = read_magnetogram(write_disk(tmp_path / "hmi.fits", 200.0))
    for insertion in ("as_is", "flux_matched"):
        boundaries = disk_boundaries([disk], background, transform, insertion)
        np.testing.assert_allclose(boundaries.field[0], truth(transform), atol=0.75)
        assert boundaries.monopole == pytest.approx([0.0], abs=0.05)


def test_a_bias_becomes_a_monopole_unless_the_flux_is_matched(tmp_path, transform):
    background = read_synoptic(write_synoptic(tmp_path / "gong.fits", rows=72))
    disk = read_magnetogram(write_disk(tmp_path / "hmi.fits", 200.0, bias=3.0))
    assert disk_boundaries([disk], background, transform, "as_is").monopole[0] > 1.0
    assert abs(float(disk_boundaries([disk], background, transform, "flux_matched").monopole[0])) < 0.05


def test_vantage_points_all_around_need_no_background(tmp_path, transform):
    disks = [
        read_magnetogram(write_disk(tmp_path / f"{l0}.fits", l0, realisations=2)) for l0 in (0.0, 90.0, 180.0, 270.0)
    ]
    boundaries = disk_boundaries(disks, None, transform, "as_is")
    assert boundaries.field.shape == (2, 36, 72)
    middle = np.abs(transform.grid.latitudes) < 50
    np.testing.assert_allclose(np.asarray(boundaries.field[0])[middle], truth(transform)[middle], atol=0.6)


def test_maps_lose_their_monopole_and_nothing_else(transform):
    expected = truth(transform)
    boundaries = boundaries_of(np.stack([expected + 2, 3 * expected]), transform)
    np.testing.assert_allclose(boundaries.field, np.stack([expected, 3 * expected]), atol=1e-4)
    assert np.asarray(boundaries.monopole) == pytest.approx([2.0, 0.0], abs=1e-5)


def test_a_sun_without_field_is_refused():
    nothing = jnp.zeros((2, 18, 36))
    with pytest.raises(DataError, match="1 of 2 boundaries are 0 everywhere: a corona needs a field"):
        Boundaries(nothing.at[0, 0, 0].set(1.0), jnp.zeros(2), None, jnp.zeros((18, 36)))


def test_one_realisation_goes_with_several(tmp_path, transform):
    disks = [read_magnetogram(write_disk(tmp_path / f"{n}.fits", 60.0 * n, realisations=n)) for n in (0, 2, 3)]
    assert disk_boundaries(disks[:2], None, transform, "as_is").field.shape[0] == 2
    with pytest.raises(DataError, match=r"different numbers of realisations: 0\.fits 1, 2\.fits 2, 3\.fits 3"):
        disk_boundaries(disks, None, transform, "as_is")


def test_a_magnetogram_and_its_background_on_the_scale_of_hmi(tmp_path, transform):
    """Each by its own factor, and the boundary says by which."""
    disk = write_disk(tmp_path / "mdi.fits", 200.0, TELESCOP="SOHO", INSTRUME="MDI")
    background = write_synoptic(tmp_path / "gong.fits", rows=72)
    (measured,), _ = open_boundaries([disk], background, ["as_is"], transform)
    (alone,), _ = open_boundaries([disk], None, ["as_is"], transform)
    (scaled,), _ = open_boundaries([disk], background, ["as_is"], transform, "hmi")
    assert measured.scale == "as measured"
    assert scaled.scale == "HMI: mdi.fits x 0.701, gong.fits x 1.438"
    raw = {name: np.asarray(one.field[0] + one.monopole[0]) for name, one in (("all", measured), ("disk", alone))}
    expected = 1.438 * (raw["all"] - raw["disk"]) + 0.701 * raw["disk"]
    np.testing.assert_allclose(np.asarray(scaled.field[0] + scaled.monopole[0]), expected, atol=1e-3)


def test_a_background_of_another_year_is_warned_of(tmp_path, transform, caplog):
    background = write_synoptic(tmp_path / "gong.fits", rows=72)  # of 2011-02-15, as the first disk
    disks = [
        write_disk(tmp_path / "a.fits", 20.0),
        write_disk(tmp_path / "b.fits", 20.0, **{"DATE-OBS": "2012-02-15T00:00:00"}),
    ]
    open_boundaries(disks, background, ["as_is"], transform)
    (warning,) = [message for message in caplog.messages if "background" in message]
    assert warning.startswith("b.fits and the background gong.fits are 365 days apart")
