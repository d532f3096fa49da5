"""Normalisations by name: those in use elsewhere, and the one from a dataset's own statistics."""

from collections.abc import Mapping
from typing import Literal, get_args

from munit_jax.data.normalization import Normalization
from munit_jax.errors import ConfigError

Preset = Literal["dataset", "fdl", "iti"]
PRESETS = get_args(Preset)

# Divisors of the Frontier Development Lab's SDOML projects: DN/s (v2 convention), gauss. Linear; brighter is clipped.
FDL_EUV = {
    "0094": 10.0,
    "0131": 80.0,
    "0171": 2000.0,
    "0193": 3000.0,
    "0211": 1000.0,
    "0304": 500.0,
    "0335": 80.0,
    "1600": 500.0,
    "1700": 7000.0,
}
FDL_FIELD = 2000.0

# Instrument-to-Instrument translation (Jarolim et al. 2025, Nature Communications 16): asinh up to a maximum in DN/s.
ITI_EUV = {"0171": 8600.0, "0193": 9800.0, "0211": 5800.0, "0304": 8800.0}
ITI_FIELD = 3000.0
ASINH_FRACTION = {"0304": 0.001}  # of the maximum, where the logarithm takes over ...
USUAL_ASINH_FRACTION = 0.005  # ... and of the other channels

# The dataset's own: the 99.99th percentile with room above it, for active regions that the train split did not see.
PERCENTILE, ROOM = "99.99", 2.0
FIELD_ASINH_FRACTION = 1 / 30  # the quiet network, some tens of gauss, is where asinh turns from linear to logarithmic


def preset(
    name: str, domain: str, channels: tuple[str, ...], statistics: Mapping[str, Mapping[str, float]]
) -> Normalization:
    """Return a normalisation by its name.

    Args:
        name: `dataset`, `fdl` or `iti`.
        domain: `euv` or `magnetogram`.
        channels: the series of the images, such as ("0171", "0193") or ("bz",).
        statistics: percentiles of each series, as the dataset stores them; read for `dataset` only.

    Raises:
        ConfigError: an unknown name, a channel that it has no number for, or a dataset without statistics.
    """
    signed = domain == "magnetogram"
    if name == "fdl":
        limits = _limits(name, channels, {"bz": FDL_FIELD} if signed else FDL_EUV)
        return Normalization("linear", signed, limits, limits)
    if name == "iti":
        limits = _limits(name, channels, {"bz": ITI_FIELD} if signed else ITI_EUV)
        if signed:
            return Normalization("linear", signed, limits, limits)
        scales = (
            ASINH_FRACTION.get(c, USUAL_ASINH_FRACTION) * limit for c, limit in zip(channels, limits, strict=True)
        )
        return Normalization("asinh", signed, tuple(scales), limits)
    if name != "dataset":
        raise ConfigError(f"unknown normalization {name!r}: choose one of {', '.join(PRESETS)}")
    known = {series: ROOM * values[PERCENTILE] for series, values in statistics.items() if values.get(PERCENTILE)}
    limits = _limits(name, channels, known)
    fraction = FIELD_ASINH_FRACTION if signed else USUAL_ASINH_FRACTION
    return Normalization("asinh", signed, tuple(fraction * limit for limit in limits), limits)


def _limits(name: str, channels: tuple[str, ...], known: Mapping[str, float]) -> tuple[float, ...]:
    if missing := [channel for channel in channels if channel not in known]:
        raise ConfigError(
            f"the normalization {name!r} has no number for {', '.join(missing)}, only for "
            f"{', '.join(known) or 'none'}: give kind, scale and limit"
        )
    return tuple(known[channel] for channel in channels)
