"""The Sun as seen from the Earth at a given time, and the time scales of the file names."""

from datetime import UTC, datetime

import numpy as np

from munit_jax.sun.constants import ASTRONOMICAL_UNIT, CARRINGTON_DAYS, DAY

UNIX_EPOCH_JULIAN_DAY = 2440587.5  # 1970-01-01 00:00 UTC
TERRESTRIAL_MINUS_UTC = 67.0 / DAY  # days; 66 to 69 s in 2010-2020, which moves L0 by less than 1e-4 degrees

# Start of each value of TAI - UTC in seconds (IERS Bulletin C; SDO was launched in 2010, and none has followed 2017).
LEAP_SECONDS = (
    (datetime(2009, 1, 1, tzinfo=UTC), 34),
    (datetime(2012, 7, 1, tzinfo=UTC), 35),
    (datetime(2015, 7, 1, tzinfo=UTC), 36),
    (datetime(2017, 1, 1, tzinfo=UTC), 37),
)


def seconds_from_tai(tai: datetime) -> int:
    """Return the UTC seconds since 1970 (without leap seconds) of a TAI time, a `datetime` whose clock reads TAI.

    Raises:
        ValueError: a time before 2009, for which the table of leap seconds has no value.
    """
    clock = int(tai.replace(tzinfo=UTC).timestamp())
    offsets = [offset for start, offset in LEAP_SECONDS if clock - offset >= int(start.timestamp())]
    if not offsets:
        raise ValueError(f"time {tai:%Y-%m-%d %H:%M} TAI is before 2009: no leap seconds are known for it")
    return clock - offsets[-1]


def earth_view(time: int) -> tuple[float, float, float]:
    """Return B0, L0 (degrees) and the distance (solar radii) of the Sun's centre from the Earth's.

    Meeus 1998, Astronomical Algorithms, 2nd ed., chapters 25 (low accuracy) and 29: good to 0.01 degrees. Light time is
    in the formula's constants, as in the published ephemerides.

    Args:
        time: seconds since 1970-01-01 UTC.
    """
    julian_day = UNIX_EPOCH_JULIAN_DAY + time / DAY + TERRESTRIAL_MINUS_UTC
    century = (julian_day - 2451545.0) / 36525
    mean_longitude = 280.46646 + 36000.76983 * century + 0.0003032 * century**2
    anomaly = np.deg2rad(357.52911 + 35999.05029 * century - 0.0001537 * century**2)
    eccentricity = 0.016708634 - 0.000042037 * century
    equation_of_centre = (
        (1.914602 - 0.004817 * century) * np.sin(anomaly)
        + (0.019993 - 0.000101 * century) * np.sin(2 * anomaly)
        + 0.000289 * np.sin(3 * anomaly)
    )
    true_anomaly = anomaly + np.deg2rad(equation_of_centre)
    distance_au = 1.000001018 * (1 - eccentricity**2) / (1 + eccentricity * np.cos(true_anomaly))
    # Aberration (20.4898 arcsec / R) turns the true longitude into the apparent one.
    longitude = np.deg2rad(mean_longitude + equation_of_centre - 20.4898 / 3600 / distance_au)

    inclination = np.deg2rad(7.25)  # of the Sun's equator to the ecliptic (Carrington)
    node = np.deg2rad(73.6667 + 1.3958333 * (julian_day - 2396758) / 36525)
    rotation = np.deg2rad((julian_day - 2398220) * 360 / CARRINGTON_DAYS)
    b0 = np.arcsin(np.sin(longitude - node) * np.sin(inclination))
    eta = np.arctan2(-np.sin(longitude - node) * np.cos(inclination), -np.cos(longitude - node))
    l0 = np.rad2deg(eta - rotation) % 360
    return float(np.rad2deg(b0)), float(l0), float(distance_au * ASTRONOMICAL_UNIT)


def carrington_rotation(time: int) -> float:
    """Return the Carrington rotation of a time (seconds since 1970 UTC) as the Earth sees it, with its fraction.

    The fraction is that of the longitude at the middle of the disk, which falls from 360 to 0 degrees in a rotation;
    the number is that of the mean rotations (Meeus 1998, chapter 29), which are within a hundredth of the true ones.
    """
    fraction = 1 - earth_view(time)[1] / 360
    mean = (UNIX_EPOCH_JULIAN_DAY + time / DAY - 2398140.2270) / 27.2752316
    return round(mean - fraction) + fraction
