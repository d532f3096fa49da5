"""The training step: what moves when, on one device and on four, traced once."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from munit_jax.networks.munit import DOMAINS, OTHER, decode, encode_content
from munit_jax.training import parallel
from munit_jax.training.objectives import discriminator_objective, generate, generator_objective, translate_both
from munit_jax.training.parallel import make_parallel_step, replicate, split_batch
from munit_jax.training.state import OptimizerSettings, init_state, make_optimizers
from munit_jax.training.step import (
    Batch,
    draw_styles,
    make_train_step,
    moving_average,
    style_keys,
)


def start(recipe):
    """The initial state, in the precision of the recipe."""
    state = init_state(recipe.architecture, make_optimizers(recipe.optimizer), 0)
    floats = jnp.dtype(recipe.architecture.dtype)
    return jax.tree.map(lambda x: np.asarray(x, floats if jnp.issubdtype(x.dtype, jnp.floating) else None), state)


def whole(images, contexts=None) -> Batch:
    return Batch(images=images, index=jnp.arange(4), contexts=contexts)


@pytest.fixture(scope="module")
def step(recipe):
    """The plain function of a step, compiled once."""
    return jax.jit(make_train_step(recipe, jax.random.key(7)))


@pytest.fixture(scope="module")
def taken(recipe, step, images):
    """A state, and the state and metrics after one step."""
    state = start(recipe)
    after, metrics = step(state, whole(images))
    return state, jax.device_get(after), metrics


def test_metrics_hold_every_term_by_its_name(taken):
    *_, metrics = taken
    terms = ["adversarial", "image_reconstruction", "content_reconstruction", "style_reconstruction"]
    terms += ["cycle_reconstruction", "paired_translation", "discriminator"]
    expected = {f"{term}_{domain}" for term in terms for domain in DOMAINS} | {"paired_unsigned_field"}
    sides = ("generator", "discriminator")
    expected |= {
        f"{side}_{what}"
        for side in sides
        for what in ("total", *(f"{x}_norm" for x in ("gradient", "parameter", "update")))
    }
    expected |= {f"discriminator_accuracy_{domain}" for domain in DOMAINS} | {"skipped", "skipped_in_a_row"}
    assert set(metrics) == expected
    assert all(np.isfinite(value) for value in metrics.values())


def test_norms_are_those_of_all_parameters(taken):
    state, _, metrics = taken
    for side, params in (("generator", state.generators), ("discriminator", state.discriminators)):
        squares = [np.square(x).sum() for x in jax.tree.leaves(params)]
        np.testing.assert_allclose(metrics[f"{side}_parameter_norm"], np.sqrt(np.sum(squares)), rtol=1e-5)


def test_step_is_the_discriminators_update_then_the_generators_seeing_it(recipe, images, taken):
    """The same step written plainly: two forward passes, two gradients, in the reference's order."""
    state, after, _ = taken
    images = jax.tree.map(jnp.asarray, images)
    a, objective, optimizers = recipe.architecture, recipe.objective, make_optimizers(recipe.optimizer)
    styles = draw_styles(a, style_keys(jax.random.key(7)).styles, jnp.zeros((), jnp.int32), jnp.arange(4))

    @jax.jit
    def plain(generators, discriminators):
        translation = {
            x: decode(a, generators, x, encode_content(a, generators, OTHER[x], images[OTHER[x]]), styles[x])
            for x in DOMAINS
        }
        d_gradient = jax.grad(lambda p: discriminator_objective(a, objective, p, images, translation)[0])(
            discriminators
        )
        updates, _ = optimizers.discriminators.update(d_gradient, state.discriminator_optimizer, discriminators)
        new_discriminators = optax.apply_updates(discriminators, updates)

        def total(p):
            made = generate(a, objective, p, images, styles)
            return generator_objective(a, objective, new_discriminators, images, styles, made)[0]

        clip = optax.clip_by_global_norm(recipe.optimizer.clip_norm)
        clipped, _ = clip.update(jax.grad(total)(generators), optax.EmptyState())
        return new_discriminators, clipped

    discriminators, clipped = jax.device_get(plain(state.generators, state.discriminators))
    close(after.discriminators, discriminators, 1e-5)
    # b1 = 0.5: after one step the first moment is half the (clipped and decayed) gradient.
    decayed = jax.tree.map(lambda g, p: g + recipe.optimizer.weight_decay * p, clipped, state.generators)
    close(jax.tree.map(lambda m: 2 * m, adam(after.generator_optimizer).mu), decayed, 1e-4)
    # Adam's first step from that moment alone: nothing else moves the generators.
    rate, epsilon = recipe.optimizer.learning_rate, 1e-8
    moments = jax.tree.map(lambda m: 2 * m, adam(after.generator_optimizer).mu)
    stepped = jax.tree.map(lambda p, g: p - rate * g / (np.abs(g) + epsilon), state.generators, moments)
    close(after.generators, stepped, 1e-5)


def adam(optimizer_state) -> optax.ScaleByAdamState:
    (found,) = [s for s in optimizer_state if isinstance(s, optax.ScaleByAdamState)]
    return found


def close(one, other, relative: float) -> None:
    """Agree leaf by leaf, relative to the largest entry of each."""
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(one), jax.tree.leaves(other), strict=True):
        scale = max(np.abs(y).max(), 1e-12)
        np.testing.assert_allclose(x, y, rtol=0, atol=relative * scale, err_msg=jax.tree_util.keystr(path))


def test_each_side_moves_by_its_own_objective_only(recipe, images, taken):
    """Without a discriminator loss to follow, the discriminators stay, whatever the generators do; and the reverse."""
    state, *_ = taken
    images = jax.tree.map(jnp.asarray, images)
    a, objective = recipe.architecture, recipe.objective
    styles = draw_styles(a, jax.random.key(1), jnp.zeros((), jnp.int32), jnp.arange(4))

    @jax.jit
    def gradients(generators, discriminators):
        def d_total(g, d):
            made = generate(a, objective, g, images, styles)
            return discriminator_objective(a, objective, d, images, made.translation)[0]

        return jax.grad(d_total, argnums=(0, 1))(generators, discriminators)

    to_generators, to_discriminators = gradients(state.generators, state.discriminators)
    assert all((g == 0).all() for g in jax.tree.leaves(to_generators)), "translations are detached"
    assert any((g != 0).any() for g in jax.tree.leaves(to_discriminators))


@pytest.mark.parametrize("spoilt", ["image", "discriminator"])
def test_a_step_that_is_not_finite_is_not_applied(recipe, step, images, spoilt):
    """One bad pixel, or one bad weight of the discriminators: all stays bit for bit, only the counts go on."""
    state, batch = jax.tree.map(jnp.asarray, start(recipe)), jax.tree.map(jnp.asarray, images)
    good, metrics = step(state, whole(batch))
    assert (int(metrics["skipped"]), int(good.skipped_in_a_row)) == (0, 0)
    bad_state = good
    if spoilt == "image":
        batch["euv"] = batch["euv"].at[2, 3, 4, 0].set(jnp.nan)
    else:
        first, *others = jax.tree.leaves(good.discriminators)
        tree = jax.tree.structure(good.discriminators)
        bad_state = good.replace(discriminators=tree.unflatten([first.at[(0,) * first.ndim].set(jnp.inf), *others]))
    after, metrics = step(bad_state, whole(batch))
    after, metrics = step(after, whole(batch))
    assert (int(after.step), int(after.skipped), int(after.skipped_in_a_row)) == (3, 2, 2)
    assert (int(metrics["skipped"]), int(metrics["skipped_in_a_row"])) == (2, 2)
    counts = {"step": good.step, "skipped": good.skipped, "skipped_in_a_row": good.skipped_in_a_row}
    chex.assert_trees_all_equal(after.replace(**counts), bad_state)
    if spoilt == "image":
        again, _ = step(after, whole(jax.tree.map(jnp.asarray, images)))
        assert (int(again.skipped), int(again.skipped_in_a_row)) == (2, 0)
        moved = [not np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (again.ema, good.ema)), strict=True)]
        assert any(moved)


@pytest.mark.slow
def test_fresh_styles_for_d_are_a_second_draw(recipe, images):
    """The reference's form: the discriminators learn from translations with styles of their own."""
    a, step, index = recipe.architecture, jnp.zeros((), jnp.int32), jnp.arange(4)
    state = jax.tree.map(jnp.asarray, start(recipe))
    # Freshly drawn discriminators answer nearly 0 to everything: let them tell one style from another.
    state = state.replace(discriminators=jax.tree.map(lambda x: 20 * x, state.discriminators))
    images = jax.tree.map(jnp.asarray, images)
    fresh_recipe = dataclasses.replace(recipe, fresh_styles_for_d=True)
    _, metrics = jax.jit(make_train_step(fresh_recipe, jax.random.key(7)))(state, whole(images))

    @jax.jit
    def plain(styles):
        translation = translate_both(a, state.generators, images, styles)
        return discriminator_objective(a, recipe.objective, state.discriminators, images, translation)[0]

    keys = style_keys(jax.random.key(7))
    shared, fresh = (draw_styles(a, key, step, index) for key in (keys.styles, keys.fresh))
    assert metrics["discriminator_total"] == pytest.approx(float(plain(fresh)), rel=1e-5)
    assert metrics["discriminator_total"] != pytest.approx(float(plain(shared)), rel=1e-4)


@pytest.mark.slow
def test_one_device_with_four_images_equals_four_devices_with_one_each(conditioned, images, contexts, monkeypatch):
    """Every parameter within 1e-5, after three steps, in float64; each device count traced once.

    Without contexts the test of several hosts says the same.

    In float32 the gradients agree within round-off too, but Adam's first steps have the size of the learning rate
    however small the gradient, so that round-off decides the direction of the few entries whose gradient is nearly 0.
    """

    def traced_once(*arguments):
        chex.clear_trace_counter()  # it counts by name
        return chex.assert_max_traces(make_train_step(*arguments), n=1)

    monkeypatch.setattr(parallel, "make_train_step", traced_once)
    recipe = dataclasses.replace(
        conditioned, architecture=dataclasses.replace(conditioned.architecture, dtype="float64")
    )
    ends = []
    with jax.enable_x64(True):
        for devices in (jax.devices()[:1], jax.devices()[:4]):
            state, step = replicate(start(recipe), devices), make_parallel_step(recipe, 3, devices)
            for _ in range(3):
                state, metrics = step(state, split_batch(images, len(devices), contexts=contexts))
            ends.append(jax.device_get((state, metrics)))
    one, four = ends
    assert jax.tree.leaves(one[0].generators)[0].dtype == np.float64
    assert one[0].step == four[0].step == 3
    close(one[0].generators, four[0].generators, 1e-5)
    close(one[0].discriminators, four[0].discriminators, 1e-5)
    close(one[0].ema, four[0].ema, 1e-5)
    close(one[1], four[1], 1e-5)


@pytest.mark.slow
def test_the_ensemble_term_leaves_all_other_terms_of_a_step(recipe, images, taken):
    """Its style is drawn beside the others: the step without the term has the same values of all that it has."""
    weight = 3.0
    asked = dataclasses.replace(recipe, objective=dataclasses.replace(recipe.objective, ensemble_weight=weight))
    state, _, plain = taken
    after, metrics = jax.jit(make_train_step(asked, jax.random.key(7)))(state, whole(images))
    assert set(metrics) - set(plain) == {"ensemble_crps"}
    of_objectives = [name for name in plain if not name.endswith(("_norm", "generator_total"))]
    for name in of_objectives:
        assert float(metrics[name]) == pytest.approx(float(plain[name]), rel=1e-5), name
    added = float(metrics["generator_total"] - plain["generator_total"])
    assert added == pytest.approx(weight * float(metrics["ensemble_crps"]), rel=1e-3)
    close(after.discriminators, taken[1].discriminators, 1e-5)
    assert metrics["generator_gradient_norm"] != pytest.approx(float(plain["generator_gradient_norm"]), rel=1e-3)


@pytest.mark.slow
def test_without_the_adversarial_term_the_discriminators_stay_as_they_are(recipe, images, taken):
    alone = dataclasses.replace(recipe, objective=dataclasses.replace(recipe.objective, adversarial_weight=0.0))
    state, _, plain = taken
    after, metrics = jax.jit(make_train_step(alone, jax.random.key(7)))(state, whole(images))
    close(after.discriminators, state.discriminators, 0)
    close(after.discriminator_optimizer, state.discriminator_optimizer, 0)
    left_out = {name for name in plain if "discriminator" in name or name.startswith("adversarial")}
    assert set(metrics) == set(plain) - left_out
    for name in set(metrics) - {name for name in metrics if name.endswith(("_norm", "_total"))}:
        assert float(metrics[name]) == pytest.approx(float(plain[name]), rel=1e-5), name
    of_both = sum(float(plain[f"adversarial_{domain}"]) for domain in images)
    assert float(plain["generator_total"] - metrics["generator_total"]) == pytest.approx(of_both, rel=1e-3)
    assert int(after.skipped) == 0
    assert float(metrics["generator_update_norm"]) > 0


@pytest.mark.slow
def test_a_step_sees_its_contexts(conditioned, images, contexts):
    """Those of the EUV images turned, the translations to magnetograms are others; no context at all is refused."""
    state = start(conditioned)
    step = jax.jit(make_train_step(conditioned, jax.random.key(7)))
    turned = {**contexts, "euv": -contexts["euv"]}
    one, other = (step(state, whole(images, planes))[1] for planes in (contexts, turned))
    for name in ("ensemble_crps", "paired_unsigned_field", "image_reconstruction_euv"):
        assert float(one[name]) != pytest.approx(float(other[name]), rel=1e-6), name
    same = "image_reconstruction_magnetogram"
    assert float(one[same]) == pytest.approx(float(other[same]), rel=1e-6), "it has the context of its own image"
    with pytest.raises(ValueError, match="the decoders take a context of 3 planes, got 0"):
        jax.eval_shape(make_train_step(conditioned, jax.random.key(7)), state, whole(images))


def test_moving_average_by_hand():
    # Long after the start d = 0.9: 0.9 * 1 + 0.1 * 3; at step 0 d = 1 / 10.
    old, new = {"w": jnp.array(1.0)}, {"w": jnp.array(3.0)}
    assert moving_average(old, new, jnp.asarray(10_000), 0.9)["w"] == pytest.approx(1.2)
    assert moving_average(old, new, jnp.asarray(0), 0.9)["w"] == pytest.approx(0.1 * 1 + 0.9 * 3)


def test_optimizers_begin_as_optax_has_it(recipe):
    optimizers = make_optimizers(recipe.optimizer)
    state = init_state(recipe.architecture, optimizers, 0)
    for begun, optimizer, params in (
        (state.generator_optimizer, optimizers.generators, state.generators),
        (state.discriminator_optimizer, optimizers.discriminators, state.discriminators),
    ):
        close(begun, jax.jit(optimizer.init)(params), 0)


def test_first_adam_step_by_hand():
    """Adam's bias-corrected first step is lr g / (|g| + eps) = lr; weight decay joins the gradient, not the step."""
    params = {"w": jnp.array([2.0, 2.0])}
    optimizer = make_optimizers(OptimizerSettings(learning_rate=0.1, weight_decay=0.5)).generators
    # With decay the gradient -1 + 0.5 * 2 vanishes and 1 + 0.5 * 2 does not.
    updates, _ = optimizer.update({"w": jnp.array([-1.0, 1.0])}, optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], [0.0, -0.1], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({}, [0.1, 0.1, 0.1, 0.1, 0.1]),
        ({"halve_every": 2}, [0.1, 0.1, 0.05, 0.05, 0.025]),
        ({"warm_up": 3}, [0.025, 0.05, 0.075, 0.1, 0.1]),
        ({"warm_up": 1, "halve_every": 2}, [0.05, 0.1, 0.1, 0.05, 0.05]),
        # (1 + cos(k pi / 4)) / 2
        ({"cosine": True, "steps": 4}, [0.1, 0.0853553, 0.05, 0.0146447, 0.0]),
        ({"cosine": True, "steps": 2, "warm_up": 4}, [0.02, 0.04, 0.06, 0.08, 0.1]),
        ({"cosine": True, "steps": 5, "warm_up": 1}, [0.05, 0.1, 0.0853553, 0.05, 0.0146447]),
    ],
)
def test_learning_rates_by_hand(settings, rates):
    """Under a constant gradient Adam's steps are the learning rates."""
    optimizer = make_optimizers(OptimizerSettings(learning_rate=0.1, **settings)).generators
    params = {"w": jnp.array(0.0)}
    state, steps = optimizer.init(params), []
    for _ in rates:
        updates, state = optimizer.update({"w": jnp.array(1.0)}, state, params)
        steps.append(-float(updates["w"]))
    np.testing.assert_allclose(steps, rates, rtol=1e-4, atol=1e-9)


def test_split_batch(images):
    batch = split_batch(images, 2)
    assert batch.images["euv"].shape == (2, 2, 16, 16, 1)
    np.testing.assert_array_equal(batch.index, [[0, 1], [2, 3]])
    np.testing.assert_array_equal(batch.images["magnetogram"][1, 0], images["magnetogram"][2])
    assert batch.contexts is None
    # Host 1 of 3 has the examples 1, 4, 7 and 10 of twelve.
    np.testing.assert_array_equal(split_batch(images, 2, host=1, hosts=3).index, [[1, 4], [7, 10]])
    with pytest.raises(ValueError, match="a batch of 4 examples does not divide by 3 devices"):
        split_batch(images, 3)


def test_contexts_are_shared_out_with_their_images(images, contexts):
    batch = split_batch(images, 2, host=1, hosts=3, contexts=contexts)
    assert batch.contexts is not None
    np.testing.assert_array_equal(batch.index, [[1, 4], [7, 10]])
    for domain in DOMAINS:
        assert batch.contexts[domain].shape == (2, 2, 16, 16, 3)
        np.testing.assert_array_equal(batch.contexts[domain].reshape(4, 16, 16, 3), contexts[domain])
