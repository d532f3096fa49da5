"""The 256-pixel set `sci-sdo-virtual-magnetogram`, derived from SDOML v2: all series of one time in one npz file."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.reading import files_below
from munit_jax.instruments.sdoml import DAMAGED, read_array
from tfds_sdoml.sources.folder import Folder
from tfds_sdoml.sources.interface import Listing

FILE_NAME = re.compile(r"(\d{8}T\d{4})\.npz")


def key_of(series: str) -> str:
    """Return the key of a series in a file: `aia94` for `0094`, `bz` for itself."""
    return f"aia{int(series)}" if series.isdigit() else series


def time_in(place: str) -> int:
    """Return the time in a file's name as UTC seconds since 1970."""
    return int(datetime.strptime(Path(place).stem, "%Y%m%dT%H%M").replace(tzinfo=UTC).timestamp())


class Hf256(Folder):
    """Files of the 256-pixel set below a folder, found by their names; see `Folder`.

    They are `frames/YYYYMMDDTHHMM.npz`, times UTC, with the keys `aia94` ... `aia1700` (DN/s), `bz` (gauss), float16.
    """

    holds = "frames/YYYYMMDDTHHMM.npz"
    size = 256

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`."""
        if not self._places:
            raise ValueError(f"no file YYYYMMDDTHHMM.npz in {self.folder} or below it: is it the right folder?")
        keys = self._keys()
        if key_of(series) not in keys:
            raise ValueError(f"the files in {self.folder} have no {key_of(series)}, only {', '.join(keys)}")
        return self.timed(series, self._places, time_in, ())

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`."""
        return read_array(self.folder / place, key_of(series), self.size)

    @cached_property
    def _places(self) -> list[str]:
        """The files, relative to the folder."""
        files = list(files_below(self.folder))
        places = [place for place in files if FILE_NAME.fullmatch(Path(place).name)]
        self.pass_over([place for place in files if not FILE_NAME.fullmatch(Path(place).name)])
        return sorted(places)

    def _keys(self) -> list[str]:
        """The keys of the first file that can be read.

        Raises:
            ValueError: none can.
        """
        for place in self._places:
            with suppress(*DAMAGED), (self.folder / place).open("rb") as file, np.load(file) as arrays:
                return list(arrays)
        raise ValueError(f"none of the {len(self._places):,} files YYYYMMDDTHHMM.npz in {self.folder} can be read")
