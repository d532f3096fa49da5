"""Networks with their scaling: EUV images in DN/s to realisations of magnetograms in gauss, and back."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
from jaxtyping import Array, Float

from munit_jax.data.normalization import Normalization, denormalize, normalize
from munit_jax.field_strength import FieldStrength
from munit_jax.networks import munit
from munit_jax.networks.munit import OTHER, Architecture, Domain, Params, StyleCode

# An accelerator decodes this many pixels in one pass: four images of 512, one of 1024. One of 512, full width and
# float32, takes 0.3 GB (XLA's account of the program for CPUs with direct convolutions).
PIXELS_A_PASS = 4 * 512**2


@dataclass(frozen=True)
class Translator:
    """The translation in physical units, as pure functions of the generators' parameters.

    Each method is compiled once for each shape, whichever validation, evaluation or command calls it.

        >>> architecture = Architecture(width=2, mlp_width=4, residual_blocks=1, discriminator_scales=1)
        >>> euv = Normalization("asinh", signed=False, scale=(49.0,), limit=(9800.0,))
        >>> magnetogram = Normalization("asinh", signed=True, scale=(100.0,), limit=(3000.0,))
        >>> translator = munit_jax.Translator(architecture, euv, magnetogram)
        >>> generators = init_generators(architecture, seed=0)
        >>> styles = jax.numpy.zeros((4, architecture.style_size))
        >>> translator.translate(generators, jax.numpy.ones((1, 16, 16, 1)), styles).shape
        (1, 4, 16, 16, 1)

    The scalings are between DN/s or gauss and [-1, 1]. `strength` is what the brightness says of the field's.
    """

    architecture: Architecture
    euv: Normalization
    magnetogram: Normalization
    strength: FieldStrength | None = None

    def scaling(self, domain: Domain) -> Normalization:
        """Return the scaling of a domain's images."""
        return self.euv if domain == "euv" else self.magnetogram

    @partial(jax.jit, static_argnames=("self", "source", "a_pass"))
    def translate(
        self,
        generators: Params,
        images: Float[Any, "b h w c"],
        styles: Float[Any, "n s"],
        contexts: Float[Any, "b h w k"] | None = None,
        source: Domain = "euv",
        a_pass: int = 1,
    ) -> Float[Array, "b n h w c2"]:
        """Return every image with every style: its content is encoded once and decoded with each.

        Images are in DN/s (`euv`) or gauss (`magnetogram`), with their conditioning planes where the networks take
        them; styles are of the other domain. `a_pass` realisations of an image are decoded in one pass: memory grows
        with it. Magnetograms get the `strength` (see `FieldStrength.applied`).
        """

        def one(image: Float[Array, "h w c"], context: Float[Array, "h w k"] | None) -> Float[Array, "n h w c2"]:
            planes = None if context is None else context[None]
            return munit.realisations(self.architecture, generators, source, image[None], styles, a_pass, planes)

        inputs = normalize(self.scaling(source), images), contexts
        single = len(images) == 1
        translated = one(*jax.tree.map(lambda x: x[0], inputs))[None] if single else jax.vmap(one)(*inputs)
        made = denormalize(self.scaling(OTHER[source]), translated)
        if self.strength is None or source != "euv":
            return made
        return jax.vmap(self.strength.applied)(made, images)

    @partial(jax.jit, static_argnames=("self", "domain"))
    def style_of(self, generators: Params, domain: Domain, images: Float[Any, "b h w c"]) -> StyleCode:
        """Return the style codes of images in DN/s or gauss."""
        scaled = normalize(self.scaling(domain), images)
        return munit.encode_style(self.architecture, generators, domain, scaled)
