"""Pictures of translations: solar north up, with the heliographic grid of the observer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure

from munit_jax.figures import FIELD_RANGE, OFF_DISK, draw_euv, draw_grid, draw_magnetogram
from munit_jax.instruments.headers import text
from munit_jax.instruments.view import heliographic_view
from munit_jax.sun.disk import DiskGeometry, on_disk
from munit_jax.translation.fits_output import Product, polarity, product_of
from munit_jax.translation.translate_files import Draw
from munit_jax.translation.translation import Source, Translation

Picture = Literal["map", "grid"]
Image = Float[np.ndarray, "size size"]
Images = Float[np.ndarray, "n size size"]

LEAST_RANGE = 5.0  # gauss
MOST = 16  # realisations in a picture
COLUMNS = 6
EUV_TICKS = (0, 10, 100, 1000, 10_000)  # DN/s


def make_draw(picture: Picture, translation: Translation) -> Draw:
    """Return the function that draws a picture of an output: `map` for mean and spread, `grid` for all styles."""
    given = product_of(translation.series[0])
    fill = _fill_grid if picture == "grid" else _fill_map

    def draw(path: Path, product: Product, source: Source, realisations: Images) -> None:
        geometry = heliographic_view(source.view, translation.run.geometry)
        figure = fill(source.image[..., 0], given, realisations, product, geometry)
        name, time = source.inputs[0][0], text(source.view, "DATE-AVG")[:19]
        title = f"{name}, {time}: synthetic, {translation.run.name} step {translation.run.step}"
        figure.suptitle(title, fontsize=10)
        figure.savefig(path, dpi=110)

    return draw


def draw_product(axes: Axes, image: Image, product: Product, geometry: DiskGeometry, gauss: float) -> Any:
    """Draw an image in the geometry of the training in the colours of its kind, a field from -gauss to gauss."""
    if product.channel is not None:
        return draw_euv(axes, image, product.channel)
    axes.set_facecolor(OFF_DISK)
    drawn = draw_magnetogram(axes, np.where(on_disk(geometry), image, np.nan))
    drawn.set_clim(-gauss, gauss)
    return drawn


def field_range(images: Images, geometry: DiskGeometry) -> float:
    """Return the gauss up to which fields are drawn: FIELD_RANGE, or less where all are weak."""
    strong = float(np.percentile(np.abs(images[:, on_disk(geometry)]), 99.8))
    return float(np.clip(strong, LEAST_RANGE, FIELD_RANGE))


def _fill_map(source: Image, given: Product, realisations: Images, product: Product, geometry: DiskGeometry) -> Figure:
    """Draw the input, the mean of the realisations, and of several their standard deviation and polarity."""
    count, mean, gauss = len(realisations), realisations.mean(axis=0), field_range(realisations, geometry)
    spreads: list[tuple[str, str, Image, str, Sequence[float | None]]] = []
    if count > 1:
        spreads.append(("standard deviation", product.unit, realisations.std(axis=0), "magma", (0.0, None)))
    if count > 1 and product.field:
        unit = "share of the realisations"
        spreads.append(("agreement of the sign", unit, polarity(realisations), "cividis", (0.5, 1.0)))
    panels = 2 + len(spreads)
    figure = Figure(figsize=(4.0 * panels, 4.6), layout="constrained")
    row = figure.subplots(1, panels, squeeze=False)[0]

    def finish(axes: Axes, image: Any, name: str, unit: str) -> None:
        axes.set_title(name, fontsize=9)
        draw_grid(axes, geometry, labels=True)
        bar = figure.colorbar(image, ax=axes, location="bottom", fraction=0.045)
        bar.set_label(unit, fontsize=8)
        if isinstance(image.norm, AsinhNorm):  # its own ticks crowd near 0
            bar.set_ticks([tick for tick in EUV_TICKS if tick <= (image.norm.vmax or 0)])
            bar.ax.xaxis.set_major_formatter("{x:g}")

    finish(row[0], draw_product(row[0], source, given, geometry, FIELD_RANGE), _name(given), _unit(given))
    name = f"mean of {count}" if count > 1 else "realisation"
    finish(row[1], draw_product(row[1], mean, product, geometry, gauss), name, _unit(product))
    for axes, (name, unit, image, colors, (low, high)) in zip(row[2:], spreads, strict=True):
        axes.set(xticks=[], yticks=[], facecolor=OFF_DISK)
        image = np.where(on_disk(geometry), image, np.nan)
        drawn = axes.imshow(image, origin="lower", cmap=colors, vmin=low, vmax=high, interpolation="nearest")
        finish(axes, drawn, name, unit)
    return figure


def _fill_grid(source: Image, given: Product, realisations: Images, product: Product, geometry: DiskGeometry) -> Figure:
    """Draw the input and up to 16 realisations, each of another style (the poster's figure)."""
    images = realisations[:MOST]
    rows = -(-(len(images) + 1) // COLUMNS)
    figure = Figure(figsize=(2.2 * COLUMNS, 2.5 * rows + 1.2), layout="compressed")
    cells = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    gauss = field_range(images, geometry)
    draw_product(cells[0], source, given, geometry, FIELD_RANGE)
    drawn = [draw_product(cells[k], image, product, geometry, gauss) for k, image in enumerate(images, 1)]
    names = [_name(given), *(f"style {k}" for k in range(1, len(images) + 1))]
    for axes, name in zip(cells, names, strict=False):
        axes.set_title(name, fontsize=8)
        draw_grid(axes, geometry)
    for axes in cells[len(names) :]:
        axes.set_axis_off()
    bar = figure.colorbar(drawn[-1], ax=cells, location="bottom", fraction=0.03, aspect=60)
    bar.set_label(_unit(product), fontsize=8)
    return figure


def _name(product: Product) -> str:
    return "magnetogram" if product.field else f"EUV {int(product.channel or 0)} Å"


def _unit(product: Product) -> str:
    return "line-of-sight field (G)" if product.field else product.unit
