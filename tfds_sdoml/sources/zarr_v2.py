"""SDOML v2: zarr stores (format 2) with a group for each year and an array for each series.

An array holds the frames of a year, not in the order of time; every attribute of it is a list with an entry a frame,
the keywords of the FITS header it came from. Some lists are shorter than the array, and some entries are NaN.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.aia import AIA
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import check_quality, time_of
from munit_jax.instruments.hmi import HMI
from tfds_sdoml.sources.chunk_cache import ChunkCache
from tfds_sdoml.sources.interface import Listing, Rejection
from tfds_sdoml.sources.time_index import TimeIndex, kept_index, stamp_of

ARRAY_NAME = re.compile(r"(\d+)A|B[xyz]")
YEAR = re.compile(r"\d{4}")
KEYWORDS = ("T_OBS", "DATE-OBS", "QUALITY")  # of the many attributes, those that are used here
CACHE_BYTES = 512 * 2**20  # decoded chunks of 15 frames are 16 MB; frames of one day lie in several
NEEDED = 'SDOML v2 needs the packages zarr and fsspec: pip install "munit-jax[zarr]"'


@dataclass(frozen=True)
class Store:
    """A zarr store: what it is called in places, and where it is (a path or a URL)."""

    name: str
    url: str


@dataclass(frozen=True)
class ArrayPlace:
    """An array in a store: its path there, such as `2011/193A`, and its year; None in stores that have no years."""

    store: Store
    path: str
    year: int | None

    @property
    def text(self) -> str:
        """The place as `Source.listing` tells it, without the number of the frame."""
        return f"{self.store.name}/{self.path}"


class ZarrV2:
    """Stores of SDOML v2.

    Args:
        location: a store, a folder or bucket that holds stores, or several of either with commas between; paths, or
            URLs as fsspec takes them (`s3://` is read without a login).
        years: the years that are used; all if empty.
        index_folder: where the times of the frames are kept for the next build; None for nowhere.

    Raises:
        OSError: a location that is not there or must not be read.
        ValueError: the packages are missing, no store in a location, or two stores of one name.
    """

    spawn = False

    def __init__(self, location: str, years: tuple[int, ...] = (), index_folder: Path | None = None):
        self.location, self.years, self.index_folder = location, years, index_folder
        self.stores = [store for one in location.split(",") for store in find_stores(one.strip())]
        names = [store.name for store in self.stores]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{location}: two stores are called {', '.join(twice)}: name one of them")
        self.arrays = [array for store in self.stores for array in find_arrays(store)]
        if not self.arrays:
            raise ValueError(f"{location}: no array 193A, Bz or the like in {', '.join(names)}: is it SDOML v2?")

    def __getstate__(self) -> dict[str, Any]:
        return {key: self.__dict__[key] for key in ("location", "years", "index_folder", "stores", "arrays")}

    @property
    def size(self) -> int:
        """Width and height of the images in pixels, as the first array has them."""
        return self._size

    @cached_property
    def _size(self) -> int:
        return shape_of(self.arrays[0])[1]

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`."""
        times, places, rejected = [], [], []
        for array in self._arrays_of(series):
            index = self._index(array, series)
            times += [time for _, time in index.frames]
            places += [f"{array.text}/{number}" for number, _ in index.frames]
            rejected += [
                Rejection(series, time, f"{array.text}/{number}", reason, detail)
                for number, time, reason, detail in index.rejected
            ]
        together = np.array(times, np.int64)
        keep = np.ones(len(together), bool)
        if self.years:  # a store without years holds them all
            keep = np.isin(together.astype("datetime64[s]").astype("datetime64[Y]").astype(int) + 1970, self.years)
            rejected = [row for row in rejected if row.time is None or year_of(row.time) in self.years]
        return Listing(together[keep], [places[i] for i in np.flatnonzero(keep)], rejected)

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`. v2 is in DN/s, the mean over pixels, and in gauss."""
        path, _, index = place.rpartition("/")
        try:
            array = self._array(path)
            length = array.chunks[0]
            number, within = divmod(int(index), length)
            first = number * length
            chunk = self._cache.get((path, number), lambda: np.asarray(array[first : first + length], np.float32))
        except Exception as error:  # of many kinds: codecs and file systems have their own
            raise FrameError("unreadable", str(error) or type(error).__name__) from error
        return chunk[within].copy()

    def _index(self, array: ArrayPlace, series: str) -> TimeIndex:
        """The frames of an array by time, out of its attributes or as they are kept."""
        if self.index_folder is None:
            return index_frames(array, series)
        system, root = file_system(array.store.url)
        try:
            stamp = stamp_of(system.info(f"{root}/{array.path}/.zattrs"))
        except FileNotFoundError:
            stamp = None  # told by whoever reads it
        if stamp is not None:
            stamp += f", shape {shape_of(array)}"
        url = f"{array.store.url}/{array.path}"
        return kept_index(self.index_folder, url, stamp, lambda: index_frames(array, series))

    @cached_property
    def _cache(self) -> ChunkCache:
        return ChunkCache(CACHE_BYTES)

    @cached_property
    def _opened(self) -> dict[str, Any]:
        return {}

    def _array(self, path: str) -> Any:
        """The array of a place as zarr has it, opened when it is first read."""
        if path not in self._opened:
            self._opened[path] = open_array(next(array for array in self.arrays if array.text == path))
        return self._opened[path]

    def _arrays_of(self, series: str) -> list[ArrayPlace]:
        """The arrays of a series in the years that are used.

        Raises:
            ValueError: none, not all years, or one year twice.
        """
        name = array_name(series)
        arrays = [array for array in self.arrays if PurePosixPath(array.path).name == name]
        if not arrays:
            there = sorted({PurePosixPath(array.path).name for array in self.arrays})
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
            shape = shape_of(array)
            if len(shape) != 3 or shape[1:] != (self.size, self.size):
                raise ValueError(f"{array.text} has the shape {shape}, expected (frames, {self.size}, {self.size})")
        return used


def array_name(series: str) -> str:
    """Return what SDOML v2 calls a series: `193A` for `0193`, `Bz` for `bz`."""
    return f"{int(series)}A" if series.isdigit() else series.title()


def year_of(time: int) -> int:
    """Return the year of a time in seconds since 1970."""
    return datetime.fromtimestamp(time, UTC).year


def file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a path or URL, and the path in it.

    Raises:
        ValueError: the packages are missing, or a kind of URL that is not known.
    """
    try:
        import fsspec
        import zarr  # noqa: F401 (needed soon: better told now)

        return fsspec.core.url_to_fs(url, **options_of(url))
    except ImportError as error:
        raise ValueError(f"{NEEDED} ({error})") from error


def options_of(url: str) -> dict[str, Any]:
    """Return what fsspec needs to know for a URL: the bucket of SDOML v2 is public."""
    return {"anon": True} if url.startswith("s3://") else {}


def find_stores(location: str) -> list[Store]:
    """Return the stores at a location: itself, or those it holds.

    Raises:
        OSError: it is not there or must not be read.
        ValueError: no store.
    """
    system, path = file_system(location)
    path = path.rstrip("/")
    prefix = location[: location.index("://") + 3] if "://" in location else ""
    if not system.isdir(path):
        raise FileNotFoundError(f"no folder {location}: give a zarr store of SDOML v2, or the folder that holds some")
    candidates = [path] if is_group(system, path) else [p for p in folders(system, path) if is_group(system, p)]
    if not candidates:
        names = ", ".join(PurePosixPath(p).name for p in folders(system, path)[:5]) or "none"
        raise ValueError(
            f"{location}: no zarr store (a folder with .zgroup) there or one level below; folders: {names}"
        )
    return [Store(PurePosixPath(p).name, prefix + p) for p in candidates]


def is_group(system: Any, path: str) -> bool:
    """Return whether a folder is a zarr group of format 2."""
    return system.exists(f"{path}/.zgroup") or system.exists(f"{path}/.zmetadata")


def folders(system: Any, path: str) -> list[str]:
    """Return the folders in a folder, in the order of their names."""
    return sorted(entry["name"].rstrip("/") for entry in system.ls(path, detail=True) if entry["type"] == "directory")


def find_arrays(store: Store) -> list[ArrayPlace]:
    """Return the arrays of a store: in groups by year, or at its top."""
    system, root = file_system(store.url)
    arrays = []
    for folder in folders(system, root):
        name = PurePosixPath(folder).name
        if ARRAY_NAME.fullmatch(name):
            arrays.append(ArrayPlace(store, name, None))
        elif YEAR.fullmatch(name):
            below = (PurePosixPath(p).name for p in folders(system, folder))
            arrays += [ArrayPlace(store, f"{name}/{n}", int(name)) for n in below if ARRAY_NAME.fullmatch(n)]
    return arrays


def read_json(array: ArrayPlace, name: str) -> dict[str, Any]:
    """Return a file of an array's metadata; Python's reader takes the NaN that strict JSON does not have.

    Raises:
        ValueError: it is not there or damaged.
    """
    system, root = file_system(array.store.url)
    try:
        return json.loads(system.cat_file(f"{root}/{array.path}/{name}"))
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{array.text}: its {name} cannot be read: {error}") from error


def shape_of(array: ArrayPlace) -> tuple[int, ...]:
    """Return the shape of an array."""
    return tuple(read_json(array, ".zarray")["shape"])


def index_frames(array: ArrayPlace, series: str) -> TimeIndex:
    """Return the frames of an array by time, and those without a time or with a bad quality; reads its attributes.

    Raises:
        ValueError: attributes that cannot be read.
    """
    attributes = read_json(array, ".zattrs")
    lists = {key: value for key in KEYWORDS if isinstance(value := attributes.get(key), list)}
    del attributes  # hundreds of megabytes
    frames, rejected = [], []
    for number in range(shape_of(array)[0]):
        header = {key: values[number] for key, values in lists.items() if number < len(values)}
        try:
            time = time_of(header)
        except ValueError as error:
            rejected.append((number, None, "no time", str(error)))
            continue
        try:
            check_quality(header, (AIA if series.isdigit() else HMI).harmless)
            frames.append((number, time))
        except FrameError as error:
            rejected.append((number, time, error.reason, error.detail))
    return TimeIndex(frames, rejected)


def open_array(array: ArrayPlace) -> Any:
    """Return an array as zarr has it, without its attributes."""
    import zarr
    from zarr.storage import FsspecStore, LocalStore, WrapperStore

    class WithoutAttributes(WrapperStore):
        """A store in which no array has attributes: zarr would read hundreds of megabytes to open one."""

        async def get(self, key: str, *arguments: Any, **named: Any) -> Any:
            return None if key.endswith(".zattrs") else await super().get(key, *arguments, **named)

    url = array.store.url
    if "://" in url:
        store = FsspecStore.from_url(url, storage_options=options_of(url), read_only=True)
    else:
        store = LocalStore(url, read_only=True)
    return zarr.open_array(WithoutAttributes(store), path=array.path, mode="r", zarr_format=2)
