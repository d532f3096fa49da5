"""FITS files of AIA and HMI in a folder: level 1, level 1.5, or the synoptic series of 1024 pixels.

What a file holds is read in its header, for names vary. AIA's pixels hold DN per pixel of 0.6 arcsec at every level:
the synoptic images are means over 4 x 4 of those (https://jsoc1.stanford.edu/data/aia/synoptic/README.html). A mean is
also what brings an image to the size of the dataset, so that all are on one scale, which is SDOML v2's.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import batched
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import on_disk, sdoml_geometry
from tfds_sdoml.sources.degradation import degradation, open_table
from tfds_sdoml.sources.fits_headers import exposure, image_header, inspect, open_file, reason_of, time_of
from tfds_sdoml.sources.interface import FrameError, Listing, Rejection
from tfds_sdoml.sources.reprojection import register, solar_disk

SUFFIXES = (".fits", ".fits.gz", ".fit", ".fts")
BATCH = 4096  # files whose headers are read at a time


@dataclass(frozen=True)
class Found:
    """The frames of each series, the files that cannot be read, and how many files of each kind there are."""

    listings: Mapping[str, Listing]
    unreadable: list[Rejection]
    counts: Counter[str]


def read_image(path: Path) -> tuple[fits.Header, Float[np.ndarray, "y x"]]:
    """Return the header and the image of a file, BLANK as NaN.

    Raises:
        FrameError: a file that cannot be read to the end of the image.
    """
    try:
        with open_file(path) as file:
            header = image_header(file)
            got = len(file.read(header.data_size))
        if got < header.data_size:
            raise EOFError(f"the file is cut off: {got:,} of {header.data_size:,} bytes of the image are there")
        # BLANK means something in integers only; astropy warns where floats have it, as files that were rebinned do.
        floats = int(header.get("ZBITPIX", header["BITPIX"])) < 0  # pyright: ignore[reportArgumentType]
        with fits.open(path, memmap=False, ignore_blank=floats) as units:
            for unit in cast(Any, units):
                if unit.is_image and len(unit.shape) == 2:
                    return unit.header, np.asarray(unit.data, np.float32)
        raise ValueError("its header of an image of two axes is damaged")
    except Exception as error:  # of many kinds, as in `inspect`
        raise FrameError("unreadable", reason_of(error)) from error


class Fits:
    """FITS files below a folder.

    Raises:
        FileNotFoundError: no such folder or table.
        ValueError: a table without the package that reads it, or one that it cannot read.
    """

    # Decompression holds the interpreter's lock for a good part of its time: two processes read images of 4096 pixels
    # 1.2 to 1.5 times as fast as two threads.
    spawn = True

    def __init__(
        self, folder: Path, size: int = 512, years: tuple[int, ...] = (), degradation_table: Path | None = None
    ):
        """Look for the folder and read the table; the files are looked at when the first series is listed.

        Args:
            folder: top of the tree; files are found at any depth.
            size: width and height of the images that are returned, in pixels.
            years: the years that are used; all if empty.
            degradation_table: AIA's loss of sensitivity over time, as `aia_V*_response_table.txt` of SolarSoft has it;
                without it AIA's images are not corrected.
        """
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder}: give the folder that holds the FITS files")
        self.folder, self.size, self.years, self.degradation_table = folder, size, years, degradation_table
        self._first: str | None = None
        if degradation_table is not None:
            open_table(degradation_table)  # to fail here rather than at every image

    def __getstate__(self) -> dict[str, Any]:
        # The lists of files stay behind: whoever reads is told the places.
        return {name: value for name, value in self.__dict__.items() if name != "_found"}

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`.

        Files that cannot be read are of no known series: the first series that is listed reports them, as of `?`.
        """
        if series in ("bx", "by"):
            raise ValueError(
                f"no {series} in FITS magnetograms: those of M_720s and M_45s have the line-of-sight component only; "
                "use bz, or SDOML's files for the vector"
            )
        self._first = self._first or series
        found = self._found
        listing = found.listings.get(series)
        if listing is None or not len(listing.times):
            raise ValueError(self._nothing(series))
        unreadable = found.unreadable if series == self._first else []
        return Listing(listing.times, listing.places, [*listing.rejected, *unreadable])

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`.

        AIA is clipped at 0 as in SDOML, for what is below is the noise of the camera's dark level, and clipped last, so
        that the noise has averaged out; the corona off the limb is kept. The field is 0 off the disk, as in SDOML; it
        is a mean over pixels, where SDOML took the nearest one, which is noise.
        """
        header, image = read_image(self.folder / place)
        geometry = sdoml_geometry(self.size)
        image = register(image, solar_disk(header), geometry)
        if series == "bz":
            return np.where(on_disk(geometry), image, np.float32(0))
        factor = 1.0
        if self.degradation_table is not None:
            try:
                factor = degradation(self.degradation_table, int(series), time_of(header) // DAY)
            except ValueError as error:
                raise FrameError("unreadable", f"its degradation is not known: {error}") from error
        return np.maximum(image / np.float32(exposure(header) * factor), 0)

    def _nothing(self, series: str) -> str:
        """What was sought in vain, what is there, and what to do."""
        found = self._found
        if not found.counts:
            return f"no FITS file ({', '.join('*' + suffix for suffix in SUFFIXES)}) in {self.folder} or below it"
        rejected = Counter(row.reason for row in found.listings[series].rejected) if series in found.listings else {}
        there = ", ".join(f"{count:,} of {name}" for name, count in sorted(found.counts.items()))
        why = "".join(f"; of {series}, {count:,} rejected: {reason}" for reason, count in rejected.items())
        years = f" in the years {', '.join(map(str, self.years))}" if self.years else ""
        return (
            f"no usable FITS file of {series}{years} in {self.folder} or below it (by their headers there are: {there}"
            f"{why}); give the folder that holds them, or leave {series} out"
        )

    def _paths(self) -> Iterator[str]:
        """Yield the FITS files, relative to the folder."""

        def stop(error: OSError):
            raise error  # a folder that cannot be listed would otherwise be passed over in silence

        for folder, below, names in os.walk(self.folder, onerror=stop, followlinks=True):
            below.sort()
            for name in sorted(names):
                if name.lower().endswith(SUFFIXES):
                    yield (Path(folder) / name).relative_to(self.folder).as_posix()

    @cached_property
    def _found(self) -> Found:
        """All files by their headers, which are read once."""
        times, places = defaultdict(list), defaultdict(list)
        rejected, unreadable, counts = defaultdict(list), [], Counter()
        with ThreadPoolExecutor() as pool:
            for batch in batched(self._paths(), BATCH):
                for place, frame in zip(batch, pool.map(lambda p: inspect(self.folder / p), batch), strict=True):
                    series, time, reason, detail = frame
                    if series is None:
                        counts["unreadable" if reason else "another kind"] += 1
                        if reason:
                            unreadable.append(Rejection("?", None, place, reason, detail))
                        continue
                    counts[series] += 1
                    if time is not None and self.years and datetime.fromtimestamp(time, UTC).year not in self.years:
                        continue
                    if reason or time is None:
                        rejected[series].append(Rejection(series, time, place, reason or "no time", detail))
                    else:
                        times[series].append(time)
                        places[series].append(place)
        listings = {
            series: Listing(np.array(times[series], np.int64), places[series], rejected[series])
            for series in {*times, *rejected}
        }
        return Found(listings, unreadable, counts)
