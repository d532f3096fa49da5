"""Translations as FITS, on the pixels and in the frame of the input: mean, deviation, polarity, all realisations."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.time import Time
from jaxtyping import Float

from munit_jax.instruments.headers import text
from munit_jax.instruments.interface import PROGRAM, Card
from munit_jax.instruments.registration import SolarDisk, resample, upright
from munit_jax.sun.disk import DiskGeometry

FINGERPRINT = "MJDIGEST"  # the card that `--resume` compares
GAUSS = "G"  # as the FITS standard 4.0 writes it (table 4)


@dataclass(frozen=True)
class Product:
    """The kind of an output: a magnetogram or the image of an EUV channel."""

    suffix: str  # of the file's name
    unit: str
    content: str  # for CONTENT
    channel: str | None = None  # `0171`; None for a magnetogram

    @property
    def field(self) -> bool:
        """Whether it is a magnetogram, which has both signs, and values on the disk only."""
        return self.channel is None


MAGNETOGRAM = Product("magnetogram", GAUSS, "SYNTHETIC MAGNETOGRAM")


def product_of(series: str) -> Product:
    """Return the kind of an output by its series: `bz`, or an EUV channel such as `0171`."""
    return MAGNETOGRAM if series == "bz" else Product(f"aia{series}", "DN/s", f"SYNTHETIC AIA {int(series)}", series)


def on_input_grid(
    images: Float[np.ndarray, "n size size"],
    geometry: DiskGeometry,
    disk: SolarDisk,
    shape: tuple[int, int],
    field: bool,
) -> Float[np.ndarray, "n y x"]:
    """Return images from the geometry of the training on the grid of the input, float32.

    NaN off the limb for a field, and outside the networks' image for EUV.
    """
    if field:
        seen = disk.radii(shape) < 1
    else:
        reach = (geometry.size - 1) / 2 / geometry.solar_radius
        seen = np.abs(disk.west_north(shape)).max(axis=0) <= reach
    result = np.empty((len(images), *shape), np.float32)
    for image, out in zip(images, result, strict=True):
        out[:] = np.where(seen, resample(image, upright(geometry), disk, shape), np.nan)
    return result


def polarity(realisations: Float[np.ndarray, "n y x"]) -> Float[np.ndarray, "y x"]:
    """Return the share of the realisations that have the sign of the majority, 0.5 to 1 (all agree).

    A value of 0 counts half for each sign; NaN stays NaN.
    """
    positive = (0.5 * (1 + np.sign(realisations))).mean(axis=0)
    return np.maximum(positive, 1 - positive).astype(np.float32)


def as_hdus(
    realisations: Float[np.ndarray, "n y x"], product: Product, view: fits.Header, provenance: Sequence[Card]
) -> fits.HDUList:
    """Return the HDUs of realisations on the grid of the input; STD and POLARITY are NaN where there is only one.

    The view is that of `view_cards`, the provenance cards that say how the output was made.
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
    statistics = {"MIN": np.min, "MAX": np.max, "MEDN": np.median, "MEAN": np.mean, "RMS": np.std}
    for name, statistic in statistics.items():
        header[f"DATA{name}"] = float(f"{statistic(finite):.6g}"), f"[{product.unit}] of this image"
    for key, value, comment in provenance:
        header[key] = value.encode("ascii", "replace").decode() if isinstance(value, str) else value, comment
    header["COMMENT"] = "SYNTHETIC: made by a neural network (MUNIT) from another kind of image."
    if product.field:
        header["COMMENT"] = "EUV leaves the sign of the field undetermined: do not read signs as a"
        header["COMMENT"] = "measurement, see POLARITY. The ring near the limb is unreliable."
    header["COMMENT"] = "This image is the mean of those in REALISATIONS, STD their deviation."
    hdus = fits.HDUList([fits.PrimaryHDU(mean, header)])
    spread = {"STD": (realisations.std(axis=0), product.unit)}
    if product.field:
        spread["POLARITY"] = polarity(realisations), ""
    if len(realisations) == 1:  # which has no spread
        spread = {name: (np.full_like(mean, np.nan), unit) for name, (_, unit) in spread.items()}
    for name, (data, unit) in (spread | {"REALISATIONS": (realisations, product.unit)}).items():
        # With the coordinates in each: SunPy makes a Map of every HDU, and refuses a file with one that has none.
        extension = fits.ImageHDU(data.astype(np.float32, copy=False), view, name=name)
        extension.header["INSTRUME"], extension.header["SYNTHET"] = header["INSTRUME"], True
        extension.header["CONTENT"] = f"{product.content}, {name}"
        extension.header["BUNIT"] = unit
        hdus.append(extension)
    return hdus


def fingerprint_of(path: Path) -> str | None:
    """Return the fingerprint of an output, None if there is no readable one."""
    try:
        return text(fits.getheader(path, 0), FINGERPRINT) or None
    except (OSError, ValueError):
        return None
