"""The synthetic Sun as a source of frames: it needs no files."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from tfds_sdoml.sources.interface import Listing
from tfds_sdoml.synthetic_sun.emission import CHANNELS
from tfds_sdoml.synthetic_sun.observation import Frame, observe

observe_once = lru_cache(maxsize=1)(observe)  # the series of one frame are read one after the other


@dataclass
class SyntheticSun:
    """Frames of the synthetic Sun at given times, seconds since 1970-01-01 UTC; the rest is as `observe` takes it."""

    seed: int
    size: int
    channels: tuple[str, ...]
    times: range
    spawn: bool = True

    def listing(self, series: str) -> Listing:
        """Return all times for any series; see `Source`."""
        if series not in (*CHANNELS, "bz"):
            raise ValueError(f"the synthetic Sun has no {series}, only {', '.join(CHANNELS)} and bz")
        return Listing(np.array(self.times, np.int64), [str(time) for time in self.times])

    def read(self, series: str, place: str) -> Float[np.ndarray, "size size"]:
        """Return one image; see `Source`."""
        frame = self._observe(place)
        image = frame.magnetogram[..., 0] if series == "bz" else frame.euv[..., self.channels.index(series)]
        return image.copy()

    def surface_field(self, place: str) -> Float[np.ndarray, "180 360"]:
        """Return the truth: the radial field of the whole sphere in gauss."""
        return self._observe(place).surface_field

    def _observe(self, place: str) -> Frame:
        return observe_once(self.seed, int(place), self.size, self.channels)
