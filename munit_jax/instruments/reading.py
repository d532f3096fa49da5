"""Files as they come, plain or compressed, recognised by their content."""

import bz2
import gzip
import logging
import lzma
import math
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.interface import PROGRAM

Kind = Literal["fits", "npz", "tar", "hdf5"]

SUFFIX = re.compile(r"(\.(fits|fit|fts|npz|fz|gz|bz2|xz))+$", re.IGNORECASE)  # as they come one behind the other
BYTES_A_PIXEL = 72  # in all, from reading to the output: measured at 16 384 pixels
SAID_FROM = 4e9  # bytes

logger = logging.getLogger(__name__)

HDF5 = b"\x89HDF\r\n\x1a\n"  # what such a file begins with
COMPRESSED = {b"\x1f\x8b": gzip.GzipFile, b"BZ": bz2.BZ2File, b"\xfd7": lzma.LZMAFile}
UNREAD = {b"\x1f\x9d": "compress", b"\x28\xb5\x2f\xfd": "zstd", b"7z": "7-Zip", b"PK": "zip", b"\x1f\x8b": "gzip twice"}
BEGINNINGS: dict[Kind, tuple[int, bytes]] = {
    "fits": (0, b"SIMPLE"),
    "npz": (0, b"PK"),
    "tar": (257, b"ustar"),
    "hdf5": (0, HDF5),
}
NAMED: dict[Kind, re.Pattern[str]] = {
    "npz": re.compile(r"\.npz(\.\w+)?$", re.IGNORECASE),
    "tar": re.compile(r"\.(tar(\.\w+)?|tgz)$", re.IGNORECASE),
    "fits": re.compile(r"\.(fits|fit|fts)(\.\w+)?$|\.fz$", re.IGNORECASE),
}


def stem(name: str) -> str:
    """Return the name of a file without the suffixes of FITS, npz and compression."""
    return SUFFIX.sub("", name) if SUFFIX.search(name) else Path(name).stem


def open_file(path: Path) -> BufferedIOBase:
    """Open a file, compressed by gzip, bzip2 or xz or not, whatever its name."""
    if path.exists() and not path.is_file():
        raise OSError("it is a folder, a pipe or a device: give a file")  # a pipe would be waited for
    with path.open("rb") as file:
        start = file.read(2)
    return COMPRESSED[start](path, "rb") if start in COMPRESSED else path.open("rb")


def is_compressed(path: Path) -> bool:
    """Return whether a file is compressed by gzip, bzip2 or xz."""
    with path.open("rb") as file:
        return file.read(2) in COMPRESSED


def kind_of(path: Path) -> Kind | None:
    """Return the kind of a file, compressed or not: by its first bytes, or by its name where they do not show it."""
    try:
        with open_file(path) as file:
            start = file.read(512)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        start = b""
    for kind, (at, beginning) in BEGINNINGS.items():
        if start[at:].startswith(beginning):
            return kind
    return next((kind for kind, suffix in NAMED.items() if suffix.search(path.name)), None)


def files_below(folder: Path) -> Iterator[str]:
    """Yield the files at any depth below a folder, relative to it; hidden ones and broken links too. See `walk`."""
    for place, _, names in walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(place, name), folder)


def walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield folders at any depth, with the names of the folders and files in each, in order, as `os.walk` does.

    A folder that links lead to again, in a circle for one, is walked once, and the log says so. OSError for one that
    cannot be listed.
    """

    def stop(error: OSError):
        raise error  # otherwise it would be skipped without a message

    walked: dict[str, str] = {}
    for place, below, names in os.walk(folder, onerror=stop, followlinks=True):
        if (first := walked.setdefault(os.path.realpath(place), place)) != place:
            logger.warning("skipped %s: it is the folder %s, which is read already", place, first)
            below.clear()
            continue
        below.sort(key=lambda name: (os.path.islink(os.path.join(place, name)), name))  # links last
        yield place, below, sorted(names)


def image_header(file: BufferedIOBase, axes: tuple[int, ...] = (2,)) -> fits.Header:
    """Return the header of the first image with that many axes, compressed or not; the file is then at its data.

    Axes of length 1 after the second do not count. Raises what astropy makes of damaged files.
    """
    start = file.read(6)
    if start != b"SIMPLE":
        packed = next((name for beginning, name in UNREAD.items() if start.startswith(beginning)), None)
        raise ValueError(
            f"it is packed by {packed}: unpack it" if packed else "no FITS file: it does not begin with SIMPLE"
        )
    file.seek(0)
    while True:
        try:
            header = fits.Header.fromfile(file)
        except EOFError:
            raise ValueError("no image of two axes in it") from None
        compressed = header.get("ZIMAGE") is True
        image = compressed or header.get("XTENSION", "IMAGE") == "IMAGE"
        naxis = "ZNAXIS" if compressed else "NAXIS"
        lengths = [header[f"{naxis}{k + 1}"] for k in range(int(header[naxis]))] if image else []  # pyright: ignore[reportArgumentType]
        if any(int(length) < 0 for length in lengths):  # pyright: ignore[reportArgumentType]
            raise ValueError(f"its header is damaged: axes of {', '.join(map(str, lengths))} pixels")
        if len(_without_ones(lengths)) in axes:
            return header
        file.seek(header.data_size_padded, os.SEEK_CUR)


def _without_ones(lengths: Sequence[Any]) -> Sequence[Any]:
    """Return the lengths of axes, the first axis first, without those of length 1 after the second."""
    while len(lengths) > 2 and lengths[-1] == 1:
        lengths = lengths[:-1]
    return lengths


def check_whole(file: BufferedIOBase, header: fits.Header) -> None:
    """Read the data of an image, whose header has been read, and raise EOFError if the file ends before."""
    got = len(file.read(header.data_size))
    if got < header.data_size:
        raise EOFError(f"the file is cut off: {got:,} of {header.data_size:,} bytes of the image are there")


def memory_there() -> float:
    """Return the bytes of memory of the machine, infinity where unknown."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) if hasattr(os, "sysconf") else math.inf


def check_memory(header: fits.Header) -> None:
    """Log how much memory a large image will take; MemoryError where the machine has less."""
    lengths: list[Any] = [header.get(f"ZNAXIS{k}", header.get(f"NAXIS{k}", 1)) for k in (1, 2)]
    pixels = math.prod(lengths)
    needed = pixels * BYTES_A_PIXEL
    if needed > SAID_FROM:
        logger.warning("an image of %.0f million pixels takes about %.0f GB of memory", pixels / 1e6, needed / 1e9)
    if needed > (there := memory_there()):
        raise MemoryError(
            f"it takes about {needed / 1e9:.0f} GB of memory and the machine has {there / 1e9:.0f}: bin the image first"
        )


def read_image(path: Path) -> tuple[fits.Header, Float[np.ndarray, "y x"]]:
    """Return the header and the image of a file, BLANK and infinite values as NaN; FrameError for a damaged one."""
    try:
        with open_file(path) as file:
            header = image_header(file)
            check_memory(header)
            check_whole(file, header)
        # BLANK means something in integers only; astropy warns where floats have it, as files that were rebinned do.
        floats = int(header.get("ZBITPIX", header["BITPIX"])) < 0  # pyright: ignore[reportArgumentType]
        with open_file(path) as file, fits.open(file, memmap=False, ignore_blank=floats) as units:
            images = [u for u in cast(Any, units) if u.is_image and len(_without_ones(u.shape[::-1])) == 2]
            if len(images) > 1 and images[0].header.get("ORIGIN") != PROGRAM:
                logger.info("%s: the first of its %d images is read", path, len(images))
            if images:
                image = np.asarray(images[0].data, np.float32).reshape(images[0].shape[-2:])
                return images[0].header, np.where(np.isfinite(image), image, np.float32(np.nan))
        raise ValueError("its header of an image of two axes is damaged")
    except Exception as error:  # astropy raises many kinds for damaged files
        raise FrameError("unreadable", reason_of(error)) from error
