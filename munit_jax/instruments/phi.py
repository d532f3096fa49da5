"""PHI on Solar Orbiter, the full-disk telescope FDT: the field along the line of sight (blos)."""

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import Header, text
from munit_jax.instruments.interface import Telescope
from munit_jax.instruments.magnetographs import calibrate

LINE_OF_SIGHT = ("LOS MAGNETIC FIELD STRENGTH", "BLOS")  # BTYPE


def series_of(header: Header) -> str | None:
    """Return `bz` for a magnetogram of FDT; FrameError for its other products, and for HRT."""
    if text(header, "OBSRVTRY") != "Solar Orbiter" or text(header, "INSTRUME") != "PHI":
        return None
    if not text(header, "TELESCOP").endswith("FDT"):
        raise FrameError("instrument", f"{text(header, 'TELESCOP')}: it sees a patch, not the whole disk; give FDT's")
    if (kind := text(header, "BTYPE")).upper() not in LINE_OF_SIGHT:
        raise FrameError("instrument", f"PHI, BTYPE = '{kind}': expected blos, the field along the line of sight")
    return "bz"


PHI = Telescope("PHI FDT", series_of, calibrate)
