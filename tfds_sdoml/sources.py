"""Sources of real frames: SDOML v1, one image a file (Galvez et al. 2019, ApJS 242, 7).

Every source lists its frames with their times and reads one frame in the units of the dataset: DN/s per pixel in the
convention of SDOML v2 (the mean over the pixels that were binned), or gauss; row 0 is south.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from tfds_sdoml.ephemeris import seconds_from_tai

NPZ_V1_SIZE = 512  # pixels
NPZ_V1_BINNING = 4  # v1 sums 2 x 2 pixels of AIA, v2 takes their mean


@dataclass(frozen=True)
class FrameFile:
    """One image in a file; `time` in seconds since 1970-01-01 UTC."""

    path: Path
    time: int


def npz_v1_pattern(series: str) -> str:
    """Return the file name of a series as people write it: `0193` for an AIA channel, `bz` for the magnetogram."""
    return f"{'AIA' if series.isdigit() else 'HMI'}YYYYMMDD_HHMM_{series}.npz"


def npz_v1_time(path: Path) -> int:
    """Return the time in a file name as UTC seconds since 1970: AIA's clock is UTC, HMI's is TAI.

    Raises:
        ValueError: a date that does not exist.
    """
    try:
        clock = datetime.strptime(path.name[3:16], "%Y%m%d_%H%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{path}: the file name has no date as YYYYMMDD_HHMM: {error}") from error
    return seconds_from_tai(clock) if path.name.startswith("HMI") else int(clock.timestamp())


def find_npz_v1(folder: Path, series: str) -> list[FrameFile]:
    """Return the frames of a series under a folder, sorted by time and one a time; matched by file name at any depth.

    Args:
        folder: top of the tree.
        series: `0193` and the like for an AIA channel, `bz` for the magnetogram.

    Raises:
        FileNotFoundError: no such folder, or no file in it has the name that was sought.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: give the folder that holds the SDOML v1 files as --manual_dir")
    name = re.compile(rf"{'AIA' if series.isdigit() else 'HMI'}\d{{8}}_\d{{4}}_{series}\.npz")
    paths = sorted(path for path in folder.rglob("*.npz") if name.fullmatch(path.name))
    if not paths:
        raise FileNotFoundError(f"no file {npz_v1_pattern(series)} in {folder} or below it: is it the right folder?")
    by_time = {npz_v1_time(path): path for path in reversed(paths)}
    return [FrameFile(path, time) for time, path in sorted(by_time.items())]


def read_npz_v1(path: Path) -> Float[np.ndarray, "y x"]:
    """Return one frame in DN/s per pixel (AIA, v2 convention) or gauss (HMI), float32, 512 x 512.

    Raises:
        ValueError: a file that is no npz, has no key `x`, a wrong shape, or values that are not finite.
    """
    try:
        with path.open("rb") as file, np.load(file) as data:
            image = np.asarray(data["x"], np.float32)
    except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
        reason = "it has no key 'x'" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path}: cannot be read as SDOML v1: {reason}") from error
    expected = (NPZ_V1_SIZE, NPZ_V1_SIZE)
    if image.shape != expected:
        raise ValueError(f"{path}: the image has the shape {image.shape}, expected {expected}")
    wrong = np.argwhere(~np.isfinite(image))
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        raise ValueError(f"{path}: {len(wrong)} values are not finite, the first at (row, column) = ({row}, {column})")
    return image / NPZ_V1_BINNING if path.name.startswith("AIA") else image
