"""Magnetograms made up for the scores: smooth fields with strong regions on the disk of an SDOML image."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from munit_jax.metrics.disk import flux_sums, in_double, pixel_sums
from munit_jax.metrics.strata import strata_by_place, with_strata_by_field
from munit_jax.metrics.structure import structure_sums
from munit_jax.sun.disk import sdoml_geometry

SIZE = 64


@dataclass
class Frame:
    """A frame with its truth and EUV image."""

    true: np.ndarray
    euv: np.ndarray

    @property
    def masks(self) -> np.ndarray:
        return np.asarray(with_strata_by_field(strata_by_place(sdoml_geometry(SIZE)), self.true))

    def sums(self, generated: np.ndarray, unsigned: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return the sums of n magnetograms, (1, n, ...), in double precision, with those of the CRPS."""
        unsigned = np.abs(generated) if unsigned is None else unsigned
        sums = pixel_sums(generated, unsigned, self.true, self.euv, self.masks) | structure_sums(
            generated, unsigned, self.true, self.masks[0]
        )
        of_frame = {name: x[None] for name, x in in_double(sums).items()}
        of_frame |= flux_sums(of_frame, np.array([1e18]))
        return of_frame | {"crps": of_frame["absolute_error"]}


def field(seed: int, strength: float = 300.0, size: int = SIZE) -> np.ndarray:
    """Return a smooth random field of a standard deviation in gauss, with 5 G of noise."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(size, size)), 2.0)
    return (strength * smooth / smooth.std() + rng.normal(0, 5, (size, size))).astype(np.float32)


@pytest.fixture(scope="session")
def frames() -> list[Frame]:
    rng = np.random.default_rng(1)
    made = []
    for seed in range(4):
        true = field(seed, 150.0 + 50 * seed)
        true += 3.0 * seed  # a net flux that differs from frame to frame
        euv = np.stack([np.abs(true) + 50 * rng.normal(size=true.shape), rng.normal(size=true.shape)], axis=-1) / 500
        made.append(Frame(true, euv.astype(np.float32)))
    return made
