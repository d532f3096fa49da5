"""The synthetic Sun keeps the laws that it is made for."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import heliographic, mu, on_disk, radius_from_centre
from munit_jax.sun.rotation import rotation_rate
from tfds_sdoml.synthetic_sun import observation as synthetic
from tfds_sdoml.synthetic_sun.emission import coronal_holes
from tfds_sdoml.synthetic_sun.field import block_mean, cell_weights, radial_field
from tfds_sdoml.synthetic_sun.observation import field_noise, line_of_sight, observe, sample_map, view
from tfds_sdoml.synthetic_sun.regions import fragments_at, regions_at

START = int(datetime(2012, 3, 1, tzinfo=UTC).timestamp())
CHANNELS = ("0171", "0193", "0304")
DAYS = (0, 1, 10, 11, 40, 41, 50)


@pytest.fixture(scope="module")
def frames():
    return {day: observe(0, START + day * DAY, 64, CHANNELS) for day in DAYS}


def correlation(a, b):
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


def test_same_seed_same_bytes_in_any_order(frames):
    again = observe(0, START + 10 * DAY, 64, CHANNELS)
    for name in ("euv", "magnetogram", "surface_field"):
        assert getattr(again, name).tobytes() == getattr(frames[10], name).tobytes()
        assert getattr(again, name).tobytes() != getattr(observe(1, START + 10 * DAY, 64, CHANNELS), name).tobytes()


def test_shapes_ranges_and_off_disk(frames):
    frame = frames[0]
    assert frame.euv.shape == (64, 64, 3)
    assert frame.magnetogram.shape == (64, 64, 1)
    assert frame.surface_field.shape == (180, 360)
    assert frame.euv.min() >= 0
    assert np.isfinite(frame.euv).all()
    assert (frame.magnetogram[~on_disk(frame.geometry)] == 0).all()
    assert 50 < np.median(frame.euv[on_disk(frame.geometry), 0]) < 300  # DN/s, AIA 171 in 2011-2014


def test_unknown_channel():
    with pytest.raises(ValueError, match="not 0335"):
        observe(0, START, 64, ("0171", "0335"))


@pytest.mark.parametrize("day", [0, 200, 700])
def test_no_monopole(day):
    field, weights = radial_field(0, START + day * DAY), cell_weights(180)
    assert abs((weights * field).sum()) < 1e-4 * (weights * np.abs(field)).sum()


def test_fragments_of_a_region_balance():
    flux = fragments_at(regions_at(0, START), START).flux
    np.testing.assert_allclose(flux.sum(1), 0, atol=1e-6 * np.abs(flux).max())


def bipoles(flip_north_south=False, flip_east_west=False, reverse=False):
    """Latitude, sign of the western polarity, and tilt (degrees; positive: west is nearer to the equator)."""
    latitudes, signs, tilts = [], [], []
    for month in range(12):
        time = START + month * 27 * DAY
        regions = regions_at(0, time)
        fragments = fragments_at(regions, time)
        young = (time - regions.emergence < 20 * DAY) & (regions.flux > 2e21)
        for i in np.flatnonzero(young):
            latitude = fragments.latitude[i] * (-1 if flip_north_south else 1)
            longitude = (fragments.longitude[i] - regions.longitude[i] + 180) % 360 * (-1 if flip_east_west else 1)
            flux = fragments.flux[i] * (-1 if reverse else 1)
            sides = [
                (np.average(latitude[s], weights=abs(flux[s])), np.average(longitude[s], weights=abs(flux[s])))
                for s in (flux > 0, flux < 0)
            ]
            west, east = sorted(sides, key=lambda side: -side[1])
            latitudes.append(latitude.mean())
            signs.append(1 if west == sides[0] else -1)
            run = (west[1] - east[1]) * np.cos(np.deg2rad(latitude.mean()))
            tilts.append(np.rad2deg(np.arctan2(abs(east[0]) - abs(west[0]), run)))
    return np.array(latitudes), np.array(signs), np.array(tilts)


def keeps_hale(latitudes, signs):
    """Cycle 24: the leading polarity is negative in the north and positive in the south."""
    return np.mean(signs == -np.sign(latitudes)) > 0.95


def test_hale_and_joy():
    latitudes, signs, tilts = bipoles()
    assert len(latitudes) > 50
    assert keeps_hale(latitudes, signs)
    assert 4 < np.mean(tilts) < 14  # half of the mean latitude
    high, low = np.abs(latitudes) > 20, np.abs(latitudes) < 15
    assert np.mean(tilts[high]) > np.mean(tilts[low])


def test_only_north_south_with_the_sign_changed_keeps_the_laws():
    latitudes, signs, tilts = bipoles(flip_north_south=True, reverse=True)
    assert keeps_hale(latitudes, signs)
    assert np.mean(tilts) == pytest.approx(np.mean(bipoles()[2]))
    latitudes, signs, tilts = bipoles(flip_east_west=True, reverse=True)
    assert keeps_hale(latitudes, signs)
    assert np.mean(tilts) < -4  # Joy's law is broken
    latitudes, signs, _ = bipoles(flip_east_west=True)
    assert not keeps_hale(latitudes, signs)
    latitudes, signs, _ = bipoles(flip_north_south=True)
    assert not keeps_hale(latitudes, signs)
    latitudes, signs, tilts = bipoles(flip_north_south=True, flip_east_west=True)
    assert keeps_hale(latitudes, signs)
    assert np.mean(tilts) < -4


def test_belts_lie_on_both_sides_and_drift_to_the_equator():
    early, late = (np.abs(regions_at(0, START + years * 365 * DAY).latitude) for years in (-3, 6))
    assert np.mean(early) > np.mean(late) + 5


def test_differential_rotation_measured():
    later = START + 8 * DAY
    regions = regions_at(0, START)
    before, after = fragments_at(regions, START), fragments_at(regions, later)
    old = (START - regions.emergence) > 15 * DAY  # no longer growing
    moved = ((after.longitude - before.longitude + 180) % 360 - 180)[old] / 8
    latitude = np.abs(before.latitude[old])
    assert np.mean(moved[latitude < 10]) > np.mean(moved[latitude > 22]) + 0.15
    np.testing.assert_allclose(moved, rotation_rate(latitude), atol=0.15)


def test_truth_is_the_block_mean_of_what_was_observed():
    frame = observe(0, START, 256, ("0193",))
    field = radial_field(0, START, 360)
    np.testing.assert_array_equal(frame.surface_field, block_mean(field))
    weights, coarse = cell_weights(360), cell_weights(180)
    assert (coarse * frame.surface_field).sum() == pytest.approx((weights * field).sum(), abs=1e-5)


def test_truth_projected_back_is_the_disk_with_10_gauss_noise(frames):
    for frame in frames.values():
        seen = view(frame.geometry)
        projected = line_of_sight(frame.surface_field, frame.geometry, seen)
        disk = on_disk(frame.geometry)
        difference = (frame.magnetogram[..., 0] - projected)[disk]
        assert np.std(difference) == pytest.approx(field_noise(frame.geometry.size), rel=0.08)
        assert abs(np.mean(difference)) < 1
    assert (
        correlation(
            frames[0].magnetogram[disk, 0],
            line_of_sight(frames[0].surface_field, frames[0].geometry, view(frames[0].geometry))[disk],
        )
        > 0.7
    )


def test_line_of_sight_of_a_uniform_field_is_mu(frames):
    there = frames[0].geometry
    inner = on_disk(there, 0.85)
    projected = line_of_sight(np.ones((180, 360), np.float32), there, view(there))
    np.testing.assert_allclose(projected[inner], mu(there)[inner], atol=0.01)


def test_euv_follows_the_unsigned_field(frames):
    for frame in frames.values():
        inner = on_disk(frame.geometry, 0.9)
        strength = np.log(
            np.abs(line_of_sight(np.abs(frame.surface_field), frame.geometry, view(frame.geometry)))[inner] + 3
        )
        for channel in range(3):
            assert correlation(np.log(frame.euv[inner, channel]), strength) > 0.5


def test_euv_does_not_know_the_sign(monkeypatch):
    frame = observe(0, START, 64, CHANNELS)
    monkeypatch.setattr(synthetic, "radial_field", lambda *arguments: -radial_field(*arguments))
    reversed_frame = observe(0, START, 64, CHANNELS)
    np.testing.assert_array_equal(reversed_frame.surface_field, -frame.surface_field)
    np.testing.assert_allclose(reversed_frame.euv, frame.euv, rtol=0.02, atol=0.05)


def test_coronal_holes_are_dark_in_193(frames):
    hole, quiet = [], []
    for frame in frames.values():
        inner = on_disk(frame.geometry, 0.8)
        latitude, longitude = (angle[inner] for angle in heliographic(frame.geometry))
        openness = sample_map(coronal_holes(frame.surface_field)[None], latitude, longitude)[0]
        hole.append(frame.euv[inner, 1][openness > 0.8])
        quiet.append(frame.euv[inner, 1][openness < 0.2])
    hole, quiet = np.concatenate(hole), np.concatenate(quiet)
    assert len(hole) > 20
    assert np.median(hole) < 0.6 * np.median(quiet)


def test_corona_falls_off_above_the_limb(frames):
    for frame in frames.values():
        radius = radius_from_centre(frame.geometry)
        for channel in range(3):
            rings = [np.median(frame.euv[abs(radius - r) < 0.03, channel]) for r in (1.05, 1.12, 1.2, 1.3)]
            assert all(inner > outer for inner, outer in pairwise(rings))


def test_limb_is_brighter_than_the_disk(frames):
    for frame in frames.values():
        radius = radius_from_centre(frame.geometry)
        for channel in (0, 1):
            limb = np.median(frame.euv[abs(radius - 1) < 0.02, channel])
            assert limb > 1.4 * np.median(frame.euv[radius < 0.8, channel])


def test_what_is_seen_changes_slowly():
    def seen(day):
        frame = observe(0, START + day * DAY, 64, ("0193",))
        return np.log(frame.euv[on_disk(frame.geometry, 0.9), 0])  # the limb is alike on any day

    days = [(seen(day), seen(day + 1), seen(day + 10)) for day in range(0, 720, 60)]
    next_day = np.mean([correlation(today, tomorrow) for today, tomorrow, _ in days])
    later = np.mean([correlation(today, far) for today, _, far in days])
    assert next_day > later + 0.05


def test_the_field_changes_slowly(frames):
    """In a day the Sun turns by 13 degrees, more than a region is wide: it persists in Carrington coordinates."""

    def alike(a, b):
        return correlation(frames[a].surface_field, frames[b].surface_field)

    next_day = np.mean([alike(0, 1), alike(10, 11), alike(40, 41)])
    assert next_day > 0.5
    assert next_day > np.mean([alike(0, 10), alike(1, 11), alike(40, 50)]) + 0.2
