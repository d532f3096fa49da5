"""SunPy's maps in and out: the one file here that imports sunpy, which comes with the extra `solar`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from munit_jax.instruments.interface import Observation
from munit_jax.instruments.telescopes import observation, observe
from munit_jax.trained_run import TrainedRun
from munit_jax.translation.settings import file_sha256
from munit_jax.translation.translation import Translation

Map = Any  # a sunpy.map.GenericMap, which has no static types


def translate_map(translation: Translation | TrainedRun, *sources: Map | Path | str) -> Map:
    """Return the mean translation of an image as a Map, with the deviation of the realisations as its uncertainty.

        run = munit_jax.load_pretrained("aia193")
        magnetogram = translate_map(run, sunpy.map.Map("aia.lev1_euv_12s.193A.fits"))

    A run translates with the default `Settings`; give others as `Translation(run, Settings(samples=64))`. The sources
    are a Map or file for each channel of the run, in their order; the Map is on the pixels and in the frame of the
    first, in gauss (DN/s in the other direction; of several channels the first). FrameError for an image that cannot
    be used.
    """
    return _as_maps(translation, sources)[0]


def realisation_maps(translation: Translation | TrainedRun, *sources: Map | Path | str) -> list[Map]:
    """Return every realisation as a Map; see `translate_map`."""
    return _as_maps(translation, sources)[1:]


def _as_maps(translation: Translation | TrainedRun, sources: Sequence[Map | Path | str]) -> list[Map]:
    import sunpy.map  # pyright: ignore[reportMissingImports]
    from astropy.nddata import StdDevUncertainty

    translation = Translation.of(translation)
    seen, inputs = zip(*map(_observe, sources), strict=True)
    source = translation.load(seen, inputs)
    realisations = translation.translate([source])[0, ..., 0]
    hdus: Any = translation.hdus(source, realisations, translation.products[0])
    primary, deviation, *_, every = hdus
    mean = sunpy.map.Map(primary.data, primary.header, uncertainty=StdDevUncertainty(deviation.data))
    return [mean, *(sunpy.map.Map(image, primary.header) for image in every.data)]


def _observe(source: Map | Path | str) -> tuple[Observation, tuple[str, str]]:
    if isinstance(source, Path | str):
        path = Path(source)
        return observe(path), (path.name, file_sha256(path))
    image = np.asarray(source.data, np.float32)
    name = f"Map of {source.date.isot}"
    return observation(source.fits_header, image, name), (name, hashlib.sha256(image.tobytes()).hexdigest())
