"""One training step: the discriminators' update, then the generators', which sees the new discriminators."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float, Int, Num, PRNGKeyArray

from munit_jax.networks.munit import DOMAINS, Architecture, Params, StyleCode, draw_style
from munit_jax.training.objectives import (
    Contexts,
    Objective,
    Styles,
    discriminator_objective,
    generate,
    generator_objective,
    translate_both,
)
from munit_jax.training.state import OptimizerSettings, TrainState, make_optimizers

Metrics = dict[str, Num[Array, ""]]

# Any non-finite value reaches one of these metrics, of the generators or of the discriminators.
MUST_BE_FINITE = ("total", "gradient_norm", "update_norm")


class Batch(struct.PyTreeNode):
    """Images of both domains in [-1, 1], their contexts, and each example's place in the global batch."""

    images: dict[str, Float[Array, "b h w c"]]
    index: Int[Array, " b"]
    contexts: Contexts | None = None


@dataclass(frozen=True)
class Recipe:
    """Everything that defines a training step except its inputs."""

    architecture: Architecture
    objective: Objective
    optimizer: OptimizerSettings
    fresh_styles_for_d: bool = False


class StyleKeys(NamedTuple):
    """A random key for each purpose."""

    styles: PRNGKeyArray  # of a training step: the translations
    second: PRNGKeyArray  # their second realisation
    fresh: PRNGKeyArray  # the discriminators' own
    frames: PRNGKeyArray  # of the realisations by which held-out frames are scored
    run: PRNGKeyArray  # of the realisations of a trained run


def style_keys(key: PRNGKeyArray) -> StyleKeys:
    """Split the key of a seed by purpose."""
    return StyleKeys(*jax.random.split(key, len(StyleKeys._fields)))


def example_keys(key: PRNGKeyArray, step: Int[Array, ""], index: Int[Array, " b"]) -> PRNGKeyArray:
    """Return the key of each example for one purpose.

    It depends on the step and the example's place in the *global* batch, not on how many devices share the batch, nor
    on whether the run was resumed.
    """
    step_key = jax.random.fold_in(key, step)
    return jax.vmap(lambda i: jax.random.fold_in(step_key, i))(index)


def draw_styles(architecture: Architecture, key: PRNGKeyArray, step: Int[Array, ""], index: Int[Array, " b"]) -> Styles:
    """Draw a style of each domain for each example, S ~ N(0, I); see `example_keys`."""
    keys = example_keys(key, step, index)
    styles = jax.vmap(lambda k: draw_style(architecture, k, len(DOMAINS)))(keys)
    return {domain: styles[:, i] for i, domain in enumerate(DOMAINS)}


def draw_second(
    architecture: Architecture, key: PRNGKeyArray, step: Int[Array, ""], index: Int[Array, " b"]
) -> StyleCode:
    """Draw one more style, of magnetograms, for each example."""
    return jax.vmap(lambda k: draw_style(architecture, k, 1)[0])(example_keys(key, step, index))


def make_train_step(
    recipe: Recipe, key: PRNGKeyArray, axis_name: str | None = None
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Return the pure function (state, batch) -> (state, metrics) of one step.

    The generators run forward once. The discriminators learn from those translations; then the gradient of the
    generators' objective with respect to what they made is taken through the *new* discriminators and pulled back
    through the one forward pass. The reference draws new styles for the second update and so runs the generators
    twice: `recipe.fresh_styles_for_d` gives its discriminators translations with styles of their own.

    With an adversarial weight of 0 the discriminators stay as they are.

    With `axis_name` the step is one device's share: gradients of the local means are averaged over the axis, so equal
    shares give the gradient of the global batch. (A mean over devices *inside* the differentiated loss would be wrong.)

    A step whose totals or gradients are not finite is not applied: parameters, moments and moving average stay as they
    were, and the step counts as skipped.

    Metrics: every term by its name, unweighted; the two totals; norms of gradients, parameters and updates; `skipped`
    and `skipped_in_a_row`, the steps that were not applied so far.
    """
    a, objective = recipe.architecture, recipe.objective
    optimizers = make_optimizers(recipe.optimizer)
    keys = style_keys(key)

    def average(tree: Params) -> Params:
        return tree if axis_name is None else jax.lax.pmean(tree, axis_name)

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        images = batch.images
        styles = draw_styles(a, keys.styles, state.step, batch.index)
        second = draw_second(a, keys.second, state.step, batch.index) if objective.needs_second else None
        generated, pull_back = jax.vjp(
            lambda p: generate(a, objective, p, images, styles, batch.contexts, second), state.generators
        )

        discriminators, d_optimizer = state.discriminators, state.discriminator_optimizer
        d_metrics: Metrics = {}
        if objective.adversarial_weight:
            translation = generated.translation
            if recipe.fresh_styles_for_d:
                fresh = draw_styles(a, keys.fresh, state.step, batch.index)
                translation = translate_both(a, state.generators, images, fresh, batch.contexts)
            (d_total, d_terms), d_gradient = jax.value_and_grad(
                lambda p: discriminator_objective(a, objective, p, images, translation), has_aux=True
            )(discriminators)
            discriminators, d_optimizer, d_norms = _update(
                "discriminator", optimizers.discriminators, average(d_gradient), d_optimizer, discriminators
            )
            d_metrics = average({**d_terms, "discriminator_total": d_total}) | d_norms

        (g_total, g_terms), cotangent = jax.value_and_grad(
            lambda made: generator_objective(a, objective, discriminators, images, styles, made), has_aux=True
        )(generated)
        (g_gradient,) = pull_back(cotangent)
        generators, g_optimizer, g_norms = _update(
            "generator", optimizers.generators, average(g_gradient), state.generator_optimizer, state.generators
        )

        metrics = average({**g_terms, "generator_total": g_total}) | g_norms | d_metrics
        stepped = TrainState(
            step=state.step + 1,
            skipped=state.skipped,
            skipped_in_a_row=jnp.zeros_like(state.skipped_in_a_row),
            generators=generators,
            discriminators=discriminators,
            ema=moving_average(state.ema, generators, state.step, recipe.optimizer.ema_decay),
            generator_optimizer=g_optimizer,
            discriminator_optimizer=d_optimizer,
        )
        skipped = state.replace(
            step=state.step + 1, skipped=state.skipped + 1, skipped_in_a_row=state.skipped_in_a_row + 1
        )
        names = [f"{side}_{name}" for side in ("generator", "discriminator") for name in MUST_BE_FINITE]
        finite = jnp.all(jnp.isfinite(jnp.stack([metrics[name] for name in names if name in metrics])))
        new_state = jax.tree.map(lambda new, old: jax.lax.select(finite, new, old), stepped, skipped)
        metrics |= {"skipped": new_state.skipped, "skipped_in_a_row": new_state.skipped_in_a_row}
        return new_state, metrics

    return train_step


def moving_average(ema: Params, params: Params, step: Int[Array, ""], decay: float) -> Params:
    """Return d ema + (1 - d) params with d = min(decay, (1 + step) / (10 + step)).

    The second bound shortens the memory at the start, so that the random initial weights are soon forgotten.
    """
    d = jnp.minimum(decay, (1.0 + step) / (10.0 + step))
    return jax.tree.map(lambda old, new: old + (1.0 - d).astype(old.dtype) * (new - old), ema, params)


def _update(
    side: str,
    optimizer: optax.GradientTransformation,
    gradient: Params,
    optimizer_state: optax.OptState,
    params: Params,
) -> tuple[Params, optax.OptState, Metrics]:
    updates, optimizer_state = optimizer.update(gradient, optimizer_state, params)
    trees = {"gradient": gradient, "parameter": params, "update": updates}
    norms = {f"{side}_{name}_norm": _norm(tree) for name, tree in trees.items()}
    return optax.apply_updates(params, updates), optimizer_state, norms


def _norm(tree: Params) -> Float[Array, ""]:
    """Return the Euclidean norm of all numbers of a tree, those of all biases (and the like) as of one vector.

    Every sum is a program of its own to the compiler, and loading them all is what a start waits for.
    """
    leaves = jax.tree.leaves(tree)
    vectors = [x.ravel() for x in leaves if x.ndim <= 1]
    parts = [x for x in leaves if x.ndim > 1] + ([jnp.concatenate(vectors)] if vectors else [])
    return jnp.sqrt(sum(jnp.sum(jnp.square(x)) for x in parts))
