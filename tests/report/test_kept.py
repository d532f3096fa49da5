"""Results on disk: a stopped evaluation goes on, and results of another are not taken."""

import numpy as np
import pytest

from munit_jax.report.kept import Kept


def squares(k: int) -> dict:
    return {"a": {"b": np.array([k**2])}, "c": np.float64(k)}


def test_what_was_measured_before_a_stop_is_not_measured_again(tmp_path):
    kept, asked = Kept(tmp_path, {"seed": 0}), []

    def measure(k: int) -> dict:
        asked.append(k)
        if asked == [0, 1]:
            raise KeyboardInterrupt
        return squares(k)

    with pytest.raises(KeyboardInterrupt):
        kept.results(3, measure, "test")
    results = kept.results(3, measure, "test")
    assert asked == [0, 1, 1, 2]
    assert [(int(one["a"]["b"][0]), float(one["c"])) for one in results] == [(0, 0), (1, 1), (4, 2)]


def test_results_of_another_identity_are_not_taken(tmp_path):
    kept = Kept(tmp_path, {"seed": 0})
    kept.results(1, squares, "test")
    for other in (Kept(tmp_path, {"seed": 1}), kept.of(batch=2)):
        (one,) = other.results(1, lambda _: {"a": np.array(7)}, "test")
        assert one["a"] == 7
    assert kept.results(1, squares, "test")[0]["a"]["b"] == [0]
