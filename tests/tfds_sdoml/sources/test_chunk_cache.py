"""A chunk is decoded once while it is kept, by whoever comes first."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tfds_sdoml.sources.chunk_cache import ChunkCache


class Decoder:
    def __init__(self):
        self.decoded = []

    def __call__(self, key):
        def decode():
            self.decoded.append(key)
            return np.full(10, key, np.int64)  # 80 bytes

        return decode


def test_a_chunk_is_decoded_once():
    cache, decoder = ChunkCache(1000), Decoder()
    for key in (1, 2, 3, 1, 2, 3, 2):
        assert (cache.get(key, decoder(key)) == key).all()
    assert decoder.decoded == [1, 2, 3]


def test_the_chunk_that_was_not_used_for_longest_goes():
    cache, decoder = ChunkCache(170), Decoder()
    for key in (1, 2, 1, 3, 1, 2):
        cache.get(key, decoder(key))
    assert decoder.decoded == [1, 2, 3, 2]


def test_a_chunk_beyond_the_budget_is_kept_until_the_next():
    cache, decoder = ChunkCache(10), Decoder()
    for key in (1, 1, 2, 1):
        cache.get(key, decoder(key))
    assert decoder.decoded == [1, 2, 1]


def test_threads_wait_for_each_other():
    cache, count, gate = ChunkCache(1000), [], threading.Barrier(4)

    def decode():
        count.append(1)
        time.sleep(0.05)
        return np.zeros(1)

    def want(_):
        gate.wait()
        return cache.get("x", decode)

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(want, range(4)))) == 4
    assert len(count) == 1


def test_a_failure_is_told_and_not_kept():
    cache = ChunkCache(1000)

    def fail():
        raise OSError("no such chunk")

    with pytest.raises(OSError, match="no such chunk"):
        cache.get(1, fail)
    assert cache.get(1, lambda: np.ones(1)) == 1
