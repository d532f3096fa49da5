"""SDOML v1: one image an npz file, in folders or in monthly tar files (Galvez et al. 2019, ApJS 242, 7)."""

import io
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.reading import is_compressed, kind_of
from munit_jax.instruments.sdoml import NAME, SIZE, file_name, misnamed, named, read_image, time_in_name
from tfds_sdoml.sources.folder import Folder, with_limb_checked
from tfds_sdoml.sources.interface import Listing, Rejection

MEMBER = re.compile(r"(?P<archive>.+?)!(?P<offset>\d+):(?P<length>\d+):(?P<name>.+)")  # a place in a tar file


def name_in(place: str) -> re.Match[str]:
    """Return what the name of a file says, in a tar file or not."""
    member = MEMBER.fullmatch(place)
    match = named(Path(member["name"] if member else place).name)
    assert match is not None  # it was found by its name
    return match


def time_in(place: str) -> int:
    """Return the time in a place as UTC seconds since 1970; raises as `time_in_name`."""
    return time_in_name(name_in(place))


class NpzV1(Folder):
    """SDOML v1 files below a folder; see `Folder`."""

    holds = "the SDOML v1 files"
    size = SIZE

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`."""
        places, rejected = self._found
        if series not in places:
            there = ", ".join(f"{len(found):,} of {name}" for name, found in sorted(places.items())) or "none"
            first = f"; {rejected[0].place}: {rejected[0].detail}" if rejected else ""
            raise ValueError(
                f"no file {file_name(series)} in {self.folder} or below it (SDOML v1 files that are there: {there})"
                f"{first}"
            )
        return self.timed(series, places[series], time_in, rejected)

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`."""
        file: Path | io.BytesIO = self.folder / place
        if member := MEMBER.fullmatch(place):
            try:
                with (self.folder / member["archive"]).open("rb") as archive:
                    archive.seek(int(member["offset"]))
                    file = io.BytesIO(archive.read(int(member["length"])))
            except OSError as error:
                raise FrameError("unreadable", reason_of(error)) from error
        return with_limb_checked(read_image(file, series), series, place)

    @cached_property
    def _found(self) -> tuple[dict[str, list[str]], list[Rejection]]:
        """The places of each series, and the files that could not be read (to the end), with the reason."""
        files, rejected, others = self.npz_files(NAME, misnamed())
        passed = []
        for place in others:
            if kind_of(self.folder / place) != "tar":
                passed.append(place)
                continue
            try:
                if is_compressed(self.folder / place):
                    raise tarfile.ReadError("a compressed archive cannot be read in any order: unpack it")
                for member, of_sdoml in members(self.folder / place):
                    (files if of_sdoml else passed).append(f"{place}!{member}")
            except (OSError, tarfile.TarError) as error:
                rejected.append(Rejection("?", None, place, "unreadable", reason_of(error)))
        self.pass_over(passed)
        places = defaultdict(list)
        for place in files:
            places[name_in(place)[3]].append(place)
        return dict(places), rejected


def members(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the offset, length and name (`offset:length:name`) of each file in a tar file, and whether it is SDOML's.

    Raises:
        tarfile.TarError, OSError: an archive that ends too early; what came before has been yielded.
    """
    size = path.stat().st_size
    with tarfile.open(path, "r:") as archive:
        try:
            for member in filter(tarfile.TarInfo.isfile, archive):
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError(f"{member.name} goes beyond the end of the file")
                yield f"{member.offset_data}:{member.size}:{member.name}", named(Path(member.name).name) is not None
        except tarfile.TarError as error:
            raise tarfile.ReadError(f"the archive cannot be read to its end: {error}") from error
