"""FITS files of any telescope in a folder, by what their headers say, calibrated as `munit_jax.translate` does."""

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
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
from munit_jax.instruments.interface import Preparation, Scale
from munit_jax.instruments.reading import files_below, kind_of
from munit_jax.instruments.telescopes import header_of, observe, prepare, recognise
from munit_jax.instruments.view import observer
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.sun.vantage import View
from tfds_sdoml.sources.folder import Folder
from tfds_sdoml.sources.interface import Listing, Rejection

BATCH = 4096  # files whose headers are read at a time

logger = logging.getLogger(__name__)


class Frame(NamedTuple):
    """What a header says: the series, the time and the observer, or the reason why the file is refused."""

    series: str | None
    time: int | None
    reason: Reason | None = None
    detail: str = ""
    view: View | None = None


def inspect(path: Path) -> Frame | None:
    """Return what the header of a file says, whatever its name; None where neither name nor content says FITS."""
    if kind_of(path) not in ("fits", "hdf5"):
        return None
    try:
        header = header_of(path)
    except Exception as error:  # astropy raises many kinds for damaged files
        return Frame(None, None, "unreadable", reason_of(error))
    series = time = None
    try:
        telescope, series = recognise(header)
        header = telescope.common(header)
        time = time_of(header)
        check_quality(header, telescope.harmless, telescope.doubtful)
        view = observer(header, time)
    except FrameError as error:
        return Frame(series, time, error.reason, error.detail)
    except ValueError as error:
        return Frame(series, None, "no time", str(error))
    return Frame(series, time, view=view)


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
        self,
        folder: Path,
        size: int = 512,
        years: tuple[int, ...] = (),
        degradation_table: Path | None = None,
        scale_to: Scale = "none",
    ):
        """Read the table; the files are read when the first series is listed.

        Args:
            folder: top of the tree.
            size: pixels across the images that are returned.
            years: the years that are used; all if empty.
            degradation_table: SolarSoft's `aia_V*_response_table.txt`; without it AIA's images are not corrected.
            scale_to: the scale of magnetograms, see `munit_jax.instruments.magnetographs.scale_factor`.
        """
        super().__init__(folder)
        self.size, self.years, self.degradation_table, self.scale_to = size, years, degradation_table, scale_to
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
        times, places, views, rejected = [], [], [], []
        for place, frame in self._found:
            if frame.series != series or not self._in_years(frame.time):
                continue
            if frame.reason:
                rejected.append(Rejection(series, frame.time, place, frame.reason, frame.detail))
            else:
                times.append(frame.time)
                places.append(place)
                views.append(frame.view)
        if not times:
            raise ValueError(self._nothing(series, Counter(row.reason for row in rejected)))
        others = [
            Rejection("?", None, place, f.reason, f.detail) for place, f in self._found if not f.series and f.reason
        ]
        return Listing(np.array(times, np.int64), places, [*rejected, *self.with_first(series, others)], views)

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image, checked and calibrated as `munit_jax.translate` does; see `Source`."""
        seen = observe(self.folder / place)
        if seen.series != series:
            raise FrameError("instrument", f"it is of {seen.series}: the file has changed since it was listed")
        how = Preparation(sdoml_geometry(self.size), (), self.degradation_table, self.scale_to)
        prepared = prepare(seen, how)
        for warning in prepared.warnings:
            logger.warning("%s: %s", place, warning)
        return prepared.image

    def _in_years(self, time: int | None) -> bool:
        return time is None or not self.years or datetime.fromtimestamp(time, UTC).year in self.years

    def _nothing(self, series: str, rejected: Counter[Reason]) -> str:
        """What was sought in vain, what is there, and what to do."""
        if not self._found:
            return f"no FITS file in {self.folder} or below it"
        counts = Counter(
            frame.series or ("unreadable" if frame.reason == "unreadable" else "another kind")
            for _, frame in self._found
        )
        there = ", ".join(f"{count:,} of {name}" for name, count in sorted(counts.items()))
        why = "".join(f"; of {series}, {count:,} rejected: {reason}" for reason, count in rejected.items())
        years = f" in the years {', '.join(map(str, self.years))}" if self.years else ""
        return (
            f"no usable FITS file of {series}{years} in {self.folder} or below it (by their headers there are: {there}"
            f"{why}); give the folder that holds them, or leave {series} out"
        )

    @cached_property
    def _found(self) -> list[tuple[str, Frame]]:
        """The FITS files with what their headers say, which are read once."""
        passed, found = [], []
        with ThreadPoolExecutor() as pool:
            for batch in batched(files_below(self.folder), BATCH):
                for place, frame in zip(batch, pool.map(lambda p: inspect(self.folder / p), batch), strict=True):
                    if frame is None:
                        passed.append(place)
                    else:
                        found.append((place, frame))
        self.pass_over(passed)
        return found
