"""AIA on SDO: level 1, level 1.5 and the synoptic series of 1024 pixels."""

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.calibration import gain, nearest_reference
from munit_jax.instruments.degradation import degradation
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import Header, exposure, number, text, time_of
from munit_jax.instruments.interface import Card, Observation, Preparation, Prepared, Telescope
from munit_jax.instruments.registration import register
from munit_jax.instruments.sdoml import ORIGIN as SDOML
from munit_jax.instruments.series import AIA_CHANNELS
from munit_jax.instruments.units import COUNTS, scale_of
from munit_jax.sun.constants import DAY

# Images of the last hours: not final, not bad (SDO User Guide, section 7.7.6, table 2: bit 30).
QUICKLOOK = 1 << 30


def wavelength(header: Header) -> int:
    """Return the wavelength in angstrom, 0 where there is none."""
    unit = text(header, "WAVEUNIT") or "angstrom"
    return round((number(header, "WAVELNTH") or 0) * scale_of(unit, "WAVEUNIT", "Angstrom"))


def series_of(header: Header) -> str | None:
    """Return the channel of an image of AIA; None for others and for channels that AIA has not."""
    if "AIA" not in f"{text(header, 'TELESCOP')} {text(header, 'INSTRUME')}".upper():
        return None
    channel = f"{wavelength(header):04d}"
    return channel if channel in AIA_CHANNELS else None


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Divide by the exposure, register, correct the loss of sensitivity, and clip at 0 as SDOML does.

    The loss is that of the table; without one, that of the disk's brightness to a reference. Without either
    nothing is done, and there is no card; SDOML's images are corrected.

    Pixels are in DN per pixel of 0.6 arcsec at every level, as in SDOML v2: the synoptic images are means over 4 x 4
    (https://jsoc1.stanford.edu/data/aia/synoptic/README.html), and registration takes means. Below 0 is the noise of
    the camera's dark level; clipped last, so that it has averaged out.
    """
    seconds = exposure(seen.header, COUNTS)  # nothing rescales photons here, as EUVI's factor does
    image = register(seen.image, seen.disk, how.geometry) / np.float32(seconds)
    factor, cards = _sensitivity(seen, how, image)
    exposed: Card = ("MJEXPT", seconds, "[s] exposure that the image was divided by")
    return Prepared(np.maximum(image * np.float32(factor), 0), (exposed, *cards))


def _sensitivity(
    seen: Observation, how: Preparation, image: Float[np.ndarray, "size size"]
) -> tuple[float, tuple[Card, ...]]:
    """Return the factor that corrects the loss of sensitivity, and the cards that describe it."""
    if text(seen.header, "ORIGIN") == SDOML:
        return 1.0, ()
    if how.degradation_table is not None:
        try:
            left = degradation(how.degradation_table, int(seen.series), time_of(seen.header) // DAY)
        except ValueError as error:
            raise FrameError("unreadable", f"its degradation is not known: {error}") from error
        return 1 / left, (("MJDEGR", left, "sensitivity (2010: 1) it was divided by"),)
    if not any(reference.series == seen.series for reference in how.references):
        return 1.0, ()
    reference = nearest_reference(seen.series, time_of(seen.header), how.references)
    factor = gain(image, reference)
    return factor, (
        ("MJGAIN", factor, "factor to the quartiles of AIA's disk"),
        ("MJREFR", reference.name, "whose quartiles"),
    )


AIA = Telescope("AIA", series_of, calibrate, harmless=QUICKLOOK)
