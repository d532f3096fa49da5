"""The 256-pixel set `sci-sdo-virtual-magnetogram`, derived from SDOML v2: all series of one time in one npz file.

The files are `frames/YYYYMMDDTHHMM.npz`, times UTC, with the keys `aia94` ... `aia1700` (DN/s), `bz` (gauss), float16.
"""

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.sdoml import DAMAGED, read_array
from tfds_sdoml.sources.interface import Listing, Rejection

SIZE = 256  # pixels
FILE_NAME = re.compile(r"(\d{8}T\d{4})\.npz")


def key_of(series: str) -> str:
    """Return the key of a series in a file: `aia94` for `0094`, `bz` for itself."""
    return f"aia{int(series)}" if series.isdigit() else series


class Hf256:
    """Files of the 256-pixel set below a folder.

    Args:
        folder: top of the tree; files are found by their names at any depth.

    Raises:
        FileNotFoundError: no such folder.
    """

    size = SIZE
    spawn = False

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder}: give the folder that holds frames/YYYYMMDDTHHMM.npz")
        self.folder = folder

    def __getstate__(self) -> dict[str, Path]:
        return {"folder": self.folder}  # the list of files stays behind: whoever reads is told the places

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`."""
        if not self._places:
            raise ValueError(f"no file YYYYMMDDTHHMM.npz in {self.folder} or below it: is it the right folder?")
        keys = self._keys()
        if key_of(series) not in keys:
            raise ValueError(f"the files in {self.folder} have no {key_of(series)}, only {', '.join(keys)}")
        times, places, rejected = [], [], []
        for place in self._places:
            stem = Path(place).stem
            try:
                times.append(int(datetime.strptime(stem, "%Y%m%dT%H%M").replace(tzinfo=UTC).timestamp()))
                places.append(place)
            except ValueError as error:
                rejected.append(Rejection(series, None, place, "no time", str(error)))
        return Listing(np.array(times, np.int64), places, rejected)

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`."""
        try:
            with (self.folder / place).open("rb") as file:
                return read_array(file, key_of(series), SIZE)
        except OSError as error:
            raise FrameError("unreadable", error.strerror or str(error)) from error

    @cached_property
    def _places(self) -> list[str]:
        """The files, relative to the folder."""

        def stop(error: OSError):
            raise error  # a folder that cannot be listed would otherwise be passed over in silence

        return sorted(
            os.path.relpath(os.path.join(folder, name), self.folder)
            for folder, _, names in os.walk(self.folder, onerror=stop, followlinks=True)
            for name in names
            if FILE_NAME.fullmatch(name)
        )

    def _keys(self) -> list[str]:
        """The keys of the first file that can be read.

        Raises:
            ValueError: none can.
        """
        for place in self._places:
            with suppress(*DAMAGED), (self.folder / place).open("rb") as file, np.load(file) as arrays:
                return list(arrays)
        raise ValueError(f"none of the {len(self._places):,} files YYYYMMDDTHHMM.npz in {self.folder} can be read")
