"""Where an image was taken from, when, and how its pixels lie on the sky: the cards that an output keeps."""

from dataclasses import replace

from astropy.io import fits

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import iso, moment, number, required, rotation, text
from munit_jax.instruments.registration import solar_radius
from munit_jax.sun.constants import ASTRONOMICAL_UNIT, AU, SOLAR_RADIUS
from munit_jax.sun.disk import DiskGeometry
from munit_jax.sun.ephemeris import earth_view
from munit_jax.sun.vantage import View

# Keywords after Thompson 2006, A&A 449, 791, and the FITS standard 4.0.
GRID = ("CTYPE1", "CTYPE2", "CUNIT1", "CUNIT2", "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2")
PC, CD = (tuple(f"{name}{ij}" for ij in ("1_1", "1_2", "2_1", "2_2")) for name in ("PC", "CD"))
MORE_GRID = ("LONPOLE", "LATPOLE", "WCSNAME")
TIMES = ("DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END", "T_OBS", "T_REC", "TIMESYS")
PLACES = ("HGLN_OBS", "HGLT_OBS", "CRLN_OBS", "CRLT_OBS", "CAR_ROT", "DSUN_OBS", "DSUN_REF", "RSUN_OBS", "RSUN_REF")
VECTORS = tuple(f"{frame}{axis}_OBS" for frame in ("HAE", "HEE", "HEQ", "GAE") for axis in "XYZ")
VELOCITIES = ("OBS_VR", "OBS_VW", "OBS_VN")
WHO = ("TELESCOP", "OBSRVTRY")

COMMENTS = {
    "CROTA2": "[deg] as in the input",
    "DATE-OBS": "start of the observation",
    "DATE-AVG": "middle of the observation, UTC",
    "HGLN_OBS": "[deg] Stonyhurst longitude of the observer",
    "HGLT_OBS": "[deg] heliographic latitude of the observer",
    "CRLN_OBS": "[deg] Carrington longitude of the observer",
    "CRLT_OBS": "[deg] Carrington latitude of the observer",
    "DSUN_OBS": "[m] from the observer to the Sun's centre",
    "RSUN_OBS": "[arcsec] angular radius of the Sun",
    "RSUN_REF": "[m] radius of the Sun",
}


def view_cards(header: fits.Header) -> fits.Header:
    """Return the cards of the grid, the time and the observer of an image, the same as in its own header.

    Common cards are added where the instrument has its own keywords for them:
    DATE-AVG (SDO: T_OBS), RSUN_OBS (EUVI: RSUN), HGLN_OBS and HGLT_OBS (AIA: HAEX_OBS).

    Raises:
        FrameError: a keyword that is missing, and with it where the Sun or the observer is.
    """
    cards = fits.Header()
    # As `registration.celestial` reads them: cards that are blank or 'nan' do not count.
    turned = next((matrix for matrix in (CD, PC) if any(number(header, key) is not None for key in matrix)), ())
    for key in (*GRID, *turned, *MORE_GRID, *TIMES, *PLACES, *VECTORS, *VELOCITIES, *WHO):
        if key in header and text(header, key) not in ("", "nan"):
            cards[key] = header[key], COMMENTS.get(key, "")
    if not turned and (angle := rotation(header)) is not None:
        _set(cards, "CROTA2", angle)
    for axis, ctype in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
        cards.setdefault(f"CTYPE{axis}", ctype)
        cards.setdefault(f"CUNIT{axis}", "arcsec")
        cards.setdefault(f"CRVAL{axis}", 0.0)
        required(header, f"CRPIX{axis}")
    _set(cards, "RSUN_OBS", solar_radius(header))
    try:
        seconds = moment(header)
    except ValueError as error:
        raise FrameError("no time", str(error)) from None
    if "DATE-OBS" not in cards:
        _set(cards, "DATE-OBS", iso(round(seconds)))
    if "DATE-AVG" not in cards:
        _set(cards, "DATE-AVG", iso(seconds))
    _set_observer(cards, header, round(seconds))
    return cards


def _set_observer(cards: fits.Header, header: fits.Header, seconds: int) -> None:
    sdo = text(header, "TELESCOP").upper().startswith("SDO")
    b0, l0, distance = earth_view(seconds)
    if number(header, "DSUN_OBS") is None:
        if not sdo:
            raise FrameError("unreadable", "the header has no DSUN_OBS: the observer cannot be known")
        _set(cards, "DSUN_OBS", distance / ASTRONOMICAL_UNIT * AU)
    stonyhurst, carrington = (_place(header, frame) for frame in ("HG", "CR"))
    if stonyhurst is None and carrington is None and not sdo:
        raise FrameError("unreadable", "the header has neither HGLN_OBS nor CRLN_OBS: the observer cannot be known")
    if stonyhurst is None and sdo and (carrington is None or number(header, "HAEX_OBS") is not None):
        # SDO circles the Earth at 42 000 km: 0.02 degrees, seen from the Sun. Where there is HAEX_OBS, programs that
        # know AIA take the place from there; from CRLN_OBS, the others would be 0.1 degrees off.
        stonyhurst = 0.0, carrington[1] if carrington else b0
        _set(cards, "HGLN_OBS", stonyhurst[0])
        _set(cards, "HGLT_OBS", stonyhurst[1])
    if carrington is None:
        assert stonyhurst is not None
        _set(cards, "CRLN_OBS", (stonyhurst[0] + l0) % 360)
        _set(cards, "CRLT_OBS", stonyhurst[1])
    cards.setdefault("RSUN_REF", SOLAR_RADIUS)


def _place(header: fits.Header, frame: str) -> tuple[float, float] | None:
    longitude, latitude = (number(header, f"{frame}{axis}_OBS") for axis in ("LN", "LT"))
    if longitude is None or latitude is None:
        return None
    if abs(latitude) > 90:
        raise FrameError("unreadable", f"{frame}LT_OBS = {latitude:g}, expected a latitude in degrees")
    return longitude, latitude


def _set(cards: fits.Header, key: str, value: object) -> None:
    cards[key] = value, COMMENTS[key]  # pyright: ignore[reportArgumentType]


def observer(header: fits.Header, seconds: int) -> View:
    """Return from where an image of a time (UTC seconds since 1970) was taken; FrameError where it cannot be known."""
    cards = fits.Header({key: header[key] for key in PLACES if text(header, key) not in ("", "nan")})
    _set_observer(cards, header, seconds)
    return _view(cards)


def _view(cards: fits.Header) -> View:
    distance = required(cards, "DSUN_OBS") / required(cards, "RSUN_REF")
    return required(cards, "CRLT_OBS"), required(cards, "CRLN_OBS"), distance


def heliographic_view(cards: fits.Header, geometry: DiskGeometry) -> DiskGeometry:
    """Return a geometry with the direction and distance from which the cards of `view_cards` say the Sun was seen."""
    b0, l0, distance = _view(cards)
    return replace(geometry, b0=b0, l0=l0, distance=distance)
