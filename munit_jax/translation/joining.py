"""Which files belong together: one image of each channel, of one time and one observer."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from munit_jax.translation.instruments import recognise
from munit_jax.translation.view import sdoml_header
from tfds_sdoml.join import TOLERANCE, join_nearest
from tfds_sdoml.sources import npz_v1
from tfds_sdoml.sources.fits_headers import image_header, open_file, reason_of, text, time_of
from tfds_sdoml.sources.interface import FrameError


class Refused(NamedTuple):
    """A file that is not used, and why."""

    path: Path
    reason: str
    detail: str


def join(
    paths: Sequence[Path], channels: Sequence[str], tolerance: int = TOLERANCE
) -> tuple[list[tuple[Path, ...]], list[Refused]]:
    """Return the files that belong together, in the order of the channels, and those without their companions.

    Files of one channel stand alone and are not looked at here.

    Args:
        paths: of the files.
        channels: series, of which the first gives the time.
        tolerance: largest difference in seconds, as for the datasets.
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
            refused.append(Refused(path, error.reason, error.detail))
    groups = []
    for of_channel in found.values():
        frames = {channel: sorted(of_channel[channel]) for channel in channels}
        joined = join_nearest({c: np.array([time for time, _ in frames[c]], np.int64) for c in channels}, tolerance)
        groups += [tuple(frames[c][joined[c][k]][1] for c in channels) for k in range(len(joined[channels[0]]))]
        used = {c: set(map(int, joined[c])) for c in channels}
        for channel in channels:
            others = ", ".join(c for c in channels if c != channel)
            refused += [
                Refused(path, "no companion", f"no image of {others} within {tolerance} s that is not another's")
                for k, (_, path) in enumerate(frames[channel])
                if k not in used[channel]
            ]
    return sorted(groups), sorted(refused)


def _identify(path: Path) -> tuple[str, str, int]:
    """Return the observer, the series and the time (seconds since 1970) of a file; only its header is read."""
    try:
        if match := npz_v1.FILE_NAME.fullmatch(path.name):
            header = sdoml_header(match[3], npz_v1.time_of(match), npz_v1.SIZE)
        else:
            with open_file(path) as file:
                header = image_header(file)
        _, series = recognise(header)
        return text(header, "OBSRVTRY") or text(header, "TELESCOP").partition("/")[0], series, time_of(header)
    except FrameError:
        raise
    except Exception as error:  # of many kinds: astropy is not made for damaged files
        raise FrameError("unreadable", reason_of(error)) from error
