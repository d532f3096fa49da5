"""Magnetograms that need no network: what they are, by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from munit_jax.data.normalization import Normalization, denormalize
from munit_jax.metrics.baselines import (
    another_date,
    day_before,
    digest,
    earlier_field,
    learn_climate,
    painted,
    without_others,
)
from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import on_disk, sdoml_geometry
from munit_jax.sun.rotation import rotated
from tfds_sdoml.synthetic_sun.observation import observe

EUV = Normalization("asinh", False, (50.0, 50.0), (5000.0, 5000.0))
SIZE = 32
GEOMETRY = sdoml_geometry(SIZE)


class Frames(list):
    """Frames in memory, with what the baselines ask of a split."""

    size = SIZE


def frame(field: np.ndarray, euv: np.ndarray, day: float = 0.0) -> dict[str, np.ndarray]:
    return {
        "magnetogram": field.astype(np.float32)[..., None],
        "euv": euv.astype(np.float32),
        "time": np.int64(day * DAY),
        "solar_radius": np.float32(GEOMETRY.solar_radius),
        "centre": np.array(GEOMETRY.centre, np.float32),
        "b0": np.float32(0),
        "l0": np.float32((100 - day * 13.2) % 360),
        "distance": np.float32(GEOMETRY.distance),
    }


@pytest.fixture(scope="module")
def train():
    """|B| grows with the second channel as its square; the first is noise."""
    rng = np.random.default_rng(0)
    made = Frames()
    for _ in range(6):
        level = rng.uniform(0, 1, (SIZE, SIZE))
        sign = rng.choice([-1.0, 1.0], (SIZE, SIZE))
        y = np.stack([rng.uniform(-1, 1, (SIZE, SIZE)), 2 * level - 1], axis=-1)
        made.append(frame(sign * 200 * level**2, np.asarray(denormalize(EUV, y.astype(np.float32)))))
    return made


def test_mean_and_mean_modulus(train):
    climate = learn_climate(train, EUV)
    fields = np.stack([f["magnetogram"][..., 0] for f in train])
    np.testing.assert_allclose(climate.mean, fields.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(climate.mean_unsigned, abs(fields).mean(axis=0), rtol=1e-5)
    assert len(climate.times) == 6


def test_euv_proxy_finds_the_monotone_function_of_the_channel_that_tells_most(train):
    climate = learn_climate(train, EUV)
    assert climate.channel == 1
    assert (np.diff(climate.unsigned_of_intensity) >= 0).all()
    signed, unsigned = without_others(climate, EUV, train[0])["euv_proxy"]
    disk = on_disk(GEOMETRY, 0.9)
    np.testing.assert_allclose(unsigned[disk], abs(train[0]["magnetogram"][disk, 0]), atol=8)
    assert np.isnan(signed).all(), "intensity has no sign"


def test_zero_is_zero_and_the_mean_has_its_modulus(train):
    climate = learn_climate(train, EUV)
    fields = without_others(climate, EUV, train[0])
    assert not np.any(fields["zero"])
    np.testing.assert_array_equal(fields["mean"], (climate.mean, climate.mean_unsigned))


def test_hale_s_law_is_painted_on_the_flanks_of_a_region():
    """In cycle 24 the west of a northern region is negative, of a southern one positive; in cycle 25 the reverse."""
    y, x = np.mgrid[:SIZE, :SIZE]
    centre = (SIZE - 1) / 2
    hump = sum(np.exp(-((x - centre) ** 2 + (y - row) ** 2) / 8) for row in (centre - 5, centre + 5)) * 100
    in_24, in_25 = (painted(hump, GEOMETRY, datetime(year, 6, 1, tzinfo=UTC).timestamp()) for year in (2012, 2022))
    north, south, east, west = SIZE // 2 + 5, SIZE // 2 - 6, SIZE // 2 - 3, SIZE // 2 + 3
    assert in_24[north, west] < 0 < in_24[north, east]
    assert in_24[south, east] < 0 < in_24[south, west]
    np.testing.assert_array_equal(in_25, -in_24)
    disk = on_disk(GEOMETRY)
    np.testing.assert_array_equal(np.abs(in_24[disk]), hump[disk])
    assert np.isnan(painted(hump, GEOMETRY, 0.0)).all(), "the cycle of 1970 is not known"


def test_hale_s_law_holds_on_the_synthetic_sun():
    """Painted on the true |B|, the law gives most strong pixels the right sign; by chance it were one in two."""
    right, strong = 0, 0
    for month in (1, 3, 5, 7, 9, 11):
        time = int(datetime(2012, month, 10, tzinfo=UTC).timestamp())
        seen = observe(0, time, 64, ("0193",))
        field = seen.magnetogram[..., 0]
        signs = painted(np.abs(field), seen.geometry, float(time))
        above = np.abs(field) > 50
        right, strong = right + (signs * field > 0)[above].sum(), strong + above.sum()
    assert strong >= 100
    assert right / strong > 0.8


def test_the_day_before_may_be_six_hours_off():
    times = (np.array([0, 1, 2.2, 3.5, 9]) * DAY).astype(np.int64)
    assert day_before(times) == [None, 0, 1, None, None]
    assert day_before(times[::-1]) == [None, None, 3, 4, None], "whatever their order"


def test_the_day_before_is_the_field_rotated(train):
    before, now = (
        frame(train[0]["magnetogram"][..., 0], train[0]["euv"]),
        frame(np.zeros((SIZE, SIZE)), train[0]["euv"], 1),
    )
    then = sdoml_geometry(SIZE, 0.0, 100.0)
    later = sdoml_geometry(SIZE, 0.0, float(now["l0"]))
    expected = rotated(before["magnetogram"][..., 0], then, later, 1.0)[0]
    np.testing.assert_allclose(earlier_field(before, now), expected, atol=1e-3)


def test_another_date_is_never_its_own_and_follows_the_frame_not_its_place():
    digests = [digest(np.full((2, 2), k, np.float32)) for k in range(7)]
    partners = another_date(digests)
    assert sorted(partners) == list(range(7)), "each is somebody's other date"
    assert all(partner != k for k, partner in enumerate(partners))
    order = [3, 1, 6, 0, 2, 5, 4]
    permuted = another_date([digests[k] for k in order])
    for place, k in enumerate(order):
        assert order[permuted[place]] == partners[k]
    assert another_date(digests[:1]) == [None]
