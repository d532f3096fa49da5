"""The contents of a dataset, and the registered datasets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import tensorflow_datasets as tfds

from munit_jax.instruments.series import AIA_CHANNELS, FIELD_COMPONENTS
from munit_jax.instruments.simultaneous import APART, TOLERANCE
from munit_jax.sun.constants import DAY, SYNODIC_DAYS

SourceName = Literal["npz_v1", "zarr_v2", "fits", "hf256", "synthetic"]
Split = Literal["blocked", "poster"]
StoredType = Literal["float16", "float32"]
ScaleName = Literal["none", "hmi"]

NATURAL_SIZE: dict[str, int] = {"npz_v1": 512, "zarr_v2": 512, "fits": 512, "hf256": 256}  # pixels
FUSED_CHANNELS = ("0171", "0193", "0304")  # of the dataset of several channels that has a name
SYNTHETIC_CHANNELS = ("0171", "0193", "0304")  # of the synthetic Sun, see `synthetic_sun/emission.py`
FULL_SIZE_CHANNELS = ("0171", "0193", "0304")  # that have datasets at the poster's 1024 pixels
UNSTORED = [field.name for field in fields(tfds.core.BuilderConfig)]


@dataclass(eq=False, kw_only=True)
class SdomlConfig(tfds.core.BuilderConfig):
    """The contents of a dataset: everything that its data depend on except the files themselves.

    Raises:
        ValueError: a value that cannot be, or an example without any image.
    """

    name: str
    source: str  # kind of the files, or `synthetic`
    channels: tuple[str, ...] = ()  # of AIA, in the order of the array
    field: tuple[str, ...] = ()  # components, in the order of the array
    size: int  # pixels across the images; the source's own size divides by it
    dtype: str = "float16"  # as stored: steps of 1/2048 of the value, below the photon noise, in half the bytes
    years: tuple[int, ...] = ()  # all if empty
    months: tuple[int, ...] = ()  # all if empty
    every: int = 0  # seconds; the first frame in each interval of this length; 0 for all
    limit: int = 0  # number of frames, taken evenly from all; 0 for all
    split: str = "blocked"  # or `poster` for the shuffle that leaks
    test_months: tuple[int, ...] = (11, 12)  # of the blocked split, as the next two
    validation_months: tuple[int, ...] = (5,)
    guard_days: int | float = SYNODIC_DAYS
    tolerance: int = TOLERANCE  # seconds, of the join by time
    vantage_tolerance: int | float = APART  # degrees between the observers of a join
    scale_to: str = "none"  # the scale of magnetograms of FITS files: as measured, or `hmi`
    degradation_table: str = ""  # file of AIA's degradation for FITS files, which aiapy reads; empty for no correction
    seed: int = 0  # of the synthetic Sun and of the poster's shuffle
    start: int = 0  # of the synthetic Sun, as the next two; seconds since 1970
    frames: int = 0
    cadence: int = 0  # seconds

    def __post_init__(self):
        for what, value, known in (
            ("source", self.source, get_args(SourceName)),
            ("split", self.split, get_args(Split)),
            ("dtype", self.dtype, get_args(StoredType)),
            ("scale_to", self.scale_to, get_args(ScaleName)),
        ):
            if value not in known:
                raise ValueError(f"unknown {what} {value!r}: choose one of {', '.join(known)}")
        for what, values, known in (("channel", self.channels, AIA_CHANNELS), ("field", self.field, FIELD_COMPONENTS)):
            if wrong := [value for value in values if value not in known]:
                raise ValueError(f"unknown {what} {', '.join(wrong)}: known are {', '.join(known)}")
            if len(set(values)) != len(values):
                raise ValueError(f"{what} {', '.join(values)}: each can be given once")
        if not self.series:
            raise ValueError("no channel and no field component: an example would have no image; give --channels")
        months = (*self.months, *self.test_months, *self.validation_months)
        if wrong := [month for month in months if not 1 <= month <= 12]:
            raise ValueError(f"months are numbers from 1 to 12, got {wrong}")
        if shared := sorted({*self.test_months} & {*self.validation_months}):
            raise ValueError(f"months {shared} are both test and validation months; give each month to one of them")
        for what in ("every", "limit", "tolerance", "vantage_tolerance", "guard_days"):
            if not 0 <= (value := getattr(self, what)) < math.inf:
                raise ValueError(f"{what} must not be negative, got {value}: give a finite number from 0 on")
        if self.degradation_table and self.source != "fits":
            raise ValueError(f"degradation_table is for FITS files; {self.source} has been corrected")
        if self.scale_to != "none" and self.source != "fits":
            raise ValueError(f"scale_to is for FITS files; the magnetograms of {self.source} are HMI's")
        natural = NATURAL_SIZE.get(self.source, self.size)
        if self.size < 1 or (self.source != "fits" and natural % self.size):
            raise ValueError(f"size {self.size}: {self.source} has {natural} pixels, which must divide by the size")

    @property
    def series(self) -> tuple[str, ...]:
        """All series of an example; the first one's time is the example's."""
        return (*self.field, *self.channels)

    def parameters(self) -> dict[str, Any]:
        """Return all that the data depend on, as JSON keeps it."""
        items = {name: value for name, value in vars(self).items() if name not in UNSTORED}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in items.items()}

    @classmethod
    def from_parameters(cls, name: str, parameters: Mapping[str, Any]) -> "SdomlConfig":
        """Return the configuration whose `parameters` these are.

        Raises:
            ValueError: parameters of another version of this program.
        """
        known = {field.name for field in fields(cls)} - set(UNSTORED)
        if odd := sorted(known ^ set(parameters)):
            raise ValueError(f"sdoml/{name} has other parameters than this version supports ({', '.join(odd)})")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}
        return cls(name=name, **values)


def synthetic_config(size: int, every_days: int) -> SdomlConfig:
    """Return the configuration of three years of the synthetic Sun."""
    return SdomlConfig(
        name=f"synthetic_{size}",
        description=f"The synthetic Sun, 2011 to 2013, one frame in {every_days} d, {size} x {size} pixels.",
        source="synthetic",
        channels=SYNTHETIC_CHANNELS,
        field=("bz",),
        size=size,
        dtype="float32",
        start=int(datetime(2011, 1, 1, tzinfo=UTC).timestamp()),
        frames=-(-1096 // every_days),
        cadence=every_days * DAY,
    )


def sdoml_config(channels: tuple[str, ...], field: tuple[str, ...], size: int = 512) -> SdomlConfig:
    """Return the configuration of channels and the field, from SDOML's files, or FITS files at other sizes than 512."""
    parts = ["aia" + "_".join(channels)] if channels else []
    if field:
        parts.append(("hmi" if channels else "hmi_bz") if field == ("bz",) else "hmi_" + "".join(field))
    images = ", ".join([f"AIA {c}" for c in channels] + [f"HMI {c.title()}" for c in field])
    return SdomlConfig(
        name="_".join(parts if size == 512 else [*parts, str(size)]),
        description=f"{'SDOML' if size == 512 else 'FITS files'}: {images}, {size} x {size} pixels.",
        source="npz_v1" if size == 512 else "fits",
        channels=channels,
        field=field,
        size=size,
    )


def registered_configs() -> list[SdomlConfig]:
    """Return the datasets that have a name, the embedded ones first."""
    bz, vector = ("bz",), FIELD_COMPONENTS
    return [
        *(synthetic_config(size, days) for size, days in ((64, 1), (128, 1), (256, 2), (512, 3))),
        *(sdoml_config((channel,), ()) for channel in AIA_CHANNELS),
        sdoml_config((), bz),
        *(sdoml_config((channel,), bz) for channel in AIA_CHANNELS),
        sdoml_config(FUSED_CHANNELS, bz),
        sdoml_config(AIA_CHANNELS[:7], bz),
        sdoml_config(AIA_CHANNELS[:7], vector),
        *(sdoml_config((channel,), bz, 1024) for channel in FULL_SIZE_CHANNELS),
    ]
