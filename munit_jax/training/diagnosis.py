"""A step whose numbers are not finite, kept so that it can be taken again and looked into."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import jax
import jax.numpy as jnp
import numpy as np

from munit_jax.errors import DataError
from munit_jax.networks.munit import DOMAINS
from munit_jax.training.checkpoints import load_tree, save_tree
from munit_jax.training.objectives import discriminator_objective, generate, generator_objective, translate_both
from munit_jax.training.state import TrainState, init_state, make_optimizers
from munit_jax.training.step import Batch, Recipe, draw_second, draw_styles, make_train_step, style_keys
from munit_jax.training.writers import write_json

BATCH = "batch_host{}.npz"


class Finding(NamedTuple):
    """How one part of a step came out: of how many values how many are not finite, and the largest of the others."""

    name: str
    values: int
    not_finite: int
    largest: float


def save_case(
    folder: Path, config: Mapping[str, Any], state: TrainState, batch: Batch, host: int, report: Mapping[str, Any]
) -> None:
    """Keep a step that was not applied: its state, this host's part of its batch, the config and what is known.

    Every host writes its part; the state, as the step left it, is written by all of them together.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {"images": batch.images, "contexts": batch.contexts or {}}
    arrays = {f"{kind}_{domain}": x for kind, of_kind in kinds.items() for domain, x in of_kind.items()}
    np.savez(folder / BATCH.format(host), index=batch.index, **arrays)  # pyright: ignore[reportArgumentType]
    if host == 0:
        write_json(folder / "config.json", config)
        write_json(folder / "report.json", report)
    save_tree(folder / "state", state)


def load_case(folder: Path, recipe: Recipe, batch_size: int) -> tuple[TrainState, Batch]:
    """Return the state before a step that was kept by `save_case` and its global batch, leaves (b, ...).

    Raises:
        DataError: the folder does not hold one.
    """
    parts = sorted(folder.glob(BATCH.format("*")))
    if not parts or not (folder / "state").is_dir():
        raise DataError(f"{folder} holds no step to replay: give a folder of RUN/diagnostics")
    try:
        loaded = [dict(np.load(part)) for part in parts]
    except (OSError, ValueError, BadZipFile) as error:
        raise DataError(f"{folder} cannot be read: {error}") from None
    whole = {key: np.concatenate([part[key].reshape(-1, *part[key].shape[2:]) for part in loaded]) for key in loaded[0]}
    order = np.argsort(whole["index"])
    if whole["index"][order].tolist() != list(range(batch_size)):
        raise DataError(f"{folder} does not hold the whole batch of {batch_size}: a host's part is missing")
    kinds = {
        kind: {d: jnp.asarray(whole[f"{kind}_{d}"][order]) for d in DOMAINS if f"{kind}_{d}" in whole}
        for kind in ("images", "contexts")
    }
    abstract = jax.eval_shape(lambda: init_state(recipe.architecture, make_optimizers(recipe.optimizer), 0))
    after = load_tree(folder / "state", abstract)
    before = after.replace(step=after.step - 1, skipped=after.skipped - 1, skipped_in_a_row=after.skipped_in_a_row - 1)
    index = jnp.asarray(whole["index"][order])
    return before, Batch(images=kinds["images"], index=index, contexts=kinds["contexts"] or None)


def replay(recipe: Recipe, seed: int, state: TrainState, batch: Batch) -> tuple[bool, list[Finding]]:
    """Take a step again on one device; return whether it is applied now, and what its parts hold, in their order."""
    _, metrics = jax.jit(make_train_step(recipe, jax.random.key(seed)))(state, batch)
    names: list[str] = []

    @jax.jit
    def values(state: TrainState, batch: Batch) -> list[Any]:
        parts = list(_parts(recipe, jax.random.key(seed), state, batch))
        names.extend(name for name, _ in parts)
        return [value for _, value in parts]

    computed = values(state, batch)
    findings = [finding(name, value) for name, value in zip(names, computed, strict=True)]
    findings += [finding(name, value) for name, value in sorted(metrics.items()) if not name.startswith("skipped")]
    return int(metrics["skipped"]) == int(state.skipped), findings


def _parts(recipe: Recipe, key: Any, state: TrainState, batch: Batch) -> Iterator[tuple[str, Any]]:
    a, objective, images = recipe.architecture, recipe.objective, batch.images
    for domain, image in images.items():
        yield f"images, {domain}", image
    for domain, planes in (batch.contexts or {}).items():
        yield f"context, {domain}", planes
    for domain, params in state.generators.items():
        yield f"generator parameters, {domain}", params
    for domain, params in state.discriminators.items():
        yield f"discriminator parameters, {domain}", params
    yield "generators' optimiser", state.generator_optimizer
    yield "discriminators' optimiser", state.discriminator_optimizer

    keys = style_keys(key)
    styles = draw_styles(a, keys.styles, state.step, batch.index)
    second = draw_second(a, keys.second, state.step, batch.index) if objective.needs_second else None
    made, pull_back = jax.vjp(
        lambda p: generate(a, objective, p, images, styles, batch.contexts, second), state.generators
    )
    for name in made.__dataclass_fields__:
        for domain, value in getattr(made, name).items():
            yield f"{name.replace('_', ' ')}, {domain}", value
    if objective.adversarial_weight:
        translation = made.translation
        if recipe.fresh_styles_for_d:
            fresh = draw_styles(a, keys.fresh, state.step, batch.index)
            translation = translate_both(a, state.generators, images, fresh, batch.contexts)
        d_gradient = jax.grad(lambda p: discriminator_objective(a, objective, p, images, translation), has_aux=True)(
            state.discriminators
        )[0]
        for domain, gradient in d_gradient.items():
            yield f"discriminator gradient, {domain}", gradient
    cotangent = jax.grad(
        lambda m: generator_objective(a, objective, state.discriminators, images, styles, m), has_aux=True
    )(made)[0]
    for domain, gradient in pull_back(cotangent)[0].items():
        yield f"generator gradient (before the discriminators' update), {domain}", gradient


def finding(name: str, tree: Any) -> Finding:
    """Count what is not finite in a tree of arrays."""
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]
    finite = [leaf[np.isfinite(leaf)] for leaf in leaves]
    largest = max((float(np.abs(leaf).max()) for leaf in finite if leaf.size), default=0.0)
    values = sum(leaf.size for leaf in leaves)
    return Finding(name, values, values - sum(leaf.size for leaf in finite), largest)


def table(findings: Sequence[Finding]) -> str:
    """Return the findings as lines of text, those that are not finite marked."""
    width = max(len(f.name) for f in findings)
    lines = [f"{'':<{width}}  {'values':>12}  {'not finite':>12}  {'largest':>12}"]
    for f in findings:
        mark = "  <--" if f.not_finite else ""
        lines.append(f"{f.name:<{width}}  {f.values:>12}  {f.not_finite:>12}  {f.largest:>12.4g}{mark}")
    return "\n".join(lines)


def not_finite(metrics: Mapping[str, float]) -> list[str]:
    """Return the names of the metrics that are not finite."""
    return sorted(name for name, value in metrics.items() if not np.isfinite(value))
