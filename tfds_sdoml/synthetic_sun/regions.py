"""Active regions of the synthetic Sun: when and where they emerge, and where their flux is at any later time."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from munit_jax.sun.constants import DAY, SOLAR_RADIUS_CM
from munit_jax.sun.rotation import rotation_rate

KM_PER_DEGREE = 12142.0  # on the surface: 2 pi 695 700 km / 360

CYCLE_START = int(datetime(2008, 12, 1, tzinfo=UTC).timestamp())  # minimum before cycle 24 (SILSO)
CYCLE_YEARS = 11.0
BELT_START_LATITUDE, BELT_END_LATITUDE = 26.0, 10.0  # degrees: the butterfly diagram's mean latitude
BELT_WIDTH = 5.5  # degrees, standard deviation of the latitude about the belt's mean

BLOCK = 27 * DAY  # seconds: regions are drawn in blocks of time, each with a seed of its own
MAXIMUM_AGE = 108 * DAY  # seconds after which the remains of a region are too weak to matter; a whole number of blocks
# Chosen, with the widths and spots below, so that |B| on the disk is spread as in a real HMI frame of December 2011.
EMERGENCE_RATE = 0.9  # regions a day on the sphere: the larger ones
MEDIAN_FLUX, FLUX_SCATTER, MAXIMUM_FLUX = 3.3e21, 1.15, 3e22  # Mx, natural logarithm, Mx
NEST_FRACTION = 0.35  # of regions that emerge within an older one (Castenmiller et al. 1986)

JOY_SLOPE = 0.5  # degrees of tilt a degree of latitude (Wang & Sheeley 1989 give 0.4 to 0.5)
JOY_SCATTER = 12.0  # degrees, at the median flux; smaller for large regions

LEADING_PLAGE, FOLLOWING_PLAGE = 4, 6  # fragments besides the leading and the following spot
LEADING_SPOT_FRACTION, FOLLOWING_SPOT_FRACTION = 0.20, 0.07  # of the flux of a polarity
SPOT_FIELD = 2200.0  # gauss in the middle of a spot when resolved
PLAGE_WIDTH = 1.4  # degrees, standard deviation of a fragment at the median flux when it emerges
RISE_TIME = 1.3 * DAY  # seconds
DECAY_TIME = 40 * DAY  # seconds: subduction and cancellation below the resolution
SPOT_DISSOLUTION = 2.5 * DAY  # seconds, after which a spot dissolves
SPOT_REMNANT = 0.02  # smaller parts of a spot are no spot
FAINTEST_FLUX = 3.5e20  # Mx left of one polarity: below it a region is lost in the network
DIFFUSIVITY = 250.0  # km^2 / s, of supergranulation (Wang, Nash & Sheeley 1989)

MERIDIONAL_SPEED = 0.011  # km / s, poleward, at latitude 45 (Hathaway & Rightmire 2010)


@dataclass(frozen=True)
class Regions:
    """Active regions of cycle 24, one a row: bipoles of Gaussian fragments of flux."""

    emergence: Float[np.ndarray, "region"]  # seconds since 1970
    latitude: Float[np.ndarray, "region"]  # degrees, of the middle of the bipole at emergence
    longitude: Float[np.ndarray, "region"]  # degrees, Carrington
    flux: Float[np.ndarray, "region"]  # maxwell, of one polarity
    leading_sign: Float[np.ndarray, "region"]  # +1 or -1
    tilt: Float[np.ndarray, "region"]  # degrees, positive where the leading polarity lies nearer to the equator
    separation: Float[np.ndarray, "region"]  # degrees, of the polarities when grown
    offset_x: Float[np.ndarray, "region fragment"]  # from its polarity's middle, along, in units of the separation
    offset_y: Float[np.ndarray, "region fragment"]  # the same, across
    share: Float[np.ndarray, "region fragment"]  # of its polarity's flux; sums to 1 over each polarity


FRAGMENTS = 2 + LEADING_PLAGE + FOLLOWING_PLAGE  # of a region; leading spot, leading plage, following spot, its plage
IS_LEADING = np.arange(FRAGMENTS) < 1 + LEADING_PLAGE
IS_SPOT = np.isin(np.arange(FRAGMENTS), (0, 1 + LEADING_PLAGE))


@dataclass(frozen=True)
class Fragments:
    """Gaussian fragments of flux at one time."""

    latitude: Float[np.ndarray, "region fragment"]  # degrees, of the centre
    longitude: Float[np.ndarray, "region fragment"]  # degrees, Carrington
    flux: Float[np.ndarray, "region fragment"]  # maxwell, signed; sums to 0 over every region
    width: Float[np.ndarray, "region fragment"]  # degrees, standard deviation
    compact: Float[np.ndarray, "region fragment"]  # part of the flux that still is a spot; the rest is in the network


def meridional_rate(latitude: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return the poleward flow at a latitude (degrees) in degrees a day, positive to the north."""
    return MERIDIONAL_SPEED * DAY / KM_PER_DEGREE * np.sin(np.deg2rad(2 * latitude))


def belt_latitude(time: float) -> float:
    """Return the mean distance of emerging regions from the equator in degrees (Spoerer's law)."""
    phase = np.clip((time - CYCLE_START) / (CYCLE_YEARS * 365.25 * DAY), 0, 1)
    return BELT_START_LATITUDE + (BELT_END_LATITUDE - BELT_START_LATITUDE) * float(phase)


@lru_cache(maxsize=64)
def emerging_regions(seed: int, block: int) -> Regions:
    """Draw the regions that emerge in the `block`-th stretch of 27 days since 1970: a Poisson process."""
    generator = np.random.default_rng(np.random.SeedSequence([seed, 1, block]))
    count = int(generator.poisson(EMERGENCE_RATE * BLOCK / DAY))
    emergence = np.sort((block + generator.random(count)) * BLOCK)
    hemisphere = generator.choice([-1.0, 1.0], count)
    latitude = hemisphere * np.abs(generator.normal(belt_latitude((block + 0.5) * BLOCK), BELT_WIDTH, count))
    longitude = generator.uniform(0, 360, count)
    for i in range(1, count):  # nests: some regions emerge near the previous one in the same hemisphere
        if generator.random() < NEST_FRACTION:
            older = generator.integers(i)
            latitude[i] = np.clip(latitude[older] + generator.normal(0, 2.5), -40, 40)
            longitude[i] = longitude[older] + generator.normal(0, 6)
    # A large region could reach across the equator: keep each in its own hemisphere.
    hemisphere = np.where(latitude < 0, -1.0, 1.0)
    latitude = hemisphere * np.maximum(np.abs(latitude), 3.0)
    flux = np.minimum(MEDIAN_FLUX * np.exp(generator.normal(0, FLUX_SCATTER, count)), MAXIMUM_FLUX)
    size = (flux / MEDIAN_FLUX) ** 0.25
    tilt = JOY_SLOPE * np.abs(latitude) + generator.normal(0, JOY_SCATTER, count) / size
    plage_share = generator.gamma(2.0, size=(count, FRAGMENTS)) * ~IS_SPOT
    spot = np.where(IS_LEADING, LEADING_SPOT_FRACTION, FOLLOWING_SPOT_FRACTION)
    leading, following = (plage_share[:, which].sum(1, keepdims=True) for which in (IS_LEADING, ~IS_LEADING))
    totals = np.where(IS_LEADING, leading, following)
    share = np.where(IS_SPOT, spot, (1 - spot) * plage_share / totals)
    scatter = np.where(IS_SPOT, 0.06, np.where(IS_LEADING, 0.22, 0.30))
    return Regions(
        emergence=emergence,
        latitude=latitude,
        longitude=longitude % 360,
        flux=flux,
        leading_sign=-hemisphere,  # Hale's law in an even cycle
        tilt=tilt,
        separation=4.2 * size**1.4 * np.exp(generator.normal(0, 0.15, count)),
        offset_x=scatter * generator.normal(size=(count, FRAGMENTS)),
        offset_y=scatter * generator.normal(size=(count, FRAGMENTS)),
        share=share,
    )


def regions_at(seed: int, time: int) -> Regions:
    """Return the regions that have emerged in the `MAXIMUM_AGE` before `time` (seconds since 1970)."""
    last = int(time // BLOCK)
    blocks = [emerging_regions(seed, block) for block in range(last - MAXIMUM_AGE // BLOCK, last + 1)]
    together = {f.name: np.concatenate([getattr(block, f.name) for block in blocks]) for f in fields(Regions)}
    age = time - together["emergence"]
    left = together["flux"] * np.exp(-age / DECAY_TIME)
    alive = (age > 0) & (age < MAXIMUM_AGE) & (left > FAINTEST_FLUX)
    return Regions(**{name: values[alive] for name, values in together.items()})


def fragments_at(regions: Regions, time: int) -> Fragments:
    """Return where the flux of `regions` is at `time` (seconds since 1970): grown, carried, spread and decayed."""
    age = (time - regions.emergence)[:, None]
    days = age / DAY
    growth = 1 - np.exp(-((age / RISE_TIME) ** 2))
    # The window lets a region end smoothly at its maximum age.
    decay = np.exp(-age / DECAY_TIME) * np.clip((MAXIMUM_AGE - age) / (20 * DAY), 0, 1)
    separation = regions.separation[:, None] * (0.35 + 0.65 * (1 - np.exp(-days / 2.0)))

    side = np.where(IS_LEADING, 0.5, -0.5)  # the leading polarity goes before, to the west
    along, across = (side + regions.offset_x) * separation, regions.offset_y * separation
    hemisphere = np.where(regions.latitude < 0, -1.0, 1.0)[:, None]
    tilt = np.deg2rad(regions.tilt)[:, None]
    start_latitude = regions.latitude[:, None]
    north = across * np.cos(tilt) - hemisphere * along * np.sin(tilt)
    west = along * np.cos(tilt) + hemisphere * across * np.sin(tilt)
    latitude = start_latitude + north
    latitude_now = latitude + meridional_rate(latitude) * days
    longitude = (
        regions.longitude[:, None]
        + west / np.cos(np.deg2rad(latitude))
        + rotation_rate((latitude + latitude_now) / 2) * days
    )

    flux = regions.flux[:, None]
    sign = np.where(IS_LEADING, 1.0, -1.0) * regions.leading_sign[:, None]
    spot_width = np.rad2deg(np.sqrt(regions.share * flux / (2 * np.pi * SPOT_FIELD)) / SOLAR_RADIUS_CM)
    plage_width = PLAGE_WIDTH * (flux / MEDIAN_FLUX) ** 0.25
    # A spot holds together against the supergranulation for days to weeks, the leading one longest (Hathaway 2008).
    spot_life = np.where(IS_LEADING, 9.0, 4.0) * (flux / MEDIAN_FLUX) ** 0.5
    spreading = np.where(IS_SPOT, np.maximum(days - spot_life, 0), days) * DAY
    diffused = np.sqrt(2 * DIFFUSIVITY * spreading) / KM_PER_DEGREE
    held = np.exp(-spreading / SPOT_DISSOLUTION)
    return Fragments(
        latitude=latitude_now,
        longitude=longitude % 360,
        flux=sign * regions.share * flux * growth * decay,
        width=np.hypot(np.where(IS_SPOT, spot_width, plage_width), diffused),
        compact=np.where(IS_SPOT & (held > SPOT_REMNANT), held, 0.0),
    )
