"""SDOML v2: zarr stores (format 2) with a group for each year and an array for each series."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, cached_property, lru_cache
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError
from tfds_sdoml.sources.folder import with_limb_checked
from tfds_sdoml.sources.interface import Listing, Rejection
from tfds_sdoml.sources.time_index import kept_index
from tfds_sdoml.sources.zarr_stores import ArrayPlace, find_arrays, find_stores, open_array

CACHE_BYTES = 512 * 2**20  # decoded chunks of 15 frames are 16 MB; frames of one day lie in several

CHOOSING = Lock()  # two threads that want one chunk get the same one


class ZarrV2:
    """Stores of SDOML v2.

    Args:
        location: a store, a folder or bucket that holds stores, or several of either with commas between; paths, or
            URLs as fsspec takes them (`s3://` is read without a login).
        years: all if empty.
        index_folder: where the times of the frames are kept for the next build; None for nowhere.

    Raises:
        OSError: a location that is not there or must not be read.
        ValueError: the packages are missing, no store in a location, or two stores of one name.
    """

    spawn = False

    def __init__(self, location: str, years: tuple[int, ...] = (), index_folder: Path | None = None):
        self.location, self.years, self.index_folder = location, years, index_folder
        stores = [store for one in location.split(",") for store in find_stores(one.strip())]
        names = [PurePosixPath(store).name for store in stores]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{location}: two stores are called {', '.join(twice)}: name one of them")
        self.arrays = [array for store in stores for array in find_arrays(store)]
        if not self.arrays:
            raise ValueError(f"{location}: no array 193A, Bz or the like in {', '.join(names)}: is it SDOML v2?")
        self.size = self.arrays[0].shape[1]  # of all that are used, which `listing` checks

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`."""
        times, places, rejected = [], [], []
        for array in self._arrays_of(series):
            for number, time, reason, detail in kept_index(self.index_folder, array):
                place = f"{array.text}/{number}"
                # A store without years has them all.
                if time is not None and self.years and datetime.fromtimestamp(time, UTC).year not in self.years:
                    continue
                if reason is not None:
                    rejected.append(Rejection(series, time, place, reason, detail))
                else:
                    times.append(time)
                    places.append(place)
        return Listing(np.array(times, np.int64), places, rejected)

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`. v2 is in DN/s, the mean over pixels, and in gauss."""
        path, _, index = place.rpartition("/")
        try:
            number, within = divmod(int(index), self._array(path).chunks[0])
            with CHOOSING:
                chunk = self._chunk(path, number)
            image = chunk.values()[within].copy()
        except Exception as error:  # of many kinds: codecs and file systems have their own
            raise FrameError("unreadable", str(error) or type(error).__name__) from error
        return with_limb_checked(image, series, place)

    @cached_property
    def _chunk(self) -> Callable[[str, int], "Chunk"]:
        most = CACHE_BYTES // (np.dtype(np.float32).itemsize * math.prod(self.arrays[0].read_json(".zarray")["chunks"]))
        return lru_cache(max(1, most))(lambda path, number: Chunk(self._array(path), number))

    @cached_property
    def _array(self) -> Callable[[str], Any]:
        """Place -> the array as zarr has it, opened when it is first read."""
        arrays = {array.text: array for array in self.arrays}
        return cache(lambda path: open_array(arrays[path]))

    def _arrays_of(self, series: str) -> list[ArrayPlace]:
        """The arrays of a series in the years that are used.

        Raises:
            ValueError: none, not all years, or one year twice.
        """
        name = f"{int(series)}A" if series.isdigit() else series.title()
        arrays = [array for array in self.arrays if array.name == name]
        if not arrays:
            there = sorted({array.name for array in self.arrays})
            raise ValueError(f"{self.location}: no array {name}, only {', '.join(there)}")
        held = {array.year for array in arrays}
        if None not in held and (missing := sorted(set(self.years) - held)):
            there = ", ".join(str(year) for year in sorted(held, key=str))
            raise ValueError(
                f"{self.location}: no year {', '.join(map(str, missing))} with {name}, only {there}: give --years that "
                "are there"
            )
        used = [array for array in arrays if not self.years or array.year is None or array.year in self.years]
        years = [array.year for array in used]
        if len(set(years)) < len(years) or (None in years and len(years) > 1):
            where = ", ".join(array.text for array in used)
            raise ValueError(f"{self.location}: {name} is there more than once ({where}): name one store of them")
        for array in used:
            shape = array.shape
            if len(shape) != 3 or shape[1:] != (self.size, self.size):
                raise ValueError(f"{array.text} has the shape {shape}, expected (frames, {self.size}, {self.size})")
        return used


class Chunk:
    """A chunk of an array, decoded by the first thread that wants it while the others wait."""

    def __init__(self, array: Any, number: int):
        self._array, self._number = array, number
        self._lock, self._values = Lock(), None

    def values(self) -> Float[np.ndarray, "frame size size"]:
        """Return its frames, float32; errors of decoding are raised and not cached."""
        with self._lock:
            if self._values is None:
                length = self._array.chunks[0]
                first = self._number * length
                self._values = np.asarray(self._array[first : first + length], np.float32)
            return self._values
