"""Files of a modelled ensemble: maps as FITS with a Carrington grid, figures and corona.json."""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time

from munit_jax.errors import UserError
from munit_jax.files import write_fits, write_json
from munit_jax.instruments.interface import PROGRAM
from munit_jax.pfss.boundary import LEAST_MU
from munit_jax.pfss.ensemble import Boundaries, model_ensemble, summary
from munit_jax.pfss.figures import save_figures
from munit_jax.pfss.harmonics import Grid, Transform
from munit_jax.pfss.model import ModelSettings

RESULT = "corona.json"
# By file: the map's name, its unit and its content.
LAYERS = {
    "boundary": ("boundary", "G", "RADIAL FIELD AT THE SURFACE"),
    "source_surface": ("source_surface", "G", "RADIAL FIELD AT THE SOURCE SURFACE"),
    "open_field": ("polarity", "", "POLARITY OF OPEN FIELD, 0 WHERE CLOSED"),
    "wind_speed": ("speed", "km/s", "WIND SPEED AT THE SOURCE SURFACE (WSA)"),
    "expansion_factor": ("expansion", "", "EXPANSION FACTOR OF FLUX TUBES AT THE SOURCE SURFACE"),
    "wind_speed_{end:g}": ("sheet_speed", "km/s", "WIND SPEED AT {end:g} SOLAR RADII (WSA)"),
    "radial_field_{end:g}": ("sheet_field", "G", "RADIAL FIELD AT {end:g} SOLAR RADII"),
}

logger = logging.getLogger(__name__)


def write_corona(
    folder: Path,
    boundaries: Boundaries,
    transform: Transform,
    settings: ModelSettings,
    wind: str,
    inputs: Sequence[Path],
    date: str,
    *,
    sheet_end: float | None,
    figures: bool,
) -> dict[str, np.ndarray]:
    """Model an ensemble, write its maps, figures and corona.json into a folder, which is made, and return the maps.

    With `sheet_end` the maps at the end of a current sheet too, at that radius; see `model_ensemble`.

    Raises:
        UserError: a folder that cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None
    maps = model_ensemble(transform, boundaries, settings, sheet_end)
    result = summary(transform, boundaries, maps, settings)
    result |= {"wind": wind, "inputs": [str(path) for path in inputs], "date": date}
    cards = _cards(boundaries, transform, settings, inputs, date)
    for name, (layer, unit, content) in LAYERS.items():
        if layer in maps:
            path, content = folder / f"{name.format(end=sheet_end)}.fits", content.format(end=sheet_end)
            write_fits(path, _hdus(maps[layer], cards, unit, content))
    if figures:
        names = ", ".join(path.name for path in inputs)
        save_figures(folder, maps, boundaries, transform, settings, f"{names} {date}")
    write_json(folder / RESULT, result)
    logger.info(
        "open flux %.3g Mx, open area %.1f %% of the sphere, self-check %+.2f %%: see %s",
        result["open_flux_mx"],
        100 * result["open_area_fraction"],
        100 * result["self_check"],
        folder / RESULT,
    )
    if not result["self_check_passed"]:
        logger.warning("the self-check failed: flux through the open area and the open flux differ")
    return maps


def carrington_axes(grid: Grid) -> fits.Header:
    """Return the cards of a map's axes: even steps, rows from south to north, longitudes from 0 to 360 (CAR)."""
    cards = fits.Header()
    cards["WCSNAME"] = "Carrington Heliographic"
    for axis, (ctype, count, span, middle) in enumerate(
        (("CRLN-CAR", grid.columns, 360, 180.0), ("CRLT-CAR", grid.rows, 180, 0.0)), start=1
    ):
        cards[f"CTYPE{axis}"], cards[f"CUNIT{axis}"] = ctype, "deg"
        cards[f"CRPIX{axis}"], cards[f"CRVAL{axis}"] = (count + 1) / 2, middle
        cards[f"CDELT{axis}"] = span / count
    return cards


def _cards(
    boundaries: Boundaries, transform: Transform, settings: ModelSettings, inputs: Sequence[Path], date: str
) -> fits.Header:
    """Return the cards of all maps."""
    cards = fits.Header()
    cards["DATE"] = str(Time.now().isot), "when this file was made, UTC"
    cards["ORIGIN"] = PROGRAM
    cards["CREATOR"] = f"{PROGRAM} {version('munit_jax')}"
    cards["CONTENT"] = cards["BUNIT"] = ""
    if date:
        cards["DATE-OBS"] = date
    cards.extend(carrington_axes(transform.grid))
    cards["LMAX"] = transform.lmax, "highest degree of the harmonics"
    cards["RSS"] = settings.rss, "[solRad] source surface"
    cards["SEEDRAD"] = settings.seed_radius, "[solRad] of the open-field map's lines"
    cards["HISTORY"] = f"scale of the field: {boundaries.scale}".encode("ascii", "replace").decode()
    for path in inputs:
        cards["HISTORY"] = f"made of {path.name.encode('ascii', 'replace').decode()}"
    if boundaries.insertion is not None:
        cards["INSERT"] = boundaries.insertion, "how disks were put into the background"
        cards["LEASTMU"] = LEAST_MU, "least cosine to the vertical of their use"
    return cards


def _hdus(values: np.ndarray, cards: fits.Header, unit: str, content: str) -> fits.HDUList:
    """Return the mean of a map's realisations and, of several, their deviation and all of them."""
    header = cards.copy()
    header["CONTENT"], header["BUNIT"] = content, unit
    hdus = fits.HDUList([fits.PrimaryHDU(values.mean(axis=0, dtype=np.float64).astype(np.float32), header)])
    if len(values) > 1:
        compact = values.astype(np.int16 if values.dtype.kind == "i" else np.float32)  # FITS has no signed byte
        deviation = values.std(axis=0, dtype=np.float64).astype(np.float32)
        for name, layer in (("STD", deviation), ("REALISATIONS", compact)):
            header["CONTENT"] = f"{content}, {name}"
            hdus.append(fits.ImageHDU(layer, header, name=name))
    return hdus
