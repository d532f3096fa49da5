"""From a configuration to the source that reads what it names."""

import logging
from itertools import islice
from pathlib import Path

from platformdirs import user_cache_path

from munit_jax.instruments.reading import files_below, kind_of, stem
from munit_jax.instruments.sdoml import named
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.plan import Plan, make_plan
from tfds_sdoml.sources.fits import Fits
from tfds_sdoml.sources.hf256 import NAME as HF256_NAME
from tfds_sdoml.sources.hf256 import Hf256
from tfds_sdoml.sources.interface import Source
from tfds_sdoml.sources.npz_v1 import NpzV1
from tfds_sdoml.sources.synthetic_sun import SyntheticSun
from tfds_sdoml.sources.zarr_v2 import ZarrV2

logger = logging.getLogger(__name__)

LOOKED_AT = 10_000  # files, to guess the contents of a folder


def open_source(config: SdomlConfig, location: str | None) -> Source:
    """Return the source of a dataset's frames, at a folder; for zarr_v2 also a URL, or several stores with commas.

    Raises:
        FileNotFoundError, PermissionError: no location, or none that can be read.
        ValueError: a location without such a source.
    """
    if config.source == "synthetic":
        times = range(config.start, config.start + config.frames * config.cadence, config.cadence)
        return SyntheticSun(config.seed, config.size, config.channels, times)
    if location is None:
        raise FileNotFoundError(f"sdoml/{config.name} is made from files: give their folder as --manual_dir")
    folder = Path(location).expanduser()
    match config.source:
        case "npz_v1":
            return NpzV1(folder)
        case "zarr_v2":
            return ZarrV2(location, config.years, user_cache_path("munit_jax") / "sdoml_v2")
        case "fits":
            table = Path(config.degradation_table).expanduser() if config.degradation_table else None
            if table is None and config.channels:
                logger.info("AIA's degradation over the years is not corrected: give --degradation_table to do so")
            return Fits(folder, config.size, config.years, table, config.scale_to)
        case _:
            return Hf256(folder)


def find_frames(config: SdomlConfig, location: str | None) -> tuple[Source, Plan]:
    """Return the source of a dataset and which of its frames are used; raises as `open_source` and `make_plan`."""
    source = open_source(config, location)
    try:
        return source, make_plan(config, source)
    except ValueError as error:
        likely = likely_source(location) if location is not None and Path(location).expanduser().is_dir() else None
        if likely in (None, config.source):
            raise
        raise ValueError(f"{error}; the folder looks like {likely}: give --source={likely}") from None


def likely_source(location: str) -> str | None:
    """Return the name of the source that the files of a folder look like, by the first files below it."""
    folder = Path(location).expanduser()
    for place in islice(files_below(folder), LOOKED_AT):
        name = Path(place).name
        if name in (".zgroup", ".zarray"):
            return "zarr_v2"
        match kind_of(folder / place):
            case "npz" if HF256_NAME.fullmatch(stem(name)):
                return "hf256"
            case "npz" if named(name):
                return "npz_v1"
            case "tar":
                return "npz_v1"
            case "fits":
                return "fits"
            case _:
                continue
    return None
