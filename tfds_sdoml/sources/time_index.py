"""When the frames of an SDOML v2 array were taken, kept from one build to the next."""

import hashlib
import json
import logging
from pathlib import Path
from typing import NamedTuple

from munit_jax.instruments.aia import AIA
from munit_jax.instruments.errors import FrameError, Reason
from munit_jax.instruments.headers import check_quality, time_of
from munit_jax.instruments.hmi import HMI
from tfds_sdoml.sources.zarr_stores import ArrayPlace, file_system

logger = logging.getLogger(__name__)

VERSION = 2  # of the files and of what is derived from the attributes: another one derives them again
KEYWORDS = ("T_OBS", "DATE-OBS", "QUALITY")  # of the many attributes, those that are used here


class Entry(NamedTuple):
    """A frame of an array: its number, its time in seconds since 1970 (if it has one), and why it cannot be used."""

    number: int
    time: int | None
    reason: Reason | None = None
    detail: str = ""


def kept_index(folder: Path | None, array: ArrayPlace) -> list[Entry]:
    """Return the frames of an array, as they are kept if its attributes, hundreds of megabytes, have not changed since.

    A folder that cannot be written costs time, not the build; None keeps nothing.

    Raises:
        ValueError: attributes that cannot be read.
    """
    system, root = file_system(array.store)
    attributes = f"{root}/{array.path}/.zattrs"
    if folder is None or not system.exists(attributes):
        return index_of(array)
    place = f"{array.store}/{array.path}"
    key = [VERSION, place, str(system.checksum(attributes)), list(array.shape)]
    path = folder / f"{hashlib.sha256(place.encode()).hexdigest()[:24]}.json"
    try:
        kept = json.loads(path.read_text())
        if kept["key"] == key:
            return [Entry(*entry) for entry in kept["frames"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or a damaged one: it is made again
    index = index_of(array)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".writing")
        unfinished.write_text(json.dumps({"key": key, "frames": index}))
        unfinished.rename(path)
    except OSError as error:
        logger.info("the times of %s are not cached for the next build: %s", place, error)
    return index


def index_of(array: ArrayPlace) -> list[Entry]:
    """Return the frames of an array by its attributes, lists with an entry a frame, not in the order of time.

    They are keywords of FITS headers. Some lists are shorter than the array, and some entries are NaN.
    """
    attributes = array.read_json(".zattrs")
    lists = {key: value for key in KEYWORDS if isinstance(value := attributes.get(key), list)}
    del attributes  # hundreds of megabytes
    harmless, index = (HMI if array.name.startswith("B") else AIA).harmless, []
    for number in range(array.shape[0]):
        header, time = {key: values[number] for key, values in lists.items() if number < len(values)}, None
        try:
            time = time_of(header)
            check_quality(header, harmless)
            index.append(Entry(number, time))
        except FrameError as error:
            index.append(Entry(number, time, error.reason, error.detail))
        except ValueError as error:
            index.append(Entry(number, None, "no time", str(error)))
    return index
