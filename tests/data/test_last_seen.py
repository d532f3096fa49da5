"""What was seen last: the latest good look at each place, turned along, its age, and what was never seen."""

import numpy as np
import pytest

from munit_jax.data.context import EARLIER, SPACING_DAYS, Earlier, context_of, context_signs, last_seen, past_from
from munit_jax.data.datasets import Frames, describe_images, past_magnetograms
from munit_jax.data.pipeline import archive_of, context_of_scored
from munit_jax.sun.constants import DAY, SYNODIC_CARRINGTON_DAYS
from munit_jax.sun.disk import heliographic, mu, on_disk, sdoml_geometry
from tests.data.test_pipeline import NAME, settings

SIZE, NOW = 64, 1.35e9


def geometry_at(time: float, west: float = 0.0):
    """The Earth's view, or one from west of it, of a Sun that turns once in a synodic rotation."""
    return sdoml_geometry(SIZE, 3.0, (200 - (time - NOW) / DAY * 360 / SYNODIC_CARRINGTON_DAYS + west) % 360)


def zonal(geometry) -> np.ndarray:
    """The line-of-sight field of B_r = 100 G sin(latitude), which rotation of any kind leaves as it is."""
    field = 100 * np.sin(np.deg2rad(heliographic(geometry)[0])) * mu(geometry)
    return np.nan_to_num(field).astype(np.float32)


def past(time: float):
    geometry = geometry_at(time)
    return zonal(geometry), geometry, time


def test_a_field_that_does_not_change_is_seen_as_it_is():
    geometry = geometry_at(NOW, west=120)
    field, age, known = last_seen(past, geometry, NOW, 0.0)
    inner = on_disk(geometry, 0.9)
    assert known[inner].all()
    error = field[inner] - zonal(geometry)[inner]
    assert np.abs(error).max() < 5, "interpolated near the limb of an image of 64 pixels"
    assert np.abs(error).mean() < 0.3
    assert not known[~on_disk(geometry)].any()
    np.testing.assert_allclose(age[inner] / SPACING_DAYS, np.rint(age[inner] / SPACING_DAYS), atol=1e-5)


def test_the_latest_good_look_counts():
    """120 degrees west of the Earth the middle of the disk was in the Earth's middle 9 days ago, its east 0."""
    geometry = geometry_at(NOW, west=120)
    _, age, _ = last_seen(past, geometry, NOW, 0.0)
    row, middle = SIZE // 2, SIZE // 2
    assert age[row, middle] == pytest.approx(SPACING_DAYS)  # then 30 degrees past the central meridian
    east = middle - 22
    assert age[row, east] == 0, "the Earth still sees it, 60 degrees west"
    for gap, expected in ((5.0, 5.0), (10.0, 10.0), (18.0, 18.0 + 2 * SPACING_DAYS)):  # the last: a rotation before
        assert last_seen(past, geometry, NOW, gap)[1][row, middle] == pytest.approx(expected)


def test_looks_that_are_missing_leave_what_they_alone_saw_unknown():
    geometry = geometry_at(NOW)

    def first_look_only(time: float):
        return past(time) if time > NOW - DAY else None

    field, age, known = last_seen(first_look_only, geometry, NOW, 0.5)
    assert known[SIZE // 2, SIZE // 2]
    assert 0 < known.sum() < on_disk(geometry).sum(), "the new east limb was not seen"
    assert not field[~known].any()
    assert not age[~known].any()


def test_the_latest_is_never_after_the_time():
    """Nor a quarter of a rotation before it; the magnetograms may be given in any order."""
    days = [20.0, 10.0, 30.0]
    latest = past_from([day * DAY for day in days], lambda k: (np.zeros((1, 1)), geometry_at(NOW), days[k]))
    found = [latest(day * DAY) for day in (9, 10, 16.8, 16.9, 20, 31, 36.9)]
    assert [None if x is None else x[2] for x in found] == [None, 10, 10, None, 20, 30, None]


def test_planes_are_scaled_and_a_past_that_is_not_known_is_zero():
    names, geometry = ("mu", "last_seen"), geometry_at(NOW)
    context = context_of(names, geometry, NOW, Earlier(past, SYNODIC_CARRINGTON_DAYS / 2))
    assert context is not None
    assert context.shape == (SIZE, SIZE, 4)
    field, age, known = last_seen(past, geometry, NOW, SYNODIC_CARRINGTON_DAYS / 2)
    np.testing.assert_allclose(10 * np.sinh(context[..., 1]), field, atol=1e-3)
    assert not field[~known].any()
    np.testing.assert_allclose(context[..., 2], age / SYNODIC_CARRINGTON_DAYS, rtol=1e-6)
    np.testing.assert_array_equal(context[..., 3], known)
    without = context_of(names, geometry, NOW)
    assert without is not None
    np.testing.assert_array_equal(without[..., 0], context[..., 0])
    assert not without[..., 1:].any()
    assert context_signs(names).tolist() == [1, -1, 1, 1]


def test_an_archive_has_the_frames_of_all_splits_by_time(small_sun):
    archive = past_magnetograms(NAME, None)
    for split in ("train", "test"):
        frames = Frames(NAME, split, ("magnetogram",), (), None)
        frame = frames[len(frames) // 2]
        found = archive(float(frame["time"]) + 6.8 * DAY)
        assert found is not None
        np.testing.assert_array_equal(found[0], frame["magnetogram"][..., 0])
        assert found[2] == frame["time"]
        assert archive(float(frame["time"]) + 6.9 * DAY) is None, "a frame every ten days"
        assert archive(float(frame["time"]) - 1) is None, "never one of later"


def test_the_archive_may_be_another_dataset_than_that_of_the_targets(small_sun):
    with_past = settings(magnetogram="sdoml/targets", earlier=NAME, context=("last_seen",))
    time = float(Frames(NAME, "train", ("magnetogram",), (), None)[3]["time"])
    found = archive_of(with_past)(time)  # pyright: ignore[reportOptionalCall]
    assert found is not None
    assert found[2] == time
    assert with_past.datasets == (NAME, "sdoml/targets", NAME)
    assert settings().datasets == (NAME, NAME)
    assert set(describe_images(settings(earlier=NAME).datasets, None)["fingerprints"]) == {NAME}


def test_times_are_those_of_the_frames(small_sun):
    frames = Frames(NAME, "train", ("magnetogram",), (), None)
    assert frames.times().tolist() == [int(frames[i]["time"]) for i in range(len(frames))]
    assert Frames(NAME, "nowhere", (), (), None).times().tolist() == []


def test_frames_are_scored_with_what_was_seen_half_a_rotation_ago(small_sun):
    with_past = settings(context=("hale_latitude", "last_seen"))
    archive = archive_of(with_past)
    assert archive is not None
    assert archive_of(settings(context=("hale_latitude",))) is None
    context = context_of_scored(with_past, archive)
    frames = Frames(NAME, "train", ("magnetogram",), (), None)
    known = [context(frames[i])[..., 3] for i in range(len(frames))]  # pyright: ignore[reportOptionalSubscript]
    assert any(x.any() for x in known)
    for i, seen in enumerate(known):
        time = float(frames[i]["time"])
        looks = [archive(time - (0.5 * SYNODIC_CARRINGTON_DAYS + k * SPACING_DAYS) * DAY) for k in range(EARLIER)]
        assert seen.any() == any(look is not None for look in looks)
