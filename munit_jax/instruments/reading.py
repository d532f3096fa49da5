"""Files as they come: FITS, plain or compressed, recognised by their content."""

import bz2
import gzip
import logging
import math
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError, reason_of

SUFFIX = re.compile(r"(\.(fits|fit|fts|fz|gz|bz2))+$", re.IGNORECASE)  # as they come one behind the other
BYTES_A_PIXEL = 72  # in all, from reading to the output: measured at 16 384 pixels
SAID_FROM = 4e9  # bytes

logger = logging.getLogger(__name__)

HDF5 = b"\x89HDF\r\n\x1a\n"  # what such a file begins with
COMPRESSED = {b"\x1f\x8b": gzip.GzipFile, b"BZ": bz2.BZ2File}


def stem(name: str) -> str:
    """Return the name of a file without the suffixes of FITS and of compression."""
    return SUFFIX.sub("", name) if SUFFIX.search(name) else Path(name).stem


def open_file(path: Path) -> BufferedIOBase:
    """Open a file, compressed by gzip or bzip2 or not, whatever its name."""
    with path.open("rb") as file:
        start = file.read(2)
    return COMPRESSED[start](path, "rb") if start in COMPRESSED else path.open("rb")


def files_below(folder: Path) -> Iterator[str]:
    """Yield the files at any depth below a folder, relative to it and in order; hidden ones and broken links too.

    A folder that links lead to again, in a circle for one, is walked once, and the log says so. OSError for one that
    cannot be listed.
    """

    def stop(error: OSError):
        raise error  # it would otherwise be passed over in silence

    walked: dict[str, str] = {}
    for place, below, names in os.walk(folder, onerror=stop, followlinks=True):
        if (first := walked.setdefault(os.path.realpath(place), place)) != place:
            logger.warning("passed over %s: it is the folder %s, which is read already", place, first)
            below.clear()
            continue
        below.sort(key=lambda name: (os.path.islink(os.path.join(place, name)), name))  # links last
        for name in sorted(names):
            yield os.path.relpath(os.path.join(place, name), folder)


def is_fits(path: Path) -> bool:
    """Return whether a file holds FITS, or says so by its name and cannot be read."""
    try:
        with open_file(path) as file:
            return file.read(6) == b"SIMPLE" or SUFFIX.search(path.name) is not None
    except (OSError, EOFError, zlib.error):
        return SUFFIX.search(path.name) is not None


def is_hdf5(path: Path) -> bool:
    """Return whether a file, compressed or not, holds HDF5; False for one that cannot be read."""
    try:
        with open_file(path) as file:
            return file.read(len(HDF5)) == HDF5
    except (OSError, EOFError, zlib.error):
        return False


def image_header(file: BufferedIOBase, axes: tuple[int, ...] = (2,)) -> fits.Header:
    """Return the header of the first image of so many axes, compressed ones included; the file is then at its data.

    Axes of length 1 after the second do not count. Raises what astropy makes of damaged files.
    """
    if file.read(6) != b"SIMPLE":
        raise ValueError("no FITS file: it does not begin with SIMPLE")
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


def check_memory(header: fits.Header) -> None:
    """Log how much memory a large image will take; MemoryError where the machine has less."""
    lengths: list[Any] = [header.get(f"ZNAXIS{k}", header.get(f"NAXIS{k}", 1)) for k in (1, 2)]
    pixels = math.prod(lengths)
    needed = pixels * BYTES_A_PIXEL
    if needed > SAID_FROM:
        logger.warning("an image of %.0f million pixels takes about %.0f GB of memory", pixels / 1e6, needed / 1e9)
    if hasattr(os, "sysconf") and needed > (there := os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")):
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
            for unit in cast(Any, units):
                if unit.is_image and len(_without_ones(unit.shape[::-1])) == 2:
                    image = np.asarray(unit.data, np.float32).reshape(unit.shape[-2:])
                    return unit.header, np.where(np.isfinite(image), image, np.float32(np.nan))
        raise ValueError("its header of an image of two axes is damaged")
    except Exception as error:  # astropy raises many kinds for damaged files
        raise FrameError("unreadable", reason_of(error)) from error
