"""Pictures of EUV images and magnetograms in the instruments' own colours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure

FIELD_RANGE = 150.0  # gauss: magnetograms are drawn from black (-) to white (+) over this range, as HMI's usually are
DIFFERENCE_RANGE = (1.0, 1000.0)  # gauss, the poster's difference map in log scale
INTENSITY_PERCENTILES = (1.0, 99.7)


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


def draw_difference(axes: Axes, generated: Float[np.ndarray, "h w"], true: Float[np.ndarray, "h w"]) -> Any:
    """Draw |generated - true| in gauss in log scale, north up."""
    difference = np.maximum(np.abs(generated - true), DIFFERENCE_RANGE[0])
    return _draw(axes, difference, "magma", LogNorm(*DIFFERENCE_RANGE))


def sample_figure(
    path: Path, rows: Sequence[Mapping[str, Any]], channel: str, title: str, realisations: int = 4
) -> None:
    """Save a picture with one row a frame: EUV input, true magnetogram, realisations, difference of the first.

    A row holds `euv` (h, w) in DN/s, `true` (h, w) in gauss or None, `generated` (n, h, w) in gauss and `label`.
    """
    columns = 2 + realisations + 1
    figure = Figure(figsize=(2.3 * columns, 2.5 * len(rows) + 0.9), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    field = difference = None
    for axes, row in zip(grid, rows, strict=True):
        draw_euv(axes[0], row["euv"], channel)
        axes[0].set_ylabel(row["label"], fontsize=8)
        for k in range(realisations):
            field = draw_magnetogram(axes[2 + k], row["generated"][k])
        if row["true"] is None:
            for empty in (axes[1], axes[-1]):
                empty.text(0.5, 0.5, "no simultaneous\nmagnetogram", ha="center", va="center", fontsize=8)
                empty.set(xticks=[], yticks=[])
        else:
            draw_magnetogram(axes[1], row["true"])
            difference = draw_difference(axes[-1], row["generated"][0], row["true"])
    names = [f"EUV {channel.lstrip('0')} Å", "true", *(f"realisation {k + 1}" for k in range(realisations))]
    for axes, name in zip(grid[0], [*names, "|realisation 1 - true|"], strict=True):
        axes.set_title(name, fontsize=9)
    if field is not None:
        bar = figure.colorbar(field, ax=list(grid[:, 1:-1].flat), location="bottom", fraction=0.04, aspect=60)
        bar.set_label("line-of-sight field (G)", fontsize=8)
    if difference is not None:
        bar = figure.colorbar(difference, ax=list(grid[:, -1:].flat), location="bottom", fraction=0.04)
        bar.set_label("G", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _draw(axes: Axes, image: Float[np.ndarray, "h w"], colors: Any, norm: Normalize) -> Any:
    axes.set(xticks=[], yticks=[])
    return axes.imshow(image, origin="lower", cmap=colors, norm=norm, interpolation="nearest")
