"""MUNIT as pure functions of its parameters (Huang et al. 2018): encode, decode, translate, discriminate."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from munit_jax.networks.blocks import Arithmetic, Recompute, network_function
from munit_jax.networks.conditioning import Context
from munit_jax.networks.convolution import Algorithm
from munit_jax.networks.decoder import Decoder
from munit_jax.networks.discriminator import MultiScaleDiscriminator, spectrally_normalized
from munit_jax.networks.encoders import ContentEncoder, StyleEncoder
from munit_jax.networks.initialization import draw_parameters

Domain = Literal["euv", "magnetogram"]
DOMAINS: tuple[Domain, Domain] = ("euv", "magnetogram")
OTHER: Mapping[Domain, Domain] = {"euv": "magnetogram", "magnetogram": "euv"}

# A tree of arrays, {"euv": {"content", "style", "decoder"}, "magnetogram": {...}} for the generators.
Params = Any
ContentCode = Float[Array, "b hc wc k"]
StyleCode = Float[Array, "b s"]


@dataclass(frozen=True)
class Architecture:
    """The sizes of all networks; the defaults are the reference's (46.5 M parameters with one channel a domain).

    discriminator_spectral_norm divides the discriminators' kernels by their largest singular value where they are used.
    context_planes is the number of planes that condition the decoders, see `munit_jax.networks.conditioning`; with
    image_plane one more is the image itself, the mean of its channels in [-1, 1].
    dtype and convolution say how the arithmetic is done, recompute what the backward pass computes again.
    """

    width: int = 64
    style_size: int = 8
    mlp_width: int = 256
    downsamplings: int = 2
    residual_blocks: int = 4
    discriminator_width: int = 64
    discriminator_scales: int = 3
    discriminator_layers: int = 4
    discriminator_spectral_norm: bool = False
    euv_channels: int = 1
    magnetogram_channels: int = 1
    context_planes: int = 0
    image_plane: bool = False
    dtype: str = "float32"
    convolution: Algorithm = "direct"
    recompute: Recompute = "nothing"

    def channels(self, domain: Domain) -> int:
        """Return the number of channels of a domain's images."""
        return self.euv_channels if domain == "euv" else self.magnetogram_channels

    @property
    def arithmetic(self) -> Arithmetic:
        """How the generators are computed."""
        return Arithmetic(jnp.dtype(self.dtype), self.convolution, self.recompute)

    @property
    def parameter_dtype(self) -> str:
        """The precision of the parameters: at least single, whatever that of the arithmetic."""
        return str(jnp.promote_types(self.dtype, jnp.float32))

    @property
    def size_divisor(self) -> int:
        """Height and width of an image must be multiples of this, so that the translation has them too."""
        return 2**self.downsamplings

    @property
    def smallest_size(self) -> int:
        """The least height and width: the last layer of the coarsest discriminator must have 2 pixels to mirror."""
        discriminator = 2 ** (self.discriminator_scales - 1) * 2**self.discriminator_layers
        style = 2 ** (StyleEncoder.downsamplings)
        return max(discriminator, style, 2 * self.size_divisor)


def _networks(a: Architecture, domain: Domain) -> dict[str, nn.Module]:
    """Return the encoders and the decoder of a domain."""
    channels, arithmetic = a.channels(domain), a.arithmetic
    return {
        "content": ContentEncoder(a.width, a.downsamplings, a.residual_blocks, arithmetic),
        "style": StyleEncoder(a.width, a.style_size, arithmetic=arithmetic),
        "decoder": Decoder(channels, a.downsamplings, a.residual_blocks, a.mlp_width, a.width, arithmetic),
    }


def _discriminator(a: Architecture) -> MultiScaleDiscriminator:
    arithmetic = Arithmetic(a.arithmetic.dtype)
    return MultiScaleDiscriminator(a.discriminator_width, a.discriminator_scales, a.discriminator_layers, arithmetic)


def init_generators(architecture: Architecture, seed: int) -> Params:
    """Draw the parameters of both domains' encoders and decoders, in `parameter_dtype`."""
    return draw_parameters(generator_shapes(architecture), "generators", seed, architecture.parameter_dtype)


def init_discriminators(architecture: Architecture, seed: int) -> Params:
    """Draw the parameters of both domains' discriminators, in `parameter_dtype`."""
    a = architecture
    shapes = {x: _shapes(_discriminator(a), _of(1, a.smallest_size, a.smallest_size, a.channels(x))) for x in DOMAINS}
    return draw_parameters(shapes, "discriminators", seed, a.parameter_dtype)


def generator_shapes(architecture: Architecture) -> Params:
    """Return the shapes of what `init_generators` draws, float32."""
    a, size = architecture, architecture.smallest_size
    code_size = size // a.size_divisor
    codes = _of(1, code_size, code_size, a.width * a.size_divisor), _of(1, a.style_size)
    planes = a.context_planes + a.image_plane
    context = _of(1, size, size, planes) if planes else None
    shapes = {}
    for domain in DOMAINS:
        image = _of(1, size, size, a.channels(domain))
        inputs = {"content": (image,), "style": (image,), "decoder": (*codes, context)}
        shapes[domain] = {name: _shapes(network, *inputs[name]) for name, network in _networks(a, domain).items()}
    return shapes


def _of(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def _shapes(network: nn.Module, *inputs: jax.ShapeDtypeStruct | None) -> Params:
    return jax.eval_shape(partial(_init, network), *inputs)


@partial(jax.jit, static_argnums=0)  # traced once for both domains
def _init(network: nn.Module, *inputs: Array | None) -> Params:
    return network.init(jax.random.key(0), *inputs)["params"]


def encode_content(
    architecture: Architecture, generators: Params, domain: Domain, image: Float[Array, "b h w c"]
) -> ContentCode:
    """Return the content code C_x of images of a domain, 1 / 2**downsamplings of their size."""
    return _encode(architecture, generators, domain, "content", image)


def encode_style(
    architecture: Architecture, generators: Params, domain: Domain, image: Float[Array, "b h w c"]
) -> StyleCode:
    """Return the style code S_x of images of a domain."""
    return _encode(architecture, generators, domain, "style", image)


def _encode(a: Architecture, generators: Params, domain: Domain, code: str, image: Float[Array, "b h w c"]) -> Array:
    """Return a code of images; raises ValueError if their channels or size do not fit the architecture."""
    channels, divisor = a.channels(domain), a.size_divisor
    if image.ndim != 4 or image.shape[-1] != channels:
        raise ValueError(f"{domain} images must have shape (batch, height, width, {channels}), got {image.shape}")
    if image.shape[1] % divisor or image.shape[2] % divisor:
        raise ValueError(
            f"height and width must be multiples of {divisor} ({a.downsamplings} downsamplings), "
            f"got {image.shape[1]} x {image.shape[2]}"
        )
    return _apply(_networks(a, domain)[code], generators[domain][code], image)


def decode(
    architecture: Architecture,
    generators: Params,
    domain: Domain,
    content: ContentCode,
    style: Float[Array, "nb s"],
    context: Context | None = None,
) -> Float[Array, "nb h w c"]:
    """Return the images D_x(C, S) in [-1, 1] of b content codes and n style codes of the domain for each of them.

    All contents with their first style come first, then all with the second. The context, where the architecture has
    one, is that of the images that the contents are of; it is encoded once for all styles.

    Raises:
        ValueError: the context has not the architecture's planes.
    """
    planes = 0 if context is None else context.shape[-1]
    expected = architecture.context_planes + architecture.image_plane
    if planes != expected:
        raise ValueError(f"the decoders take a context of {expected} planes, got {planes}")
    decoder = _networks(architecture, domain)["decoder"]
    return _apply(decoder, generators[domain]["decoder"], content, style, context)


def conditioning(
    architecture: Architecture, image: Float[Array, "b h w c"], context: Context | None
) -> Float[Array, "b h w k"] | None:
    """Return what conditions the decoders on an image in [-1, 1]: its context, and itself where they take it."""
    if not architecture.image_plane:
        return context
    plane = image.mean(axis=-1, keepdims=True)
    return plane if context is None else jnp.concatenate([context, plane], axis=-1)


def draw_style(architecture: Architecture, key: PRNGKeyArray, count: int, spread: float = 1.0) -> StyleCode:
    """Draw `count` style codes from the prior q = N(0, I), or from a wider one, N(0, spread^2 I)."""
    return spread * jax.random.normal(key, (count, architecture.style_size))


def translate(
    architecture: Architecture,
    generators: Params,
    source: Domain,
    image: Float[Array, "b h w c"],
    style: StyleCode,
    context: Context | None = None,
) -> Float[Array, "b h w c2"]:
    """Translate images of the domain `source`: D_x(C_y, S_x), their content with a style of the other domain."""
    content = encode_content(architecture, generators, source, image)
    return decode(architecture, generators, OTHER[source], content, style, conditioning(architecture, image, context))


def realisations(
    architecture: Architecture,
    generators: Params,
    source: Domain,
    image: Float[Array, "1 h w c"],
    styles: Float[Array, "n s"],
    at_once: int = 1,
    context: Float[Array, "1 h w k"] | None = None,
) -> Float[Array, "n h w c2"]:
    """Translate one image, in [-1, 1], with many styles: its content is encoded once and decoded with each.

    The decoder takes `at_once` styles in a pass: memory grows with it, and small images fill a device only together.
    """
    content = encode_content(architecture, generators, source, image)
    planes = conditioning(architecture, image, context)

    def decode_one(style: Float[Array, " s"]) -> Float[Array, "h w c2"]:
        return decode(architecture, generators, OTHER[source], content, style[None], planes)[0]

    return jax.lax.map(decode_one, styles, batch_size=None if at_once == 1 else at_once)


def discriminate(
    architecture: Architecture, discriminators: Params, domain: Domain, image: Float[Array, "b h w c"]
) -> tuple[Float[Array, "b _ _ 1"], ...]:
    """Return the logits, one map a scale: large where a patch looks like a real image of the domain."""
    params = discriminators[domain]
    if architecture.discriminator_spectral_norm:
        params = spectrally_normalized(params)
    return _apply(_discriminator(architecture), params, image)


@partial(jax.jit, static_argnums=0)  # traced once for both domains, and for all passes of a step
def _apply(network: Any, params: Params, *inputs: Array | None) -> Any:
    def apply(params: Params, *inputs: Array | None) -> Any:
        return network.apply({"params": params}, *inputs)

    return network_function(apply, network.arithmetic.recompute)(params, *inputs)
