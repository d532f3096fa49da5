"""Random crops and flips of one example: a dictionary of (height, width, channel) images of the same scene."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from munit_jax.errors import ConfigError

Flip = Literal["none", "physical"]
Example = Mapping[str, np.ndarray]
# Factors by image under a reversal of the field: one number, or one for each channel.
Signs = Mapping[str, Any]
FIELD_ALONE: Signs = {"magnetogram": -1}


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
