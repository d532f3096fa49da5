"""Physical units to the networks' [-1, 1] and back: named, invertible, one scale for each channel.

The functions take numpy and JAX arrays alike, so the input pipeline and jit-compiled code share them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from jaxtyping import Float

from munit_jax.errors import ConfigError

Kind = Literal["linear", "asinh", "log"]


@dataclass(frozen=True)
class Normalization:
    """How a domain's images are scaled; a checkpoint keeps it, so that translations come out in physical units.

    kind: linear, x / limit; asinh, asinh(x / scale) / asinh(limit / scale), linear below `scale` and logarithmic
        above; log, log(1 + x / scale) / log(1 + limit / scale), for values >= 0.
    signed: True for fields in gauss, where 0 stays 0 and +-limit become +-1; False for intensities in DN/s, where
        0..limit become -1..1.
    scale, limit: one number for each channel, in the images' physical unit. Values beyond the limit are clipped.

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
                f"unknown normalization {self.kind!r}: choose one of {', '.join(get_args(Kind))}, or by name dataset, "
                "fdl or iti"
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
