from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from munit_jax.sun.constants import DAY, SYNODIC_DAYS
from tfds_sdoml.splits import blocked, poster


def at(*date):
    return int(datetime(*date, tzinfo=UTC).timestamp())


MONTHS = (11, 12), (5,), SYNODIC_DAYS  # of test, of validation; the guard
TIMES = st.lists(st.integers(at(2010, 5, 1), at(2018, 12, 31)), max_size=60)


@given(times=TIMES, guard=st.integers(0, 40), test_month=st.integers(1, 12), validation_month=st.integers(1, 12))
def test_no_train_frame_lies_within_the_guard(times, guard, test_month, validation_month):
    validation_months = () if test_month == validation_month else (validation_month,)
    seconds = np.array(times, np.int64)
    masks = blocked(seconds, (test_month,), validation_months, guard)
    assert sum(mask.astype(int) for mask in masks.values()).tolist() == [1] * len(times)
    for held_out in ("test", "validation"):
        gaps = np.abs(seconds[masks["train"]][:, None] - seconds[masks[held_out]])
        assert (gaps > guard * DAY).all()
    gaps = np.abs(seconds[masks["validation"]][:, None] - seconds[masks["test"]])
    assert (gaps > guard * DAY).all()


@given(times=TIMES, order=st.randoms())
def test_blocked_does_not_depend_on_the_order(times, order):
    shuffled = list(times)
    order.shuffle(shuffled)
    one, other = (blocked(np.array(some, np.int64), *MONTHS) for some in (times, shuffled))
    for name in one:
        assert sorted(np.array(times)[one[name]]) == sorted(np.array(shuffled)[other[name]])


def test_blocked_months():
    times = [at(2011, 3, 1), at(2011, 4, 20), at(2011, 5, 1), at(2011, 11, 1), at(2011, 12, 31, 23, 59), at(2012, 1, 1)]
    masks = blocked(np.array(times), *MONTHS)
    assert [name for i in range(6) for name in masks if masks[name][i]] == [
        "train",
        "guard",
        "validation",
        "test",
        "test",
        "guard",
    ]


def test_poster():
    times = np.arange(at(2009, 12, 30), at(2013, 1, 5), 3600)
    masks = poster(times, seed=3)
    assert masks["train"].sum() == 12_000
    assert masks["test"].sum() == 3_945
    assert not (masks["train"] & masks["test"]).any()
    used = times[masks["train"] | masks["test"]]
    assert used.min() >= at(2010, 1, 1)
    assert used.max() < at(2013, 1, 1)
    backwards = poster(times[::-1], seed=3)
    np.testing.assert_array_equal(backwards["train"][::-1], masks["train"])
    assert (poster(times, seed=4)["train"] != masks["train"]).any()


def test_poster_refuses():
    with pytest.raises(ValueError, match=r"needs 12000 \+ 3945 frames in 2010-2012, got 1"):
        poster(np.array([at(2011, 1, 1)]), seed=0)
