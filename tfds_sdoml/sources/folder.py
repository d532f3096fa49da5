"""What sources with files in a folder share."""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.checks import check_limb, sdoml_limb
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.reading import files_below, kind_of, stem
from tfds_sdoml.sources.interface import Listing, Rejection

logger = logging.getLogger(__name__)

NAMED = 5  # files that the log names of those that are passed over


def pass_over(folder: Path | str, holds: str, places: Sequence[str]) -> None:
    """Log the files in a folder that a source does not read (`holds`)."""
    if places:
        some = ", ".join(places[:NAMED]) + (", ..." if len(places) > NAMED else "")
        logger.info("skipped in %s: %d files that are none of %s: %s", folder, len(places), holds, some)


def with_limb_checked(image: Float[np.ndarray, "size size"], series: str, place: str) -> Float[np.ndarray, "size size"]:
    """Return an image of SDOML, whose limb `munit_jax.translate` checks too; FrameError where it is off."""
    field = not series.isdigit()
    for warning in check_limb(sdoml_limb(image, field), header=False):
        logger.warning("%s: %s", place, warning)
    return image


class Folder:
    """Files at any depth below a folder, see `munit_jax.instruments.reading.files_below`.

    Raises:
        FileNotFoundError: no such folder.
    """

    holds: ClassVar[str]  # what the files are, for messages
    spawn = False
    _first: str | None = None  # the series that was listed first

    def __init__(self, folder: Path):
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder}: give the folder that holds {self.holds}")
        self.folder = folder

    def __getstate__(self) -> dict[str, Any]:
        # The lists of files are dropped: readers get the places.
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def pass_over(self, places: Sequence[str]) -> None:
        """Log the files that are none of this source's."""
        pass_over(self.folder, self.holds, places)

    def npz_files(self, name: re.Pattern[str], refusal: FrameError) -> tuple[list[str], list[Rejection], list[str]]:
        """Return the npz files of a name, those of another name with their `refusal`, and the other files.

        The name counts without suffixes, and the content says what npz is. Files that are called `*.npz` as well are
        not opened: there may be a million.
        """
        places, rejected, others = [], [], []
        for place in files_below(self.folder):
            path = self.folder / place
            called = name.fullmatch(stem(path.name)) is not None
            if (called and path.suffix == ".npz") or kind_of(path) == "npz":
                if called:
                    places.append(place)
                else:
                    rejected.append(Rejection("?", None, place, refusal.reason, refusal.detail))
            else:
                others.append(place)
        return places, rejected, others

    def timed(
        self, series: str, places: Iterable[str], time_of: Callable[[str], int], others: Sequence[Rejection]
    ) -> Listing:
        """Return the frames of a series at `places`, and `others`, rejected files of no known series.

        `time_of` gives the seconds since 1970 of a place; it raises ValueError for a time that does not exist.
        """
        times, kept, rejected = [], [], []
        for place in places:
            try:
                times.append(time_of(place))
                kept.append(place)
            except ValueError as error:
                rejected.append(Rejection(series, None, place, "no time", str(error)))
        return Listing(np.array(times, np.int64), kept, [*rejected, *self.with_first(series, others)])

    def with_first(self, series: str, others: Sequence[Rejection]) -> Sequence[Rejection]:
        """Return rejected files of no known series to the series that is listed first, nothing to the rest."""
        self._first = self._first or series
        return others if series == self._first else ()
