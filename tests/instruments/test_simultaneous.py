import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from munit_jax.instruments.simultaneous import join_nearest

SERIES = st.lists(st.integers(0, 5000), max_size=30, unique=True).map(lambda times: np.array(sorted(times), np.int64))


def test_nearest_within_the_tolerance():
    joined = join_nearest({"bz": np.array([0, 720, 1440]), "0193": np.array([35, 500, 1900])}, tolerance=360)
    assert joined["bz"].tolist() == [0, 1]
    assert joined["0193"].tolist() == [0, 1]


def test_a_frame_is_used_once_by_the_nearer():
    joined = join_nearest({"bz": np.array([0, 100]), "0193": np.array([60])})
    assert joined["bz"].tolist() == [1]


def test_empty_series():
    assert join_nearest({"bz": np.array([1]), "0193": np.array([], np.int64)})["bz"].size == 0


@given(first=SERIES, second=SERIES, third=SERIES, tolerance=st.integers(0, 400))
def test_join_properties(first, second, third, tolerance):
    series = {"a": first, "b": second, "c": third}
    joined = join_nearest(series, tolerance)
    for name in "bc":
        assert len(joined[name]) == len(joined["a"])
        assert len(set(joined[name].tolist())) == len(joined[name])
        if len(joined["a"]):
            assert (np.abs(series[name][joined[name]] - first[joined["a"]]) <= tolerance).all()
