"""A run's config as typed, frozen parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from munit_jax.data.pipeline import DataSettings
from munit_jax.errors import ConfigError
from munit_jax.networks.munit import Architecture
from munit_jax.training.step import Recipe


@dataclass(frozen=True)
class ScoreSettings:
    """How many realisations of how many held-out frames, evenly spaced, are scored; 0 for all frames."""

    styles: int
    limit: int
    limit_during_training: int


@dataclass(frozen=True)
class RunSettings:
    """How long a run trains, and when it saves and scores."""

    seed: int  # of the initial weights, the order of the examples and the random styles
    start_from: str | None  # folder of a run whose generators this one starts with; None for random ones
    steps: int
    batch_size: int  # images of a domain in a step, over all devices
    checkpoint_every: int
    eval_every: int
    max_skipped_in_a_row: int  # steps with non-finite numbers that are skipped before the run stops
    style_spread: float  # standard deviation of the styles of realisations; training draws them with 1
    best_by: str  # the validation score that chooses the best checkpoint, see `monitor.BEST_BY`
    evaluation: ScoreSettings
    strength_from_brightness: float = 0.0  # see `FieldStrength.exponent`; acts after training only


@dataclass(frozen=True)
class RunConfig:
    """All settings of a run; `source` is the config as in config.json, with every normalisation written out."""

    run: RunSettings
    data: DataSettings
    recipe: Recipe
    source: Mapping[str, Any]


def check_image_size(architecture: Architecture, size: int, name: str) -> None:
    """Raise ConfigError if square images of a size cannot pass the networks; `name` is what the message calls them."""
    a = architecture
    if size % a.size_divisor:
        raise ConfigError(
            f"{name}={size} is not divisible by {a.size_divisor} (model.downsamplings={a.downsamplings}): "
            f"use {size // a.size_divisor * a.size_divisor}"
        )
    if size < a.smallest_size:
        raise ConfigError(
            f"{name}={size} is too small: {a.discriminator_scales} discriminator scales of "
            f"{a.discriminator_layers} layers need {a.smallest_size} pixels; lower model.discriminator_scales"
        )
