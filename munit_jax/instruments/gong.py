"""GONG: averaged full-disk magnetograms of the line of sight (bqa), from the ground."""

from astropy.io import fits

from munit_jax.instruments.headers import Header, iso, moment, required, text
from munit_jax.instruments.interface import Telescope
from munit_jax.instruments.magnetographs import calibrate
from munit_jax.sun.constants import AU, SOLAR_RADIUS

RADIANS = 206264.80624709636  # arcsec


def series_of(header: Header) -> str | None:
    """Return `bz` for a magnetogram of the disk; None for others and for synoptic maps."""
    if not text(header, "TELESCOP").endswith("GONG") or text(header, "IMTYPE") != "MAGNETIC":
        return None
    return "bz" if text(header, "DTYPE") == "OBSERVE" else None


def common(header: fits.Header) -> fits.Header:
    """Return the header with the common keywords of helioprojective coordinates, the Earth as observer, and UTC.

    The radius in pixels is the mean of the axes of the limb's ellipse (FNDLMBMA, FNDLMBMI), SEMIDIAM that of the Sun in
    radians; north is up but for P_ANGLE; the clock is that of GPS.
    """
    header = header.copy()
    header["TIMESYS"] = "GPS"
    header["DATE-OBS"], header["TIMESYS"] = iso(moment(header)), "UTC"
    header.remove("TIME-OBS", ignore_missing=True)
    radius = required(header, "SEMIDIAM") * RADIANS
    header["RSUN_OBS"] = radius
    pixels = (required(header, "FNDLMBMA") + required(header, "FNDLMBMI")) / 2
    for axis, name in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = name, "arcsec"
        header[f"CDELT{axis}"] = radius / pixels
    header["CROTA2"] = -required(header, "P_ANGLE")
    header["DSUN_OBS"], header["RSUN_REF"] = required(header, "DISTANCE") * AU, SOLAR_RADIUS
    header["CRLN_OBS"], header["CRLT_OBS"] = required(header, "L0") % 360, required(header, "B0")
    header["HGLN_OBS"], header["HGLT_OBS"] = 0.0, header["CRLT_OBS"]
    return header


GONG = Telescope("GONG", series_of, calibrate, common, marker="SKYVALUE")
