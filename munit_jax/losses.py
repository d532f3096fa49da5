"""The loss terms of MUNIT, one function an equation, as Barra and Delouille's poster writes them.

>>> image = jax.numpy.ones((1, 4, 4, 1))
>>> float(munit_jax.losses.image_reconstruction(0.75 * image, image))
0.25
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# In the equations x != y in {euv, magnetogram}, D_x is the decoder of domain x, C_x and S_x its content and style
# encoders and their codes, q = N(0, I), and G_x the discriminator. Arrays of different shapes, logits of different
# numbers of scales and an unknown form raise a ValueError.
Adversarial = Literal["log", "lsgan", "hinge"]
Logits = Sequence[Float[Array, "b h w 1"]]
Scalar = Float[Array, ""]

QUIET_SURFACE = 0.01  # gauss at the source surface: the field there is 0.05 to 0.3 G (Hoeksema et al. 1983)


def _mean_absolute_error(name: str, a: Array, b: Array) -> Scalar:
    if a.shape != b.shape:
        raise ValueError(f"{name} compares arrays of one shape, got {a.shape} and {b.shape}")
    return jnp.abs(a - b).mean()


@jax.jit
def image_reconstruction(reconstruction: Float[Array, "*b h w c"], image: Float[Array, "*b h w c"]) -> Scalar:
    """L^x = E ||D_x(C_x, S_x) - x||_1: the decoder reconstructs an image from its own two codes."""
    return _mean_absolute_error("image_reconstruction", reconstruction, image)


@jax.jit
def content_reconstruction(recovered: Float[Array, "*b h w k"], content: Float[Array, "*b h w k"]) -> Scalar:
    """L^C_y = E ||C_x(D_x(C_y, S_x)) - C_y||_1, S_x ~ q: the translation keeps the content code."""
    return _mean_absolute_error("content_reconstruction", recovered, content)


@jax.jit
def style_reconstruction(recovered: Float[Array, "*b s"], style: Float[Array, "*b s"]) -> Scalar:
    """L^S_x = E ||S_x(D_x(C_y, S_x)) - S_x||_1, S_x ~ q: the translation keeps the style code."""
    return _mean_absolute_error("style_reconstruction", recovered, style)


@jax.jit
def cycle_reconstruction(cycle: Float[Array, "*b h w c"], image: Float[Array, "*b h w c"]) -> Scalar:
    """E ||D_x(C_y(D_y(C_x, S_y)), S_x) - x||_1, S_y ~ q: an image returns from a translation there and back.

    The style-augmented cycle consistency of Huang et al. 2018, section 5.1, for translations that keep the place of
    every pixel.
    """
    return _mean_absolute_error("cycle_reconstruction", cycle, image)


@jax.jit
def paired_translation(translation: Float[Array, "*b h w c"], truth: Float[Array, "*b h w c"]) -> Scalar:
    """E ||D_x(C_y, S_x) - x||_1 for simultaneous x and y, S_x the style of x: the translation is the true image.

    Not in the poster; for paired training. With the true image's style, not a random one, the style carries what the
    other domain leaves undetermined.
    """
    return _mean_absolute_error("paired_translation", translation, truth)


@jax.jit
def paired_unsigned_field(translation: Float[Array, "*b h w c"], truth: Float[Array, "*b h w c"]) -> Scalar:
    """E || |D_x(C_y, S_x)| - |x| ||_1, x a magnetogram and y simultaneous, S_x ~ q: |B| is true in every realisation.

    Not in the poster; for paired training. EUV emission follows |B|, not its sign, which is left to the style and
    the discriminator. A signed error would be least for the median of both signs: no field.
    """
    return _mean_absolute_error("paired_unsigned_field", jnp.abs(translation), jnp.abs(truth))


@jax.jit
def ensemble_crps(
    first: Float[Array, "*b h w c"], second: Float[Array, "*b h w c"], truth: Float[Array, "*b h w c"]
) -> Scalar:
    """E (|a - x| + |b - x| - |a - b|) / 2 with a = D_x(C_y, S), b = D_x(C_y, S'), and S, S' ~ q independent.

    Not in the poster; for paired training. It is the fair estimate from two realisations of the continuous ranked
    probability score (Ferro 2014, eq. 8), E |a - x| - E |a - b| / 2. Its minimum is where the realisations are
    distributed as the truth, given the EUV image (Gneiting and Raftery 2007, section 4.2); a mean absolute
    error has its minimum at the median, no field where the sign is undetermined.
    """
    errors = _mean_absolute_error("ensemble_crps", first, truth) + _mean_absolute_error("ensemble_crps", second, truth)
    return (errors - jnp.abs(first - second).mean()) / 2


@jax.jit
def ensemble_flux_crps(
    first: Float[Array, "*b h w c"],
    second: Float[Array, "*b h w c"],
    truth: Float[Array, "*b h w c"],
    scale: float | Scalar,
) -> Scalar:
    """Mean over n = 2, 4, ... of `ensemble_crps` of arcsinh(n B_n / scale), B_n the means of blocks of n x n pixels.

    Not in the poster; for paired training. A score of pixels hardly depends on errors common to the whole disk, but the
    corona does. n B_n is a coefficient of the orthonormal Haar basis: for fields that are independent
    from pixel to pixel all n have equal weight. The arcsinh keeps active regions from dominating.

    Args:
        first, second, truth: two realisations of the field, and the field, in gauss.
        scale: gauss, where arcsinh becomes logarithmic.

    Raises:
        ValueError: no n divides the images' size.
    """
    *_, height, width, _ = truth.shape
    sizes = [n for i in range(1, min(height, width).bit_length()) if not (height % (n := 2**i) or width % n)]
    if not sizes:
        raise ValueError(f"ensemble_flux_crps takes means over blocks of 2 x 2 pixels or more, got {height} x {width}")

    def term(n: int) -> Scalar:
        return ensemble_crps(*(jnp.arcsinh(n * _block_means(x, n) / scale) for x in (first, second, truth)))

    return jnp.mean(jnp.stack([term(n) for n in sizes]))


def _block_means(images: Float[Array, "*b h w c"], n: int) -> Float[Array, "*b _ _ c"]:
    *b, h, w, c = images.shape
    return images.reshape(*b, h // n, n, w // n, n, c).mean((-4, -2))


@jax.jit
def adversarial_value(real: Logits, fake: Logits) -> Scalar:
    """L_G^x = E log G_x(x) + E log(1 - G_x(D_x(C_y, S_x))), summed over the discriminator's scales.

    G_x is the logistic function of the logits. The discriminator maximises it and the generator minimises it; where
    G_x = 1/2 everywhere it is -log 4 a scale (Goodfellow et al. 2014, theorem 1).
    """
    return _sum_over_scales(lambda r, f: jax.nn.log_sigmoid(r).mean() + jax.nn.log_sigmoid(-f).mean(), real, fake)


@functools.partial(jax.jit, static_argnames="form")
def discriminator_adversarial(real: Logits, fake: Logits, form: Adversarial) -> Scalar:
    """The discriminator's loss, summed over its scales, given its logits of real and generated images.

    log:   -L_G^x of the poster, see `adversarial_value` (Goodfellow et al. 2014, eq. 1).
    lsgan: E (G(x) - 1)^2 + E G(fake)^2 (Mao et al. 2017, eq. 9 without the 1/2; the reference's form).
    hinge: E max(0, 1 - G(x)) + E max(0, 1 + G(fake)) (Lim and Ye 2017, eq. 4).
    """
    if _check_form(form) == "log":
        return -adversarial_value(real, fake)
    if form == "lsgan":
        return _sum_over_scales(lambda r, f: jnp.square(r - 1).mean() + jnp.square(f).mean(), real, fake)
    return _sum_over_scales(lambda r, f: jax.nn.relu(1 - r).mean() + jax.nn.relu(1 + f).mean(), real, fake)


@functools.partial(jax.jit, static_argnames="form")
def discriminator_accuracy(real: Logits, fake: Logits, form: Adversarial) -> Scalar:
    """Return the share of patches that a discriminator classifies correctly, 0 to 1, over real and fake and its scales.

    The threshold is 0; for lsgan, whose targets are 1 and 0, it is 1/2. A diagnostic without gradient: at 1 the
    discriminator has won, at 1/2 it guesses.
    """
    threshold = 0.5 if _check_form(form) == "lsgan" else 0.0
    correct = _sum_over_scales(lambda r, f: (r > threshold).mean() + (f <= threshold).mean(), real, fake)
    return correct / (2 * len(real))


@functools.partial(jax.jit, static_argnames=("form", "non_saturating"))
def generator_adversarial(fake: Logits, form: Adversarial, non_saturating: bool = False) -> Scalar:
    """The generator's adversarial loss, summed over the discriminator's scales, given the logits of its images.

    - log: E log(1 - G(fake)), the poster's minimax; with `non_saturating` -E log G(fake), which has the same fixed
      point but does not lose its gradient where the discriminator wins (Goodfellow et al. 2014, section 3).
    - lsgan: E (G(fake) - 1)^2.
    - hinge: -E G(fake).
    """
    if _check_form(form) == "lsgan":
        return _sum_over_scales(lambda f: jnp.square(f - 1).mean(), fake)
    if form == "hinge":
        return _sum_over_scales(lambda f: -f.mean(), fake)
    if non_saturating:
        return _sum_over_scales(lambda f: -jax.nn.log_sigmoid(f).mean(), fake)
    return _sum_over_scales(lambda f: jax.nn.log_sigmoid(-f).mean(), fake)


@jax.jit
def source_surface_error(
    generated: Float[Array, "b lat lon"], true: Float[Array, "b lat lon"], weights: Float[Array, " lat"]
) -> Scalar:
    """E <(B - B')^2> / (<B^2> + <B'^2>), B and B' generated and true B_r at the source surface, <> their mean there.

    Not in the poster: the error of a magnetogram that the corona and the solar wind depend on. It is 0 for the truth, 1
    for an empty or unrelated magnetogram, 2 for one of the wrong sign, and never more; otherwise strong early fields
    would dominate the loss. The denominator is at least QUIET_SURFACE squared.

    Args:
        generated, true: B_r at the source surface in gauss.
        weights: of the rows, proportional to their area.
    """
    if generated.shape != true.shape:
        raise ValueError(f"source_surface_error compares one shape, got {generated.shape} and {true.shape}")

    def mean(values: Float[Array, "b lat lon"]) -> Float[Array, " b"]:
        return jnp.einsum("bji,j->b", values, weights, precision="highest") / (weights.sum() * values.shape[-1])

    strength = jnp.maximum(mean(generated**2) + mean(true**2), QUIET_SURFACE**2)
    return (mean((generated - true) ** 2) / strength).mean()


@jax.jit
def weighted_total(terms: Mapping[str, Scalar], weights: Mapping[str, float | Scalar]) -> Scalar:
    """L_G^x + L_G^y + l1 (L^x + L^y) + l2 (L^C_x + L^C_y) + l3 (L^S_x + L^S_y), or any other weighted sum of terms.

    Raises:
        ValueError: a term without weight, or a weight without term.
    """
    if set(terms) != set(weights):
        raise ValueError(
            f"each term takes one weight: terms without weight {sorted(set(terms) - set(weights))}, "
            f"weights without term {sorted(set(weights) - set(terms))}"
        )
    return jnp.sum(jnp.stack([weights[name] * terms[name] for name in sorted(terms)]))


def _check_form(form: str) -> str:
    if form not in get_args(Adversarial):
        raise ValueError(f"unknown adversarial form {form!r}: choose one of {', '.join(get_args(Adversarial))}")
    return form


def _sum_over_scales(term: Callable[..., Scalar], *logits: Logits) -> Scalar:
    if len({len(scales) for scales in logits}) != 1:
        raise ValueError(f"real and fake logits must have the same scales, got {[len(scales) for scales in logits]}")
    return jnp.sum(jnp.stack([term(*scale) for scale in zip(*logits, strict=True)]))
