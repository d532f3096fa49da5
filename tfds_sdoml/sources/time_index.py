"""When the frames of an SDOML v2 array were taken, kept from one build to the next.

The attributes that tell it are hundreds of megabytes of JSON an array, over the network at worst; what is needed of
them is a few hundred kilobytes.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from munit_jax.instruments.errors import Reason

logger = logging.getLogger(__name__)

VERSION = 1  # of the files and of what is made of the attributes: another one makes them anew


@dataclass(frozen=True)
class TimeIndex:
    """The frames of an array by their numbers.

    Attributes:
        frames: (number, time) of each frame that can be used; seconds since 1970-01-01 UTC.
        rejected: (number, time or None, reason, detail) of each that cannot.
    """

    frames: list[tuple[int, int]]
    rejected: list[tuple[int, int | None, Reason, str]]


def stamp_of(info: dict[str, Any]) -> str | None:
    """Return what changes when a file changes, out of what fsspec tells of it; None where it tells nothing of use.

    A bucket tells a checksum (ETag), a disk the time of the last change. The rest of `info` depends on who asked.
    """
    for key in ("ETag", "LastModified", "mtime", "created"):
        if key in info:
            return f"{info.get('size')} {key} {info[key]}"
    return None


def kept_index(folder: Path, array: str, stamp: str | None, make: Callable[[], TimeIndex]) -> TimeIndex:
    """Return the index of an array: the one that is kept if the array has not changed since, else a new one.

    Args:
        folder: where indices are kept; one that cannot be written costs time, not the build.
        array: URL of the array.
        stamp: of its attributes, see `stamp_of`; None to keep nothing.
        make: reads the attributes.
    """
    path = folder / f"{hashlib.sha256(array.encode()).hexdigest()[:24]}.json"
    key = [VERSION, array, stamp]
    try:
        kept = json.loads(path.read_text())
        if stamp is not None and kept["key"] == key:
            return TimeIndex([(n, t) for n, t in kept["frames"]], [(n, t, r, d) for n, t, r, d in kept["rejected"]])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or a damaged one: it is made again
    index = make()
    if stamp is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".writing")
            unfinished.write_text(json.dumps({"key": key} | asdict(index)))
            unfinished.rename(path)
        except OSError as error:
            logger.info("the times of %s are not kept for the next build: %s", array, error)
    return index
