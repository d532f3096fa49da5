"""Stores in the format of SDOML v2, attributes with NaN included."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import fsspec
import numpy as np
import zarr
from numcodecs import Blosc
from zarr.storage import FsspecStore, LocalStore


def write_store(url: str, arrays: dict[str, tuple[np.ndarray, dict[str, list[Any]]]], chunk: int = 15) -> None:
    """Write a store: `{"2011/193A": (images (frame, y, x) float32, attributes), ...}`, `chunk` frames a chunk."""
    store: Any = FsspecStore.from_url(url) if "://" in url else LocalStore(url)
    system, root = fsspec.core.url_to_fs(url)
    group = zarr.open_group(store, mode="a", zarr_format=2)
    for path, (images, attributes) in arrays.items():
        array = group.create_array(
            path,
            shape=images.shape,
            chunks=(chunk, *images.shape[1:]),
            dtype=np.float32,
            compressors=Blosc(cname="zstd", clevel=5, shuffle=Blosc.BITSHUFFLE),
        )
        array[:] = images
        system.pipe_file(f"{root}/{path}/.zattrs", json.dumps(attributes).encode())  # NaN as such


def aia_attributes(times: Sequence[datetime], **more: list[Any]) -> dict[str, list[Any]]:
    """The attributes of AIA frames, one entry a frame."""
    return {
        "T_OBS": [f"{time:%Y-%m-%dT%H:%M:%S.%f}"[:-4] + "Z" for time in times],
        "WAVELNTH": [193 for _ in times],
        "EXPTIME": [float("nan") for _ in times],
        "QUALITY": [0 for _ in times],
    } | more


def hmi_attributes(times: Sequence[datetime], **more: list[Any]) -> dict[str, list[Any]]:
    """The attributes of HMI frames; the clock of the times is TAI."""
    return {
        "T_OBS": [f"{time:%Y.%m.%d_%H:%M:%S}_TAI" for time in times],
        "QUALITY": [0 for _ in times],
    } | more
