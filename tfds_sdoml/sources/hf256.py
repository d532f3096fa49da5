"""The 256-pixel set `sci-sdo-virtual-magnetogram`, derived from SDOML v2: all series of one time in one npz file."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.reading import open_file, stem
from munit_jax.instruments.sdoml import DAMAGED, read_array
from tfds_sdoml.sources.folder import Folder, with_limb_checked
from tfds_sdoml.sources.interface import Listing, Rejection

NAME = re.compile(r"\d{8}T\d{4}")  # of its files, without suffixes


def key_of(series: str) -> str:
    """Return the key of a series in a file: `aia94` for `0094`, `bz` for itself."""
    return f"aia{int(series)}" if series.isdigit() else series


def time_in(place: str) -> int:
    """Return the time in a file's name as UTC seconds since 1970."""
    return int(datetime.strptime(stem(Path(place).name), "%Y%m%dT%H%M").replace(tzinfo=UTC).timestamp())


class Hf256(Folder):
    """Files of the 256-pixel set below a folder, found by their names; see `Folder`.

    They are `frames/YYYYMMDDTHHMM.npz`, times UTC, with the keys `aia94` ... `aia1700` (DN/s), `bz` (gauss), float16.
    """

    holds = "frames/YYYYMMDDTHHMM.npz"
    size = 256

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`."""
        places, rejected = self._found
        if not places:
            raise ValueError(f"no file YYYYMMDDTHHMM.npz in {self.folder} or below it: is it the right folder?")
        keys = self._keys()
        if key_of(series) not in keys:
            raise ValueError(f"the files in {self.folder} have no {key_of(series)}, only {', '.join(keys)}")
        return self.timed(series, places, time_in, rejected)

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`."""
        image = read_array(self.folder / place, key_of(series), self.size)
        return with_limb_checked(image, series, place)

    @cached_property
    def _found(self) -> tuple[list[str], list[Rejection]]:
        """The files, relative to the folder, and npz files of other names."""
        refusal = FrameError("no time", "a file of this set is called YYYYMMDDTHHMM.npz")
        places, rejected, others = self.npz_files(NAME, refusal)
        self.pass_over(others)
        return sorted(places), rejected

    def _keys(self) -> list[str]:
        """The keys of the first file that can be read.

        Raises:
            ValueError: none can.
        """
        places, _ = self._found
        for place in places:
            with suppress(*DAMAGED), open_file(self.folder / place) as file, np.load(file) as arrays:  # pyright: ignore[reportArgumentType]
                return list(arrays)
        raise ValueError(f"none of the {len(places):,} files YYYYMMDDTHHMM.npz in {self.folder} can be read")
