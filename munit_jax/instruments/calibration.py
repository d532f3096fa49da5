"""The brightness of an EUV image on the scale of AIA's images of another time, by the quartiles of the disk."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError
from munit_jax.sun.disk import on_disk, sdoml_geometry


class Reference(NamedTuple):
    """How bright AIA's disk is: the three quartiles in DN/s; `time` in seconds since 1970, None for a fixed one."""

    series: str
    time: int | None
    quartiles: tuple[float, float, float]
    name: str


# Measured on level-1 images of AIA 171 of 2011-02-15 00:00 (111.4, 157.2, 235.8) and 2011-03-19 10:54 (114.3, 149.7,
# 197.0), by the exposure and not corrected for degradation: their mean; on one of 193 and one of 304 that were
# recovered from Helioviewer's pictures of 8 bits, so approximate; 304 had lost nine tenths of its sensitivity by then.
BUILT_IN = (
    Reference("0171", None, (112.8, 153.4, 216.4), "AIA 171 of 2011-02-15 and 2011-03-19"),
    Reference("0193", None, (89.4, 142.2, 248.9), "AIA 193 of 2013-06-24, approximate"),
    Reference("0304", None, (2.2, 2.8, 3.6), "AIA 304 of 2021-01-06, approximate"),
)


def quartiles(image: Float[np.ndarray, "size size"]) -> tuple[float, float, float]:
    """Return the quartiles of the disk of an image in SDOML's geometry."""
    lower, middle, upper = np.percentile(image[on_disk(sdoml_geometry(len(image)))], (25, 50, 75))
    return float(lower), float(middle), float(upper)


def reference_of_training(disk_percentiles: Mapping[str, Mapping[str, float]]) -> list[Reference]:
    """Return how bright the disks of a training were, by series; see `munit_jax.data.datasets.describe_images`."""
    return [
        Reference(series, None, (values["25"], values["50"], values["75"]), "the run's training images")
        for series, values in disk_percentiles.items()
        if series.isdigit()
    ]


def nearest_reference(series: str, time: int, references: Sequence[Reference]) -> Reference:
    """Return a series' reference (FrameError for none): the nearest in time, one without time, or the built-in one."""
    dated = [r for r in references if r.series == series and r.time is not None]
    if dated:
        return min(dated, key=lambda r: abs((r.time or 0) - time))
    for reference in (*references, *BUILT_IN):
        if reference.series == series:
            return reference
    raise FrameError(
        "instrument", f"no AIA image of {series} to calibrate it by: name one of about its time with --calibrate_to"
    )


def gain(image: Float[np.ndarray, "size size"], reference: Reference) -> float:
    """Return the factor that brings an image to the reference; FrameError for a dark disk.

    The median of the ratios of the quartiles, which are robust: active regions cover a few per cent of the disk.
    """
    own = quartiles(image)
    if own[0] <= 0:
        raise FrameError("constant", f"a quarter of the disk is dark ({own[0]:g} DN/s)")
    return float(np.median(np.array(reference.quartiles) / own))
