"""Pictures of the corona: the boundary, the source surface, open field, wind, and field lines over the disk."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from munit_jax.pfss.fieldlines import course, neutral_line
from munit_jax.pfss.harmonics import Grid, Transform, analysis, synthesis
from munit_jax.pfss.interpolation import cartesian, map_at
from munit_jax.pfss.model import ModelSettings, corona_grid
from munit_jax.pfss.model_ensemble import Models
from munit_jax.sun.disk import DiskGeometry, heliographic, observer_to_pixel

BOUNDARY_RANGE = 30.0  # gauss
WIND_RANGE = (250.0, 750.0)  # km/s
OUTWARD, INWARD, CLOSED = "#d1495b", "#2e6fb7", "#9a9a9a"
POLARITY_COLORS = ListedColormap([INWARD, "#f2f2f2", OUTWARD])
DPI = 110
SEEDS_APART = 7.5  # degrees between the lines that are drawn
VIEW = 300  # pixels of the solar radius in the picture of field lines
VIEW_REACH = 2.6  # solar radii
BOLD, FINE = 1.6, 0.5  # widths of the neutral lines of the mean and of the realisations


def draw_map(axes: Axes, grid: Grid, values: Real[Any, "lat lon"], **options: Any) -> Any:
    """Draw a map of the sphere, longitude 0 to 360, north up; options go to `imshow`."""
    drawn = axes.imshow(values, origin="lower", extent=(0, 360, -90, 90), interpolation="nearest", **options)
    axes.set(xticks=range(0, 361, 60), yticks=range(-90, 91, 30), autoscale_on=False)
    axes.set_xlabel("Carrington longitude (°)")
    axes.set_ylabel("latitude (°)")
    return drawn


def draw_neutral_lines(
    axes: Axes, grid: Grid, surfaces: Iterable[Float[np.ndarray, "lat lon"]], color: str = "black", width: float = BOLD
) -> None:
    """Draw the neutral lines of source-surface maps."""
    lines = [line[:, ::-1] for surface in surfaces for line in neutral_line(grid, surface)]
    axes.add_collection(LineCollection(lines, colors=color, linewidths=width))


def save_figures(folder: Path, models: Models, transform: Transform, settings: ModelSettings, title: str) -> None:
    """Save a picture of each map, and of field lines over the disk, seen from above the middle of the magnetograms."""
    maps, grid = models.maps, transform.grid
    surfaces, polarity = maps["source_surface"], maps["polarity"]
    surface = surfaces.mean(axis=0)

    def picture(name: str, values: np.ndarray, label: str, lines: bool = False, **options: Any) -> None:
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        axes = figure.subplots()
        drawn = draw_map(axes, grid, values, **options)
        if lines:
            draw_neutral_lines(axes, grid, [surface])
            if len(surfaces) > 1:
                draw_neutral_lines(axes, grid, surfaces, width=FINE)
        axes.set_title(title, fontsize=9)
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, ticks=[-1, 0, 1] if name == "open_field" else None)
        bar.set_label(label)
        figure.savefig(folder / f"{name}.png", dpi=DPI)

    rss, ensemble, strongest = settings.rss, len(polarity) > 1, float(np.abs(surface).max()) or 1.0
    signed = {"cmap": "RdBu_r", "norm": Normalize(-strongest, strongest)}
    colors = {"cmap": "RdBu_r" if ensemble else POLARITY_COLORS, "norm": Normalize(-1, 1)}
    open_field = "open field: mean polarity" if ensemble else "open field: inward, closed, outward"
    strength = Normalize(-BOUNDARY_RANGE, BOUNDARY_RANGE)
    picture("boundary", models.field.mean(axis=0), "radial field (G)", cmap="gray", norm=strength)
    picture("source_surface", surface, f"radial field at {rss:g} solar radii (G)", lines=True, **signed)
    picture("open_field", polarity.mean(axis=0), open_field, lines=True, **colors)
    speed, label = maps["speed"].mean(axis=0), f"wind speed at {rss:g} solar radii (km/s)"
    picture("wind_speed", speed, label, lines=True, cmap="viridis", norm=Normalize(*WIND_RANGE))
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots()
    geometry = _view(models, grid)
    draw_field_lines(axes, transform, models.field[0], settings, geometry)
    axes.set_title(f"{title}\nseen from above Carrington longitude {geometry.l0:.0f}°", fontsize=9)
    figure.savefig(folder / "field_lines.png", dpi=DPI)


def draw_field_lines(
    axes: Axes,
    transform: Transform,
    boundary: Float[np.ndarray, "lat lon"],
    settings: ModelSettings,
    seen_from: DiskGeometry,
) -> None:
    """Draw the boundary on the disk with field lines, the nearest ones on top, from above a longitude of the equator.

    Args:
        axes: to draw on.
        transform: of the boundary's grid.
        boundary: B_r in gauss.
        settings: of the model.
        seen_from: whose `l0` is in the middle.
    """
    geometry = _from_above(seen_from.l0)
    coefficients = analysis(transform, jnp.asarray(boundary, transform.legendre.dtype))
    volume = corona_grid(transform, coefficients, settings.rss)
    latitude, longitude = _seeds()
    points = cartesian(jnp.asarray(latitude), jnp.asarray(longitude), settings.seed_radius)
    smooth = synthesis(transform, coefficients)
    radial = map_at(transform.grid, smooth, jnp.asarray(latitude), jnp.asarray(longitude))
    along = jnp.where(radial < 0, -1, 1).astype(smooth.dtype)
    lines = np.asarray(course(volume, points.astype(smooth.dtype), along))
    opened = np.linalg.norm(lines[-1], axis=-1) > (1 + settings.rss) / 2
    _draw_disk(axes, transform.grid, boundary, geometry)
    for k in np.argsort(_observer_axes(geometry, lines)[0].max(axis=0)):
        colour = CLOSED if not opened[k] else OUTWARD if along[k] > 0 else INWARD
        axes.plot(*_on_sky(geometry, lines[:, k]), color=colour, lw=0.7)
    middle, reach = geometry.centre[0], VIEW_REACH * VIEW
    axes.set(xlim=(middle - reach, middle + reach), ylim=(middle - reach, middle + reach), xticks=[], yticks=[])


def _view(models: Models, grid: Grid) -> DiskGeometry:
    """Return a view of the Sun from above the middle of the magnetograms; of a synoptic map, longitude 180."""
    across = np.asarray(models.boundaries.disk_weight).sum(axis=0)
    turn = np.exp(1j * np.deg2rad(grid.longitudes)) @ across
    l0 = float(np.rad2deg(np.angle(turn)) % 360) if abs(turn) > 0 else 180.0
    return _from_above(l0)


def _from_above(l0: float) -> DiskGeometry:
    return DiskGeometry(2 * VIEW + 1, float(VIEW), (float(VIEW), float(VIEW)), l0=l0)


def _seeds() -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Return latitudes and longitudes of points about equally far from each other."""
    latitudes: list[float] = []
    longitudes: list[float] = []
    for latitude in np.arange(-90 + SEEDS_APART / 2, 90, SEEDS_APART):
        count = max(1, round(360 * np.cos(np.deg2rad(latitude)) / SEEDS_APART))
        longitudes += list((np.arange(count) + 0.5) * 360 / count)
        latitudes += [float(latitude)] * count
    return np.array(latitudes), np.array(longitudes)


def _draw_disk(axes: Axes, grid: Grid, boundary: Float[np.ndarray, "lat lon"], geometry: DiskGeometry) -> None:
    latitude, longitude = heliographic(geometry)
    seen = np.isfinite(latitude)
    image = np.full(latitude.shape, np.nan)
    image[seen] = map_at(grid, *(jnp.asarray(x, jnp.float32) for x in (boundary, latitude[seen], longitude[seen])))
    axes.imshow(image, origin="lower", cmap="gray", vmin=-BOUNDARY_RANGE, vmax=BOUNDARY_RANGE)


def _observer_axes(geometry: DiskGeometry, lines: Float[np.ndarray, "*n 3"]) -> Sequence[Float[np.ndarray, "*n"]]:
    """Return the components towards the observer, west and north; the observer is in the plane of the equator."""
    turn = np.deg2rad(geometry.l0)
    x, y, z = np.moveaxis(lines, -1, 0)
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn), z


def _on_sky(
    geometry: DiskGeometry, line: Float[np.ndarray, "point 3"]
) -> tuple[Float[np.ndarray, "point"], Float[np.ndarray, "point"]]:
    x, y, visible = observer_to_pixel(geometry, *_observer_axes(geometry, line))
    return np.where(visible, x, np.nan), np.where(visible, y, np.nan)
