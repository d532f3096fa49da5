"""The source-surface term among the others: of which images, in which units, and only when asked for."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.data.normalization import Normalization, denormalize
from munit_jax.losses import source_surface_error
from munit_jax.model.munit import DOMAINS, draw_style, init_discriminators, init_generators
from munit_jax.objectives import Objective, generate, generator_objective
from munit_jax.solar.disk_corona import disk_corona
from tests.training.conftest import TINY

FIELD = Normalization("asinh", True, (30.0,), (1000.0,))
WITHOUT = Objective(adversarial="lsgan")
WITH = replace(WITHOUT, source_surface_weight=3.0, field=FIELD)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return {domain: jnp.asarray(rng.uniform(-1, 1, (4, 16, 16, 1)), jnp.float32) for domain in DOMAINS}


@pytest.fixture(scope="module")
def made(images):
    generators, discriminators = init_generators(TINY, 0), init_discriminators(TINY, 0)
    keys = jax.random.split(jax.random.key(1))
    styles = {domain: draw_style(TINY, key, 4) for domain, key in zip(DOMAINS, keys, strict=True)}

    @jax.jit
    def run():
        generated = generate(TINY, WITH, generators, images, styles)
        objectives = (generator_objective(TINY, o, discriminators, images, styles, generated) for o in (WITHOUT, WITH))
        return generated, *objectives

    generated, *objectives = run()
    return (generators, discriminators, styles, generated), *objectives


def test_it_is_of_the_translation_and_the_simultaneous_magnetogram_in_gauss(made, images):
    (*_, generated), _, (_, terms) = made
    translation = generated.translation["magnetogram"]
    corona = disk_corona(images["magnetogram"].shape[1])
    both = translation, images["magnetogram"]
    surfaces = [corona.surface(denormalize(FIELD, x)[..., 0]) for x in both]
    expected = source_surface_error(*surfaces, corona.transform.solid_angles)
    assert float(terms["source_surface"]) == pytest.approx(float(expected), rel=1e-4)


def test_it_adds_its_weight_to_the_total_and_nothing_else(made):
    _, (total, terms), (with_total, with_terms) = made
    assert set(with_terms) - set(terms) == {"source_surface"}
    assert float(with_total - total) == pytest.approx(3 * float(with_terms["source_surface"]), rel=1e-3)


def test_by_hand_it_is_0_for_the_truth_1_for_nothing_and_2_for_the_wrong_sign(made, images):
    """On fields in the middle of the disk, so that the surface is not near the floor of the loss."""
    _, discriminators, styles, generated = made[0]
    field = images["magnetogram"]

    def term(translation):
        changed = generated.replace(translation={**generated.translation, "magnetogram": translation})
        return float(generator_objective(TINY, WITH, discriminators, images, styles, changed)[1]["source_surface"])

    assert term(field) == pytest.approx(0, abs=1e-6)
    assert term(0 * field) == pytest.approx(1, rel=1e-4)
    assert term(-field) == pytest.approx(2, rel=1e-4)
