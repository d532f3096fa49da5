"""Earlier magnetograms, from files, for runs that take what was seen last of each place as context."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from munit_jax.data.context import Magnetogram, Past, latest
from munit_jax.errors import DataError
from munit_jax.translation.instruments import Preparation, observe, prepare
from munit_jax.translation.view import heliographic_view, view_cards
from tfds_sdoml.sources.fits_headers import time_of
from tfds_sdoml.sources.interface import FrameError


def past_of(paths: Sequence[Path], how: Preparation) -> Past:
    """Return the past that magnetograms of the line of sight tell, in the geometry of the training.

    Raises:
        DataError: a file that cannot be used; of something else.
    """
    magnetograms = sorted((_read(path, how) for path in paths), key=lambda magnetogram: magnetogram[2])
    times = np.array([time for *_, time in magnetograms])

    def past(time: float) -> Magnetogram | None:
        k = latest(times, time)
        return None if k is None else magnetograms[k]

    return past


def _read(path: Path, how: Preparation) -> Magnetogram:
    try:
        seen = observe(path)
        if seen.series != "bz":
            raise FrameError("instrument", f"it is of {seen.series}, not a magnetogram")
        geometry = heliographic_view(view_cards(seen.header), how.geometry)
        return prepare(seen, how).image, geometry, float(time_of(seen.header))
    except FrameError as error:
        raise DataError(f"last_seen: {path}: {error}") from None
