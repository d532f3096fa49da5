"""Magnetograms of a Sun that only turns agree when they are turned, and not when they are not."""

import numpy as np
import pytest

from benchmarks.turning import Seen, agreement, rows
from munit_jax.sun.constants import DAY, SYNODIC_CARRINGTON_DAYS
from munit_jax.sun.disk import DiskGeometry, sdoml_geometry
from munit_jax.sun.rotation import rotated

SIZE = 64


@pytest.fixture
def first():
    y, x = np.mgrid[:SIZE, :SIZE] - 31.5
    field = np.sin(x / 3) * np.cos(y / 4) * 50
    return Seen(field, np.abs(field), view(0), 0)


def view(days: float) -> DiskGeometry:
    """Return the disk as the Earth sees it some days later."""
    return sdoml_geometry(SIZE, l0=-360 / SYNODIC_CARRINGTON_DAYS * days)


def later(first: Seen, days: float) -> Seen:
    field, _ = rotated(first.field, first.geometry, view(days), float(days))
    return Seen(field, np.abs(field), view(days), int(days * DAY))


def test_a_sun_that_turns(first):
    turned, not_turned, unsigned, unsigned_not_turned = agreement(first, later(first, 1))
    assert turned == pytest.approx(1)
    assert unsigned > 0.9
    assert not_turned < 0.5
    assert unsigned_not_turned < 0.5


def test_what_stays_on_the_disk_does_not_turn(first):
    """A field that depends on the place on the disk alone agrees without the turning."""
    turned, not_turned, *_ = agreement(first, Seen(first.field, first.unsigned, view(1), int(DAY)))
    assert not_turned == pytest.approx(1)
    assert turned < 0.5


def test_pairs_are_those_whole_days_apart(first):
    series = [first, later(first, 0.5), later(first, 1), later(first, 2.1)]
    assert [(days, count) for days, count, *_ in rows(series)] == [(1, 2), (2, 1)]
