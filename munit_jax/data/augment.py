"""Random changes of one example: a dictionary of (height, width, channel) images of the same scene."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.ndimage import affine_transform

from munit_jax.errors import ConfigError

Flip = Literal["none", "physical"]
Example = Mapping[str, np.ndarray]
# Factors by image under a reversal of the field: one number, or one for each channel.
Signs = Mapping[str, Any]
FIELD_ALONE: Signs = {"magnetogram": -1}


@dataclass(frozen=True)
class Distortion:
    """Random changes of examples: each number is the standard deviation of a normal distribution.

    For datasets of few frames, which networks memorise. 0 leaves a property as it is.

    Raises:
        ConfigError: a negative number.
    """

    turn: float = 0.0  # degrees about the middle of the image
    zoom: float = 0.0  # logarithm of the size
    shift: float = 0.0  # along each axis, as a part of the image
    gain: float = 0.0  # logarithm of the EUV brightness
    gamma: float = 0.0  # logarithm of the exponent of the EUV brightness about its geometric mean
    noise: float = 0.0  # logarithm of the EUV brightness of each pixel

    def __post_init__(self):
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ConfigError(f"{field.name} must not be negative, got {getattr(self, field.name)}")

    @property
    def moves(self) -> bool:
        """Whether places in the image change."""
        return any((self.turn, self.zoom, self.shift))

    @property
    def brightens(self) -> bool:
        """Whether EUV images change other than by their geometry."""
        return any((self.gain, self.gamma, self.noise))


def random_crop(images: Example, size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Cut the same random square of `size` pixels (0: the whole) out of every image; ConfigError for smaller ones."""
    if size == 0:
        return dict(images)
    height, width = next(iter(images.values())).shape[:2]
    if size > min(height, width):
        raise ConfigError(f"data.crop={size} is larger than the images ({height} x {width}): set it to 0 or smaller")
    row, column = rng.integers(height - size + 1), rng.integers(width - size + 1)
    return {name: image[row : row + size, column : column + size] for name, image in images.items()}


def random_reversal(images: Example, rng: np.random.Generator, signs: Signs = FIELD_ALONE) -> dict[str, np.ndarray]:
    """Change the sign of the field everywhere, or leave it, with equal chance: a Sun of the cycle before or after.

    The equations of magnetohydrodynamics are symmetric under this reversal. EUV images do not change, so the networks
    must be conditioned on the sign of the cycle.
    """
    if rng.random() < 0.5:
        return dict(images)
    return {name: image * signs[name] if name in signs else image for name, image in images.items()}


def random_flip(images: Example, rng: np.random.Generator, signs: Signs = FIELD_ALONE) -> dict[str, np.ndarray]:
    """Flip every image of the example as `flip_images` does, or none, with equal chance."""
    return dict(images) if rng.random() < 0.5 else flip_images(images, signs)


def flip_images(images: Example, signs: Signs = FIELD_ALONE) -> dict[str, np.ndarray]:
    """Flip every image north-south, the line-of-sight field changing its sign.

    The mirrored Sun is one that could exist: the two hemispheres have opposite leading polarities (Hale's law) and
    opposite polar fields, which the change of sign restores, and active regions still lean with their leading spot
    towards the equator (Joy's law). No other flip keeps all three: east-west breaks Joy's law with or without the
    change of sign, and Hale's law without it; a rotation by 180 degrees breaks Joy's law.
    """
    return {name: image[::-1] * signs[name] if name in signs else image[::-1] for name, image in images.items()}


def random_distortion(images: Example, by: Distortion, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Turn, resize and shift every image alike, and change the brightness of the EUV image, by the sizes in `by`."""
    changed = dict(images)
    if by.moves:
        place = _random_placement(len(next(iter(images.values()))), by, rng)
        changed = {name: _resampled(image, place) for name, image in images.items()}
    if by.brightens and "euv" in images:
        changed["euv"] = _random_brightness(changed["euv"], by, rng)
    return changed


def _random_placement(size: int, by: Distortion, rng: np.random.Generator) -> Float[np.ndarray, "2 3"]:
    """Return the affine map from rows and columns of the new image to those of the old one."""
    angle, scale = np.deg2rad(rng.normal(0, by.turn)), np.exp(rng.normal(0, by.zoom))
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.full(2, (size - 1) / 2)
    return np.column_stack([matrix, middle - matrix @ middle + rng.normal(0, by.shift * size, 2)])


def _resampled(image: np.ndarray, place: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "h w c"]:
    """Return an image at other places, by linear interpolation; beyond its edge with the values of the edge."""
    channels = np.moveaxis(image.astype(np.float32), -1, 0)
    return np.stack([affine_transform(c, place, order=1, mode="nearest") for c in channels], axis=-1)


def _random_brightness(image: np.ndarray, by: Distortion, rng: np.random.Generator) -> Float[np.ndarray, "h w c"]:
    logarithm = np.log(np.maximum(image.astype(np.float32), 1.0))  # 1 DN/s: below there is nothing but noise
    mean = logarithm.mean(axis=(0, 1))
    contrast = (logarithm - mean) * np.exp(rng.normal(0, by.gamma))
    noise = by.noise * rng.standard_normal(image.shape, np.float32)
    return np.exp(mean + contrast + rng.normal(0, by.gain) + noise).astype(np.float32)
