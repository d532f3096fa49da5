"""SDOML v1: one image an npz file, in folders or in monthly tar files (Galvez et al. 2019, ApJS 242, 7)."""

import io
import os
import re
import tarfile
from collections import defaultdict
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.sdoml import FILE_NAME, SIZE, file_name, read_image, time_in_name
from tfds_sdoml.sources.interface import Listing, Rejection

NEARLY = re.compile(r"(AIA|HMI)\d{6,8}_\d{4,6}_\w+\.npz", re.IGNORECASE)
TAR, COMPRESSED_TAR = ".tar", (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class NpzV1:
    """SDOML v1 files below a folder, at any depth and in tar files.

    Raises:
        FileNotFoundError: no such folder.
    """

    size = SIZE
    spawn = False

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder}: give the folder that holds the SDOML v1 files")
        self.folder = folder

    def __getstate__(self) -> dict[str, Path]:
        return {"folder": self.folder}  # the lists of files stay behind: whoever reads is told the places

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`."""
        places, other = self._found
        if series not in places:
            there = ", ".join(f"{len(found):,} of {name}" for name, found in sorted(places.items())) or "none"
            packed = [place for place in other if place.endswith(COMPRESSED_TAR)]
            hint = f"; {packed[0]} is compressed: unpack it" if packed else ""
            raise ValueError(
                f"no file {file_name(series)} in {self.folder} or below it (SDOML v1 files that are there: {there})"
                f"{hint}"
            )
        times, named, rejected = [], [], []
        for place in places[series]:
            match = FILE_NAME.search(place)
            assert match is not None  # it was found by this expression
            try:
                times.append(time_in_name(match))
                named.append(place)
            except ValueError as error:
                rejected.append(Rejection(series, None, place, "no time", str(error)))
        rejected += [Rejection(series, None, place, "unreadable", detail) for place, detail in other.items()]
        return Listing(np.array(times, np.int64), named, rejected)

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`."""
        archive, inside, span = place.partition(f"{TAR}!")
        try:
            with (self.folder / (archive + TAR if inside else place)).open("rb") as file:
                if inside:
                    offset, length, _ = span.split(":")
                    file.seek(int(offset))
                    return read_image(io.BytesIO(file.read(int(length))), series)
                return read_image(file, series)
        except OSError as error:
            raise FrameError("unreadable", error.strerror or str(error)) from error

    @cached_property
    def _found(self) -> tuple[dict[str, list[str]], dict[str, str]]:
        """The places of each series, and the archives that could not be read (to the end), with the reason."""

        def stop(error: OSError):
            raise error  # a folder that cannot be listed would otherwise be passed over in silence

        places, other = defaultdict(list), {}
        for folder, below, names in os.walk(self.folder, onerror=stop, followlinks=True):
            below.sort()
            relative = os.path.relpath(folder, self.folder)
            for name in sorted(names):
                place = name if relative == "." else f"{relative}/{name}"
                if match := FILE_NAME.fullmatch(name):
                    places[match[3]].append(place)
                elif name.endswith(TAR):
                    try:
                        for member, series in members(self.folder / place):
                            places[series].append(f"{place}!{member}")
                    except (OSError, tarfile.TarError) as error:
                        other[place] = f"the archive cannot be read to its end: {error}"
                elif NEARLY.fullmatch(name):
                    other[place] = f"its name is not quite that of SDOML's files, {file_name('0193')}"
                elif name.endswith(COMPRESSED_TAR):
                    other[place] = "a compressed archive cannot be read in any order: unpack it"
        return dict(places), other


def members(path: Path):
    """Yield the offset, length and name (`offset:length:name`) of each v1 file in a tar file, and its series.

    Raises:
        tarfile.TarError, OSError: an archive that ends too early; what came before has been yielded.
    """
    size = path.stat().st_size
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            if match := FILE_NAME.fullmatch(Path(member.name).name):
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError(f"{member.name} goes beyond the end of the file")
                yield f"{member.offset_data}:{member.size}:{member.name}", match[3]
