"""Conditioning planes: place on the Sun, phase of the cycle, the field last seen there; 0 off the disk."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from munit_jax.errors import ConfigError
from munit_jax.sun.constants import DAY, SYNODIC_CARRINGTON_DAYS
from munit_jax.sun.cycle import cycle_and_phase, hale_sign
from munit_jax.sun.disk import DiskGeometry, heliographic, mu, on_disk
from munit_jax.sun.rotation import rotated

LAST_SEEN = "last_seen"

# Earlier magnetograms, a quarter of a rotation apart, cover every longitude: low latitudes at mu > 0.7 in one of them.
EARLIER = 4
SPACING_DAYS = SYNODIC_CARRINGTON_DAYS / EARLIER
FIELD_SCALE = 10.0  # gauss: active regions are of order one, since networks learn slowly from a plane of small values
LEAST_MU = 0.25  # pixels nearer to the limb of an earlier magnetogram are not used

# A magnetogram in gauss, its geometry, its time in seconds since 1970.
Magnetogram = tuple[Float[np.ndarray, "h w"], DiskGeometry, float]
# The latest magnetogram that is not after a time (seconds since 1970), None if there is none shortly before it.
Past = Callable[[float], Magnetogram | None]


@dataclass(frozen=True)
class Earlier:
    """The source of `last_seen`: earlier magnetograms, and the days between an image and the latest one it may use."""

    past: Past
    gap_days: float


def _hale_latitude(geometry: DiskGeometry, time: float) -> Float[np.ndarray, "h w"]:
    return hale_sign(time) * np.sin(np.deg2rad(heliographic(geometry)[0]))


# Planes by name, from the geometry and the time of an image (seconds since 1970). hale_latitude: sine of the latitude
# times the cycle's Hale sign: positive in the hemisphere whose following polarity is positive. mu: cosine of the angle
# to the vertical. cycle_phase: 0 at a cycle's minimum, 1 at the next.
VALUES: Mapping[str, Callable[[DiskGeometry, float], Float[np.ndarray, "h w"] | float]] = {
    "hale_latitude": _hale_latitude,
    "mu": lambda geometry, _: mu(geometry),
    "cycle_phase": lambda _, time: cycle_and_phase(time)[1],
}
# The factor of each plane under a reversal of the field (the next cycle, or the Sun mirrored at the equator). The three
# of last_seen: asinh of the field last seen from the Earth over FIELD_SCALE; its age in rotations; 1 where it was seen,
# otherwise 0.
SIGNS: Mapping[str, tuple[float, ...]] = {
    "hale_latitude": (-1.0,),
    "mu": (1.0,),
    "cycle_phase": (1.0,),
    LAST_SEEN: (-1.0, 1.0, 1.0),
}


def check_planes(names: Sequence[str]) -> None:
    """Raise ConfigError for an unknown or repeated plane."""
    if unknown := sorted(set(names) - set(SIGNS)):
        raise ConfigError(f"data.context has no plane {', '.join(unknown)}: choose of {', '.join(SIGNS)}")
    if len(set(names)) < len(names):
        raise ConfigError(f"data.context={tuple(names)} has a plane twice")


def context_signs(names: Sequence[str]) -> Float[np.ndarray, " k"]:
    """Return the factor of each plane under a reversal of the field."""
    return np.array([sign for name in names for sign in SIGNS[name]], np.float32)


def context_of(
    names: Sequence[str], geometry: DiskGeometry, time: float, earlier: Earlier | None = None
) -> Float[np.ndarray, "h w k"] | None:
    """Return the planes of an image at `time` (seconds since 1970), None for no names.

    Those of `last_seen` are 0 where no earlier magnetogram is known. ValueError for a time whose cycle is not known.
    """
    if not names:
        return None
    disk = on_disk(geometry)
    planes = []
    for name in names:
        if name in VALUES:
            planes.append(np.where(disk, VALUES[name](geometry, time), 0.0))
        elif earlier is None:
            planes += [np.zeros(disk.shape)] * len(SIGNS[name])
        else:
            field, age, known = last_seen(earlier.past, geometry, time, earlier.gap_days)
            planes += [np.arcsinh(field / FIELD_SCALE), age / SYNODIC_CARRINGTON_DAYS, known]
    return np.stack(planes, axis=-1).astype(np.float32)


def past_from(times: Sequence[float], read: Callable[[int], Magnetogram]) -> Past:
    """Return the past of magnetograms of given times, in seconds since 1970 and any order; `read(i)` gives the i-th.

    A magnetogram is used for SPACING_DAYS after its time.
    """
    order = np.argsort(times, kind="stable")
    increasing = np.asarray(times, np.float64)[order]

    def past(time: float) -> Magnetogram | None:
        k = int(np.searchsorted(increasing, time, side="right")) - 1
        return read(int(order[k])) if k >= 0 and time - increasing[k] < SPACING_DAYS * DAY else None

    return past


def last_seen(
    past: Past, geometry: DiskGeometry, time: float, gap_days: float
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return the field last seen (gauss), rotated to the time of an image (seconds since 1970), its age, and where.

    The age is in days. The latest magnetogram that may be used is `gap_days` before the image; for a far side 0.
    """
    shape = geometry.size, geometry.size
    field, age, known = np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, bool)
    for k in range(EARLIER):
        earlier = past(time - (gap_days + k * SPACING_DAYS) * DAY)
        if earlier is None:
            continue
        magnetogram, earlier_geometry, earlier_time = earlier
        days = (time - earlier_time) / DAY
        turned, seen = rotated(magnetogram, earlier_geometry, geometry, days, LEAST_MU)
        new = seen & ~known
        field[new], age[new] = turned[new], days
        known |= seen
    return field, age, known
