"""SDOML v1: one image an npz file, in folders or in monthly tar files (Galvez et al. 2019, ApJS 242, 7)."""

import io
import re
import tarfile
from collections import defaultdict
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.reading import files_below
from munit_jax.instruments.sdoml import FILE_NAME, SIZE, file_name, read_image, time_in_name
from tfds_sdoml.sources.folder import Folder
from tfds_sdoml.sources.interface import Listing, Rejection

NEARLY = re.compile(r"(AIA|HMI)\d{6,8}_\d{4,6}_\w+\.npz", re.IGNORECASE)
TAR, COMPRESSED_TAR = ".tar", (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def time_in(place: str) -> int:
    """Return the time in a place as UTC seconds since 1970; raises as `time_in_name`."""
    match = FILE_NAME.search(place)
    assert match is not None  # it was found by this expression
    return time_in_name(match)


class NpzV1(Folder):
    """SDOML v1 files below a folder; see `Folder`."""

    holds = "the SDOML v1 files"
    size = SIZE

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`."""
        places, damaged = self._found
        if series not in places:
            there = ", ".join(f"{len(found):,} of {name}" for name, found in sorted(places.items())) or "none"
            packed = [row.place for row in damaged if row.place.endswith(COMPRESSED_TAR)]
            hint = f"; {packed[0]} is compressed: unpack it" if packed else ""
            raise ValueError(
                f"no file {file_name(series)} in {self.folder} or below it (SDOML v1 files that are there: {there})"
                f"{hint}"
            )
        return self.timed(series, places[series], time_in, damaged)

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`."""
        archive, inside, span = place.partition(f"{TAR}!")
        if not inside:
            return read_image(self.folder / place, series)
        try:
            with (self.folder / (archive + TAR)).open("rb") as file:
                offset, length, _ = span.split(":")
                file.seek(int(offset))
                return read_image(io.BytesIO(file.read(int(length))), series)
        except OSError as error:
            raise FrameError("unreadable", reason_of(error)) from error

    @cached_property
    def _found(self) -> tuple[dict[str, list[str]], list[Rejection]]:
        """The places of each series, and the files that could not be read (to the end), with the reason."""
        places, damaged, others = defaultdict(list), {}, []
        for place in files_below(self.folder):
            name = Path(place).name
            if match := FILE_NAME.fullmatch(name):
                places[match[3]].append(place)
            elif name.endswith(TAR):
                try:
                    for member, series in members(self.folder / place):
                        places[series].append(f"{place}!{member}")
                except (OSError, tarfile.TarError) as error:
                    damaged[place] = f"the archive cannot be read to its end: {error}"
            elif NEARLY.fullmatch(name):
                damaged[place] = f"its name is not quite that of SDOML's files, {file_name('0193')}"
            elif name.endswith(COMPRESSED_TAR):
                damaged[place] = "a compressed archive cannot be read in any order: unpack it"
            else:
                others.append(place)
        self.pass_over(others)
        return dict(places), [Rejection("?", None, place, "unreadable", why) for place, why in damaged.items()]


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
