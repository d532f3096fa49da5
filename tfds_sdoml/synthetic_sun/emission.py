"""EUV emission of the synthetic Sun on a Carrington map, in power laws of |B| that do not depend on the sign of B."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tfds_sdoml.synthetic_sun.field import TRUTH_ROWS, block_mean, smooth_on_sphere

QUIET_FIELD = 8.0  # gauss: unsigned field at which the brightnesses below apply
SATURATION_FIELD = 450.0  # gauss: sunspots are no brighter than plage
FIELD_FLOOR = 1.2  # gauss: heating that is left between the elements of the network
CORONA_WIDTH = 1.7  # degrees: smoothing of |B| for the corona, whose loops spread the heating
RAY_WIDTH, RAY_BACKGROUND, RAY_POWER = 1.0, 4.5, 0.35  # degrees, degrees, contrast of the rays above the limb
HOLE_WIDTH, HOLE_LOCAL_WIDTH = 8.0, 4.0  # degrees: over which the field must be of one polarity, and quiet, to be open
HOLE_MIXED = 1.5  # gauss: mixed polarity below the resolution, which closes the field of the quiet Sun
HOLE_IMBALANCE, HOLE_EDGE = 0.40, 0.03  # |mean B| / mean |B| in the middle and half the width of a hole's border
HOLE_FIELD, HOLE_FIELD_EDGE = 12.0, 1.0  # gauss: above this mean |B| the field is closed in active regions
HOLE_LOW = 0.6  # part of a hole's darkness that the low layer shows
FIBRIL_WIDTH = 3.0  # degrees: smoothing of B whose gradient the threads and filaments follow
FILAMENT_DEPTH = 0.45  # part of the light missing above a polarity inversion line


@dataclass(frozen=True)
class Channel:
    """Emission of one AIA channel; brightnesses in DN/s per pixel at 4.8 arcsec (SDOML v2)."""

    low: float  # brightness of the low layer in the quiet Sun
    low_power: float  # its power of |B|
    low_width: float  # degrees, smoothing of |B| for the low layer
    low_limb: float  # part of the low layer that brightens as 1 / mu; the rest is optically thick
    corona: float  # brightness of the corona of the quiet Sun, seen from above
    corona_power: float  # its power of |B|
    scale_height: float  # solar radii, of the corona
    hole: float  # part of the light missing in a coronal hole
    fibrils: float  # part of the light of the corona that is gathered in fine threads
    loops: float  # brightness of an active region's loops, DN/s degree^2 per 1e21 Mx
    gain: float  # DN per photon (Boerner et al. 2012)


# Levels: quiet Sun, active regions and limb of AIA in 2011-2014; scale heights: 47 Mm a MK.
CHANNELS = {
    "0171": Channel(74.0, 0.55, 0.60, 0.25, 45.0, 0.50, 0.070, 0.65, 0.50, 4000.0, 1.17),
    "0193": Channel(40.0, 0.90, 0.50, 0.20, 75.0, 0.60, 0.105, 0.90, 0.50, 2500.0, 0.96),
    "0304": Channel(24.0, 0.70, 0.38, 0.05, 0.9, 0.60, 0.020, 0.25, 0.0, 60.0, 0.60),
}


@dataclass(frozen=True)
class Emission:
    """Brightness of the two layers on maps, one a channel, in DN/s seen from above."""

    low: Float[np.ndarray, "channel lat lon"]  # transition region and moss, thin; on the map of the field
    corona: Float[np.ndarray, "channel row column"]  # extended and optically thin; on a map of 180 x 360
    rays: Float[np.ndarray, "1 row column"]  # contrast of the structures radially above each place, about 1


def sigmoid(x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def coronal_holes(field: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    """Return how open the field (gauss, 180 x 360) is, 0 to 1: of one polarity over a wide area, and quiet."""
    mean, unsigned = smooth_on_sphere(field, HOLE_WIDTH), smooth_on_sphere(np.abs(field), HOLE_LOCAL_WIDTH)
    one_sided = sigmoid((np.abs(mean) / (unsigned + HOLE_MIXED) - HOLE_IMBALANCE) / HOLE_EDGE)
    return one_sided * sigmoid((HOLE_FIELD - unsigned) / HOLE_FIELD_EDGE)


def filament_channels(mean: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    """Return where an inversion line of the smoothed field (gauss, 180 x 360) divides wide polarities, 0 to 1."""
    north, east = np.gradient(mean.astype(np.float32))
    steepness = np.hypot(north, east)  # gauss a degree
    distance = np.abs(mean) / np.maximum(steepness, 1e-3)  # degrees, from the inversion line
    return np.exp(-((distance / 0.8) ** 2)) * sigmoid((steepness - 1.2) / 0.3)


def emission(
    field: Float[np.ndarray, "lat lon"],
    channels: tuple[str, ...],
    holes: Float[np.ndarray, "row column"] | None = None,
) -> Emission:
    """Return the brightness of the given channels above a radial field in gauss.

    `holes` (180 x 360) is how open the field is, 0 to 1: by default that of `coronal_holes`.
    """
    coarse, unsigned = block_mean(field), block_mean(np.abs(field))
    holes = coronal_holes(coarse) if holes is None else holes
    filaments = filament_channels(smooth_on_sphere(coarse, FIBRIL_WIDTH))
    scale = len(field) // TRUTH_ROWS
    near, far, ray = (
        smooth_on_sphere(unsigned, width).clip(0.1) / QUIET_FIELD for width in (CORONA_WIDTH, RAY_BACKGROUND, RAY_WIDTH)
    )
    strength = np.abs(field) / np.sqrt(1 + (field / SATURATION_FIELD) ** 2) + FIELD_FLOOR
    dark = 1 - FILAMENT_DEPTH * filaments
    low, corona = [], []
    for name in channels:
        channel = CHANNELS[name]
        closed = 1 - channel.hole * holes
        cover = (dark * (1 - HOLE_LOW * channel.hole * holes)).repeat(scale, 0).repeat(scale, 1)
        heat = smooth_on_sphere(strength, channel.low_width).clip(0) / QUIET_FIELD
        low.append(channel.low * heat**channel.low_power * cover)
        corona.append(channel.corona * near**channel.corona_power * dark * closed)
    rays = np.clip((ray / far) ** RAY_POWER, 0.3, 4.0)
    return Emission(*(np.array(maps, np.float32) for maps in (low, corona, rays[None])))
