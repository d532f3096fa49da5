"""PFSS, open field and wind compared with sunkit-magex on the same maps, in one process and interleaved rounds.

    python benchmarks/pfss.py [--maps=FILE,...] [--lmax=60] [--rounds=3] [--batch=64]

Needs `uv sync --extra solar --group reference`. Both solve maps of 180 x 360 cells between the surface and 2.5 solar
radii; sunkit-magex on 36 shells, with one BLAS thread, which is what is fastest for it on a small machine, and with
its compiled tracer. What each task is:

- map: from the boundary to B_r at the source surface. sunkit-magex solves the volume on the way.
- field: to the three components on 36 shells.
- batch: 64 boundaries to their open flux; of sunkit-magex one is timed and taken 64 times.
- open: from the solved field to the polarity of 64 800 lines that begin at the surface.
- all: from the boundary to the source surface, the open field, footpoints and expansion factors of 64 800 lines from
  the source surface, the distance from the boundary of the coronal hole (a k-d tree for sunkit-magex), and the wind.

The first evaluation with compilation is printed too. Maps are made of the files by the program's own reader.
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import sunpy.map
from astropy.coordinates import SkyCoord
from scipy.spatial import KDTree
from sunkit_magex import pfss as magex
from sunkit_magex.pfss.tracing import PerformanceTracer
from sunkit_magex.pfss.utils import carr_cea_wcs_header
from train_step import processor, spread

from munit_jax.pfss.boundary import without_monopole
from munit_jax.pfss.field import SOURCE_SURFACE, field, open_flux, radial_field, source_surface
from munit_jax.pfss.harmonics import Grid, analysis, make_transform
from munit_jax.pfss.model import corona_grid, model_corona, open_field
from munit_jax.pfss.remesh import cea_cells, grid_cells, remesh
from munit_jax.pfss.synoptic_maps import SynopticMap, read_synoptic
from munit_jax.pfss.wind import WSA, wsa_speed

SHELLS = 36
DEFAULT = "../shared/data/synoptic/gong_20190310.fits,../shared/data/synoptic/hmi_mrdailysynframe_20181106.fits"


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    begin = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - begin


class Peer:
    """The tasks as sunkit-magex does them."""

    def __init__(self, whole: SynopticMap):
        data = remesh(whole.field, whole.cells, cea_cells(180, 360))[0]
        self.map = sunpy.map.Map(data - data.mean(), carr_cea_wcs_header("2020-01-01", (360, 180)))
        self.tracer = PerformanceTracer()
        sines = np.arcsin((np.arange(180) + 0.5) / 90 - 1)
        latitude, longitude = np.meshgrid(np.rad2deg(sines), np.arange(360) + 0.5, indexing="ij")
        self.latitude, self.longitude = latitude.ravel() * u.deg, longitude.ravel() * u.deg
        self.solved = self.solve()

    def solve(self) -> Any:
        """Solve the volume."""
        return magex.pfss(magex.Input(self.map, SHELLS, SOURCE_SURFACE))

    def surface(self) -> np.ndarray:
        """From the boundary to the source surface."""
        return self.solve().source_surface_br.data

    def volume(self) -> np.ndarray:
        """From the boundary to the field."""
        return self.solve().bg

    def lines(self, radius: float, solved: Any) -> Any:
        """Trace lines from each cell at a radius."""
        seeds = SkyCoord(self.longitude, self.latitude, radius * u.R_sun, frame=solved.coordinate_frame)
        return self.tracer.trace(seeds, solved)

    def open(self) -> np.ndarray:
        """From the solved field to the open-field map."""
        return self.lines(1.0, self.solved).polarities

    @staticmethod
    def lower_end(line: Any) -> tuple[float, float, float]:
        """Return where a line begins at the surface; through its arrays, as its coordinate frames take minutes."""
        if not len(line):
            return 0.0, 0.0, 1.0
        k = 0 if line._r[0] < line._r[-1] else -1
        return line._x[k], line._y[k], line._z[k]

    def everything(self) -> np.ndarray:
        """From the boundary to the wind."""
        solved = self.solve()
        np.asarray(solved.source_surface_br.data)
        closed = self.lines(1.0, solved).polarities == 0
        lines = self.lines(SOURCE_SURFACE * 0.999, solved)
        expansion = np.nan_to_num(np.asarray(lines.expansion_factors, float), nan=1e3)
        feet = np.array([self.lower_end(line) for line in lines])
        latitude, longitude = (
            self.latitude.to_value(u.rad)[closed],
            self.longitude.to_value(u.rad)[closed] - np.pi,
        )  # as its axes are
        flat = np.cos(latitude)
        middles = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)
        chord = KDTree(middles).query(feet / np.linalg.norm(feet, axis=1, keepdims=True))[0]
        distance = np.rad2deg(2 * np.arcsin(np.minimum(chord / 2, 1)))
        return np.asarray(wsa_speed(WSA["swig-wsa2"], jnp.asarray(expansion), jnp.asarray(distance)))


class Ours:
    """The tasks as this program does them."""

    def __init__(self, whole: SynopticMap, lmax: int, batch: int):
        jax.clear_caches()
        begin = time.perf_counter()
        self.transform = make_transform(Grid(), lmax)
        boundary = jnp.asarray(remesh(whole.field, whole.cells, grid_cells(Grid()))[0], jnp.float32)
        self.boundary = without_monopole(self.transform, boundary)[0]
        jax.block_until_ready(self.everything())
        self.first = time.perf_counter() - begin
        noise = np.random.default_rng(0).normal(1, 0.1, (batch, 1, 1))
        self.boundaries = self.boundary[None] * jnp.asarray(noise, jnp.float32)
        self.radii = jnp.asarray(np.geomspace(1, SOURCE_SURFACE, SHELLS), jnp.float32)
        coefficients = analysis(self.transform, self.boundary)
        self.grid = jax.block_until_ready(jax.jit(corona_grid)(self.transform, coefficients))
        self.radial = radial_field(self.transform, coefficients, 1.0)
        self._surface = jax.jit(source_surface)
        self._volume = jax.jit(lambda t, b, r: field(t, analysis(t, b), r))
        self._batch = jax.jit(lambda t, b: open_flux(t, source_surface(t, b)))

    def surface(self) -> Any:
        """From the boundary to the source surface."""
        return self._surface(self.transform, self.boundary)

    def volume(self) -> Any:
        """From the boundary to the field."""
        return self._volume(self.transform, self.boundary, self.radii)

    def batch(self) -> Any:
        """From the boundaries to their open flux."""
        return self._batch(self.transform, self.boundaries)

    def open(self) -> Any:
        """From the solved field to the open-field map."""
        return open_field(self.transform, self.grid, self.radial)

    def everything(self) -> Any:
        """From the boundary to the wind."""
        return model_corona(self.transform, self.boundary)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", default=DEFAULT)
    parser.add_argument("--lmax", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        f"{os.cpu_count()} cores, {processor()}, {jax.devices()[0].device_kind}, Python {platform.python_version()}, "
        f"jax {jax.__version__}, load before: {os.getloadavg()[0]:.1f}; lmax {options.lmax}, medians of "
        f"{options.rounds} rounds (least to most)"
    )
    for name in options.maps.split(","):
        whole = read_synoptic(Path(name))
        ours, peer = Ours(whole, options.lmax, options.batch), Peer(whole)
        tasks = {
            "map": (ours.surface, peer.surface, 1, 20),
            "field": (ours.volume, peer.volume, 1, 3),
            "batch": (ours.batch, peer.surface, options.batch, 3),
            "open": (ours.open, peer.open, 1, 1),
            "all": (ours.everything, peer.everything, 1, 1),
        }
        print(f"\n{whole.name}\n{'task':<7}{'here, ms':>28}{'sunkit-magex, ms':>38}{'times faster':>34}")
        for task, (here, there, copies, repeats) in tasks.items():
            seconds(here), seconds(there)
            pairs = []
            for _ in range(options.rounds):
                mine = statistics.median(seconds(here) for _ in range(repeats))
                pairs.append((1e3 * mine, 1e3 * copies * seconds(there)))
            mine, theirs = zip(*pairs, strict=True)
            ratio = spread([b / a for a, b in pairs])
            print(f"{task:<7}{spread(mine):>28}{spread(theirs):>38}{ratio:>34}", flush=True)
            if task == "all":
                ahead = statistics.median(theirs) / 1e3 / ours.first
                print(f"first evaluation with tables and compilation: {ours.first:.1f} s, {ahead:.1f} times faster")


if __name__ == "__main__":
    main()
