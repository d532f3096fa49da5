"""Translations as FITS: the mean first, then deviation, agreement of the signs and all realisations.

The pixels and the frame are those of the input, so that both lie on each other in any program that reads the header.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time
from jaxtyping import Float

from munit_jax.sun.disk import DiskGeometry
from munit_jax.translation.instruments import PROGRAM, Card
from tfds_sdoml.sources.fits_headers import text
from tfds_sdoml.sources.reprojection import SolarDisk, resample, upright

RECIPE = "MJRECIPE"  # the card by which a second run knows an output
GAUSS = "G"  # as the FITS standard 4.0 writes it (table 4)


@dataclass(frozen=True)
class Product:
    """What an output holds: a magnetogram or the image of an EUV channel.

    Attributes:
        suffix: of the file's name.
        unit: for BUNIT.
        content: for CONTENT.
        channel: `0171`; None for a magnetogram.
    """

    suffix: str
    unit: str
    content: str
    channel: str | None = None

    @property
    def field(self) -> bool:
        """Whether it is a magnetogram: of both signs, and on the disk only."""
        return self.channel is None


MAGNETOGRAM = Product("magnetogram", GAUSS, "SYNTHETIC MAGNETOGRAM")


def euv_product(channel: str) -> Product:
    """Return what the output of an EUV channel (`0171`) holds."""
    return Product(f"aia{channel}", "DN/s", f"SYNTHETIC AIA {int(channel)}", channel)


def on_input_grid(
    images: Float[np.ndarray, "n size size"],
    geometry: DiskGeometry,
    disk: SolarDisk,
    shape: tuple[int, int],
    field: bool,
) -> Float[np.ndarray, "n y x"]:
    """Return images from the geometry of the training on the grid of the input, float32.

    NaN off the limb for a field, and where the networks did not look for EUV.
    """
    y, x = np.indices(shape).reshape(2, -1)
    west, north = np.linalg.solve(disk.pixels, np.stack([x, y]) - disk.centre[:, None])
    if field:
        seen = np.hypot(west, north) < 1
    else:
        reach = (geometry.size - 1) / 2 / geometry.solar_radius
        seen = np.maximum(np.abs(west), np.abs(north)) <= reach
    seen = seen.reshape(shape)
    result = np.empty((len(images), *shape), np.float32)
    for image, out in zip(images, result, strict=True):
        out[:] = np.where(seen, resample(image, upright(geometry), disk, shape), np.nan)
    return result


def polarity(realisations: Float[np.ndarray, "n y x"]) -> Float[np.ndarray, "y x"]:
    """Return the share of the realisations that have the sign of the majority: 0.5 (as many + as -) to 1 (all agree).

    A value of 0 counts half for each sign; NaN stays NaN.
    """
    positive = (0.5 * (1 + np.sign(realisations))).mean(axis=0)
    return np.maximum(positive, 1 - positive).astype(np.float32)


def as_hdus(
    realisations: Float[np.ndarray, "n y x"], product: Product, view: fits.Header, provenance: Sequence[Card]
) -> fits.HDUList:
    """Return the HDUs of an output; STD and POLARITY are NaN where there is one realisation only.

    Args:
        realisations: on the grid of the input, in the unit of the product.
        product: what it is.
        view: see `munit_jax.translation.view.view_cards`.
        provenance: cards that say how it was made.
    """
    mean = realisations.mean(axis=0)
    header = fits.Header()
    header["DATE"] = Time.now().isot, "when this file was made, UTC"
    header["ORIGIN"] = PROGRAM
    header["CREATOR"] = f"{PROGRAM} {version('munit_jax')}"
    header["SYNTHET"] = True, "made by a neural network, not measured"
    header["INSTRUME"] = PROGRAM.upper(), "not an instrument: a translation"
    header["CONTENT"] = product.content
    header["BUNIT"] = product.unit
    if product.channel is not None:
        header["WAVELNTH"] = int(product.channel), "[angstrom] of the channel that is imitated"
        header["WAVEUNIT"] = "angstrom"
    header.update(view)
    finite = mean[np.isfinite(mean)].astype(np.float64)
    for key, value in (
        ("DATAMIN", finite.min()),
        ("DATAMAX", finite.max()),
        ("DATAMEDN", np.median(finite)),
        ("DATAMEAN", finite.mean()),
        ("DATARMS", finite.std()),
    ):
        header[key] = float(f"{value:.6g}"), f"[{product.unit}] of this image"
    for key, value, comment in provenance:
        header[key] = _ascii(value) if isinstance(value, str) else value, comment
    header["COMMENT"] = "SYNTHETIC: made by a neural network (MUNIT) from another kind of image."
    if product.field:
        header["COMMENT"] = "An EUV image does not tell the sign of the field: do not read signs as a"
        header["COMMENT"] = "measurement, see POLARITY. The ring near the limb is unreliable."
    header["COMMENT"] = "This image is the mean of those in REALISATIONS, STD their deviation."
    hdus = fits.HDUList([fits.PrimaryHDU(mean, header)])
    nothing = np.full_like(mean, np.nan)  # one realisation tells nothing of a spread
    one = len(realisations) == 1
    layers = [("STD", nothing if one else realisations.std(axis=0), product.unit)]
    if product.field:
        layers.append(("POLARITY", nothing if one else polarity(realisations), ""))
    layers.append(("REALISATIONS", realisations, product.unit))
    for name, data, unit in layers:
        # With the coordinates in each: SunPy makes a Map of every HDU, and refuses a file with one that has none.
        extension = fits.ImageHDU(data.astype(np.float32, copy=False), view, name=name)
        extension.header["INSTRUME"], extension.header["SYNTHET"] = header["INSTRUME"], True
        extension.header["CONTENT"] = f"{product.content}, {name}"
        extension.header["BUNIT"] = unit
        hdus.append(extension)
    return hdus


def write(path: Path, hdus: fits.HDUList) -> None:
    """Write a file, whole or not at all, with checksums."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        hdus.writeto(file, checksum=True)
    os.replace(partial, path)


def recipe_of(path: Path) -> str | None:
    """Return the recipe of an output that is there; None where there is none that can be read."""
    try:
        return text(fits.getheader(path, 0), RECIPE) or None
    except (OSError, ValueError):
        return None


def _ascii(value: str) -> str:
    return value.encode("ascii", "replace").decode()
