"""The files that belong together: one image of each channel, of one observer and time."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.headers import text, time_of
from munit_jax.instruments.simultaneous import TOLERANCE, join_nearest
from munit_jax.instruments.telescopes import identify


def join(
    paths: Sequence[Path], channels: Sequence[str]
) -> tuple[list[tuple[Path, ...]], list[tuple[Path, FrameError]]]:
    """Return the files that belong together, in the order of the channels, and those that cannot be used.

    Files are joined within the `TOLERANCE` of the datasets to those of the first channel; for one, no file is read.
    """
    if len(channels) == 1:
        return [(path,) for path in paths], []
    found: dict[str, dict[str, list[tuple[int, Path]]]] = defaultdict(lambda: {c: [] for c in channels})
    refused = []
    for path in paths:
        try:
            observer, series, time = _identify(path)
            if series not in channels:
                raise FrameError("instrument", f"it is of {series}: the run translates {', '.join(channels)}")
            found[observer][series].append((time, path))
        except FrameError as error:
            refused.append((path, error))
    groups = []
    for of_observer in found.values():
        frames = {channel: sorted(files) for channel, files in of_observer.items()}
        joined = join_nearest({c: np.array([time for time, _ in frames[c]], np.int64) for c in channels})
        groups += zip(*([frames[c][k][1] for k in joined[c]] for c in channels), strict=True)
        for channel in channels:
            others = ", ".join(c for c in channels if c != channel)
            alone = FrameError("no companion", f"no image of {others} within {TOLERANCE} s that is not another's")
            refused += [(path, alone) for k, (_, path) in enumerate(frames[channel]) if k not in joined[channel]]
    return sorted(groups), sorted(refused, key=lambda pair: pair[0])


def _identify(path: Path) -> tuple[str, str, int]:
    """Return the observer, the series and the time (seconds since 1970) of a file; only its header is read."""
    header, _, series = identify(path)
    try:
        return text(header, "OBSRVTRY") or text(header, "TELESCOP").partition("/")[0], series, time_of(header)
    except ValueError as error:
        raise FrameError("unreadable", reason_of(error)) from error
