"""Physical constants of the Sun, its rotation and the clocks: each once, with its unit and source."""

from datetime import UTC, datetime

from astropy.constants.iau2015 import R_sun, au

SOLAR_RADIUS_M = float(R_sun.si.value)  # metres: 6.957e8, nominal (IAU 2015 resolution B3)
SOLAR_RADIUS_CM = 100 * SOLAR_RADIUS_M
SOLAR_RADIUS_KM = SOLAR_RADIUS_M / 1000
# The radius that JSOC's files of AIA and HMI name in RSUN_REF, and that their RSUN_OBS follows from: only for headers.
JSOC_SOLAR_RADIUS_M = 6.96e8

ASTRONOMICAL_UNIT_M = float(au.si.value)  # metres: 149 597 870 700 (IAU 2012 resolution B2)
ASTRONOMICAL_UNIT = ASTRONOMICAL_UNIT_M / SOLAR_RADIUS_M  # solar radii: 215.032

ARCSEC_PER_DEGREE = 3600.0

DAY = 86400  # seconds
YEAR = 365.25 * DAY  # seconds, Julian

CARRINGTON_SIDEREAL_DAYS = 25.38  # a turn of the Carrington grid against the stars, by definition
CARRINGTON_SYNODIC_DAYS = 27.2753  # the same seen from the Earth, the mean of a year
SYNODIC_ROTATION_DAYS = 27  # the whole days of it

# The sidereal rotation of magnetic features, A + B sin^2 + C sin^4 of the latitude, microradians a second (Snodgrass
# 1983, ApJ 270, 288). In degrees a day 14.366, -2.297 and -1.624.
SNODGRASS = (2.902, -0.464, -0.328)

CYCLE_YEARS = 11.0  # of a sunspot cycle that is not over, about the mean of the known ones

UNIX_EPOCH_JULIAN_DAY = 2440587.5  # 1970-01-01 00:00 UTC
TERRESTRIAL_MINUS_UTC = 67.0  # seconds; 66 to 69 in 2010-2020, which moves L0 by less than 1e-4 degrees
# Start of each value of TAI - UTC in seconds (IERS Bulletin C; SDO was launched in 2010, and none has followed 2017).
LEAP_SECONDS = (
    (datetime(2009, 1, 1, tzinfo=UTC), 34),
    (datetime(2012, 7, 1, tzinfo=UTC), 35),
    (datetime(2015, 7, 1, tzinfo=UTC), 36),
    (datetime(2017, 1, 1, tzinfo=UTC), 37),
)
