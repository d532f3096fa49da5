"""Spectral normalisation: the singular value against numpy's, its gradient, and what a discriminator keeps of scale."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import aia193
from munit_jax.config import parse
from munit_jax.networks import munit
from munit_jax.networks.discriminator import largest_singular_value, spectrally_normalized
from munit_jax.networks.munit import DOMAINS
from munit_jax.training.objectives import Objective
from munit_jax.training.state import OptimizerSettings, init_state, make_optimizers
from munit_jax.training.step import Batch, Recipe, make_train_step
from tests.architectures import TINY

SPECTRAL = dataclasses.replace(TINY, discriminator_width=4, discriminator_spectral_norm=True)

singular_value = jax.jit(largest_singular_value)


@pytest.fixture(scope="module")
def discriminators():
    return munit.init_discriminators(SPECTRAL, 0)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def spectrum(kernel) -> np.ndarray:
    kernel = np.asarray(kernel)
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)


# Kernels of discriminators of width 16, and of the reference's first two: (height * width * in, out).
@pytest.mark.parametrize("shape", [(16, 16), (256, 32), (512, 64), (128, 1), (16, 64), (1024, 128)])
def test_largest_singular_value_of_random_matrices(shape):
    for seed in range(3):
        matrix = normal(*shape, seed=seed)
        value, true = float(singular_value(jnp.asarray(matrix))), spectrum(matrix)[0]
        assert 0.994 * true < value < 1.00001 * true


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_largest_singular_value_of_low_rank_matrices(rank):
    matrix = normal(64, rank) @ normal(rank, 32, seed=1)
    assert singular_value(jnp.asarray(matrix)) == pytest.approx(spectrum(matrix)[0], rel=1e-4)
    matrix[:, 1:] = 0.0
    assert singular_value(jnp.asarray(matrix)) == pytest.approx(np.linalg.norm(matrix), rel=1e-5)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_normalised_kernels_have_norm_1_and_biases_stay(discriminators, factor):
    params = jax.tree.map(lambda x: factor * (np.asarray(x) + np.float32(0.01)), discriminators["euv"])
    normalized = jax.device_get(jax.jit(spectrally_normalized)(params))
    assert jax.tree.structure(normalized) == jax.tree.structure(params)
    for (path, before), after in zip(
        jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(normalized), strict=True
    ):
        if path[-1].key == "kernel":
            assert spectrum(after)[0] == pytest.approx(1.0, abs=6e-3)
        else:
            np.testing.assert_array_equal(after, before)


def test_gradient_of_the_singular_value_is_u_v():
    """Miyato et al. 2018, eq. 10."""
    matrix = normal(48, 8)
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(
        jax.jit(jax.grad(largest_singular_value))(jnp.asarray(matrix)), np.outer(u[:, 0], vt[0]), atol=1e-4
    )
    np.testing.assert_allclose(
        jax.jit(jax.grad(largest_singular_value))(jnp.asarray(matrix.T)), np.outer(vt[0], u[:, 0]), atol=1e-4
    )


def test_gradient_of_the_normalised_kernel_against_finite_differences():
    kernel, direction, weight = normal(2, 2, 3, 5), normal(2, 2, 3, 5, seed=1), normal(2, 2, 3, 5, seed=2)

    @jax.jit
    def loss(kernel):
        return (spectrally_normalized({"kernel": kernel})["kernel"] * weight).sum()

    with jax.enable_x64(True):
        kernel, direction, weight = (jnp.asarray(x, jnp.float64) for x in (kernel, direction, weight))
        step = 1e-5
        expected = (loss(kernel + step * direction) - loss(kernel - step * direction)) / (2 * step)
        gradient = jax.jit(jax.grad(loss))(kernel)
        assert (gradient * direction).sum() == pytest.approx(float(expected), rel=1e-5)
        # The scale of the kernel takes no part: its gradient has no component along it.
        assert abs((gradient * kernel).sum()) < 1e-9 * np.linalg.norm(gradient) * np.linalg.norm(kernel)


def test_a_kernel_of_zeros_stays_and_can_leave():
    kernel, weight = jnp.zeros((4, 4, 2, 3)), normal(4, 4, 2, 3)
    value, gradient = jax.value_and_grad(lambda k: (spectrally_normalized({"kernel": k})["kernel"] * weight).sum())(
        kernel
    )
    assert value == 0
    np.testing.assert_array_equal(gradient, weight)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_discriminators_do_not_see_the_scale_of_a_kernel(discriminators, dtype):
    image = jnp.asarray(normal(1, 32, 32, 1))
    architecture = dataclasses.replace(SPECTRAL, dtype=dtype)
    # A power of 2 leaves the digits as they are, in bfloat16 too.
    scaled = jax.tree_util.tree_map_with_path(lambda path, x: 64 * x if path[-1].key == "kernel" else x, discriminators)
    discriminate = jax.jit(munit.discriminate, static_argnums=(0, 2))
    one, other = (discriminate(architecture, params, "euv", image) for params in (discriminators, scaled))
    for a, b in zip(one, other, strict=True):
        assert a.dtype == jnp.float32
        np.testing.assert_allclose(a, b, rtol=1e-5)
    plain = dataclasses.replace(architecture, discriminator_spectral_norm=False)
    for a, b in zip(one, discriminate(plain, discriminators, "euv", image), strict=True):
        assert np.abs(a - b).max() > 1e-3, "the switch does something"


@pytest.mark.slow
def test_a_step_trains_the_kernels_themselves(discriminators):
    alone = Objective(image_weight=0.0, content_weight=0.0, style_weight=0.0)
    recipe = Recipe(SPECTRAL, alone, OptimizerSettings())
    state = init_state(SPECTRAL, make_optimizers(recipe.optimizer), 0)
    images = {domain: jnp.asarray(normal(1, 16, 16, 1, seed=i)) for i, domain in enumerate(DOMAINS)}
    after, metrics = jax.jit(make_train_step(recipe, jax.random.key(0)))(state, Batch(images, jnp.arange(1)))
    assert all(np.isfinite(value) for value in metrics.values())
    for before, kernel in zip(jax.tree.leaves(discriminators), jax.tree.leaves(after.discriminators), strict=True):
        # Adam's first step has the size of the learning rate: the parameters are not replaced by normalised ones.
        assert 0 < np.abs(kernel - before).max() < 1.01e-4


def test_the_config_has_the_switch():
    config = aia193.get_config()
    assert not parse(config.to_dict()).recipe.architecture.discriminator_spectral_norm
    config.model.discriminator_spectral_norm = True
    assert parse(config.to_dict()).recipe.architecture.discriminator_spectral_norm
