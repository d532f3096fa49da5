"""A chunk is decoded once while it is kept, by whoever comes first."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tfds_sdoml.sources.zarr_v2 import ChunkCache


class Frames:
    """An array of chunks of 20 frames, 80 bytes, in which chunk k is k everywhere."""

    chunks = (20,)

    def __init__(self, failures=0, seconds=0.0):
        self.decoded, self.failures, self.seconds = [], failures, seconds

    def __getitem__(self, frames):
        self.decoded.append(frames.start // 20)
        time.sleep(self.seconds)
        if len(self.decoded) <= self.failures:
            raise OSError("no such chunk")
        return np.full((20, 1, 1), frames.start // 20, np.float32)


def test_a_chunk_is_decoded_once():
    cache, array = ChunkCache(1000), Frames()
    for number in (1, 2, 3, 1, 2, 3, 2):
        assert (cache.get("2011/193A", array, number) == number).all()
    assert array.decoded == [1, 2, 3]


def test_the_chunk_that_was_not_used_for_longest_goes():
    cache, array = ChunkCache(170), Frames()
    for number in (1, 2, 1, 3, 1, 2):
        cache.get("2011/193A", array, number)
    assert array.decoded == [1, 2, 3, 2]


def test_a_chunk_beyond_the_budget_is_kept_until_the_next():
    cache, array = ChunkCache(10), Frames()
    for number in (1, 1, 2, 1):
        cache.get("2011/193A", array, number)
    assert array.decoded == [1, 2, 1]


def test_threads_wait_for_each_other():
    cache, array, gate = ChunkCache(1000), Frames(seconds=0.05), threading.Barrier(4)

    def want(_):
        gate.wait()
        return cache.get("2011/193A", array, 7)

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(want, range(4)))) == 4
    assert array.decoded == [7]


def test_a_failure_is_raised_and_not_kept():
    cache, array = ChunkCache(1000), Frames(failures=1)
    with pytest.raises(OSError, match="no such chunk"):
        cache.get("2011/193A", array, 1)
    assert (cache.get("2011/193A", array, 1) == 1).all()
