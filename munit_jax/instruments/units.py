"""Units as headers spell them, read by astropy."""

import math
import re
import warnings
from itertools import product

from astropy import units as u

from munit_jax.instruments.errors import FrameError

WORD = re.compile(r"[A-Za-z]+")
# Spellings of headers that astropy does not know.
SPELLINGS = {
    "arcsecs": "arcsec",
    "counts": "ct",
    "degrees": "deg",
    "mx": "Mx",
    "pixels": "pix",
    "radians": "rad",
    "sec": "s",
    "seconds": "s",
}
EXPECTED = {
    "G": "a magnetic field in G, T or Mx/cm^2",
    "arcsec": "an angle in arcsec, deg or rad",
    "s": "a time in s or ms",
    "Angstrom": "a wavelength in angstrom or nm",
    "W m-2 sr-1": "a radiance in W m-2 sr-1",
}
COUNTS = ("DN", "ct")  # of a camera
DETECTED = (*COUNTS, "ph", "electron")  # which a gain brings to its counts


def unit_of(name: str) -> u.UnitBase | None:
    """Return a unit by its name in a header, with a factor where it has one (`10 G`); None for what is no unit.

    Case matters at first, as in astropy, and is then ignored, since GAUSS and ARCSEC are in use.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", u.UnitsWarning)  # more than one slash
        for spelling in (name, name.lower()):
            try:
                return u.Unit(WORD.sub(lambda match: SPELLINGS.get(match[0], match[0]), spelling))
            except (ValueError, TypeError):
                continue
    return None


def scale_of(name: str, card: str, unit: str) -> float:
    """Return how many of a `unit` of EXPECTED are in the one that a card names; FrameError for another one, or none."""
    found, wanted = unit_of(name) if name else None, u.Unit(unit)
    per = float(found.to(wanted)) if found is not None and found.is_equivalent(wanted) else 0.0  # pyright: ignore[reportArgumentType]
    if not 0 < per < math.inf:
        raise FrameError("unit", f"{card} = '{name}', expected {EXPECTED[unit]}")
    return per


def gauss_per(name: str, card: str = "BUNIT") -> float:
    """Return the gauss in a unit of the magnetic field, see `scale_of`; `g` is gauss, not gram."""
    return scale_of("G" if name == "g" else name, card, "G")


def is_rate(name: str, card: str = "BUNIT", counted: tuple[str, ...] = DETECTED) -> bool:
    """Return whether a unit of brightness is per second: DN/s and the like are, DN, counts and nothing are not.

    It may be per pixel or not; FrameError for a unit of anything but what is `counted`: K, a radiance, a logarithm.
    """
    unit = unit_of(name) if name else u.Unit("DN")
    for counts, pixel in product(DETECTED, ("", "pix-1")):
        amount = u.Unit(f"{counts} {pixel}")
        if unit in (amount, amount / u.s):
            if counts not in counted:
                raise FrameError("unit", f"{card} = '{name}', expected DN or DN/s: divide by the camera's gain")
            return unit != amount
    raise FrameError("unit", f"{card} = '{name}', expected DN or DN/s")
