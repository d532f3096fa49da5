"""The wind at 30 solar radii compared with that of SWiG (Predictive Science Inc.) on its example of CR 2218.

    git clone https://github.com/predsci/swig
    python benchmarks/wind.py --swig=swig/example

Needs h5py (`uv sync --extra solar`). SWiG solves by finite differences (POT3D) and ran as its command.txt says: wsa2
with c2 = 0.805, source surface at 2.51, lines from 1.01, current sheet to 30 solar radii. Its example keeps no speed at
the source surface: what the speed is made of there, distance and expansion factor, is compared as lines carry it to 30.
Means are by area.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import h5py
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.interpolate import RegularGridInterpolator

from munit_jax.metrics.corona import weighted_correlation
from munit_jax.pfss.ensemble import synoptic_boundaries
from munit_jax.pfss.fieldlines import trace
from munit_jax.pfss.harmonics import Grid, make_transform
from munit_jax.pfss.interpolation import latitude_longitude, map_at
from munit_jax.pfss.model import ModelSettings, cell_points, model_corona, wind_at_sheet_end
from munit_jax.pfss.synoptic_maps import read_synoptic
from munit_jax.pfss.wind import WSA, current_sheet, wsa_speed

RSS, END, SEED_RADIUS, DEPTH = 2.51, 30.0, 1.01, 0.805  # of SWiG's example
BELT = 30.0  # degrees of latitude, between which the planets are

Map = Float[np.ndarray, "lat lon"]


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return colatitudes, longitudes (radians) and a map of theirs."""
    with h5py.File(path) as file:
        data, longitude, colatitude = (np.asarray(file[name]) for name in ("Data", "dim1", "dim2"))
    return colatitude, longitude, data


def on_grid(path: Path, grid: Grid) -> Map:
    """Return a map of theirs on a grid of ours, linear between its nodes."""
    colatitude, longitude, data = read(path)
    points = np.meshgrid(np.deg2rad(90 - grid.latitudes), np.deg2rad(grid.longitudes), indexing="ij")
    return RegularGridInterpolator((colatitude, longitude), data)(tuple(points))


def row(name: str, ours: Map, theirs: Map, area: Map) -> str:
    """Return a row of the table: means, difference and correlation."""
    error = ours - theirs
    means = (np.average(values, weights=area) for values in (ours, theirs, error))
    rms = np.sqrt(np.average(error**2, weights=area))
    numbers = (*means, rms, np.median(np.abs(error[area > 0])), weighted_correlation(area, ours, theirs))
    return f"| {name} | " + " | ".join(f"{number:.4g}" for number in numbers) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--swig", type=Path, required=True)
    folder = parser.parse_args().swig
    transform = make_transform(Grid(180, 360), 89)
    grid = transform.grid
    (magnetogram,) = folder.glob("*cr2218*.h5")
    (boundary,) = synoptic_boundaries(read_synoptic(magnetogram), transform).field
    wsa = replace(WSA["swig-wsa2"], depth=DEPTH)
    corona = model_corona(transform, boundary, ModelSettings(RSS, SEED_RADIUS, wsa))
    speed, field = map(np.asarray, wind_at_sheet_end(transform, corona, RSS, END))
    sheet = current_sheet(transform, corona.source_surface, RSS, END)
    points = cell_points(transform, sheet.outer)
    at = latitude_longitude(trace(sheet, points, -jnp.ones(len(points), points.dtype)).points)
    distance, expansion = (
        np.asarray(map_at(grid, values, *at)).reshape(speed.shape)
        for values in (corona.distance, jnp.log(corona.expansion))
    )
    reference = folder / "run_reference"
    theirs = on_grid(reference / "results" / "vr_r1.h5", grid)
    area = np.broadcast_to(grid.solid_angles[:, None], speed.shape)
    belt = np.where(np.abs(grid.latitudes)[:, None] < BELT, area, 0)
    their_distance = np.rad2deg(on_grid(reference / "dchb_at_r1.h5", grid))
    their_expansion = np.log(on_grid(reference / "expfac_rss_at_r1.h5", grid))
    nanotesla = 1e5 * on_grid(reference / "results" / "br_r1.h5", grid)
    print("| | ours, mean | SWiG's | difference | rms | median modulus | correlation |\n|---|---|---|---|---|---|---|")
    print(row("speed at 30 solar radii (km/s)", speed, theirs, area))
    print(row("the same within 30 degrees of the equator", speed, theirs, belt))
    print(row("B_r at 30 solar radii (nT)", 1e5 * field, nanotesla, area))
    print(row("distance from the hole's boundary (degrees)", distance, their_distance, area))
    print(row("ln f of the expansion factor", expansion, their_expansion, area))
    *_, raw_speed = read(reference / "results" / "vr_r1.h5")
    *_, raw_expansion = read(reference / "expfac_rss_at_r1.h5")
    *_, raw_distance = read(reference / "dchb_at_r1.h5")
    formula = np.asarray(wsa_speed(wsa, jnp.asarray(raw_expansion), jnp.asarray(np.rad2deg(raw_distance))))
    print(f"\nOur formula on their f and d: within {np.abs(formula - raw_speed).max():.1e} km/s of their speed.")


if __name__ == "__main__":
    main()
