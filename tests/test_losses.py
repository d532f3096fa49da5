"""Each loss term against hand-worked values, its invariants, and finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from munit_jax import losses
from munit_jax.metrics.ensemble import ensemble_sums

RECONSTRUCTIONS = [
    losses.image_reconstruction,
    losses.content_reconstruction,
    losses.cycle_reconstruction,
    losses.paired_translation,
    losses.paired_unsigned_field,
]
FORMS = ["log", "lsgan", "hinge"]


def image(*values: float) -> jax.Array:
    return jnp.array(values).reshape(1, 1, -1, 1)


def logits(*scales: list[float]) -> tuple[jax.Array, ...]:
    return tuple(jnp.array(scale).reshape(1, 1, -1, 1) for scale in scales)


@pytest.mark.parametrize("loss", RECONSTRUCTIONS)
def test_reconstruction_is_the_mean_absolute_error(loss):
    # |1 - 0| + |2 - 0| + |3 - 4| + |4 - 4| = 4 over 4 pixels
    assert loss(image(1, 2, 3, 4), image(0, 0, 4, 4)) == pytest.approx(1.0)


def test_unsigned_field_does_not_see_the_polarity():
    generated, true = image(100, -250, 3), image(-90, -200, 0)
    assert losses.paired_unsigned_field(generated, true) == pytest.approx((10 + 50 + 3) / 3)
    assert losses.paired_unsigned_field(-true, true) == 0
    assert losses.paired_translation(generated, true) == pytest.approx((190 + 50 + 3) / 3)


@pytest.mark.parametrize("loss", RECONSTRUCTIONS)
def test_reconstruction_of_a_batch_is_the_mean_of_its_images(loss):
    key_a, key_b = jax.random.split(jax.random.key(0))
    a, b = jax.random.normal(key_a, (3, 4, 5, 2)), jax.random.normal(key_b, (3, 4, 5, 2))
    single = [loss(a[i], b[i]) for i in range(3)]
    assert loss(a, b) == pytest.approx(np.mean(single), rel=1e-6)


@pytest.mark.parametrize("loss", RECONSTRUCTIONS)
def test_reconstruction_refuses_other_shapes(loss):
    with pytest.raises(ValueError, match=r"got \(1, 1, 2, 1\) and \(1, 1, 3, 1\)"):
        loss(image(1, 2), image(1, 2, 3))


def test_ensemble_crps_by_hand():
    """Distances to the truth, less that of the two, halved: (2 + 4 - 2) / 2, (1 + 1 - 2) / 2, (3 + 3 - 0) / 2."""
    first, second, true = image(3, 4, -2), image(5, 2, -2), image(1, 3, 1)
    assert losses.ensemble_crps(first, second, true) == pytest.approx((2 + 0 + 3) / 3)
    assert losses.ensemble_crps(second, first, true) == pytest.approx((2 + 0 + 3) / 3)


def test_ensemble_crps_of_the_truth_is_0_and_of_one_field_its_mean_absolute_error():
    field, true = image(100, -250, 3), image(-90, -200, 0)
    assert losses.ensemble_crps(true, true, true) == 0
    assert losses.ensemble_crps(field, field, true) == pytest.approx(losses.paired_translation(field, true))
    assert losses.ensemble_crps(-true, true, true) == 0, "no realisation is better than one that is right"


def test_ensemble_crps_is_the_distance_from_what_lies_between_the_two():
    """Of a single pair it is 0 wherever the truth is between them: what they differ by is taken off, not added."""
    rng = np.random.default_rng(0)
    a, b, true = (jnp.asarray(rng.normal(size=(2, 5, 6, 1)), jnp.float32) for _ in range(3))
    low, high = jnp.minimum(a, b), jnp.maximum(a, b)
    outside = jnp.maximum(low - true, 0) + jnp.maximum(true - high, 0)
    assert losses.ensemble_crps(a, b, true) == pytest.approx(float(outside.mean()), rel=1e-5)
    single = [losses.ensemble_crps(a[i], b[i], true[i]) for i in range(2)]
    assert losses.ensemble_crps(a, b, true) == pytest.approx(np.mean(single), rel=1e-5)


def test_ensemble_crps_is_the_fair_one_that_evaluation_sums():
    rng = np.random.default_rng(1)
    a, b, true = (jnp.asarray(rng.normal(size=(4, 4)), jnp.float32) for _ in range(3))
    sums = ensemble_sums(jnp.stack([a, b]), true, jnp.ones((1, 4, 4), bool))
    expected = float(sums["fair_crps"][0]) / 16
    assert losses.ensemble_crps(a[..., None], b[..., None], true[..., None]) == pytest.approx(expected, rel=1e-5)


def test_ensemble_crps_is_least_where_realisations_are_spread_as_the_truth_is():
    """True values are +1 with a probability p, else -1. Drawn with q: 2 (p (1 - q)^2 + (1 - p) q^2), least at q = p."""
    rng = np.random.default_rng(2)

    def signs(probability: float) -> jax.Array:
        return jnp.asarray(np.where(rng.random((1, 1, 100_000, 1)) < probability, 1.0, -1.0), jnp.float32)

    for p in (0.5, 0.8):
        true = signs(p)
        scores = {q: float(losses.ensemble_crps(signs(q), signs(q), true)) for q in (0.0, 0.2, 0.5, 0.8, 1.0)}
        for q, score in scores.items():
            assert score == pytest.approx(2 * (p * (1 - q) ** 2 + (1 - p) * q**2), abs=0.02)
        assert min(scores, key=scores.__getitem__) == p
        nothing = jnp.zeros_like(true)
        assert scores[p] < 0.6 < losses.ensemble_crps(nothing, nothing, true) == pytest.approx(1.0)


def test_ensemble_crps_moves_the_nearer_realisation_alone():
    """Both on one side of the truth: the farther one is pulled back by its error and pushed off by the nearer one."""
    gradients = jax.grad(losses.ensemble_crps, argnums=(0, 1))(image(5.0), image(3.0), image(2.0))
    assert [float(g.item()) for g in gradients] == [0.0, 1.0]


@pytest.mark.parametrize("other", [0, 1, 2])
def test_ensemble_crps_refuses_other_shapes(other):
    images = [image(1, 2)] * 3
    images[other] = image(1, 2, 3)
    with pytest.raises(ValueError, match=r"ensemble_crps compares arrays of one shape, got \(1, 1, [23], 1\) and"):
        losses.ensemble_crps(*images)


def test_ensemble_flux_crps_by_hand():
    """Blocks of 2 x 2 alone divide 2 x 4 pixels: twice their means, 6 and 0 against 2 and 0, arcsinh in units of 2."""
    true = jnp.asarray([[1, 1, 8, -8], [1, 1, 0, 0]], jnp.float32)[None, ..., None]
    made = jnp.asarray([[12, 0, 0, 0], [0, 0, 0, 0]], jnp.float32)[None, ..., None]
    expected = (np.arcsinh(6 / 2) - np.arcsinh(2 / 2) + 0) / 2
    assert losses.ensemble_flux_crps(made, made, true, 2.0) == pytest.approx(expected)
    assert losses.ensemble_flux_crps(made, true, true, 2.0) == 0, "one realisation has the right means"


def test_ensemble_flux_crps_sees_what_is_alike_over_the_disk():
    """An error of 1 everywhere counts n at blocks of n; signs in turn as in a checkerboard, nothing."""
    true, weak = jnp.zeros((1, 8, 8, 1)), 1e4
    everywhere = true + 1
    in_turn = jnp.asarray((-1.0) ** np.add.outer(range(8), range(8)), jnp.float32)[None, ..., None]
    score = weak * losses.ensemble_flux_crps(everywhere, everywhere, true, weak)
    assert score == pytest.approx((2 + 4 + 8) / 3, rel=1e-4)
    assert losses.ensemble_flux_crps(in_turn, in_turn, true, weak) == 0
    assert losses.ensemble_crps(in_turn, in_turn, true) == losses.ensemble_crps(everywhere, everywhere, true) == 1


def test_ensemble_flux_crps_counts_all_scales_alike_where_pixels_are_independent():
    """n times the mean of n x n independent values is spread as one of them; E|x| - E|x - y| / 2 of two normals."""
    rng, weak = np.random.default_rng(3), 1e4
    a, b, true = (jnp.asarray(rng.normal(size=(400, 8, 8, 1)), jnp.float32) for _ in range(3))
    score = weak * losses.ensemble_flux_crps(a, b, true, weak)
    assert score == pytest.approx(1 / np.sqrt(np.pi), rel=0.05)
    assert losses.ensemble_crps(a, b, true) == pytest.approx(1 / np.sqrt(np.pi), rel=0.05)


def test_ensemble_flux_crps_refuses_what_has_no_blocks():
    with pytest.raises(ValueError, match="blocks of 2 x 2 pixels or more, got 1 x 3"):
        losses.ensemble_flux_crps(*[image(1, 2, 3)] * 3, 1.0)


def test_ensemble_flux_crps_gradients_against_finite_differences():
    with jax.enable_x64(True):
        rng = np.random.default_rng(4)
        arrays = (rng.normal(0, 3, (1, 4, 4, 1)) for _ in range(3))
        flux = functools.partial(losses.ensemble_flux_crps, scale=2.0)
        check_grads(flux, tuple(arrays), order=1, modes=["rev"], rtol=1e-5)


def surface(*rows: float) -> jax.Array:
    """Return a map of two columns."""
    return jnp.broadcast_to(jnp.array(rows)[None, :, None], (1, len(rows), 2))


def test_source_surface_error_by_hand():
    """Errors 1, 0 and -2 of true values 1, 2 and 2, rows that weigh 1, 2 and 1: (1 + 4) / (12 + 13)."""
    weights = jnp.array([1.0, 2.0, 1.0])
    assert losses.source_surface_error(surface(2, 2, 0), surface(1, 2, 2), weights) == pytest.approx(5 / 25)


def test_source_surface_error_of_nothing_is_1_and_of_the_wrong_sign_2():
    true, weights = surface(0.1, -0.2, 0.05), jnp.ones(3)
    assert losses.source_surface_error(true, true, weights) == 0
    assert losses.source_surface_error(0 * true, true, weights) == pytest.approx(1)
    assert losses.source_surface_error(-true, true, weights) == pytest.approx(2)
    assert losses.source_surface_error(-1000 * true, true, weights) == pytest.approx(1, abs=0.01), (
        "never dominates the rest"
    )


def test_source_surface_error_of_a_batch_is_the_mean_of_its_frames():
    true, weights = jnp.concatenate([surface(1, 1), surface(10, 10)]), jnp.ones(2)
    generated = jnp.concatenate([surface(2, 2), surface(10, 10)])
    assert losses.source_surface_error(generated, true, weights) == pytest.approx((1 / 5 + 0) / 2)


def test_a_surface_without_field_does_not_divide_by_zero():
    nothing, weights = surface(0.0, 0.0), jnp.ones(2)
    assert losses.source_surface_error(surface(0.01, 0.01), nothing, weights) == pytest.approx(1)
    gradient = jax.grad(losses.source_surface_error)(nothing, nothing, weights)
    assert jnp.isfinite(gradient).all()


def test_source_surface_error_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"compares one shape, got \(1, 2, 2\) and \(1, 3, 2\)"):
        losses.source_surface_error(surface(1, 2), surface(1, 2, 3), jnp.ones(2))


def test_style_reconstruction():
    # (|1 - 0.5| + |0 - 0|) / 2 and (|-1 - 1| + |2 - 1|) / 2, mean 0.875
    recovered, style = jnp.array([[1.0, 0.0], [-1.0, 2.0]]), jnp.array([[0.5, 0.0], [1.0, 1.0]])
    assert losses.style_reconstruction(recovered, style) == pytest.approx(0.875)
    with pytest.raises(ValueError, match="style_reconstruction compares arrays of one shape"):
        losses.style_reconstruction(recovered, style[:1])


def test_log_form_at_the_optimum_is_minus_log_4_a_scale():
    """Goodfellow et al. 2014, theorem 1: where the discriminator cannot tell, G = 1/2, its value is -log 4."""
    one, two = logits([0.0, 0.0]), logits([0.0], [0.0])
    assert losses.adversarial_value(one, one) == pytest.approx(-np.log(4))
    assert losses.adversarial_value(two, two) == pytest.approx(-2 * np.log(4))
    assert losses.discriminator_adversarial(one, one, "log") == pytest.approx(np.log(4))
    assert losses.generator_adversarial(one, "log") == pytest.approx(-np.log(2))
    assert losses.generator_adversarial(one, "log", non_saturating=True) == pytest.approx(np.log(2))


def test_log_form_by_hand():
    # G = 3/4 at logit log 3: E log G(x) + E log(1 - G(fake)) = log(3/4) + log(1/4)
    x = logits([np.log(3.0)])
    assert losses.adversarial_value(x, x) == pytest.approx(np.log(3 / 16))
    assert losses.discriminator_adversarial(x, x, "log") == pytest.approx(-np.log(3 / 16))
    assert losses.generator_adversarial(x, "log") == pytest.approx(np.log(1 / 4))
    assert losses.generator_adversarial(x, "log", non_saturating=True) == pytest.approx(-np.log(3 / 4))


def test_log_discriminator_loss_is_minus_the_value_that_the_generator_minimises():
    """One game: with the real images fixed, the generator's term is its part of the discriminator's value."""
    real, fake = logits([0.3, -1.2], [2.0]), logits([0.1, 0.7], [-0.4])
    value = losses.adversarial_value(real, fake)
    assert losses.discriminator_adversarial(real, fake, "log") == pytest.approx(-float(value))
    real_part = losses.adversarial_value(real, logits([0.0, 0.0], [0.0])) + 2 * np.log(2)
    assert losses.generator_adversarial(fake, "log") == pytest.approx(float(value - real_part), rel=1e-5)


def test_lsgan_by_hand():
    # Mao et al. 2017, eq. 9 without 1/2. Scale 1: mean((1-1)^2, (3-1)^2) + mean(2^2, 0) = 2 + 2; scale 2: 1 + 9.
    real, fake = logits([1.0, 3.0], [2.0]), logits([2.0, 0.0], [3.0])
    assert losses.discriminator_adversarial(real, fake, "lsgan") == pytest.approx(14.0)
    # mean((2-1)^2, (0-1)^2) + (3-1)^2
    assert losses.generator_adversarial(fake, "lsgan") == pytest.approx(5.0)


def test_hinge_by_hand():
    # Lim and Ye 2017, eq. 4. Real: mean(max(0, 1-2), max(0, 1-0)) = 0.5; fake: mean(max(0, 1+1), max(0, 1-3)) = 1.
    real, fake = logits([2.0, 0.0]), logits([1.0, -3.0])
    assert losses.discriminator_adversarial(real, fake, "hinge") == pytest.approx(1.5)
    assert losses.generator_adversarial(fake, "hinge") == pytest.approx(1.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_large_logits_stay_finite(form, sign):
    real, fake = logits([100.0 * sign]), logits([-100.0 * sign])
    for loss in (
        lambda x: losses.discriminator_adversarial(real, x, form),
        lambda x: losses.discriminator_adversarial(x, real, form),
        lambda x: losses.generator_adversarial(x, form, False),
        lambda x: losses.generator_adversarial(x, form, True),
    ):
        value, gradient = jax.value_and_grad(loss)(fake)
        assert np.isfinite(value)
        assert all(np.isfinite(g).all() for g in gradient)


def test_non_saturating_keeps_its_gradient_where_the_discriminator_wins():
    fake = logits([-20.0])
    (saturated,) = jax.grad(lambda x: losses.generator_adversarial(x, "log", False))(fake)
    (kept,) = jax.grad(lambda x: losses.generator_adversarial(x, "log", True))(fake)
    assert abs(saturated.item()) < 1e-8
    assert kept.item() == pytest.approx(-1.0)


@pytest.mark.parametrize("form", FORMS)
def test_discriminator_rewards_telling_real_from_generated(form):
    low, high = logits([-0.5]), logits([0.5])
    right = losses.discriminator_adversarial(high, low, form)
    wrong = losses.discriminator_adversarial(low, high, form)
    assert right < wrong
    assert losses.generator_adversarial(high, form) < losses.generator_adversarial(low, form)


def test_bad_logits_and_forms():
    with pytest.raises(ValueError, match=r"same scales, got \[1, 2\]"):
        losses.discriminator_adversarial(logits([0.0]), logits([0.0], [0.0]), "lsgan")
    with pytest.raises(ValueError, match="unknown adversarial form 'wasserstein': choose one of log, lsgan, hinge"):
        losses.generator_adversarial(logits([0.0]), "wasserstein")  # pyright: ignore[reportArgumentType]


def test_weighted_total():
    terms = {"image": jnp.array(0.5), "content": jnp.array(2.0)}
    assert losses.weighted_total(terms, {"image": 10.0, "content": 1.0}) == pytest.approx(7.0)
    with pytest.raises(ValueError, match=r"terms without weight \['content'\], weights without term \['style'\]"):
        losses.weighted_total(terms, {"image": 10.0, "style": 1.0})


@pytest.mark.parametrize("loss", [*RECONSTRUCTIONS, losses.style_reconstruction])
def test_reconstruction_gradients_against_finite_differences(loss):
    with jax.enable_x64(True):
        # Distances of 0.2 and more: the step of the finite difference does not cross the kink at 0.
        b = np.linspace(-1, 1, 12)
        a = b + np.where(np.arange(12) % 2, 0.2, -0.3)
        shape = (4, 3) if loss is losses.style_reconstruction else (1, 2, 3, 2)
        check_grads(loss, (a.reshape(shape), b.reshape(shape)), order=1, rtol=1e-6)


def test_ensemble_crps_gradients_against_finite_differences():
    with jax.enable_x64(True):
        # All three are 0.2 and more apart, the truth below, between and above the two.
        true = np.linspace(-1, 1, 12)
        first = true + np.tile([0.2, -0.3, -0.6], 4)
        second = true + np.tile([0.5, 0.4, -0.25], 4)
        arrays = (x.reshape(1, 2, 3, 2) for x in (first, second, true))
        check_grads(losses.ensemble_crps, tuple(arrays), order=1, rtol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_adversarial_gradients_against_finite_differences(form):
    with jax.enable_x64(True):
        real = (np.array([0.3, -0.7, 1.9]).reshape(1, 1, 3, 1), np.array([0.2]).reshape(1, 1, 1, 1))
        fake = (np.array([-0.4, 0.6, -1.8]).reshape(1, 1, 3, 1), np.array([0.5]).reshape(1, 1, 1, 1))
        discriminator = functools.partial(losses.discriminator_adversarial, form=form)
        check_grads(discriminator, (real, fake), order=1, modes=["rev"], rtol=1e-6)
        for non_saturating in (False, True):
            generator = functools.partial(losses.generator_adversarial, form=form, non_saturating=non_saturating)
            check_grads(generator, (fake,), order=1, modes=["rev"], rtol=1e-6)


@pytest.mark.parametrize(("form", "expected"), [("log", 5 / 8), ("hinge", 5 / 8), ("lsgan", 4 / 8)])
def test_discriminator_accuracy_by_hand(form, expected):
    """Two scales of two patches each; 0.3 says real where the border is 0 and fake where it is 1/2."""
    real = [jnp.array([2.0, 0.3]).reshape(1, 1, 2, 1), jnp.array([-1.0, 0.7]).reshape(1, 1, 2, 1)]
    fake = [jnp.array([-1.0, 0.7]).reshape(1, 1, 2, 1), jnp.array([-0.1, 2.0]).reshape(1, 1, 2, 1)]
    assert losses.discriminator_accuracy(real, fake, form) == pytest.approx(expected)
    with pytest.raises(ValueError, match="must have the same scales"):
        losses.discriminator_accuracy(real, fake[:1], form)
