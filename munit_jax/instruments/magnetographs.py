"""Common code of the magnetographs: the field in gauss, on HMI's scale on request."""

import numpy as np

from munit_jax.instruments.checks import without_markers
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import Header, gauss_in, text
from munit_jax.instruments.interface import PROGRAM, Observation, Preparation, Prepared, Scale
from munit_jax.instruments.registration import register
from munit_jax.instruments.units import gauss_per
from munit_jax.sun.disk import on_disk

# HMI's line-of-sight field over that of others (Liu et al. 2025, Solar Physics, doi 10.1007/s11207-025-02523-y): means
# over the disk, from which the ratio departs with place and strength.
TO_HMI = {"HMI": 1.0, "MDI": 0.701, "GONG": 1.438, "SOLIS": 1.038, "MWO": 2.795, "WSO": 3.582}


def magnetograph_of(header: Header) -> str:
    """Return the name in TO_HMI of the magnetograph of a disk or a synoptic map; empty for another one."""
    who = " ".join(text(header, key) for key in ("TELESCOP", "INSTRUME", "CAMERA", "ORIGIN")).upper()
    signs = {"HMI": "HMI", "MDI": "MDI", "GONG": "GONG", "SOLIS": "SOLIS", "MT. WILSON": "MWO", "WSO": "WSO"}
    if "ADAPT" in text(header, "MODEL").upper():
        return ""  # its model has a scale of its own
    return next((name for sign, name in signs.items() if sign in who), "")


def scale_factor(header: Header, scale_to: Scale) -> tuple[float, tuple[str, ...]]:
    """Return the factor that brings a magnetogram to a scale, and a warning where it is not known (then 1).

    Translations are on the scale of their training.
    """
    if scale_to == "none" or text(header, "ORIGIN") == PROGRAM:
        return 1.0, ()
    who = magnetograph_of(header)
    if who in TO_HMI:
        return TO_HMI[who], ()
    return 1.0, (
        f"no factor from {text(header, 'TELESCOP') or 'its instrument'} to HMI is known: its field is left unchanged",
    )


def is_field(header: Header) -> bool:
    """Return whether the unit of an image is that of a magnetic field."""
    try:
        gauss_per(text(header, "BUNIT"))
    except FrameError:
        return False
    return True


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Bring the field to gauss and to the scale, and register it; 0 off the disk, as in SDOML.

    It is a mean over pixels, where SDOML took the nearest one, which is noise.
    """
    factor, warnings = scale_factor(seen.header, how.scale_to)
    gauss = without_markers(seen.image * np.float32(gauss_in(seen.header))) * np.float32(factor)
    field = np.where(on_disk(how.geometry), register(gauss, seen.disk, how.geometry), np.float32(0))
    scale = "as measured" if how.scale_to == "none" else how.scale_to.upper()
    cards = (("MJSCALE", scale, "of the magnetogram"), ("MJTOHMI", factor, "factor to that scale"))
    return Prepared(field, cards, warnings)
