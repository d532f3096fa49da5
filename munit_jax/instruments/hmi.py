"""HMI on SDO: magnetograms of the line of sight (M_720s, M_45s, and M_720s_nrt of the last hours)."""

from munit_jax.instruments.headers import Header, text
from munit_jax.instruments.interface import Telescope
from munit_jax.instruments.magnetographs import calibrate, is_field

# Bits of QUALITY that do not matter for one image (http://jsoc.stanford.edu/doc/data/hmi/Quality_Bits/QUALITY.txt):
# lists of cosmic-ray hits could not be read (QUAL_NOCOSMICRAY), which does not show in a mean over 12 minutes; fewer
# filtergrams than usual were averaged (QUAL_LOWINTERPNUM), which is noise.
NO_COSMIC_RAYS, FEWER_AVERAGED = 0x400, 0x10000
# Of the near-real-time series (M_720s_nrt): gaps in time are not all filled yet, and filtergrams whose limb was not
# found are left out of the mean.
GAPS_NOT_FILLED, ODD_LIMB_FITS = 0x1000, 0x800


def series_of(header: Header) -> str | None:
    """Return `bz` for a magnetogram of HMI, by CONTENT or the unit of a field; None for others and synoptic maps."""
    if "HMI" not in f"{text(header, 'TELESCOP')} {text(header, 'INSTRUME')}".upper():
        return None
    if text(header, "CTYPE1").startswith("CRLN"):
        return None
    content = text(header, "CONTENT").upper()
    if content == "MAGNETOGRAM":
        return "bz"
    return "bz" if is_field(header) and not content else None


HMI = Telescope(
    "HMI", series_of, calibrate, harmless=NO_COSMIC_RAYS | FEWER_AVERAGED, doubtful=GAPS_NOT_FILLED | ODD_LIMB_FITS
)
