"""MDI on SOHO: full-disk magnetograms of the line of sight (fd_M_96m), with JSOC's header or the older one."""

from astropy.io import fits

from munit_jax.instruments.headers import Header, number, required, rotation, text
from munit_jax.instruments.interface import Telescope
from munit_jax.instruments.magnetographs import calibrate, is_field
from munit_jax.sun.constants import AU, SOLAR_RADIUS

# A bit of QUALITY that most images have (soi.stanford.edu/production/QUALITY): not in the "prime 60" of the minute.
NOT_PRIME = 0x200


def series_of(header: Header) -> str | None:
    """Return `bz` for a magnetogram of MDI; None for others and for synoptic maps."""
    if "MDI" not in (text(header, "CAMERA"), text(header, "INSTRUME")) or text(header, "CTYPE1").startswith("CRLN"):
        return None
    return "bz" if is_field(header) else None


def common(header: fits.Header) -> fits.Header:
    """Return an older header with the observer and the roll under the common keywords.

    There DSUN_OBS is 1 AU whatever the date; the place is in OBS_DIST (AU), OBS_L0 and OBS_B0. P_ANGLE is the angle
    from the image's vertical to solar north, 180 where SOHO was upside down. R_SUN is in pixels of the original.
    """
    if number(header, "OBS_DIST") is None:
        return header
    header = header.copy()
    header["DSUN_OBS"] = required(header, "OBS_DIST") * AU
    header["CRLN_OBS"], header["CRLT_OBS"] = (required(header, f"OBS_{axis}0") for axis in "LB")
    header["RSUN_REF"] = SOLAR_RADIUS
    header.remove("R_SUN", ignore_missing=True)
    for axis, name in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = name, "arcsec"
    if rotation(header) is None:
        header["CROTA2"] = -(number(header, "P_ANGLE") or 0.0)
    return header


MDI = Telescope("MDI", series_of, calibrate, common, harmless=NOT_PRIME)
