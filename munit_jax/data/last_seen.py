"""What the Earth saw last of each place of an image: magnetograms of the past, turned along to its time.

For an image of the far side this is all that is known of its magnetic field. A few looks, a quarter of a rotation
apart, cover every longitude; each place has the latest of them that saw it well.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from munit_jax.sun.disk import DiskGeometry
from munit_jax.sun.ephemeris import DAY
from munit_jax.sun.rotation import rotated_and_seen

ROTATION_DAYS = 27.2753  # Carrington, synodic
LOOKS = 4
LOOK_DAYS = ROTATION_DAYS / LOOKS
LEAST_MU = 0.25  # of a look that counts; of four in a rotation one sees each place of low latitude with 0.7 at least

# A magnetogram in gauss, its geometry, its time in seconds since 1970.
Magnetogram = tuple[Float[np.ndarray, "h w"], DiskGeometry, float]
# The latest magnetogram that is not after a time (seconds since 1970), None if there is none shortly before it.
Past = Callable[[float], Magnetogram | None]


def latest(times: Float[np.ndarray, " n"], time: float) -> int | None:
    """Return which of increasing times is the latest that is not after a time.

    None if it is a quarter of a rotation before it, where the next look may find it.
    """
    k = int(np.searchsorted(times, time, side="right")) - 1
    return k if k >= 0 and time - times[k] < LOOK_DAYS * DAY else None


def last_seen(
    past: Past, geometry: DiskGeometry, time: float, gap_days: float
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return the field of each pixel as it was seen last, in gauss along the line of sight; its age in days; whether
    it was seen at all.

    Args:
        past: the magnetograms that there are.
        geometry: of the image.
        time: of the image, seconds since 1970.
        gap_days: between the image and the latest magnetogram that may be used. For a far side it is 0.
    """
    shape = geometry.size, geometry.size
    field, age, known = np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, bool)
    for look in range(LOOKS):
        seen_then = past(time - (gap_days + look * LOOK_DAYS) * DAY)
        if seen_then is None:
            continue
        magnetogram, then, when = seen_then
        days = (time - when) / DAY
        turned, seen = rotated_and_seen(magnetogram, then, geometry, days, LEAST_MU)
        new = seen & ~known
        field[new], age[new] = turned[new], days
        known |= seen
    return field, age, known
