"""Physical constants of the Sun, each once: name, unit, source."""

import numpy as np
from astropy import constants
from astropy import units as u

SOLAR_RADIUS = float(constants.R_sun.to_value(u.m))  # pyright: ignore[reportAttributeAccessIssue]  # IAU 2015, B3
SOLAR_RADIUS_CM = 100 * SOLAR_RADIUS
AU = float(constants.au.to_value(u.m))  # pyright: ignore[reportAttributeAccessIssue]  # metres, IAU 2012, B2
ASTRONOMICAL_UNIT = AU / SOLAR_RADIUS  # in solar radii: 215.03
JSOC_SOLAR_RADIUS = 6.96e8  # metres: not the Sun's, but the one behind RSUN_OBS in JSOC's headers without RSUN_REF

DAY = 86400  # seconds
CARRINGTON_DAYS = 25.38  # of a sidereal rotation in Carrington's frame
SYNODIC_CARRINGTON_DAYS = 27.2753  # of a rotation of that frame as the Earth sees it, on average
SYNODIC_DAYS = 27  # the same in whole days: what keeps frames of two splits apart

# Sidereal rotation of magnetic features, A + B sin^2 + C sin^4 of the latitude, microradian a second (Snodgrass 1983,
# ApJ 270, 288) ...
SNODGRASS = (2.902, -0.464, -0.328)
# ... and degrees a day.
ROTATION = tuple(float(np.rad2deg(x * 1e-6) * DAY) for x in SNODGRASS)
