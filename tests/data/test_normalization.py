"""Normalisations: hand values, round trips, numpy and JAX agree, bad settings; presets have the published numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from munit_jax.data.normalization import Normalization, denormalize, normalize, preset
from munit_jax.errors import ConfigError

FIELD = Normalization("asinh", signed=True, scale=(100.0,), limit=(3000.0,))
ALL = [
    Normalization("linear", True, (1.0,), (3000.0,)),
    FIELD,
    Normalization("linear", False, (1.0,), (8600.0,)),
    Normalization("asinh", False, (43.0,), (8600.0,)),
    Normalization("log", False, (10.0,), (8600.0,)),
]


def pixels(*values: float) -> np.ndarray:
    return np.array(values).reshape(1, -1, 1)


def test_by_hand():
    # asinh(x / 100) / asinh(30)
    expected = np.arcsinh([0, 1, -30, 30]) / np.arcsinh(30)
    np.testing.assert_allclose(normalize(FIELD, pixels(0, 100, -3000, 3000)).ravel(), expected)
    log = Normalization("log", False, (1.0,), (np.e**2 - 1,))
    np.testing.assert_allclose(normalize(log, pixels(0, np.e - 1, np.e**2 - 1)).ravel(), [-1, 0, 1], atol=1e-12)
    linear = Normalization("linear", False, (1.0,), (200.0,))
    np.testing.assert_allclose(normalize(linear, pixels(0, 50, 200)).ravel(), [-1, -0.5, 1])


@pytest.mark.parametrize("n", ALL)
@given(fraction=st.floats(0, 1))
def test_round_trip(n, fraction):
    x = pixels(fraction * n.limit[0], -fraction * n.limit[0] if n.signed else 0.0)
    y = normalize(n, x)
    assert np.abs(y).max() <= 1 + 1e-12
    np.testing.assert_allclose(denormalize(n, y), x, atol=1e-9 * n.limit[0])


@pytest.mark.parametrize("n", ALL)
def test_beyond_the_limit_is_clipped(n):
    x = pixels(2 * n.limit[0], -2 * n.limit[0])
    np.testing.assert_allclose(normalize(n, x).ravel(), [1, -1])


@pytest.mark.parametrize("n", ALL)
def test_numpy_and_compiled_jax_agree(n):
    x = np.linspace(0, n.limit[0], 7, dtype=np.float32).reshape(1, 7, 1)
    y = jax.jit(lambda x: normalize(n, x))(jnp.asarray(x))
    assert normalize(n, x).dtype == np.float32
    np.testing.assert_allclose(y, normalize(n, x), atol=1e-6)
    np.testing.assert_allclose(jax.jit(lambda y: denormalize(n, y))(y), x, atol=1e-5 * n.limit[0])


def test_each_channel_has_its_own_scale():
    n = Normalization("linear", False, (1.0, 1.0), (10.0, 100.0))
    np.testing.assert_allclose(normalize(n, np.array([[[5.0, 5.0]]])).ravel(), [0.0, -0.9])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("gamma", True, (1.0,), (2.0,)),
            "unknown normalization 'gamma': choose one of linear, asinh, log, or by name dataset",
        ),
        (("log", True, (1.0,), (2.0,)), "use asinh or linear for fields in gauss"),
        (("asinh", True, (1.0,), (2.0, 3.0)), "got 1 scales and 2 limits"),
        (("asinh", True, (0.0,), (2.0,)), "must be positive"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Normalization(*arguments)


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
    with pytest.raises(
        ConfigError, match="'iti' has no number for 0131, only for 0171, 0193, 0211, 0304, bz: give kind"
    ):
        preset("iti", "euv", ("0131", "0171"), {})
    with pytest.raises(ConfigError, match="'dataset' has no number for 0304, only for 0193, bz"):
        preset("dataset", "euv", ("0304",), STATISTICS)
    with pytest.raises(ConfigError, match="has no number for 0304, only for none"):
        preset("dataset", "euv", ("0304",), {})
