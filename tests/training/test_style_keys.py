"""Drawn styles: of which step, example and purpose, whatever the devices; no random key is used twice."""

import jax
import jax.numpy as jnp
import numpy as np

from munit_jax.networks.munit import DOMAINS
from munit_jax.training.step import draw_second, draw_styles, example_keys, style_keys


def test_styles_depend_on_step_and_global_index_not_on_the_share(recipe):
    a, key, step = recipe.architecture, jax.random.key(0), jnp.asarray(5)
    together = draw_styles(a, key, step, jnp.arange(4))
    alone = draw_styles(a, jax.random.clone(key), step, jnp.arange(2, 3))
    later = draw_styles(a, jax.random.clone(key), step + 1, jnp.arange(4))
    for domain in DOMAINS:
        np.testing.assert_array_equal(together[domain][2:3], alone[domain])
        assert (together[domain] != later[domain]).all()
    assert (together["euv"] != together["magnetogram"]).all()
    many = draw_styles(a, jax.random.key(1), step, jnp.arange(4000))["euv"]
    np.testing.assert_allclose(many.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(many.std(0), 1, atol=0.06)


def test_no_two_draws_share_a_key_and_none_is_the_parent_of_another():
    """Over purposes, steps and examples; a key that was drawn with is never folded or split again."""
    root = jax.random.key(0)
    steps, index = range(50), jnp.arange(32)

    def data(keys) -> list[tuple[int, ...]]:
        return [tuple(row) for row in np.asarray(jax.random.key_data(keys)).reshape(-1, 2).tolist()]

    with jax.debug_key_reuse(False):
        purposes = style_keys(root)
        parents = data(root) + [x for key in purposes for x in data(key)]
        drawn = []
        for key in purposes:
            parents += [x for step in steps for x in data(jax.random.fold_in(key, step))]
            drawn += [x for step in steps for x in data(example_keys(key, jnp.asarray(step), index))]
    assert len(drawn) == len(set(drawn)) == len(purposes) * len(steps) * len(index)
    assert len(parents) == len(set(parents))
    assert not set(drawn) & set(parents)


def test_the_second_style_is_a_draw_of_its_own(recipe):
    """By the step and the global index too; it is independent of the styles of both domains."""
    a, step = recipe.architecture, jnp.asarray(5)
    keys = style_keys(jax.random.key(0))
    together = draw_second(a, keys.second, step, jnp.arange(4000))
    alone = draw_second(a, jax.random.clone(keys.second), step, jnp.arange(2, 3))
    later = draw_second(a, jax.random.clone(keys.second), step + 1, jnp.arange(4))
    assert together.shape == (4000, a.style_size)
    np.testing.assert_array_equal(together[2:3], alone)
    assert (together[:4] != later).all()
    np.testing.assert_allclose(together.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(together.std(0), 1, atol=0.06)
    for near in (step - 1, step, step + 1):
        for styles in draw_styles(a, jax.random.clone(keys.styles), near, jnp.arange(4000)).values():
            assert (together != styles).all()
            correlations = np.corrcoef(together.T, styles.T)[: a.style_size, a.style_size :]
            np.testing.assert_allclose(correlations, 0, atol=0.06)
