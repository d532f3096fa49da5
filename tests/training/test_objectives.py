"""Terms among the others: of which images, in which units, and only when asked for; which context goes with which."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.config import OF_PAIRS
from munit_jax.data.normalization import Normalization, denormalize
from munit_jax.losses import ensemble_crps, ensemble_flux_crps, source_surface_error
from munit_jax.networks.munit import DOMAINS, OTHER, decode, draw_style, init_discriminators, init_generators
from munit_jax.pfss.disk_corona import disk_corona
from munit_jax.training.objectives import Objective, generate, generator_objective, translate_both
from tests.architectures import TINY

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

    @jax.jit
    def error(*fields):
        surfaces = [corona.surface(denormalize(FIELD, x)[..., 0]) for x in fields]
        return source_surface_error(*surfaces, corona.transform.solid_angles)

    expected = error(*both)
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


CONDITIONED = replace(TINY, context_planes=2)
ALL = Objective(adversarial="lsgan", cycle_weight=10.0, paired_weight=1.0)
ENSEMBLE = replace(ALL, ensemble_weight=5.0)


@pytest.fixture(scope="module")
def contexts():
    """Planes that differ from domain to domain, as those of images of two times do."""
    rng = np.random.default_rng(1)
    return {domain: jnp.asarray(rng.uniform(-1, 1, (4, 16, 16, 2)), jnp.float32) for domain in DOMAINS}


@pytest.fixture(scope="module")
def conditioned(images, contexts):
    """Conditioned generators, three draws of styles, what they make, and the objectives of that."""
    generators, discriminators = init_generators(CONDITIONED, 0), init_discriminators(CONDITIONED, 0)
    *keys, last = jax.random.split(jax.random.key(1), 3)
    styles = {domain: draw_style(CONDITIONED, key, 4) for domain, key in zip(DOMAINS, keys, strict=True)}
    second = draw_style(CONDITIONED, last, 4)

    @jax.jit
    def run():
        generated = generate(CONDITIONED, ENSEMBLE, generators, images, styles, contexts, second)
        without = generated.replace(another={})
        one = generator_objective(CONDITIONED, ALL, discriminators, images, styles, without)
        return generated, one, generator_objective(CONDITIONED, ENSEMBLE, discriminators, images, styles, generated)

    return (generators, discriminators, styles, second), *run()


@pytest.fixture(scope="module")
def decoded(conditioned):
    """The decoder, one image after the other, compiled once a domain."""
    (generators, *_), *_ = conditioned
    return {x: jax.jit(lambda *codes, x=x: decode(CONDITIONED, generators, x, *codes)) for x in DOMAINS}


@pytest.mark.parametrize("x", DOMAINS)
def test_a_context_goes_with_the_content_of_its_own_image(conditioned, decoded, contexts, x):
    """Whatever domain is made of it, a content code is decoded with the context of the image that it is of."""
    (_, _, styles, second), made, *_ = conditioned
    y = OTHER[x]
    expected = {
        "reconstruction": (made.content[x], made.style[x], contexts[x]),
        "translation": (made.content[y], styles[x], contexts[y]),
        "paired": (made.content[y], made.style[x], contexts[y]),
        "cycle": (made.recovered_content[x], made.style[x], contexts[x]),
    }
    if x == "magnetogram":
        expected["another"] = made.content[y], second, contexts[y]
    for name, codes in expected.items():
        np.testing.assert_allclose(getattr(made, name)[x], decoded[x](*codes), atol=1e-5, err_msg=name)
    swapped = decoded[x](made.content[y], styles[x], contexts[x])
    assert np.abs(swapped - made.translation[x]).max() > 1e-3


def test_the_discriminators_translations_have_the_same_contexts(conditioned, images, contexts):
    (generators, _, styles, _), made, *_ = conditioned
    both = jax.jit(lambda: translate_both(CONDITIONED, generators, images, styles, contexts))()
    for x in DOMAINS:
        np.testing.assert_allclose(both[x], made.translation[x], atol=1e-5)


def test_one_decoding_after_the_other_makes_the_same(conditioned, images, contexts):
    """Where memory is short they are not taken together."""
    (generators, _, styles, second), made, *_ = conditioned
    sparing = replace(CONDITIONED, recompute="networks")
    again = jax.jit(lambda: generate(sparing, ENSEMBLE, generators, images, styles, contexts, second))()
    for ours, theirs in zip(jax.tree.leaves(again), jax.tree.leaves(made), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_ensemble_term_is_of_one_image_with_two_styles(conditioned, decoded, images, contexts):
    (_, _, styles, second), made, _, (_, terms) = conditioned
    content = made.content["euv"]
    both = [decoded["magnetogram"](content, style, contexts["euv"]) for style in (styles["magnetogram"], second)]
    assert np.abs(both[0] - both[1]).max() > 1e-3
    expected = ensemble_crps(*both, images["magnetogram"])
    assert float(terms["ensemble_crps"]) == pytest.approx(float(expected), rel=1e-4)


def test_the_ensemble_term_adds_its_weight_to_the_total_and_changes_nothing_else(conditioned):
    _, made, (total, terms), (with_total, with_terms) = conditioned
    assert set(with_terms) - set(terms) == {"ensemble_crps"}
    for name, value in terms.items():
        assert float(with_terms[name]) == float(value), name
    assert float(with_total - total) == pytest.approx(5 * float(with_terms["ensemble_crps"]), rel=1e-4)
    assert set(made.another) == {"magnetogram"}


def test_the_ensemble_term_is_0_for_the_truth_twice_and_the_mean_error_for_one_field_twice(conditioned, images):
    (_, discriminators, styles, _), generated, *_ = conditioned
    field = images["magnetogram"]

    def term(first, second):
        changed = generated.replace(
            translation={**generated.translation, "magnetogram": first}, another={"magnetogram": second}
        )
        return float(
            generator_objective(CONDITIONED, ENSEMBLE, discriminators, images, styles, changed)[1]["ensemble_crps"]
        )

    assert term(field, field) == 0
    assert term(0 * field, 0 * field) == pytest.approx(float(jnp.abs(field).mean()), rel=1e-5)
    assert term(-field, field) == 0, "the truth is between the two"


def test_unasked_there_is_no_second_translation(made):
    (*_, generated), *_ = made
    assert generated.another == generated.paired == generated.cycle == {}


NOTHING = Objective(adversarial_weight=0.0, image_weight=0.0, content_weight=0.0, style_weight=0.0, field=FIELD)
ONE_WAY = {"content": ("euv",), "translation": ("magnetogram",)}
BOTH_WAYS = {"content": DOMAINS, "translation": DOMAINS}
OF_TERMS = {  # weight -> what is made for its term, by domain
    "adversarial_weight": BOTH_WAYS,
    "image_weight": {"content": DOMAINS, "style": DOMAINS, "reconstruction": DOMAINS},
    "content_weight": {**BOTH_WAYS, "recovered_content": DOMAINS},
    "style_weight": {**BOTH_WAYS, "recovered_style": DOMAINS},
    "cycle_weight": {**BOTH_WAYS, "style": DOMAINS, "recovered_content": DOMAINS, "cycle": DOMAINS},
    "paired_weight": {"content": DOMAINS, "style": DOMAINS, "paired": DOMAINS},
    "unsigned_weight": ONE_WAY,
    "ensemble_weight": {**ONE_WAY, "another": ("magnetogram",)},
    "ensemble_flux_weight": {**ONE_WAY, "another": ("magnetogram",)},
    "source_surface_weight": ONE_WAY,
}


@pytest.fixture(scope="module")
def one_by_one(conditioned, images, contexts):
    """What is made for each term alone, the objective of that, and those of all terms together, under `all`."""
    (generators, discriminators, styles, second), *_ = conditioned
    objectives = {weight: replace(NOTHING, **{weight: 2.0}) for weight in OF_TERMS}
    objectives["all"] = replace(NOTHING, **dict.fromkeys(OF_TERMS, 2.0))

    def run(objective):
        made = generate(CONDITIONED, objective, generators, images, styles, contexts, second)
        return made, *generator_objective(CONDITIONED, objective, discriminators, images, styles, made)

    return jax.jit(lambda: {name: run(objective) for name, objective in objectives.items()})()


@pytest.mark.parametrize("weight", OF_TERMS)
def test_for_a_term_alone_only_what_it_reads_is_made(one_by_one, weight):
    """And it has the value that it has among all others, times its weight, as the total."""
    made, total, terms = one_by_one[weight]
    there = {name: tuple(sorted(x)) for name in made.__dataclass_fields__ if (x := getattr(made, name))}
    assert there == {name: tuple(sorted(domains)) for name, domains in OF_TERMS[weight].items()}
    *_, among_all = one_by_one["all"]
    for name, value in terms.items():
        assert float(value) == pytest.approx(float(among_all[name]), rel=1e-5), name
    assert float(total) == pytest.approx(2 * sum(map(float, terms.values())), rel=1e-5)


def test_every_term_has_a_weight_that_leaves_it_out(one_by_one):
    *_, among_all = one_by_one["all"]
    alone = [name for weight in OF_TERMS for name in one_by_one[weight][2]]
    assert sorted(alone) == sorted(among_all)


def test_terms_of_pairs_are_those_that_see_which_images_go_together(conditioned, one_by_one, images, contexts):
    """All that goes with the magnetograms in reverse order: a term of one image after the other has the same mean."""
    (generators, discriminators, styles, second), *_ = conditioned
    others = images | {"magnetogram": images["magnetogram"][::-1]}
    drawn = styles | {"euv": styles["euv"][::-1]}
    planes = contexts | {"magnetogram": contexts["magnetogram"][::-1]}
    objective = replace(NOTHING, **dict.fromkeys(OF_TERMS, 2.0))

    @jax.jit
    def run():
        made = generate(CONDITIONED, objective, generators, others, drawn, planes, second)
        return generator_objective(CONDITIONED, objective, discriminators, others, drawn, made)[1]

    terms = run()
    changed = {
        weight
        for weight in OF_TERMS
        if any(float(terms[name]) != pytest.approx(float(x), rel=1e-4) for name, x in one_by_one[weight][2].items())
    }
    assert changed == set(OF_PAIRS)


def test_the_flux_term_is_in_gauss(one_by_one, images):
    made, _, terms = one_by_one["ensemble_flux_weight"]
    fields = (x["magnetogram"] for x in (made.translation, made.another, images))
    expected = ensemble_flux_crps(*(denormalize(FIELD, x) for x in fields), *FIELD.scale)
    assert float(terms["ensemble_flux_crps"]) == pytest.approx(float(expected), rel=1e-4)
