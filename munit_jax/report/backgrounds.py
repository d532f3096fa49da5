"""The rest of the Sun, into which the magnetogram of a frame is put."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from munit_jax.data.datasets import Frames
from munit_jax.errors import ConfigError, DataError
from munit_jax.instruments.interface import Scale
from munit_jax.pfss.ensemble import on_grid
from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.remesh import grid_cells, remesh
from munit_jax.pfss.synoptic_maps import SynopticMap, read_synoptic
from munit_jax.report.file_pairs import FilePairs

SURFACE = "surface_field"  # the feature with the true sphere, which the synthetic Sun has
NOTHING = "none"


@dataclass(frozen=True)
class Background:
    """B_r of the whole Sun in gauss `of` any frame; its name has the checksums of files."""

    name: str
    of: Callable[[Mapping[str, np.ndarray]], Float[np.ndarray, "lat lon"]]


def open_background(
    files: Sequence[str], grid: Grid, frames: Frames | FilePairs, scale_to: Scale = "none"
) -> Background:
    """Read the background of frames, on the grid of the model.

    Each frame takes the synoptic map that is nearest in time; for the scale see `read_synoptic`. `none` is a field of
    0; without files the background is the dataset's own truth.

    Raises:
        ConfigError: no file, and the dataset has no truth.
        DataError: a file that cannot be read, or one of several without a time.
    """
    if list(files) == [NOTHING]:
        return Background(NOTHING, lambda _: np.zeros((grid.rows, grid.columns), np.float32))
    if files:
        maps = [read_synoptic(Path(path), scale_to) for path in files]
        seconds = [seconds_of(one) for one in maps]
        if len(maps) > 1 and None in seconds:
            raise DataError(
                f"{maps[seconds.index(None)].name} has no time, so the nearest of {len(maps)} backgrounds is unknown: "
                "give maps with DATE-OBS, or one alone"
            )
        whole = [on_grid(one, grid).mean(axis=0).astype(np.float32) for one in maps]
        times = np.array([second or 0 for second in seconds])

        def nearest(frame: Mapping[str, np.ndarray]) -> Float[np.ndarray, "lat lon"]:
            return whole[int(np.abs(times - int(frame["time"])).argmin())]

        digests = (hashlib.sha256(field.tobytes()).hexdigest()[:16] for field in whole)
        named = (f"{one.name} (sha256 {digest})" for one, digest in zip(maps, digests, strict=True))
        return Background(", ".join(named), nearest)
    if not frames.has_surface:
        raise ConfigError(
            f"{frames.name} does not have the rest of the Sun: give --background='FOLDER/*.fits', synoptic maps of "
            f"which each frame takes the nearest in time, or --background={NOTHING}"
        )
    return Background("the dataset's own truth", lambda frame: sphere_on_grid(frame[SURFACE], grid))


def sphere_on_grid(surface: Float[np.ndarray, "rows columns"], grid: Grid) -> Float[np.ndarray, "lat lon"]:
    """Return the true sphere of the synthetic Sun, in cells of even latitudes and longitudes, on another such grid."""
    cells = grid_cells(Grid(*surface.shape))
    return remesh(surface.astype(np.float64), cells, grid_cells(grid)).astype(np.float32)


def seconds_of(synoptic: SynopticMap) -> int | None:
    """Return the time of a map in seconds since 1970, None where it has none."""
    try:
        return int(np.datetime64(synoptic.date[:19], "s").astype(np.int64)) if synoptic.date else None
    except ValueError:
        return None
