"""Pictures of EUV images and magnetograms in the instruments' own colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, LinearSegmentedColormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure

from munit_jax.sun.disk import DiskGeometry, heliographic_to_pixel, on_disk

FIELD_RANGE = 150.0  # gauss: magnetograms are drawn from black (-) to white (+) over this range, as HMI's usually are
DIFFERENCE_RANGE = (1.0, 1000.0)  # gauss, the poster's difference map in log scale
INTENSITY_PERCENTILES = (1.0, 99.7)
GRID_STEP = 30  # degrees between the lines
OFF_DISK = "#404040"
REALISATIONS = 4  # of a frame in a picture
SPREAD_RANGE = (0.5, 100.0)  # gauss

HMI_RANGE = 1500.0  # gauss: the range of HMI's colour table
# Its corners, from 0 for -1500 G to 255 for 1500 G: grey to 12 G, then yellow (negative) and green (positive) to 235 G,
# red and blue beyond (JSOC, HMI_M.ColorTable).
_HMI_CORNERS = (
    (0, (137, 0, 20)),
    (36, (244, 56, 1)),
    (48, (253, 82, 25)),
    (107, (254, 218, 187)),
    (108, (255, 103, 0)),
    (125, (255, 255, 0)),
    (127, (181, 181, 166)),
    (128, (154, 154, 167)),
    (130, (0, 120, 14)),
    (149, (0, 239, 83)),
    (150, (194, 196, 254)),
    (216, (3, 58, 251)),
    (240, (0, 17, 168)),
    (255, (0, 0, 96)),
)
HMI_COLORS = LinearSegmentedColormap.from_list(
    "hmi", [(x / 255, tuple(c / 255 for c in rgb)) for x, rgb in _HMI_CORNERS]
)


@dataclass(frozen=True)
class FrameImages:
    """The images of a frame to be drawn: one EUV channel in DN/s and magnetograms in gauss, with its time as label.

    `true` is None where no magnetogram is simultaneous.
    """

    label: str
    euv: Float[np.ndarray, "h w"]
    true: Float[np.ndarray, "h w"] | None
    realisations: Float[np.ndarray, "n h w"]
    geometry: DiskGeometry


def aia_colors(channel: str) -> ListedColormap:
    """Return AIA's colours of a channel ("0171"), after the instrument team's IDL routine aia_lct.

    Ramps c0 (linear), c1 (square root), c2 (square), c3 (a blend) and IDL's red temperature table r0, g0, b0 are
    combined for each channel; channels without a table of their own are grey.
    """
    x = np.arange(256.0)
    c0, c1, c2 = x, np.sqrt(x * 255), x**2 / 255
    c3 = (c1 + c2 / 2) / (c1.max() + c2.max() / 2) * 255
    r0 = np.clip(x * 255 / 176, 0, 255)
    g0 = np.clip((x - 120) * 255 / 135, 0, 255)
    b0 = np.clip((x - 190) * 255 / 65, 0, 255)
    tables = {
        "0094": (c2, c3, c0),
        "0131": (g0, r0, r0),
        "0171": (r0, c0, b0),
        "0193": (c1, c0, c2),
        "0211": (c1, c0, c3),
        "0304": (r0, g0, b0),
        "0335": (c2, c0, c1),
    }
    rgb = np.stack(tables.get(channel, (c0, c0, c0)), axis=-1) / 255
    return ListedColormap(rgb, name=f"aia{channel}")


def draw_euv(axes: Axes, image: Float[np.ndarray, "h w"], channel: str) -> Any:
    """Draw an EUV image in DN/s with an asinh stretch, north up."""
    low, high = np.percentile(image[image > 0] if (image > 0).any() else image, INTENSITY_PERCENTILES)
    norm = AsinhNorm(linear_width=max(high / 20, 1e-6), vmin=min(low, 0.0), vmax=max(high, 1e-6))
    return _draw(axes, image, aia_colors(channel), norm)


def draw_magnetogram(axes: Axes, field: Float[np.ndarray, "h w"]) -> Any:
    """Draw a line-of-sight field in gauss, black towards the Sun and white towards us, north up."""
    return _draw(axes, field, "gray", Normalize(-FIELD_RANGE, FIELD_RANGE))


def draw_grid(axes: Axes, geometry: DiskGeometry, labels: bool = False) -> None:
    """Draw meridians (Carrington) and parallels every 30 degrees, the equator stronger; the Sun's limb."""
    fine = np.arange(-90.0, 91.0, 2.0)
    around = np.arange(0.0, 361.0, 2.0)
    for longitude in np.arange(0, 360, GRID_STEP):
        _line(axes, geometry, fine, np.full_like(fine, longitude), 0.4)
        x, y, visible = heliographic_to_pixel(geometry, np.zeros(1), np.array([float(longitude)]))
        if labels and visible[0]:
            axes.text(x[0], y[0], f"{longitude}°", fontsize=6, color="#ffd27f", ha="left", va="bottom")
    for latitude in np.arange(-60, 61, GRID_STEP):
        _line(axes, geometry, np.full_like(around, latitude), around, 0.4 if latitude else 0.9)
    turn = np.deg2rad(around)
    x, y = geometry.centre
    axes.plot(x + geometry.solar_radius * np.cos(turn), y + geometry.solar_radius * np.sin(turn), "w", lw=0.5)
    axes.set(xlim=(-0.5, geometry.size - 0.5), ylim=(-0.5, geometry.size - 0.5))


def _line(axes: Axes, geometry: DiskGeometry, latitude: np.ndarray, longitude: np.ndarray, width: float) -> None:
    x, y, visible = heliographic_to_pixel(geometry, latitude, longitude)
    axes.plot(np.where(visible, x, np.nan), np.where(visible, y, np.nan), color="#ffd27f", lw=width, alpha=0.6)


def frames_figure(frames: Sequence[FrameImages], channel: str, title: str = "") -> Figure:
    """Draw a row a frame: input, truth, mean and spread of realisations, four of them, and the error in log scale."""
    shown = min(REALISATIONS, len(frames[0].realisations))
    columns = 5 + shown
    figure = Figure(figsize=(1.9 * columns, 2.05 * len(frames) + 0.9), layout="compressed")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(len(frames), columns, squeeze=False)
    drawn: dict[str, Any] = {}
    hmi_range = Normalize(-HMI_RANGE, HMI_RANGE)
    for row, frame in zip(grid, frames, strict=True):
        disk = on_disk(frame.geometry)
        mean, spread = (np.where(disk, x, np.nan) for x in (frame.realisations.mean(0), frame.realisations.std(0)))
        draw_euv(row[0], frame.euv, channel)
        for axes, field in zip(row[2:-2], (mean, *frame.realisations), strict=False):
            drawn["field"] = _draw(axes, np.where(disk, field, np.nan), HMI_COLORS, hmi_range)
        drawn["spread"] = _draw(row[-2], spread, "viridis", LogNorm(*SPREAD_RANGE))
        if frame.true is not None:
            _draw(row[1], np.where(disk, frame.true, np.nan), HMI_COLORS, hmi_range)
            difference = np.maximum(np.abs(mean - frame.true), DIFFERENCE_RANGE[0])
            drawn["error"] = _draw(row[-1], difference, "magma", LogNorm(*DIFFERENCE_RANGE))
        row[0].set_ylabel(frame.label, fontsize=8)
        for axes in row:
            axes.set(facecolor=OFF_DISK, xticks=[], yticks=[], aspect="equal")
            draw_grid(axes, frame.geometry)
        if frame.true is None:
            for axes in row[[1, -1]]:
                axes.text(0.5, 0.5, "no simultaneous\nmagnetogram", transform=axes.transAxes, ha="center", color="w")
    realisations = [f"realisation {k + 1}" for k in range(shown)]
    names = [f"EUV {int(channel)} Å", "true", "mean", *realisations, "spread", "|mean - true|"]
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(name, fontsize=9)
    for name, axes, label, aspect in (
        ("field", grid[:, 1:-2], "line-of-sight field (G)", 70),
        ("spread", grid[:, -2:-1], "G", 10),
        ("error", grid[:, -1:], "G", 10),
    ):
        if name in drawn:
            bar = figure.colorbar(drawn[name], ax=list(axes.flat), location="bottom", fraction=0.05, aspect=aspect)
            bar.set_label(label, fontsize=8)
            bar.ax.tick_params(labelsize=7)
    return figure


def _draw(axes: Axes, image: Float[np.ndarray, "h w"], colors: Any, norm: Normalize) -> Any:
    axes.set(xticks=[], yticks=[])
    return axes.imshow(image, origin="lower", cmap=colors, norm=norm, interpolation="nearest")
