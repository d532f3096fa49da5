"""FITS files of AIA and HMI in a folder: level 1, level 1.5, or the synoptic series of 1024 pixels.

What a file holds is read in its header, for names vary; images are calibrated as `munit_jax.translate` does.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import batched
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.degradation import open_table
from munit_jax.instruments.errors import FrameError, Reason, reason_of
from munit_jax.instruments.headers import check_quality, time_of
from munit_jax.instruments.reading import files_below, is_fits
from munit_jax.instruments.telescope import Preparation
from munit_jax.instruments.telescopes import TELESCOPES, header_of, observe, prepare, recognise
from munit_jax.sun.disk import sdoml_geometry
from tfds_sdoml.sources.folder import Folder
from tfds_sdoml.sources.interface import Listing, Rejection

BATCH = 4096  # files whose headers are read at a time

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """The frames of each series, the files that are of no series, and how many files of each kind there are."""

    listings: Mapping[str, Listing]
    others: list[Rejection]
    counts: Counter[str]


class Frame(NamedTuple):
    """What a header says: the series and the time, or the reason why the file is of no use; None for no FITS."""

    series: str | None
    time: int | None
    reason: Reason | None = None
    detail: str = ""


def inspect(path: Path) -> Frame:
    """Return what the header of a file says, whatever its name says, but for one that is called FITS and is none."""
    if not is_fits(path):
        return Frame(None, None)
    try:
        header = header_of(path)
    except Exception as error:  # astropy raises many kinds for damaged files
        return Frame(None, None, "unreadable", reason_of(error))
    try:
        telescope, series = recognise(header)
        if not telescope.at_earth:
            known = ", ".join(t.name for t in TELESCOPES if t.at_earth)
            raise FrameError("instrument", f"{telescope.name}: datasets are of {known}")
    except FrameError as error:
        return Frame(None, None, error.reason, error.detail)
    try:
        time = time_of(header)
    except ValueError as error:
        return Frame(series, None, "no time", str(error))
    try:
        check_quality(header, telescope.harmless)
    except FrameError as error:
        return Frame(series, time, error.reason, error.detail)
    return Frame(series, time)


class Fits(Folder):
    """FITS files below a folder; see `Folder`.

    Raises:
        FileNotFoundError: no such table.
        ValueError: a table without the package that reads it, or one that it cannot read.
    """

    # Decompression holds the interpreter's lock for a good part of its time: two processes read images of 4096 pixels
    # 1.2 to 1.5 times as fast as two threads.
    spawn = True
    holds = "the FITS files"

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
        super().__init__(folder)
        self.size, self.years, self.degradation_table = size, years, degradation_table
        if degradation_table is not None:
            open_table(degradation_table)  # to fail here rather than at every image

    def listing(self, series: str) -> Listing:
        """Return the frames of a series; see `Source`.

        Files that cannot be read or are of other instruments are reported by the first series, as of `?`.
        """
        if series in ("bx", "by"):
            raise ValueError(
                f"no {series} in FITS magnetograms: those of M_720s and M_45s have the line-of-sight component only; "
                "use bz, or SDOML's files for the vector"
            )
        listing = self._found.listings.get(series)
        others = self.with_first(series, self._found.others)
        if listing is None or not len(listing.times):
            raise ValueError(self._nothing(series))
        return Listing(listing.times, listing.places, [*listing.rejected, *others])

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`.

        It is checked and calibrated as `munit_jax.translate` does.
        """
        seen = observe(self.folder / place)
        if seen.series != series:
            raise FrameError("instrument", f"it is of {seen.series}: the file has changed since it was listed")
        how = Preparation(sdoml_geometry(self.size), degradation_table=self.degradation_table)
        prepared = prepare(seen, how)
        for warning in prepared.warnings:
            logger.warning("%s: %s", place, warning)
        return prepared.image

    def _nothing(self, series: str) -> str:
        """What was sought in vain, what is there, and what to do."""
        found = self._found
        if not found.counts:
            return f"no FITS file in {self.folder} or below it"
        rejected = Counter(row.reason for row in found.listings[series].rejected) if series in found.listings else {}
        there = ", ".join(f"{count:,} of {name}" for name, count in sorted(found.counts.items()))
        why = "".join(f"; of {series}, {count:,} rejected: {reason}" for reason, count in rejected.items())
        years = f" in the years {', '.join(map(str, self.years))}" if self.years else ""
        return (
            f"no usable FITS file of {series}{years} in {self.folder} or below it (by their headers there are: {there}"
            f"{why}); give the folder that holds them, or leave {series} out"
        )

    @cached_property
    def _found(self) -> Found:
        """All files by their headers, which are read once."""
        times, places = defaultdict(list), defaultdict(list)
        rejected, others, passed, counts = defaultdict(list), [], [], Counter()
        with ThreadPoolExecutor() as pool:
            for batch in batched(files_below(self.folder), BATCH):
                for place, frame in zip(batch, pool.map(lambda p: inspect(self.folder / p), batch), strict=True):
                    series, time, reason, detail = frame
                    if series is None:
                        if reason is None:
                            passed.append(place)
                        else:
                            others.append(Rejection("?", None, place, reason, detail))
                            counts["unreadable" if reason == "unreadable" else "another kind"] += 1
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
        self.pass_over(passed)
        return Found(listings, others, counts)
