"""Maps of the corona as FITS with a Carrington grid: the mean of the realisations, their deviation, and all of them."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time
from jaxtyping import Shaped

from munit_jax.files import write_fits
from munit_jax.instruments.telescope import PROGRAM
from munit_jax.pfss.boundary import LEAST_MU
from munit_jax.pfss.harmonics import Transform
from munit_jax.pfss.model import ModelSettings
from munit_jax.pfss.model_ensemble import Models


def write_maps(
    folder: Path, models: Models, transform: Transform, settings: ModelSettings, inputs: Sequence[str], date: str
) -> None:
    """Write the boundary, the open-field map, the map of the source surface and of the wind, a file each.

    Args:
        folder: where they go.
        models: of the ensemble.
        transform, settings: of the models.
        inputs: the names of the files it was made of.
        date: of the observation, empty if it is not known.
    """
    maps = models.maps
    layers = {
        "boundary": (models.field, "G", "RADIAL FIELD AT THE SURFACE"),
        "source_surface": (maps["source_surface"], "G", "RADIAL FIELD AT THE SOURCE SURFACE"),
        "open_field": (maps["polarity"], "", "POLARITY OF OPEN FIELD, 0 WHERE CLOSED"),
        "wind_speed": (maps["speed"], "km/s", "WIND SPEED AT THE SOURCE SURFACE (WSA)"),
        "expansion_factor": (maps["expansion"], "", "EXPANSION FACTOR OF FLUX TUBES AT THE SOURCE SURFACE"),
    }
    if "sheet_speed" in maps:
        layers["wind_speed_21.5"] = maps["sheet_speed"], "km/s", "WIND SPEED AT 21.5 SOLAR RADII (WSA)"
        layers["radial_field_21.5"] = maps["sheet_field"], "G", "RADIAL FIELD AT 21.5 SOLAR RADII"
    for name, (values, unit, content) in layers.items():
        header = _header(transform, settings, content, unit, inputs, date)
        insertion = models.boundaries.insertion
        if insertion is not None:
            header["INSERT"] = insertion, "how disks were put into the background"
            header["LEASTMU"] = LEAST_MU, "least cosine to the vertical of their use"
        hdus = fits.HDUList([fits.PrimaryHDU(values.mean(axis=0, dtype=np.float64).astype(np.float32), header)])
        if len(values) > 1:
            header["CONTENT"] = f"{content}, STD"
            hdus.append(fits.ImageHDU(values.std(axis=0, dtype=np.float64).astype(np.float32), header, name="STD"))
            header["CONTENT"] = f"{content}, REALISATIONS"
            hdus.append(fits.ImageHDU(_compact(values), header, name="REALISATIONS"))
        write_fits(folder / f"{name}.fits", hdus)


def carrington_cards(rows: int, columns: int) -> fits.Header:
    """Return the cards of a map with even steps, rows from south to north, longitudes from 0 to 360 (CAR)."""
    cards = fits.Header()
    cards["WCSNAME"] = "Carrington Heliographic"
    for axis, (ctype, count, span, middle) in enumerate(
        (("CRLN-CAR", columns, 360, 180.0), ("CRLT-CAR", rows, 180, 0.0)), start=1
    ):
        cards[f"CTYPE{axis}"], cards[f"CUNIT{axis}"] = ctype, "deg"
        cards[f"CRPIX{axis}"], cards[f"CRVAL{axis}"] = (count + 1) / 2, middle
        cards[f"CDELT{axis}"] = span / count
    return cards


def _header(
    transform: Transform, settings: ModelSettings, content: str, unit: str, inputs: Sequence[str], date: str
) -> fits.Header:
    header = fits.Header()
    header["DATE"] = str(Time.now().isot), "when this file was made, UTC"
    header["ORIGIN"] = PROGRAM
    header["CREATOR"] = f"{PROGRAM} {version('munit_jax')}"
    header["CONTENT"] = content
    header["BUNIT"] = unit
    if date:
        header["DATE-OBS"] = date
    header.update(carrington_cards(transform.grid.rows, transform.grid.columns))
    header["LMAX"] = transform.lmax, "highest degree of the harmonics"
    header["RSS"] = settings.rss, "[solRad] source surface"
    header["SEEDRAD"] = settings.seed_radius, "[solRad] of the open-field map's lines"
    for name in inputs:
        header["HISTORY"] = f"made of {name.encode('ascii', 'replace').decode()}"
    return header


def _compact(maps: Shaped[np.ndarray, "n lat lon"]) -> Shaped[np.ndarray, "n lat lon"]:
    """Return maps in single precision, or in 16 bits where they are integers (FITS has no signed byte)."""
    return maps.astype(np.int16 if maps.dtype.kind == "i" else np.float32)
