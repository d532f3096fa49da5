"""Normalisations by name: the published numbers, and those of a dataset."""

import pytest

from munit_jax.data.presets import preset
from munit_jax.errors import ConfigError

STATISTICS = {"0193": {"50": 200.0, "99.99": 3000.0}, "bz": {"50": 4.0, "99.99": 1200.0}}


def test_fdl():
    n = preset("fdl", "euv", ("0171", "0094"), {})
    assert (n.kind, n.signed, n.limit) == ("linear", False, (2000.0, 10.0))
    n = preset("fdl", "magnetogram", ("bz",), {})
    assert (n.kind, n.signed, n.limit) == ("linear", True, (2000.0,))


def test_iti():
    n = preset("iti", "euv", ("0304", "0171"), {})
    assert (n.kind, n.scale, n.limit) == ("asinh", (8.8, 43.0), (8800.0, 8600.0))
    assert preset("iti", "magnetogram", ("bz",), {}).limit == (3000.0,)


def test_dataset():
    n = preset("dataset", "euv", ("0193",), STATISTICS)
    assert (n.kind, n.scale, n.limit) == ("asinh", (30.0,), (6000.0,))
    n = preset("dataset", "magnetogram", ("bz",), STATISTICS)
    assert (n.kind, n.signed, n.limit) == ("asinh", True, (2400.0,))
    assert n.scale == pytest.approx((80.0,))


def test_what_has_no_number():
    with pytest.raises(ConfigError, match="'iti' has no number for 0131, only for 0171, 0193, 0211, 0304: give kind"):
        preset("iti", "euv", ("0131", "0171"), {})
    with pytest.raises(ConfigError, match="'dataset' has no number for 0304, only for 0193, bz"):
        preset("dataset", "euv", ("0304",), STATISTICS)
    with pytest.raises(ConfigError, match="has no number for 0304, only for none"):
        preset("dataset", "euv", ("0304",), {})
    with pytest.raises(ConfigError, match="unknown normalization 'minmax': choose one of dataset, fdl, iti"):
        preset("minmax", "euv", ("0304",), {})
