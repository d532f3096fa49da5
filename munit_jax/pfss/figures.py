"""Pictures of the corona: the boundary, the source surface, open field, wind, and field lines over the disk."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from munit_jax.pfss.ensemble import Boundaries
from munit_jax.pfss.fieldlines import course, neutral_line
from munit_jax.pfss.harmonics import Grid, Transform, analysis, synthesis
from munit_jax.pfss.interpolation import cartesian, latitude_longitude, map_at
from munit_jax.pfss.model import ModelSettings, corona_grid
from munit_jax.sun.disk import DiskGeometry, heliographic, heliographic_to_observer, observer_to_pixel

BOUNDARY_RANGE = 30.0  # gauss
WIND_RANGE = (250.0, 750.0)  # km/s
OUTWARD, INWARD, CLOSED = "#d1495b", "#2e6fb7", "#9a9a9a"
POLARITY_COLORS = ListedColormap([INWARD, "#f2f2f2", OUTWARD])
DPI = 110
SEEDS_APART = 7.5  # degrees between the lines that are drawn
VIEW = 300  # pixels of the solar radius in the picture of field lines
VIEW_REACH = 2.6  # solar radii
BOLD, FINE = 1.6, 0.5  # widths of the neutral lines of the mean and of the realisations


def draw_map(axes: Axes, values: Real[Any, "lat lon"], **options: Any) -> Any:
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


def save_figures(
    folder: Path,
    maps: Mapping[str, np.ndarray],
    boundaries: Boundaries,
    transform: Transform,
    settings: ModelSettings,
    title: str,
) -> None:
    """Save a picture of each map, and of field lines over the disk, seen from above the middle of the magnetograms."""
    grid, surfaces, polarity = transform.grid, maps["source_surface"], maps["polarity"]
    surface = surfaces.mean(axis=0)

    def picture(name: str, values: np.ndarray, label: str, lines: bool = False, **options: Any) -> None:
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        axes = figure.subplots()
        drawn = draw_map(axes, values, **options)
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
    picture("boundary", maps["boundary"].mean(axis=0), "radial field (G)", cmap="gray", norm=strength)
    picture("source_surface", surface, f"radial field at {rss:g} solar radii (G)", lines=True, **signed)
    picture("open_field", polarity.mean(axis=0), open_field, lines=True, **colors)
    speed, label = maps["speed"].mean(axis=0), f"WSA speed as at 1 AU, on {rss:g} solar radii (km/s)"
    picture("wind_speed", speed, label, lines=True, cmap="viridis", norm=Normalize(*WIND_RANGE))
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots()
    l0 = _middle(grid, np.asarray(boundaries.disk_weight))
    draw_field_lines(axes, transform, maps["boundary"][0], settings, l0)
    axes.set_title(f"{title}\nseen from above Carrington longitude {l0:.0f}°", fontsize=9)
    figure.savefig(folder / "field_lines.png", dpi=DPI)


def draw_field_lines(
    axes: Axes, transform: Transform, boundary: Float[np.ndarray, "lat lon"], settings: ModelSettings, l0: float
) -> None:
    """Draw a boundary on the disk with field lines, the nearest ones on top, from above longitude `l0` (degrees)."""
    geometry = DiskGeometry(2 * VIEW + 1, float(VIEW), (float(VIEW), float(VIEW)), l0=l0)
    coefficients = analysis(transform, jnp.asarray(boundary, transform.legendre.dtype))
    volume = corona_grid(transform, coefficients, settings.rss)
    latitude, longitude = _seeds()
    points = cartesian(jnp.asarray(latitude), jnp.asarray(longitude), settings.seed_radius)
    smooth = synthesis(transform, coefficients)
    radial = map_at(transform.grid, smooth, jnp.asarray(latitude), jnp.asarray(longitude))
    along = jnp.where(radial < 0, -1, 1).astype(smooth.dtype)
    lines = course(volume, points.astype(smooth.dtype), along)
    radii = np.linalg.norm(lines, axis=-1)
    opened = radii[-1] > (1 + settings.rss) / 2
    _draw_disk(axes, transform.grid, boundary, geometry)
    latitude, longitude = (np.asarray(angle) for angle in latitude_longitude(lines))
    towards, west, north = heliographic_to_observer(geometry, latitude, longitude, radii)
    x, y, visible = observer_to_pixel(geometry, towards, west, north)
    for k in np.argsort(towards.max(axis=0)):
        colour = CLOSED if not opened[k] else OUTWARD if along[k] > 0 else INWARD
        axes.plot(*(np.where(visible[:, k], z[:, k], np.nan) for z in (x, y)), color=colour, lw=0.7)
    span = VIEW * (1 - VIEW_REACH), VIEW * (1 + VIEW_REACH)
    axes.set(xlim=span, ylim=span, xticks=[], yticks=[])


def _middle(grid: Grid, disk_weight: Float[np.ndarray, "lat lon"]) -> float:
    """Return the longitude of the middle of the magnetograms in degrees; of a synoptic map, 180."""
    turn = np.exp(1j * np.deg2rad(grid.longitudes)) @ disk_weight.sum(axis=0)
    return float(np.rad2deg(np.angle(turn)) % 360) if abs(turn) > 0 else 180.0


def _seeds() -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Return latitudes and longitudes of points about equally far from each other."""
    parallels = np.arange(-90 + SEEDS_APART / 2, 90, SEEDS_APART)
    counts = np.round(360 * np.cos(np.deg2rad(parallels)) / SEEDS_APART).astype(int)
    longitudes = [(np.arange(count) + 0.5) * 360 / count for count in counts]
    return np.repeat(parallels, counts), np.concatenate(longitudes)


def _draw_disk(axes: Axes, grid: Grid, boundary: Float[np.ndarray, "lat lon"], geometry: DiskGeometry) -> None:
    latitude, longitude = heliographic(geometry)
    seen = np.isfinite(latitude)
    image = np.full(latitude.shape, np.nan)
    image[seen] = map_at(grid, *(jnp.asarray(x, jnp.float32) for x in (boundary, latitude[seen], longitude[seen])))
    axes.imshow(image, origin="lower", cmap="gray", vmin=-BOUNDARY_RANGE, vmax=BOUNDARY_RANGE)
