"""What makes an image useless before it is rescaled: overexposure and blocks that were lost on the way down."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from tfds_sdoml.sources.interface import FrameError
from tfds_sdoml.sources.reprojection import SolarDisk

# DN from which a pixel counts as saturated: DSATVAL of SECCHI's headers. AIA's cameras have 14 bits as well (16383).
SATURATED = 15_000.0
SATURATED_SHARE = 0.01  # of the disk; a flare saturates less

BLOCKS_PER_RADIUS = 25  # blocks are looked for that are 1/25 of the solar radius across ...
SMALLEST_BLOCK = 4  # ... but not smaller: 3 x 3 pixels may be equal by chance
BLOCKS_WITHIN = 0.9  # solar radii: the sky may be 0


def check_saturation(image: Float[np.ndarray, "y x"], disk: SolarDisk) -> None:
    """Refuse an image in DN that is overexposed.

    Raises:
        FrameError: `saturated`.
    """
    y, x = np.indices(image.shape)
    inside = _from_centre(x, y, disk) < 1
    share = float(np.mean(image[inside] >= SATURATED))
    if share > SATURATED_SHARE:
        raise FrameError("saturated", f"{share:.1%} of the disk is at {SATURATED:g} DN or more")


def check_blocks(image: Float[np.ndarray, "y x"], disk: SolarDisk) -> None:
    """Refuse an image of which square blocks on the disk hold one value, as lost telemetry is filled in.

    Noise makes neighbours differ, so that no block of a whole image is constant. Pixels that are NaN are counted by
    `register`.

    Raises:
        FrameError: `missing blocks`.
    """
    side = max(SMALLEST_BLOCK, round(disk.radius / BLOCKS_PER_RADIUS))
    height, width = (n // side for n in image.shape)
    blocks = image[: height * side, : width * side].reshape(height, side, width, side)
    constant = blocks.min(axis=(1, 3)) == blocks.max(axis=(1, 3))
    y, x = np.indices(constant.shape)
    inside: Bool[np.ndarray, "y x"] = _from_centre(x, y, disk.binned(side)) < BLOCKS_WITHIN
    if lost := int(np.count_nonzero(constant & inside)):
        share = lost / np.count_nonzero(inside)
        raise FrameError("missing blocks", f"{lost} blocks of {side} x {side} pixels ({share:.1%} of the disk)")


def _from_centre(x: Any, y: Any, disk: SolarDisk) -> Float[np.ndarray, "y x"]:
    """Return the distance of pixels from the centre of the disk in solar radii."""
    offset = np.stack([x, y]).reshape(2, -1) - disk.centre[:, None]
    return np.hypot(*np.linalg.solve(disk.pixels, offset)).reshape(x.shape)
