"""Pictures of translations: solar north up, with the heliographic grid of the observer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure

from munit_jax.figures import FIELD_RANGE, OFF_DISK, draw_euv, draw_grid, draw_magnetogram
from munit_jax.sun.disk import DiskGeometry, on_disk
from munit_jax.translation.fits_output import MAGNETOGRAM, Product, polarity
from munit_jax.translation.many import Draw
from munit_jax.translation.settings import series_of_inputs
from munit_jax.translation.translator import Source, Translation
from munit_jax.translation.view import heliographic_view
from tfds_sdoml.sources.fits_headers import text

Picture = Literal["map", "grid"]

LEAST_RANGE = 5.0  # gauss
MOST = 16  # realisations in a picture
COLUMNS = 6
EUV_TICKS = (0, 10, 100, 1000, 10_000)  # DN/s


@dataclass(frozen=True)
class Shown:
    """What a picture shows, all in the geometry of the training.

    Attributes:
        source, given: the input, DN/s or gauss, and what it is.
        realisations, product: the output, and what it is.
        geometry: with the direction from which the Sun was seen.
        title: of the picture.
    """

    source: Float[np.ndarray, "size size"]
    given: Product
    realisations: Float[np.ndarray, "n size size"]
    product: Product
    geometry: DiskGeometry
    title: str


def draw_product(
    axes: Axes, image: Float[np.ndarray, "size size"], product: Product, geometry: DiskGeometry, gauss: float
) -> Any:
    """Draw an image in the geometry of the training with the colours of what it is, a field from -gauss to gauss."""
    if product.channel is not None:
        return draw_euv(axes, image, product.channel)
    axes.set_facecolor(OFF_DISK)
    drawn = draw_magnetogram(axes, _on_disk(image, geometry))
    drawn.set_clim(-gauss, gauss)
    return drawn


def field_range(images: Float[np.ndarray, "n size size"], geometry: DiskGeometry) -> float:
    """Return the gauss up to which fields are drawn: as usual, or less where all are weak."""
    strong = float(np.percentile(np.abs(images[:, on_disk(geometry)]), 99.8))
    return float(np.clip(strong, LEAST_RANGE, FIELD_RANGE))


def quick_look(path: Path, shown: Shown) -> None:
    """Save the input, the mean of the realisations, their standard deviation and the agreement of their signs.

    One realisation has no deviation and no agreement.
    """
    realisations, product, geometry = shown.realisations, shown.product, shown.geometry
    count = len(realisations)
    panels = [_panel_name(shown.given), f"mean of {count}" if count > 1 else "realisation"]
    units = [_unit(shown.given), _unit(product)]
    if count > 1:
        panels.append("standard deviation")
        units.append(product.unit)
    if count > 1 and product.field:
        panels.append("agreement of the sign")
        units.append("share of the realisations")
    figure = Figure(figsize=(4.0 * len(panels), 4.6), layout="constrained")
    figure.suptitle(shown.title, fontsize=10)
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    drawn = [
        draw_product(row[0], shown.source, shown.given, geometry, FIELD_RANGE),
        draw_product(row[1], realisations.mean(axis=0), product, geometry, field_range(realisations, geometry)),
    ]
    if count > 1:
        drawn.append(_draw_plain(row[2], _on_disk(realisations.std(axis=0), geometry), "magma"))
    if count > 1 and product.field:
        drawn.append(_draw_plain(row[3], _on_disk(polarity(realisations), geometry), "cividis", (0.5, 1.0)))
    for axes, name, image, unit in zip(row, panels, drawn, units, strict=True):
        axes.set_title(name, fontsize=9)
        draw_grid(axes, geometry, labels=True)
        bar = figure.colorbar(image, ax=axes, location="bottom", fraction=0.045)
        bar.set_label(unit, fontsize=8)
        if isinstance(image.norm, AsinhNorm):  # its own ticks crowd near 0
            bar.set_ticks([tick for tick in EUV_TICKS if tick <= (image.norm.vmax or 0)])
            bar.ax.xaxis.set_major_formatter("{x:g}")
    figure.savefig(path, dpi=110)


def grid_of_styles(path: Path, shown: Shown) -> None:
    """Save the input and up to 16 realisations, each of another style (the poster's figure)."""
    images, product, geometry = shown.realisations[:MOST], shown.product, shown.geometry
    rows = -(-(len(images) + 1) // COLUMNS)
    figure = Figure(figsize=(2.2 * COLUMNS, 2.5 * rows + 1.2), layout="compressed")
    figure.suptitle(shown.title, fontsize=10)
    cells = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    draw_product(cells[0], shown.source, shown.given, geometry, FIELD_RANGE)
    cells[0].set_title(_panel_name(shown.given), fontsize=8)
    gauss = field_range(images, geometry)
    drawn = [
        draw_product(axes, image, product, geometry, gauss) for axes, image in zip(cells[1:], images, strict=False)
    ]
    for number, axes in enumerate(cells[1 : len(images) + 1], 1):
        axes.set_title(f"style {number}", fontsize=8)
    used = cells[: len(images) + 1]
    for axes in used:
        draw_grid(axes, geometry)
    for axes in cells[len(used) :]:
        axes.set_axis_off()
    figure.colorbar(drawn[-1], ax=cells, location="bottom", fraction=0.03, aspect=60).set_label(
        _unit(product), fontsize=8
    )
    figure.savefig(path, dpi=110)


def make_draw(picture: Picture, translation: Translation) -> Draw:
    """Return the function that draws a picture of an output: `map` for mean and spread, `grid` for all styles."""
    series = series_of_inputs(translation.run, translation.settings)[0]
    given = Product("", "DN/s", "", series) if series.isdigit() else MAGNETOGRAM
    function = grid_of_styles if picture == "grid" else quick_look

    def draw(path: Path, product: Product, source: Source, realisations: Float[np.ndarray, "n size size"]) -> None:
        geometry = heliographic_view(source.view, translation.run.geometry)
        name, time = source.inputs[0][0], text(source.view, "DATE-AVG")[:19]
        title = f"{name}, {time}: synthetic, {translation.run.name} step {translation.run.step}"
        function(path, Shown(source.image[..., 0], given, realisations, product, geometry, title))

    return draw


def _panel_name(product: Product) -> str:
    return "magnetogram" if product.channel is None else f"EUV {int(product.channel)} Å"


def _unit(product: Product) -> str:
    return "line-of-sight field (G)" if product.field else product.unit


def _on_disk(image: Float[np.ndarray, "size size"], geometry: DiskGeometry) -> Float[np.ndarray, "size size"]:
    return np.where(on_disk(geometry), image, np.nan)


def _draw_plain(axes: Axes, image: np.ndarray, colors: str, limits: tuple[float, float] | None = None) -> Any:
    low, high = limits or (0.0, None)
    axes.set(xticks=[], yticks=[], facecolor=OFF_DISK)
    return axes.imshow(image, origin="lower", cmap=colors, vmin=low, vmax=high, interpolation="nearest")
