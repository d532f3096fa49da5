"""Agreement with the authors' implementation: outputs, losses and gradients for given weights.

The file (see its README) is taken from MUNIT_PARITY_FILE or from the shared folder; all sizes are read from it.
"""

import dataclasses
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from munit_jax.networks.munit import DOMAINS, OTHER, decode, discriminate, encode_content, encode_style
from munit_jax.training.objectives import discriminator_objective, generate, generator_objective
from tests.conftest import SHARED
from tests.parity_file import Reference

TOLERANCE = {
    "float32": {"output": 1e-4, "loss": 1e-5, "gradient": 1e-3},
    "float64": {"output": 2e-6, "loss": 1e-6, "gradient": 1e-5},  # the file keeps float32 of its weights and arrays
}


TERMS = {  # by the reference's name; one whose weight is 0 in the file is 0 there and not computed here
    "image": "image_reconstruction",
    "content": "content_reconstruction",
    "style": "style_reconstruction",
    "cycle": "cycle_reconstruction",
    "adversarial": "adversarial",
}

NUDGES = 40  # of the weights by round-off, in float32; the first that agrees is the last
JUMP = 1e-2  # of the whole gradient, relative to its norm, where entries are on the other side of their kinks


FORMS = (
    "float32-direct",
    *(pytest.param(form, marks=pytest.mark.slow) for form in ("float32-winograd", "float64-direct")),
)


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    """The precision, and how 3 x 3 convolutions are computed."""
    dtype, convolution = request.param.split("-")
    with jax.enable_x64(dtype == "float64"):
        yield dtype, convolution


@pytest.fixture(scope="module")
def dtype(form):
    return form[0]


def parity_file() -> Path:
    path = Path(os.environ.get("MUNIT_PARITY_FILE", SHARED / "parity" / "munit_reference_small.npz"))
    if not path.is_file():
        pytest.skip(f"no parity file {path} (set MUNIT_PARITY_FILE)")
    return path


@pytest.fixture(scope="module")
def reference(form):
    return Reference(parity_file(), *form)


def inputs_of(reference):
    images = {d: jnp.asarray(reference[f"in/{d}"]) for d in DOMAINS}
    styles = {d: jnp.asarray(reference[f"in/style_{d}"]) for d in DOMAINS}
    return images, styles


@pytest.fixture(scope="module")
def inputs(reference):
    return inputs_of(reference)


def losses_of(reference, generators, discriminators, images, styles, made):
    """Return the generators' total, its terms, and the discriminators' total, 0 where they are not trained."""
    a, objective = reference.architecture, reference.objective
    total, terms = generator_objective(a, objective, discriminators, images, styles, made)
    if not objective.adversarial_weight:
        return total, terms, jnp.zeros(())
    return total, terms, discriminator_objective(a, objective, discriminators, images, made.translation)[0]


@pytest.fixture(scope="module")
def compute(reference, inputs):
    """Everything we compute of given weights, in one compiled call."""
    a, objective = reference.architecture, reference.objective
    images, styles = inputs

    @jax.jit
    def compute(generators, discriminators):
        content = {d: encode_content(a, generators, d, images[d]) for d in DOMAINS}
        style = {d: encode_style(a, generators, d, images[d]) for d in DOMAINS}
        translation = {d: decode(a, generators, d, content[OTHER[d]], styles[d]) for d in DOMAINS}
        outputs = {f"out/content_{d}": content[d] for d in DOMAINS}
        outputs |= {f"out/style_{d}": style[d] for d in DOMAINS}
        outputs |= {f"out/reconstruction_{d}": decode(a, generators, d, content[d], style[d]) for d in DOMAINS}
        outputs |= {f"out/{OTHER[d]}_to_{d}": translation[d] for d in DOMAINS}
        logits = {d: discriminate(a, discriminators, d, images[d]) for d in DOMAINS}
        translated = {d: discriminate(a, discriminators, d, translation[d]) for d in DOMAINS}

        def generator_total(generators):
            made = generate(a, objective, generators, images, styles)
            return generator_objective(a, objective, discriminators, images, styles, made)

        def discriminator_total(discriminators):
            if not objective.adversarial_weight:
                return jnp.zeros(()), {}
            return discriminator_objective(a, objective, discriminators, images, translation)

        (total, terms), grad_gen = jax.value_and_grad(generator_total, has_aux=True)(generators)
        (dis_total, _), grad_dis = jax.value_and_grad(discriminator_total, has_aux=True)(discriminators)
        return outputs, (logits, translated), (total, terms, dis_total), (grad_gen, grad_dis)

    return compute


@pytest.fixture(scope="module")
def ours(reference, compute):
    return jax.device_get(compute(reference.generators(), reference.discriminators()))


def nudged(tree, seed: int):
    """Weights within round-off of those given."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda x: x * (1 + np.finfo(x.dtype).eps * rng.standard_normal(x.shape)).astype(x.dtype), tree)


def _assert_close(name: str, value, expected: np.ndarray, tolerance: float) -> None:
    scale = np.abs(expected).max()
    assert value.shape == expected.shape, name
    np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance * scale, err_msg=name)


def test_outputs(reference, ours, dtype):
    for name, value in ours[0].items():
        _assert_close(name, value, reference[name], TOLERANCE[dtype]["output"])


def test_discriminator_logits(reference, ours, dtype):
    """The reference scores either the real or the generated image of a domain; the file does not say which."""
    for domain in DOMAINS:
        real, translated = (logits[domain] for logits in ours[1])
        for scale in range(reference.architecture.discriminator_scales):
            name = f"out/dis_{domain}_scale{scale}"
            expected = reference[name]
            error = {k: np.abs(x[scale] - expected).max() for k, x in (("real", real), ("translated", translated))}
            assert min(error.values()) <= TOLERANCE[dtype]["output"] * np.abs(expected).max(), (name, error)


def test_losses(reference, ours, dtype):
    total, terms, discriminator_total = ours[2]
    values = {"loss/generator_total": total, "loss/discriminator": discriminator_total}
    for term, ours in TERMS.items():
        for domain in DOMAINS:
            name, weight = f"{ours}_{domain}", getattr(reference.objective, f"{term}_weight")
            assert (name in terms) == (weight != 0), name
            values[f"loss/{term}_{domain}"] = terms.get(name, 0.0)
    for name, value in values.items():
        np.testing.assert_allclose(value, reference[name], rtol=TOLERANCE[dtype]["loss"], err_msg=name)


@pytest.mark.parametrize("side", ["grad_gen", "grad_dis"])
def test_gradients(reference, compute, ours, dtype, side):
    """The gradient agrees; in float32 perhaps only at weights within round-off of those given.

    ReLU and L1 have kinks. Where an entry lies so close to one that float32 puts it on the other side, which depends on
    the processor, the gradient jumps; so it does in float64 when round-off is added to the weights. The given weights
    have three such entries: with each on one side or the other, the error of the whole gradient is 7e-6 (Winograd's
    algorithm: 2e-5), 9e-4, 4e-3 or 8e-3, and nothing in between; with the algorithm's round-off one try in six agrees.
    """
    place = 0 if side == "grad_gen" else 1
    expected = (reference.generators if side == "grad_gen" else reference.discriminators)(side)
    if side == "grad_dis" and not reference.objective.adversarial_weight:
        assert all(np.all(x == 0) for tree in (expected, ours[3][place]) for x in jax.tree.leaves(tree))
        return
    assert relative_distance(ours[3][place], expected) <= JUMP  # at the weights themselves, whatever the side
    errors = gradient_errors(ours[3][place], expected, reference, side)
    for seed in range(NUDGES if dtype == "float32" else 0):
        if max(errors.values()) <= TOLERANCE[dtype]["gradient"]:
            break
        again = jax.device_get(compute(nudged(reference.generators(), seed), reference.discriminators()))
        errors = gradient_errors(again[3][place], expected, reference, side)
    worst = max(errors, key=errors.__getitem__)
    assert errors[worst] <= TOLERANCE[dtype]["gradient"], worst


def relative_distance(value, expected) -> float:
    """The norm of the difference of two trees, relative to that of the second."""
    squares = [
        [np.square(x - y).sum(), np.square(y).sum()]
        for x, y in zip(*map(jax.tree.leaves, (value, expected)), strict=True)
    ]
    return float(np.sqrt(np.divide(*np.sum(squares, axis=0))))


def gradient_errors(value, expected, reference, side) -> dict[str, float]:
    """The largest error of each array relative to its largest entry; arrays that cancel are exactly 0."""
    value, expected = (traverse_util.flatten_dict(x, sep="/") for x in (value, expected))
    largest = max(np.abs(x).max() for x in expected.values())
    # Biases that the norm after them subtracts: round-off there, exactly 0 here.
    cancelled = {name for name, array in expected.items() if np.abs(array).max() < 1e-12 * largest}
    assert all(np.all(value[name] == 0) for name in cancelled)
    a = reference.architecture
    # In both domains: the content encoder's stem, downsamplings and residual blocks, the decoder's residual blocks.
    norms = 2 * (1 + a.downsamplings + 4 * a.residual_blocks)
    if all(getattr(reference.objective, f"{term}_weight") for term in TERMS):  # others leave more arrays at 0
        assert len(cancelled) == (norms if side == "grad_gen" else 0)
    assert {name: x.shape for name, x in value.items()} == {name: x.shape for name, x in expected.items()}
    return {
        name: float(np.abs(value[name] - array).max() / np.abs(array).max())
        for name, array in expected.items()
        if name not in cancelled
    }


def test_every_number_is_compared(reference, inputs, ours, dtype):
    test_outputs(reference, ours, dtype)
    test_discriminator_logits(reference, ours, dtype)
    test_losses(reference, ours, dtype)
    reference.generators("grad_gen"), reference.discriminators("grad_dis")  # which `test_gradients` compares
    assert set(reference.arrays) == reference.used


@pytest.mark.slow
@pytest.mark.parametrize("term", ["cycle", "adversarial"])
def test_a_file_in_which_a_term_has_no_weight(term):
    """Made of the given one: the term is 0 in it, and missing in the total."""
    reference = Reference(parity_file(), "float32", "direct")
    weight = getattr(reference.objective, f"{term}_weight")
    assert weight, "the given file has the term"
    for domain in DOMAINS:
        value = reference.arrays[f"loss/{term}_{domain}"]
        reference.arrays["loss/generator_total"] = reference.arrays["loss/generator_total"] - weight * value
        reference.arrays[f"loss/{term}_{domain}"] = np.zeros_like(value)
    if term == "adversarial":
        reference.arrays["loss/discriminator"] = np.zeros_like(reference.arrays["loss/discriminator"])
    reference.objective = dataclasses.replace(reference.objective, **{f"{term}_weight": 0.0})
    images, styles = inputs_of(reference)
    generators, discriminators = reference.generators(), reference.discriminators()
    made = generate(reference.architecture, reference.objective, generators, images, styles)
    losses = losses_of(reference, generators, discriminators, images, styles, made)
    test_losses(reference, (None, None, losses), "float32")
