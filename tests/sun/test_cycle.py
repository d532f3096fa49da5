"""The magnetic cycle: Hale's law by date, and how far a cycle is gone."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from munit_jax.sun.cycle import CYCLE_YEARS, FIRST_CYCLE, MINIMA, YEAR, cycle_and_phase, hale_sign
from tfds_sdoml.synthetic_sun.regions import regions_at

ENDS = (*MINIMA[1:], MINIMA[-1] + CYCLE_YEARS * YEAR)
CYCLES = list(zip(MINIMA, ENDS, strict=True))


def seconds(year: int, month: int, day: int = 1) -> float:
    return datetime(year, month, day, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("time", "cycle", "follows"),
    [
        (seconds(1980, 1), 21, -1),
        (seconds(1990, 1), 22, 1),
        (seconds(2001, 6), 23, -1),
        (seconds(2011, 2, 15), 24, 1),
        (seconds(2024, 5, 10), 25, -1),
    ],
)
def test_what_follows_in_the_north_alternates_from_cycle_to_cycle(time, cycle, follows):
    """The leading polarity of the north is positive in cycle 23, negative in 24, positive in 25 (Hale's law)."""
    assert cycle_and_phase(time)[0] == cycle
    assert hale_sign(time) == follows


def test_a_cycle_begins_at_its_minimum():
    """December 2008 and December 2019 (SILSO): the last second before is the old cycle's."""
    for minimum, cycle in ((seconds(2008, 12), 24), (seconds(2019, 12), 25)):
        assert cycle_and_phase(minimum) == (cycle, 0.0)
        before, phase = cycle_and_phase(minimum - 1)
        assert (before, phase) == (cycle - 1, pytest.approx(1, abs=1e-8))
        assert hale_sign(minimum) == -hale_sign(minimum - 1)


def test_the_synthetic_sun_obeys_it():
    """It is the Sun of cycle 24: what follows, the opposite of what leads, has this sign in the north."""
    for time in (seconds(2010, 1), seconds(2012, 11, 20), seconds(2016, 7)):
        regions = regions_at(0, int(time))
        assert len(regions.latitude) > 10
        np.testing.assert_array_equal(-regions.leading_sign, hale_sign(time) * np.sign(regions.latitude))


@pytest.mark.parametrize(("begin", "end"), CYCLES)
def test_the_phase_goes_evenly_from_0_at_a_minimum_to_1_at_the_next(begin, end):
    cycle = FIRST_CYCLE + MINIMA.index(begin)
    assert cycle_and_phase(begin) == (cycle, 0.0)
    assert cycle_and_phase((begin + end) / 2) == (cycle, pytest.approx(0.5))
    times = np.linspace(begin, end, 50, endpoint=False)
    numbers, phases = zip(*map(cycle_and_phase, times), strict=True)
    assert set(numbers) == {cycle}
    assert all(one < other for one, other in pairwise(phases))
    np.testing.assert_allclose(np.diff(phases), 1 / 50, rtol=1e-6)
    assert phases[-1] < 1


def test_a_cycle_that_is_not_over_has_eleven_years():
    assert cycle_and_phase(MINIMA[-1] + 5.5 * YEAR)[1] == pytest.approx(0.5)
    assert all(9 < (end - begin) / YEAR < 13 for begin, end in CYCLES)


@pytest.mark.parametrize("of", [cycle_and_phase, hale_sign])
@pytest.mark.parametrize(
    ("time", "when"), [(seconds(1976, 3) - 1, "1976-02-29"), (0.0, "1970-01-01"), (ENDS[-1], "2030-11-30")]
)
def test_a_time_whose_cycle_is_not_known(of, time, when):
    message = f"^{when}: the cycles are known from 1976-03-01 to 2030-11-30; add the minimum to munit_jax/sun/cycle"
    with pytest.raises(ValueError, match=message):
        of(time)
