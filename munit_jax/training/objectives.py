"""The objectives of the generators and of the discriminators: the loss terms of what the generators make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

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
    conditioning,
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
    term with weight 0 is not computed, nor what it alone needs: without the adversarial term the discriminators are not
    trained. Paired, unsigned, ensemble, flux and source-surface terms need simultaneous images; the last two also
    `field`, the scaling of magnetograms to gauss; the source surface whole disks in SDOML's geometry.
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
    def weights(self) -> dict[str, float]:
        """The weight of each term by its name."""
        names = [field.name for field in fields(self) if field.name.endswith("_weight")]
        return {name.removesuffix("_weight"): getattr(self, name) for name in names}

    @property
    def needs_second(self) -> bool:
        """Whether a second magnetogram is made of each EUV image."""
        return bool(self.ensemble_weight or self.ensemble_flux_weight)

    @property
    def encodes_style(self) -> bool:
        """Whether a term needs the styles of real images."""
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
        """The domains into which the networks learn to translate."""
        return DOMAINS if self.paired_weight else self.translated

    @property
    def trains_style_encoders(self) -> bool:
        """Whether the networks learn to encode the style of an image."""
        return self.encodes_style or bool(self.style_weight)

    def used_of(self, generators: Params) -> Params:
        """Return the generators' networks that a translation may use: those that the objective trains."""
        used: dict[str, list[str]] = {x: [] for x in DOMAINS}
        for x in self.into:
            used[OTHER[x]].append("content")
            used[x] += ["decoder", "style"] if self.trains_style_encoders else ["decoder"]
        return {x: {name: generators[x][name] for name in names} for x, names in used.items()}


class Generated(struct.PyTreeNode):
    """Codes and images that the generators make of images of both domains and a style drawn for each; each by domain.

    Fields that no term needs are empty.
    """

    content: dict[str, ContentCode]
    style: dict[str, StyleCode]
    reconstruction: dict[str, Array]  # from an image's own two codes
    translation: dict[str, Array]  # into x, from the content of the other domain's image and the drawn style of x
    another: dict[str, Array]  # as `translation`, of magnetograms, with a second drawn style
    paired: dict[str, Array]  # as `translation`, with the style of the image of x
    recovered_content: dict[str, ContentCode]  # from the translation of the image of x into the other domain
    recovered_style: dict[str, StyleCode]  # from `translation[x]`
    cycle: dict[str, Array]  # from the recovered content and the image's own style


def translate_both(
    a: Architecture, generators: Params, images: Images, styles: Styles, contexts: Contexts | None = None
) -> dict[str, Array]:
    """Return by domain x the images D_x(C_y, S_x) for given styles, y the other domain."""
    context = contexts or dict.fromkeys(DOMAINS)
    return {x: translate(a, generators, y, images[y], styles[x], context[y]) for x, y in OTHER.items()}


def decode_all(
    a: Architecture, generators: Params, domain: Domain, codes: Sequence[tuple[ContentCode, StyleCode, Context | None]]
) -> list[Array]:
    """Return the images of several codes (content, style, context) of one domain.

    In one pass of the decoder, since small batches leave most of a device idle; one by one if `recompute` asks to save
    memory.
    """
    if not codes:
        return []
    if a.recompute not in ("nothing", "activations"):
        return [decode(a, generators, domain, *of_one) for of_one in codes]
    contents, styles, contexts = zip(*codes, strict=True)
    content, context = contents[0], contexts[0]
    if any(other is not content for other in contents):
        content, context = jnp.concatenate(contents), None if context is None else jnp.concatenate(contexts)
    return jnp.split(decode(a, generators, domain, content, jnp.concatenate(styles), context), len(codes))


def generate(
    a: Architecture,
    objective: Objective,
    generators: Params,
    images: Images,
    styles: Styles,
    contexts: Contexts | None = None,
    second: StyleCode | None = None,
) -> Generated:
    """Run the generators on images of both domains, in [-1, 1], once for both objectives, as far as terms need it.

    The styles are drawn; `second` are second ones of magnetograms, where `objective.needs_second`; `contexts` those of
    the images, where the architecture has planes.
    """
    o = objective
    context = {x: conditioning(a, images[x], contexts[x] if contexts else None) for x in DOMAINS}
    style = {x: encode_style(a, generators, x, images[x]) for x in DOMAINS if o.encodes_style}
    content = {
        x: encode_content(a, generators, x, images[x])
        for x, y in OTHER.items()
        if o.image_weight or o.paired_weight or y in o.translated
    }
    decoded: dict[str, dict[str, Array]] = {"reconstruction": {}, "translation": {}, "another": {}, "paired": {}}
    for x, y in OTHER.items():
        codes = {}
        if o.image_weight:
            codes["reconstruction"] = content[x], style[x], context[x]
        if x in o.translated:
            codes["translation"] = content[y], styles[x], context[y]
        if o.needs_second and x == "magnetogram":
            assert second is not None
            codes["another"] = content[y], second, context[y]
        if o.paired_weight:
            codes["paired"] = content[y], style[x], context[y]
        for name, image in zip(codes, decode_all(a, generators, x, list(codes.values())), strict=True):
            decoded[name][x] = image
    translation, recovers = decoded["translation"], bool(o.content_weight or o.cycle_weight)
    recovered = {x: encode_content(a, generators, y, translation[y]) for x, y in OTHER.items() if recovers}
    decoded |= {
        "recovered_content": recovered,
        "recovered_style": {x: encode_style(a, generators, x, translation[x]) for x in DOMAINS if o.style_weight},
        "cycle": {x: decode(a, generators, x, recovered[x], style[x], context[x]) for x in DOMAINS if o.cycle_weight},
    }
    return Generated(content=content, style=style, **decoded)


def discriminator_objective(
    a: Architecture, objective: Objective, discriminators: Params, images: Images, translation: Images
) -> tuple[losses.Scalar, Terms]:
    """Return the discriminators' loss and its terms, given real images and translations, which are detached.

    The terms include, without weight, the accuracy of each discriminator.
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
    """Return the generators' loss and its terms, unweighted, given what they made."""
    found = list(_magnetogram_terms(objective, images["magnetogram"], generated))
    for x in DOMAINS:
        of_domain = _domain_terms(a, objective, discriminators, x, images[x], styles[x], generated)
        found += [(f"{name}_{x}", weight, value) for name, weight, value in of_domain]
    terms = {name: value for name, _, value in found}
    return losses.weighted_total(terms, {name: weight for name, weight, _ in found}), terms


def _domain_terms(
    a: Architecture,
    o: Objective,
    discriminators: Params,
    x: Domain,
    image: Float[Array, "b h w c"],
    style: StyleCode,
    made: Generated,
) -> Iterator[tuple[str, float, losses.Scalar]]:
    """Yield name, weight and value of the terms of a domain."""
    if o.adversarial_weight:
        logits = discriminate(a, discriminators, x, made.translation[x])
        yield "adversarial", o.adversarial_weight, losses.generator_adversarial(logits, o.adversarial, o.non_saturating)
    if o.image_weight:
        yield "image_reconstruction", o.image_weight, losses.image_reconstruction(made.reconstruction[x], image)
    if o.content_weight:
        target = jax.lax.stop_gradient(made.content[x]) if o.detach_content_target else made.content[x]
        value = losses.content_reconstruction(made.recovered_content[x], target)
        yield "content_reconstruction", o.content_weight, value
    if o.style_weight:
        yield "style_reconstruction", o.style_weight, losses.style_reconstruction(made.recovered_style[x], style)
    if o.cycle_weight:
        yield "cycle_reconstruction", o.cycle_weight, losses.cycle_reconstruction(made.cycle[x], image)
    if o.paired_weight:
        yield "paired_translation", o.paired_weight, losses.paired_translation(made.paired[x], image)


def _magnetogram_terms(
    o: Objective, truth: Float[Array, "b h w c"], generated: Generated
) -> Iterator[tuple[str, float, losses.Scalar]]:
    """Yield name, weight and value of the terms that compare with the simultaneous magnetogram, `truth`."""
    made = [x["magnetogram"] for x in (generated.translation, generated.another) if x]
    if o.unsigned_weight:
        yield "paired_unsigned_field", o.unsigned_weight, losses.paired_unsigned_field(made[0], truth)
    if o.ensemble_weight:
        yield "ensemble_crps", o.ensemble_weight, losses.ensemble_crps(*made, truth)
    if not (o.ensemble_flux_weight or o.source_surface_weight):
        return
    assert o.field is not None
    *made_gauss, true_gauss = (denormalize(o.field, x) for x in (*made, truth))
    if o.ensemble_flux_weight:
        value = losses.ensemble_flux_crps(*made_gauss, true_gauss, *o.field.scale)
        yield "ensemble_flux_crps", o.ensemble_flux_weight, value
    if o.source_surface_weight:
        corona = disk_corona(truth.shape[1])
        surfaces = (corona.surface(x[..., 0]) for x in (made_gauss[0], true_gauss))
        value = losses.source_surface_error(*surfaces, corona.transform.solid_angles)
        yield "source_surface", o.source_surface_weight, value
