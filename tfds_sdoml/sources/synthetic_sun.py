"""The synthetic Sun as a source of frames: it needs no files."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tfds_sdoml.sources.interface import Listing
from tfds_sdoml.synthetic_sun.emission import CHANNELS
from tfds_sdoml.synthetic_sun.observation import Frame, observe


@dataclass(frozen=True)
class Observation:
    """The frame that was made last, for the series that are read next."""

    time: int
    frame: Frame


class SyntheticSun:
    """Frames of the synthetic Sun at given times.

    Args:
        seed, size, channels: as `observe` takes them.
        times: seconds since 1970-01-01 UTC.
    """

    spawn = True

    def __init__(self, seed: int, size: int, channels: tuple[str, ...], times: range):
        self.seed, self.size, self.channels, self.times = seed, size, channels, times
        self._latest: Observation | None = None

    def listing(self, series: str) -> Listing:
        """Return all times for any series; see `Source`."""
        if series not in (*CHANNELS, "bz"):
            raise ValueError(f"the synthetic Sun has no {series}, only {', '.join(CHANNELS)} and bz")
        return Listing(np.array(self.times, np.int64), [str(time) for time in self.times])

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`."""
        frame = self._observe(int(place))
        image = frame.magnetogram[..., 0] if series == "bz" else frame.euv[..., self.channels.index(series)]
        return image.copy()

    def surface_field(self, place: str) -> Float[np.ndarray, "180 360"]:
        """Return the truth: the radial field of the whole sphere in gauss."""
        return self._observe(int(place)).surface_field

    def _observe(self, time: int) -> Frame:
        latest = self._latest
        if latest is None or latest.time != time:
            latest = self._latest = Observation(time, observe(self.seed, time, self.size, self.channels))
        return latest.frame
