"""From networks and loss terms to the two objectives, every term by its name.

`generate` runs the generators once; the objectives read what it made. So one forward pass can serve both updates: the
discriminators learn from its translations, then the generators are pulled back through the new discriminators.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from munit_jax import losses
from munit_jax.data.normalization import Normalization, denormalize
from munit_jax.networks.conditioning import Context
from munit_jax.networks.munit import (
    DOMAINS,
    OTHER,
    Architecture,
    ContentCode,
    Domain,
    Params,
    StyleCode,
    decode,
    discriminate,
    encode_content,
    encode_style,
    translate,
)
from munit_jax.pfss.disk_corona import disk_corona

Images = Mapping[str, Float[Array, "b h w c"]]  # by domain
Styles = Mapping[str, StyleCode]  # by domain
Contexts = Mapping[str, Context]  # by the domain of the image
Terms = dict[str, losses.Scalar]


@dataclass(frozen=True)
class Objective:
    """The weights of the terms and the form of the adversarial one.

    image, content and style are the poster's l1, l2 and l3; it gives no values, so the defaults are the reference's. A
    weight of 0 leaves a term out of the arithmetic, with all that serves it alone: without the adversarial term the
    discriminators stay as they are. Paired, unsigned, ensemble, flux and source-surface terms need simultaneous images,
    the last two `field`, the scaling of magnetograms to gauss, the source surface whole disks in SDOML's geometry.
    """

    adversarial: losses.Adversarial = "log"
    non_saturating: bool = True
    adversarial_weight: float = 1.0
    image_weight: float = 10.0
    content_weight: float = 1.0
    style_weight: float = 1.0
    cycle_weight: float = 0.0
    paired_weight: float = 0.0
    unsigned_weight: float = 0.0
    ensemble_weight: float = 0.0
    ensemble_flux_weight: float = 0.0
    source_surface_weight: float = 0.0
    detach_content_target: bool = False
    field: Normalization | None = None

    @property
    def needs_second(self) -> bool:
        """Whether a second magnetogram is made of each EUV image."""
        return bool(self.ensemble_weight or self.ensemble_flux_weight)

    @property
    def encodes_style(self) -> bool:
        """Whether the styles of real images are encoded on the way to some term."""
        return bool(self.image_weight or self.paired_weight or self.cycle_weight)

    @property
    def translated(self) -> tuple[Domain, ...]:
        """The domains into which images are translated with drawn styles."""
        if self.adversarial_weight or self.content_weight or self.style_weight or self.cycle_weight:
            return DOMAINS
        of_magnetograms = self.needs_second or self.unsigned_weight or self.source_surface_weight
        return ("magnetogram",) if of_magnetograms else ()

    @property
    def into(self) -> tuple[Domain, ...]:
        """The domains into which translation is taught."""
        return DOMAINS if self.paired_weight else self.translated

    @property
    def teaches_styles(self) -> bool:
        """Whether it is taught what the style of a real image is."""
        return self.encodes_style or bool(self.style_weight)


class Generated(struct.PyTreeNode):
    """What the generators make of a pair of images and a style drawn for each domain; each by domain.

    `translation[x]` is an image of domain x, made of the content of the other domain's image and the drawn style of x.
    `recovered_content[x]` is the content of the image of x, encoded again from its translation into the other domain.
    `recovered_style[x]` is the style encoded from `translation[x]`. `another` is as `translation`, with a second style,
    of magnetograms. What no term asks for is empty.
    """

    content: dict[str, ContentCode]
    style: dict[str, StyleCode]
    reconstruction: dict[str, Array]
    translation: dict[str, Array]
    another: dict[str, Array]
    paired: dict[str, Array]
    recovered_content: dict[str, ContentCode]
    recovered_style: dict[str, StyleCode]
    cycle: dict[str, Array]


def translate_both(
    a: Architecture, generators: Params, images: Images, styles: Styles, contexts: Contexts | None = None
) -> dict[str, Array]:
    """Return by domain x the images D_x(C_y, S_x) for given styles, y the other domain."""

    context = contexts or dict.fromkeys(DOMAINS)
    return {x: translate(a, generators, y, images[y], styles[x], context[y]) for x, y in OTHER.items()}


def decode_all(
    a: Architecture, generators: Params, domain: Domain, codes: Sequence[tuple[ContentCode, StyleCode, Context | None]]
) -> list[Array]:
    """Return the images of several content and style codes, with their contexts, of one domain.

    In one pass of the decoder, since small batches leave most of a device idle; one after the other where memory is
    what is short.
    """
    if not codes:
        return []
    if a.recompute not in ("nothing", "activations"):
        return [decode(a, generators, domain, *of_one) for of_one in codes]
    contents, styles, contexts = zip(*codes, strict=True)
    context = None if contexts[0] is None else jnp.concatenate(contexts)
    return jnp.split(
        decode(a, generators, domain, jnp.concatenate(contents), jnp.concatenate(styles), context), len(codes)
    )


def generate(
    a: Architecture,
    objective: Objective,
    generators: Params,
    images: Images,
    styles: Styles,
    contexts: Contexts | None = None,
    second: StyleCode | None = None,
) -> Generated:
    """Run the generators on images of both domains with one drawn style for each, as far as the objective needs it.

    Args:
        a: sizes of the networks.
        objective: says what is needed.
        generators: parameters.
        images: by domain, in [-1, 1].
        styles: drawn, by domain.
        contexts: of the images, where the architecture has one.
        second: further styles of magnetograms, for the ensemble term.
    """
    style = {x: encode_style(a, generators, x, images[x]) for x in DOMAINS if objective.encodes_style}
    content = {
        x: encode_content(a, generators, x, images[x])
        for x in DOMAINS
        if objective.image_weight or objective.paired_weight or OTHER[x] in objective.translated
    }
    context = {x: None if contexts is None else contexts[x] for x in DOMAINS}
    decoded: dict[str, dict[str, Array]] = {"reconstruction": {}, "translation": {}, "another": {}, "paired": {}}
    for x in DOMAINS:
        y = OTHER[x]
        codes = {}
        if objective.image_weight:
            codes["reconstruction"] = content[x], style[x], context[x]
        if x in objective.translated:
            codes["translation"] = content[y], styles[x], context[y]
        if objective.needs_second and x == "magnetogram":
            assert second is not None
            codes["another"] = content[y], second, context[y]
        if objective.paired_weight:
            codes["paired"] = content[y], style[x], context[y]
        for name, image in zip(codes, decode_all(a, generators, x, list(codes.values())), strict=True):
            decoded[name][x] = image
    translation = decoded["translation"]
    recovered_content, recovered_style, cycle = {}, {}, {}
    if objective.content_weight or objective.cycle_weight:
        recovered_content = {OTHER[x]: encode_content(a, generators, x, translation[x]) for x in DOMAINS}
    if objective.style_weight:
        recovered_style = {x: encode_style(a, generators, x, translation[x]) for x in DOMAINS}
    if objective.cycle_weight:
        cycle = {x: decode(a, generators, x, recovered_content[x], style[x], context[x]) for x in DOMAINS}
    return Generated(
        content=content,
        style=style,
        recovered_content=recovered_content,
        recovered_style=recovered_style,
        cycle=cycle,
        **decoded,
    )


def discriminator_objective(
    a: Architecture, objective: Objective, discriminators: Params, images: Images, translation: Images
) -> tuple[losses.Scalar, Terms]:
    """Return what the discriminators minimise and its terms, given real images and (detached) translations.

    Among the terms stands, with no weight, the share of patches that each discriminator tells rightly.
    """
    terms, accuracies = {}, {}
    for x in DOMAINS:
        both = jnp.concatenate([images[x], jax.lax.stop_gradient(translation[x])])
        logits = [jnp.split(scale, 2) for scale in discriminate(a, discriminators, x, both)]
        real, fake = zip(*logits, strict=True)
        terms[f"discriminator_{x}"] = losses.discriminator_adversarial(real, fake, objective.adversarial)
        accuracies[f"discriminator_accuracy_{x}"] = losses.discriminator_accuracy(real, fake, objective.adversarial)
    weights = dict.fromkeys(terms, objective.adversarial_weight)
    return losses.weighted_total(terms, weights), terms | accuracies


def generator_objective(
    a: Architecture, objective: Objective, discriminators: Params, images: Images, styles: Styles, generated: Generated
) -> tuple[losses.Scalar, Terms]:
    """Return what the generators minimise and its terms, unweighted, given what they made."""
    terms: Terms = {}
    weights: dict[str, float] = {}

    def add(name: str, weight: float, value: losses.Scalar) -> None:
        terms[name], weights[name] = value, weight

    for x in DOMAINS:
        if objective.adversarial_weight:
            logits = discriminate(a, discriminators, x, generated.translation[x])
            value = losses.generator_adversarial(logits, objective.adversarial, objective.non_saturating)
            add(f"adversarial_{x}", objective.adversarial_weight, value)
        if objective.image_weight:
            value = losses.image_reconstruction(generated.reconstruction[x], images[x])
            add(f"image_reconstruction_{x}", objective.image_weight, value)
        if objective.content_weight:
            target = generated.content[x]
            if objective.detach_content_target:
                target = jax.lax.stop_gradient(target)
            value = losses.content_reconstruction(generated.recovered_content[x], target)
            add(f"content_reconstruction_{x}", objective.content_weight, value)
        if objective.style_weight:
            value = losses.style_reconstruction(generated.recovered_style[x], styles[x])
            add(f"style_reconstruction_{x}", objective.style_weight, value)
        if objective.cycle_weight:
            value = losses.cycle_reconstruction(generated.cycle[x], images[x])
            add(f"cycle_reconstruction_{x}", objective.cycle_weight, value)
        if objective.paired_weight:
            value = losses.paired_translation(generated.paired[x], images[x])
            add(f"paired_translation_{x}", objective.paired_weight, value)
    truth = images["magnetogram"]
    made = [x["magnetogram"] for x in (generated.translation, generated.another) if x]
    if objective.unsigned_weight:
        add("paired_unsigned_field", objective.unsigned_weight, losses.paired_unsigned_field(made[0], truth))
    if objective.ensemble_weight:
        add("ensemble_crps", objective.ensemble_weight, losses.ensemble_crps(*made, truth))
    if not (objective.ensemble_flux_weight or objective.source_surface_weight):
        return losses.weighted_total(terms, weights), terms
    assert objective.field is not None
    *made_gauss, true_gauss = (denormalize(objective.field, x) for x in (*made, truth))
    if objective.ensemble_flux_weight:
        value = losses.ensemble_flux_crps(*made_gauss, true_gauss, *objective.field.scale)
        add("ensemble_flux_crps", objective.ensemble_flux_weight, value)
    if objective.source_surface_weight:
        corona = disk_corona(truth.shape[1])
        surfaces = (corona.surface(x[..., 0]) for x in (made_gauss[0], true_gauss))
        value = losses.source_surface_error(*surfaces, corona.transform.solid_angles)
        add("source_surface", objective.source_surface_weight, value)
    return losses.weighted_total(terms, weights), terms
