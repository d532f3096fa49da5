"""Decoded chunks that are kept for the next reader, as many as fit into a number of bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

import numpy as np


class ChunkCache:
    """The chunks that were used last. Two threads that want the same chunk decode it once.

    Args:
        budget: bytes that are kept at most, but for the chunk that was decoded last.
    """

    def __init__(self, budget: int):
        self.budget = budget
        self._chunks: OrderedDict[Hashable, Future[np.ndarray]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, decode: Callable[[], np.ndarray]) -> np.ndarray:
        """Return a chunk; `decode` makes it if it is not there, and what it raises is raised and not kept."""
        with self._lock:
            there = self._chunks.get(key)
            chunk = self._chunks.setdefault(key, Future())
            self._chunks.move_to_end(key)
        if there is not None:
            return there.result()
        try:
            chunk.set_result(decode())
        except BaseException as error:
            with self._lock:
                del self._chunks[key]
            chunk.set_exception(error)
            raise
        self._evict()
        return chunk.result()

    def _evict(self) -> None:
        with self._lock:
            done = [(key, chunk.result().nbytes) for key, chunk in self._chunks.items() if chunk.done()]
            total = sum(size for _, size in done)
            for key, size in done[:-1]:
                if total <= self.budget:
                    return
                del self._chunks[key]
                total -= size
