"""What an image must be to go into a dataset; each test with the word that rejected.csv tells it by."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import on_disk, pixel_grid, sdoml_geometry
from tfds_sdoml.sources.interface import FrameError

LOOKED_AT = 128  # pixels across: larger images are looked at in every second, third ... pixel
OFF_DISK = 1.2  # solar radii: beyond it the corona is faint, and its level below ...
OFF_DISK_LEVEL = 0.75  # ... this share of the disk's; the widest of real frames is 0.3 (304 A)
OFF_CENTRE = 0.15  # solar radii; coronal holes move the centroid of real frames by up to 0.07
UNLIKE = 2.0  # times the neighbours' level, or less than its inverse; active regions change it by tens of per cent

REFERENCE_EVERY = 7200  # seconds between neighbours: an eclipse by the Earth lasts up to 72 minutes
REFERENCES = 3  # neighbours on each side ...
REFERENCE_REACH = 5 * DAY  # ... not farther than this, seconds
FEWEST_REFERENCES = 2


@dataclass(frozen=True)
class Look:
    """The pixels that are looked at, every `step` in both directions: which are on the disk, which far off it."""

    step: int
    disk: Bool[np.ndarray, "y x"]
    off: Bool[np.ndarray, "y x"]
    x: Float[np.ndarray, "y x"]
    y: Float[np.ndarray, "y x"]


@lru_cache(maxsize=2)
def look_at(size: int) -> Look:
    """Return where to look in SDOML images of `size` pixels; x and y in solar radii from the centre."""
    step = -(-size // LOOKED_AT)
    geometry = sdoml_geometry(size)
    x, y = (axis[::step, ::step].astype(np.float32) for axis in pixel_grid(geometry))
    return Look(step, on_disk(geometry)[::step, ::step], np.hypot(x, y) > OFF_DISK, x, y)


def check_image(image: Float[np.ndarray, "y x"], field: bool) -> float:
    """Return the level of a good image: the disk's median (EUV, DN/s), or mean unsigned field (gauss).

    Args:
        image: SDOML geometry, DN/s per pixel or gauss.
        field: whether it is a component of the field.

    Raises:
        FrameError: values that are not finite, one value everywhere, light or field where the sky is, a disk that is
            not in the centre.
    """
    finite = np.isfinite(image)
    if not finite.all():
        row, column = (int(i) for i in np.argwhere(~finite)[0])
        count = image.size - np.count_nonzero(finite)
        raise FrameError("not finite", f"{count} values, the first at (row, column) = ({row}, {column})")
    if image.min() == image.max():
        raise FrameError("constant", f"{image.flat[0]:g} everywhere")
    look = look_at(len(image))
    strength = np.abs(image[:: look.step, :: look.step])
    on = strength[look.disk]
    mean = float(on.mean())
    level = mean if field else float(np.median(on))
    off = float(np.median(strength[look.off]))
    if off > OFF_DISK_LEVEL * level:
        unit = "gauss" if field else "DN/s"
        raise FrameError("off-disk level", f"{off:g} {unit} beyond {OFF_DISK} solar radii, {level:g} on the disk")
    x, y = centroid(np.minimum(strength, mean), look)
    if np.hypot(x, y) > OFF_CENTRE:
        raise FrameError("off-centre disk", f"its centroid is ({x:.2f}, {y:.2f}) solar radii off the centre")
    return level


def centroid(strength: Float[np.ndarray, "y x"], look: Look) -> tuple[float, float]:
    """Return the centroid of an image that is not negative, in solar radii from the centre; (0, 0) if it is empty.

    Cut at the disk's mean, so that the disk as a whole counts rather than its bright regions.
    """
    total = float(strength.sum())
    if total == 0:
        return 0.0, 0.0
    return float((strength * look.x).sum()) / total, float((strength * look.y).sum()) / total


def references(times: Int[np.ndarray, "frame"]) -> list[list[int]]:
    """Return the indices of the frames that each frame is compared with: up to three before and three after it.

    They are the first of every two hours, the frame's own two hours left out: an eclipse is shorter. What a frame is
    compared with depends on the times alone, and few frames are compared with.

    Args:
        times: seconds since 1970-01-01 UTC, ascending.
    """
    bins, first, own = np.unique(np.asarray(times) // REFERENCE_EVERY, return_index=True, return_inverse=True)
    chosen = []
    for frame, place in enumerate(own):
        near = [n for n in range(place - REFERENCES, place + REFERENCES + 1) if 0 <= n < len(bins) and n != place]
        chosen.append([int(first[n]) for n in near if abs(times[first[n]] - times[frame]) <= REFERENCE_REACH])
    return chosen


def check_neighbours(level: float, others: Sequence[float], field: bool) -> None:
    """Refuse a frame whose level is far from the median of its neighbours': saturated, eclipsed, wrongly scaled.

    Fewer than two neighbours tell nothing.

    Raises:
        FrameError: `unlike its neighbours`.
    """
    if len(others) < FEWEST_REFERENCES:
        return
    usual = float(np.median(others))
    if level > UNLIKE * usual or level < usual / UNLIKE:
        what = (
            "disk's mean unsigned field is {:g}, theirs {:g} gauss"
            if field
            else "disk median is {:g}, theirs {:g} DN/s"
        )
        raise FrameError("unlike its neighbours", "its " + what.format(level, usual))
