"""Where SDOML v2 is stored: zarr stores in folders or buckets, and the arrays in them."""

import json
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from munit_jax.instruments.reading import walk
from tfds_sdoml.sources.folder import pass_over

ARRAY_NAME = re.compile(r"(\d+)A|B[xyz]")
YEAR = re.compile(r"\d{4}")
GROUP = frozenset({".zgroup", ".zmetadata"})  # a zarr group of format 2 has one of them
NEEDED = 'SDOML v2 needs the packages zarr and fsspec: pip install "munit-jax[zarr]"'


class ArrayPlace(NamedTuple):
    """An array: the path or URL of its store, its path there (`2011/193A`), its year (None in stores without years)."""

    store: str
    path: str
    year: int | None

    @property
    def text(self) -> str:
        """The place as in `Source.listing`, without the number of the frame."""
        return f"{PurePosixPath(self.store).name}/{self.path}"

    @property
    def name(self) -> str:
        """What SDOML v2 calls the series."""
        return PurePosixPath(self.path).name

    @property
    def shape(self) -> tuple[int, ...]:
        """Frames, rows and columns."""
        return tuple(self.read_json(".zarray")["shape"])

    def read_json(self, name: str) -> dict[str, Any]:
        """Return a file of the array's metadata; Python's reader takes the NaN that strict JSON does not have.

        Raises:
            ValueError: it is not there or damaged.
        """
        system, root = file_system(self.store)
        try:
            return json.loads(system.cat_file(f"{root}/{self.path}/{name}"))
        except (FileNotFoundError, ValueError) as error:
            raise ValueError(f"{self.text}: its {name} cannot be read: {error}") from error


def file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a path or URL, and the path in it.

    Raises:
        ValueError: the packages are missing, or a kind of URL that is not known.
    """
    try:
        import fsspec
        import zarr  # noqa: F401 (needed soon: fail early)

        return fsspec.core.url_to_fs(url, **options_of(url))
    except ImportError as error:
        raise ValueError(f"{NEEDED} ({error})") from error


def options_of(url: str) -> dict[str, Any]:
    """Return the options of fsspec for a URL: the bucket of SDOML v2 is public."""
    return {"anon": True} if url.startswith("s3://") else {}


def find_stores(location: str) -> list[str]:
    """Return the paths or URLs of the stores at a location: itself, or those it holds.

    Raises:
        OSError: it is not there or must not be read.
        ValueError: no store.
    """
    system, path = file_system(location)
    path = path.rstrip("/")
    prefix = location[: location.index("://") + 3] if "://" in location else ""
    if not system.isdir(path):
        raise FileNotFoundError(f"no folder {location}: give a zarr store of SDOML v2, or the folder that holds some")
    if is_group(system, path):
        return [prefix + path]
    # A bucket may hold millions of files: only its first level is read.
    stores = [p for p in folders(system, path) if is_group(system, p)] if prefix else stores_below(path)
    if not stores:
        names = ", ".join(PurePosixPath(p).name for p in folders(system, path)[:5]) or "none"
        raise ValueError(
            f"{location}: no zarr store (a folder with .zgroup, format 2) there or below; folders: {names}"
        )
    return [prefix + p for p in stores]


def is_group(system: Any, path: str) -> bool:
    """Return whether a folder is a zarr group of format 2."""
    return any(system.exists(f"{path}/{name}") for name in GROUP)


def stores_below(folder: str) -> list[str]:
    """Return the stores at any depth below a folder; files that are in none are logged."""
    stores, others = [], []
    for place, below, names in walk(Path(folder)):
        if GROUP & set(names):
            stores.append(place)
            below.clear()
        else:
            others += [os.path.relpath(os.path.join(place, name), folder) for name in names]
    pass_over(folder, "the zarr stores", others)
    return stores


def folders(system: Any, path: str) -> list[str]:
    """Return the folders in a folder, in the order of their names."""
    return sorted(entry["name"].rstrip("/") for entry in system.ls(path, detail=True) if entry["type"] == "directory")


def find_arrays(store: str) -> list[ArrayPlace]:
    """Return the arrays of a store: in groups by year, or at its top."""
    system, root = file_system(store)
    arrays = []
    for folder in folders(system, root):
        name = PurePosixPath(folder).name
        if ARRAY_NAME.fullmatch(name):
            arrays.append(ArrayPlace(store, name, None))
        elif YEAR.fullmatch(name):
            below = (PurePosixPath(p).name for p in folders(system, folder))
            arrays += [ArrayPlace(store, f"{name}/{n}", int(name)) for n in below if ARRAY_NAME.fullmatch(n)]
    return arrays


def open_array(array: ArrayPlace) -> Any:
    """Return an array as zarr has it, without its attributes."""
    import zarr
    from zarr.storage import FsspecStore, LocalStore, WrapperStore

    class WithoutAttributes(WrapperStore):
        """A store in which no array has attributes: zarr would read hundreds of megabytes to open one."""

        async def get(self, key: str, *arguments: Any, **named: Any) -> Any:
            return None if key.endswith(".zattrs") else await super().get(key, *arguments, **named)

    if "://" in array.store:
        store = FsspecStore.from_url(array.store, storage_options=options_of(array.store), read_only=True)
    else:
        store = LocalStore(array.store, read_only=True)
    return zarr.open_array(WithoutAttributes(store), path=array.path, mode="r", zarr_format=2)
