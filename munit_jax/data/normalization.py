"""Physical units to the networks' [-1, 1] and back, for numpy and JAX arrays alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from jaxtyping import Float

from munit_jax.errors import ConfigError

Kind = Literal["linear", "asinh", "log"]
Preset = Literal["dataset", "fdl", "iti"]
PRESETS = get_args(Preset)

# Limits of the presets by series, DN/s and gauss.
# Frontier Development Lab's SDOML projects (v2 convention): linear; brighter is clipped.
FDL = {
    "0094": 10.0,
    "0131": 80.0,
    "0171": 2000.0,
    "0193": 3000.0,
    "0211": 1000.0,
    "0304": 500.0,
    "0335": 80.0,
    "1600": 500.0,
    "1700": 7000.0,
    "bz": 2000.0,
}
# Instrument-to-Instrument translation (Jarolim et al. 2025, Nature Communications 16): asinh for EUV, linear for bz.
ITI = {"0171": 8600.0, "0193": 9800.0, "0211": 5800.0, "0304": 8800.0, "bz": 3000.0}
# The dataset's own: the 99.99th percentile with room above it, for active regions that the train split did not see.
PERCENTILE, ROOM = "99.99", 2.0

# The scale of asinh, where the logarithm takes over, as a fraction of the limit.
EUV_ASINH_FRACTION = 0.005
ITI_ASINH_FRACTIONS = {"0304": 0.001}
FIELD_ASINH_FRACTION = 1 / 30  # the quiet network has some tens of gauss


@dataclass(frozen=True)
class Normalization:
    """How a domain's images are scaled; a checkpoint keeps it, so that translations are in physical units.

    Attributes:
        kind: linear, x / limit; asinh, asinh(x / scale) / asinh(limit / scale), linear below `scale` and logarithmic
            above; log, log(1 + x / scale) / log(1 + limit / scale), for values >= 0.
        signed: True for fields in gauss, where 0 stays 0 and +-limit become +-1; False for intensities in DN/s, where
            0..limit become -1..1.
        scale: one number for each channel, in the images' physical unit.
        limit: the same; values beyond it are clipped.

    Raises:
        ConfigError: unknown kind, a log of signed values, or numbers that are not positive or not one a channel.
    """

    kind: Kind
    signed: bool
    scale: tuple[float, ...]
    limit: tuple[float, ...]

    def __post_init__(self):
        if self.kind not in get_args(Kind):
            raise ConfigError(
                f"unknown normalization {self.kind!r}: choose one of {', '.join(get_args(Kind))}, or by name "
                f"{', '.join(PRESETS)}"
            )
        if self.kind == "log" and self.signed:
            raise ConfigError("the log normalization is for intensities: use asinh or linear for fields in gauss")
        if len(self.scale) != len(self.limit):
            raise ConfigError(
                f"a normalization needs one scale and one limit for each channel, got {len(self.scale)} scales "
                f"and {len(self.limit)} limits"
            )
        if min(*self.scale, *self.limit) <= 0:
            raise ConfigError(f"scales and limits must be positive, got scale={self.scale} and limit={self.limit}")

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.scale)


def normalize(n: Normalization, x: Float[Any, "*b h w c"]) -> Float[Any, "*b h w c"]:
    """Scale images in gauss or DN/s to [-1, 1]."""
    xp = x.__array_namespace__()
    limit = _per_channel(xp, x, n.limit)
    y = _stretch(n, xp, xp.clip(x, -limit if n.signed else 0 * limit, limit)) / _stretch(n, xp, limit)
    return y if n.signed else 2 * y - 1


def denormalize(n: Normalization, y: Float[Any, "*b h w c"]) -> Float[Any, "*b h w c"]:
    """Scale images in [-1, 1] to gauss or DN/s: the inverse of `normalize` between the limits."""
    xp = y.__array_namespace__()
    limit, scale = _per_channel(xp, y, n.limit), _per_channel(xp, y, n.scale)
    stretched = (y if n.signed else (y + 1) / 2) * _stretch(n, xp, limit)
    if n.kind == "asinh":
        return scale * xp.sinh(stretched)
    if n.kind == "log":
        return scale * xp.expm1(stretched)
    return stretched


def _stretch(n: Normalization, xp: Any, x: Any) -> Any:
    scale = _per_channel(xp, x, n.scale)
    if n.kind == "asinh":
        return xp.asinh(x / scale)
    if n.kind == "log":
        return xp.log1p(x / scale)
    return x


def _per_channel(xp: Any, like: Any, values: Sequence[float]) -> Any:
    return xp.reshape(xp.asarray(values, dtype=like.dtype), (1,) * (like.ndim - 1) + (len(values),))


def preset(
    name: Preset, domain: str, channels: tuple[str, ...], statistics: Mapping[str, Mapping[str, float]]
) -> Normalization:
    """Return one of PRESETS for series of images, and the percentiles of a dataset's series, read for `dataset` only.

    ConfigError for a channel that it has no number for.
    """
    known: Mapping[str, float] = {
        "dataset": {s: ROOM * values[PERCENTILE] for s, values in statistics.items() if values.get(PERCENTILE)},
        "fdl": FDL,
        "iti": ITI,
    }[name]
    if missing := [channel for channel in channels if channel not in known]:
        raise ConfigError(
            f"the normalization {name!r} has no number for {', '.join(missing)}, only for "
            f"{', '.join(known) or 'none'}: give kind, scale and limit"
        )
    signed, limits = domain == "magnetogram", tuple(known[channel] for channel in channels)
    if name == "fdl" or (name == "iti" and signed):
        return Normalization("linear", signed, limits, limits)
    fraction = FIELD_ASINH_FRACTION if signed else EUV_ASINH_FRACTION
    fractions = ITI_ASINH_FRACTIONS if name == "iti" else {}
    scales = tuple(fractions.get(c, fraction) * limit for c, limit in zip(channels, limits, strict=True))
    return Normalization("asinh", signed, scales, limits)
