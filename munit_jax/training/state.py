"""What a training step reads and writes, as one tree, and the optimisers that move it."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jaxtyping import Array, Int

from munit_jax.networks.munit import Architecture, Params, init_discriminators, init_generators


class TrainState(struct.PyTreeNode):
    """Parameters, their moving average, the optimisers' moments and the number of steps done.

    `skipped` of these steps were not applied, since their numbers were not finite; the last `skipped_in_a_row` among
    them.
    """

    step: Int[Array, ""]
    skipped: Int[Array, ""]
    skipped_in_a_row: Int[Array, ""]
    generators: Params
    discriminators: Params
    ema: Params
    generator_optimizer: optax.OptState
    discriminator_optimizer: optax.OptState


@dataclass(frozen=True)
class OptimizerSettings:
    """Adam as the poster has it; what goes beyond is off at 0.

    weight_decay is L2 added to the gradient (not AdamW); the learning rates rise linearly in the first warm_up steps
    and are then halved every halve_every steps, or fall to 0 by half a cosine until the last of `steps`; gradients are
    clipped to the global norm clip_norm.
    """

    learning_rate: float = 1e-4
    discriminator_learning_rate: float = 1e-4
    b1: float = 0.5
    b2: float = 0.999
    weight_decay: float = 0.0
    warm_up: int = 0
    halve_every: int = 0
    cosine: bool = False
    steps: int = 0  # of the run: for the cosine
    clip_norm: float = 0.0
    ema_decay: float = 0.999


class Optimizers(NamedTuple):
    """The gradient transformations of the two sides."""

    generators: optax.GradientTransformation
    discriminators: optax.GradientTransformation


def make_optimizers(settings: OptimizerSettings) -> Optimizers:
    """Return the optimisers that the settings ask for."""
    return Optimizers(_adam(settings, settings.learning_rate), _adam(settings, settings.discriminator_learning_rate))


def _adam(settings: OptimizerSettings, learning_rate: float) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(settings.clip_norm) if settings.clip_norm else optax.identity(),
        optax.add_decayed_weights(settings.weight_decay) if settings.weight_decay else optax.identity(),
        optax.scale_by_adam(settings.b1, settings.b2),
        optax.scale_by_learning_rate(_schedule(settings, learning_rate)),
    )


def _schedule(settings: OptimizerSettings, peak: float) -> optax.Schedule:
    """Return the learning rate by the number of the step, from 0."""
    after = optax.constant_schedule(peak)
    if settings.halve_every:
        after = optax.exponential_decay(peak, settings.halve_every, 0.5, staircase=True)
    elif settings.cosine:
        # A run of a few steps, for a try, ends within the warm-up.
        after = optax.cosine_decay_schedule(peak, max(1, settings.steps - settings.warm_up))
    # The first step, too, has a rate above 0.
    rising = optax.linear_schedule(peak / (settings.warm_up + 1), peak, settings.warm_up)
    return optax.join_schedules([rising, after], [settings.warm_up]) if settings.warm_up else after


def init_state(architecture: Architecture, optimizers: Optimizers, seed: int) -> TrainState:
    """Draw the parameters and start the optimisers and the moving average from them."""
    generators = init_generators(architecture, seed)
    discriminators = init_discriminators(architecture, seed)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        skipped=jnp.zeros((), jnp.int32),
        skipped_in_a_row=jnp.zeros((), jnp.int32),
        generators=generators,
        discriminators=discriminators,
        ema=generators,
        generator_optimizer=_at_rest(optimizers.generators, generators),
        discriminator_optimizer=_at_rest(optimizers.discriminators, discriminators),
    )


def _at_rest(optimizer: optax.GradientTransformation, params: Params) -> optax.OptState:
    """Return `optimizer.init(params)`, which is zeros for Adam, without compiling a program for each shape of them."""
    return jax.tree.map(lambda x: jnp.asarray(np.zeros(x.shape, x.dtype)), jax.eval_shape(optimizer.init, params))
