"""The histogram and the power of magnetograms that have no truth of their own."""

import numpy as np
import pytest

from benchmarks.real_frames import power, shares, table
from munit_jax.sun.disk import on_disk, sdoml_geometry

DISK = on_disk(sdoml_geometry(64))


def noise(seed: int, size: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 10, (1, size, size)).astype(np.float32)


def test_shares_by_hand():
    """Half of the disk at 1 G, a quarter at -7 and a quarter at 300; what is off the disk does not count."""
    values = np.resize([1.0, -7.0, 1.0, 300.0], DISK.sum() // 4 * 4)
    disk, field = DISK.copy(), np.full((1, 64, 64), 30.0)
    disk[tuple(np.argwhere(disk)[len(values) :].T)] = False
    field[0, disk] = values
    assert shares(field, disk) == pytest.approx([0.5, 0, 0.25, 0, 0, 0, 0.25])


def test_power_of_twice_the_field_is_four_times_as_much():
    one = noise(0)
    assert power(np.concatenate([2 * one, 2 * one]), one[0], DISK) == pytest.approx(4.0, rel=1e-4)
    assert power(noise(1), one[0], DISK)[0] == pytest.approx(1, abs=0.2), "another of the same kind"


def test_every_generated_one_stands_against_every_real_one():
    made, real = {"made": noise(0)}, {"a": noise(1), "b": noise(2)}
    text = table(made, real, DISK)
    assert [line.split(" | ")[0] for line in text.split("\n\n")[1].splitlines()[2:]] == [
        "| made / a",
        "| made / b",
        "| a / a",
        "| b / a",
    ]
