"""Planes of context: for each pixel of an image, where on the Sun it lies, what the cycle is like, what was seen there.

All come from the time and the geometry of the image, for any instrument and vantage point; `last_seen` from earlier
magnetograms too. They are 0 off the disk.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from munit_jax.data.last_seen import ROTATION_DAYS, Past, last_seen
from munit_jax.data.normalization import Normalization, normalize
from munit_jax.errors import ConfigError
from munit_jax.sun.cycle import cycle_and_phase, hale_sign
from munit_jax.sun.disk import DiskGeometry, heliographic, mu, on_disk

LAST_SEEN = "last_seen"


@dataclass(frozen=True)
class Earlier:
    """What `last_seen` is made of.

    Attributes:
        past: the magnetograms that there are.
        gap_days: between an image and the latest of them that may be used.
        scaling: of magnetograms.
    """

    past: Past
    gap_days: float
    scaling: Normalization


@dataclass(frozen=True)
class Planes:
    """What stands under one name.

    Attributes:
        values: from the geometry and the time of an image (seconds since 1970); None for what needs more.
        signs: for each plane what it is multiplied with where the field changes its sign, as the Sun is mirrored at the
            equator or its polarity reversed.
    """

    values: Callable[[DiskGeometry, float], Float[np.ndarray, "h w"] | float] | None
    signs: tuple[float, ...] = (1.0,)


def _hale_latitude(geometry: DiskGeometry, time: float) -> Float[np.ndarray, "h w"]:
    return hale_sign(time) * np.sin(np.deg2rad(heliographic(geometry)[0]))


# hale_latitude: sine of the latitude times the cycle's Hale sign: positive in the hemisphere whose following polarity
# is positive. mu: cosine of the angle to the vertical. cycle_phase: 0 at a cycle's minimum, 1 at the next. last_seen:
# the field as the Earth saw it last, scaled as the magnetograms; how many rotations ago; 1 where it was seen, else 0.
PLANES: Mapping[str, Planes] = {
    "hale_latitude": Planes(_hale_latitude, (-1.0,)),
    "mu": Planes(lambda geometry, _: mu(geometry)),
    "cycle_phase": Planes(lambda _, time: cycle_and_phase(time)[1]),
    LAST_SEEN: Planes(None, (-1.0, 1.0, 1.0)),
}


def check_planes(names: Sequence[str]) -> None:
    """Raise ConfigError for a plane that does not exist, or comes twice."""
    if unknown := sorted(set(names) - set(PLANES)):
        raise ConfigError(f"data.context has no plane {', '.join(unknown)}: choose of {', '.join(PLANES)}")
    if len(set(names)) < len(names):
        raise ConfigError(f"data.context={tuple(names)} has a plane twice")


def context_signs(names: Sequence[str]) -> Float[np.ndarray, " k"]:
    """Return for each plane what it is multiplied with where the field changes its sign."""
    return np.array([sign for name in names for sign in PLANES[name].signs], np.float32)


def context_of(
    names: Sequence[str],
    geometry: DiskGeometry,
    time: float,
    earlier: Earlier | None = None,
) -> Float[np.ndarray, "h w k"] | None:
    """Return the planes of an image, None if there are none.

    Args:
        names: of PLANES.
        geometry: of the image.
        time: seconds since 1970.
        earlier: for `last_seen`; None if nothing is known of before, a value like another.

    Raises:
        ValueError: a time whose cycle is not known.
    """
    if not names:
        return None
    disk = on_disk(geometry)
    planes = []
    for name in names:
        values = PLANES[name].values
        if values is not None:
            planes.append(np.where(disk, values(geometry, time), 0.0))
        elif earlier is None:
            planes += [np.zeros(disk.shape)] * len(PLANES[name].signs)
        else:
            planes += _last_seen(earlier, geometry, time)
    return np.stack(planes, axis=-1).astype(np.float32)


def _last_seen(earlier: Earlier, geometry: DiskGeometry, time: float) -> list[Float[np.ndarray, "h w"]]:
    field, age, known = last_seen(earlier.past, geometry, time, earlier.gap_days)
    scaled = np.asarray(normalize(earlier.scaling, field[..., None]))[..., 0]
    return [np.where(known, scaled, 0.0), age / ROTATION_DAYS, known]
