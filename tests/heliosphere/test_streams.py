import numpy as np
import pytest

from munit_jax.heliosphere.streams import SAME, ensemble_streams, nearest, streams

TIMES = 3600 * np.arange(24 * 27)
DAY = 86400


def wave(*peaks: tuple[float, float], slow: float = 300.0) -> np.ndarray:
    """Return a speed with triangles of two days up and four down: (day of the top, its speed)."""
    days = TIMES / DAY
    speed = np.full(len(TIMES), slow)
    for top, fast in peaks:
        rise, fall = (days - top + 2) / 2, (top + 4 - days) / 4
        speed = np.maximum(speed, slow + (fast - slow) * np.clip(np.minimum(rise, fall), 0, 1))
    return speed


def test_a_stream_arrives_at_the_middle_of_its_rise():
    first, second = streams(TIMES, wave((6, 600), (16, 500)))
    assert first.arrival / DAY == pytest.approx(5, abs=1e-3)
    assert second.arrival / DAY == pytest.approx(15, abs=1e-3)
    assert (first.peak, second.peak) == (600, 500)


@pytest.mark.parametrize("peak", [(10, 370), (10, 395)], ids=["rises too little", "too slow"])
def test_what_is_no_stream(peak):
    assert streams(TIMES, wave(peak)) == []


def test_two_peaks_of_one_rise_are_one_stream():
    speed = np.maximum(wave((6, 600)), 0) - 70 * np.exp(-((TIMES / DAY - 6.5) ** 2) / 0.02)
    speed = np.where((TIMES / DAY > 6.8) & (TIMES / DAY < 7.2), 640, speed)
    (stream,) = streams(TIMES, speed)
    assert stream.peak == 640
    assert stream.arrival / DAY == pytest.approx(5, abs=0.2)


def test_the_nearest_within_two_days():
    first, second = streams(TIMES, wave((6, 600), (16, 500)))
    (late,) = streams(TIMES, wave((7, 600)))
    assert nearest(late, [first, second]) == first
    assert nearest(late, [second]) is None
    assert nearest(late, []) is None
    assert SAME == 2 * DAY


def test_the_spread_of_an_ensemble():
    shifts = np.linspace(-1, 1, 21)
    speeds = np.stack([wave((10 + shift, 600)) for shift in shifts] + [wave()])
    (stream,) = ensemble_streams(TIMES, speeds)
    assert stream.arrival / DAY == pytest.approx(9, abs=0.05)
    assert stream.earliest / DAY == pytest.approx(8.1, abs=0.05)
    assert stream.latest / DAY == pytest.approx(9.9, abs=0.05)
    assert stream.share == pytest.approx(21 / 22)


def test_streams_that_too_few_realisations_have_are_left_out_and_the_others_are_in_order():
    """Of six realisations four have the later stream, three the earlier and one another."""
    late, early, other = (16, 600), (6, 500), (23, 600)
    speeds = [wave(late), wave(late), wave(late, early), wave(late, early), wave(early), wave(other)]
    first, second = ensemble_streams(TIMES, np.stack(speeds))
    assert (first.share, second.share) == (3 / 6, 4 / 6)
    assert (first.arrival / DAY, second.arrival / DAY) == pytest.approx((5, 15), abs=1e-3)


def test_of_one_realisation_there_is_no_spread():
    (stream,) = ensemble_streams(TIMES, wave((10, 600))[None])
    assert stream.earliest == stream.arrival == stream.latest
    assert stream.share == 1
