"""The arithmetic of a training step, counted by hand from the architecture.

A multiplication and an addition are two operations. Only convolutions and linear layers are counted; norms and
activations are below a percent. A backward pass costs a forward pass for the gradient of the inputs and another for
that of the weights (that images need none is neglected).

An upsampling convolution, nearest x 2 and then 5 x 5, can be done as four 3 x 3 convolutions on the small image: 9
products for each pixel and pair of channels instead of 25. `polyphase` counts it so.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from munit_jax.networks.encoders import StyleEncoder
from munit_jax.networks.munit import DOMAINS, Architecture


@dataclass(frozen=True)
class Layer:
    """A convolution: side of its square kernel, side of its output in pixels; linear layers have 1 for both."""

    kernel: int
    inputs: int
    outputs: int
    side: int
    upsamples: bool = False

    @property
    def parameters(self) -> int:
        """Return the number of weights, bias included."""
        return (self.kernel**2 * self.inputs + 1) * self.outputs

    def flops(self, polyphase: bool) -> int:
        """Return the operations of a forward pass."""
        products = 3**2 if polyphase and self.upsamples else self.kernel**2
        return 2 * self.side**2 * products * self.inputs * self.outputs


Network = Sequence[Layer]


def content_encoder(a: Architecture, size: int, channels: int) -> Network:
    """Return the layers that encode the content of a square image."""
    widths = [a.width * 2**i for i in range(a.downsamplings + 1)]
    return [Layer(7, channels, a.width, size), *downsampling(widths, size), *residual_blocks(a, size)]


def downsampling(widths: Sequence[int], size: int) -> list[Layer]:
    """Return the strided convolutions between these numbers of channels, each halving the size."""
    return [Layer(4, i, o, size // 2 ** (k + 1)) for k, (i, o) in enumerate(itertools.pairwise(widths))]


def residual_blocks(a: Architecture, size: int) -> list[Layer]:
    """Return the layers of an encoder's or a decoder's residual blocks."""
    features = a.width * 2**a.downsamplings
    return [Layer(3, features, features, size // 2**a.downsamplings)] * (2 * a.residual_blocks)


def style_encoder(a: Architecture, size: int, channels: int) -> Network:
    """Return the layers that encode the style of a square image."""
    widths = [a.width * 2 ** min(i, 2) for i in range(StyleEncoder.downsamplings + 1)]
    return [Layer(7, channels, a.width, size), *downsampling(widths, size), Layer(1, widths[-1], a.style_size, 1)]


def decoder(a: Architecture, size: int, channels: int) -> Network:
    """Return the layers that make a square image of a content and a style code, the MLP included."""
    features = a.width * 2**a.downsamplings
    mlp = (a.style_size, a.mlp_width, a.mlp_width, a.residual_blocks * 2 * 2 * features)
    linear = [Layer(1, i, o, 1) for i, o in itertools.pairwise(mlp)]
    up = [
        Layer(5, a.width * 2 ** (i + 1), a.width * 2**i, size // 2**i, upsamples=True)
        for i in reversed(range(a.downsamplings))
    ]
    return [*linear, *residual_blocks(a, size), *up, Layer(7, a.width, channels, size)]


def discriminator(a: Architecture, size: int, channels: int) -> Network:
    """Return the layers of all scales of a discriminator."""
    widths = [channels, *(a.discriminator_width * 2**i for i in range(a.discriminator_layers))]
    layers = []
    for scale in range(a.discriminator_scales):
        convolutions = downsampling(widths, size // 2**scale)
        layers += [*convolutions, Layer(1, widths[-1], 1, convolutions[-1].side)]
    return layers


@dataclass(frozen=True)
class ForwardFlops:
    """Operations of one pass through each network, for one image of each of the two domains."""

    content: int
    style: int
    decoder: int
    discriminator: int


def forward_flops(a: Architecture, size: int, polyphase: bool) -> ForwardFlops:
    """Count one forward pass of each network in both domains."""

    def count(network: Network) -> int:
        return sum(layer.flops(polyphase) for layer in network)

    return ForwardFlops(
        *(
            sum(count(network(a, size, a.channels(domain))) for domain in DOMAINS)
            for network in (content_encoder, style_encoder, decoder, discriminator)
        )
    )


def flops_per_step(
    a: Architecture, size: int, *, shared_forward: bool, polyphase: bool, cycle: bool = False
) -> dict[str, int]:
    """Return the operations of a training step on one pair of images, by what they are spent on.

    Args:
        a: the architecture.
        size: side of the images.
        shared_forward: the discriminators learn from the translations that the generators' update makes; the
            reference makes them a second time.
        polyphase: see above.
        cycle: the objective has the cycle term.
    """
    forward = forward_flops(a, size, polyphase)
    backward = 3  # forward, and twice as much back
    return {
        # Of the images and of their translations.
        "content encoders": backward * 2 * forward.content,
        "style encoders": backward * 2 * forward.style,
        # To reconstructions and translations.
        "decoders": backward * (3 if cycle else 2) * forward.decoder,
        "discriminators' update": backward * 2 * forward.discriminator,
        # The gradient goes through the discriminators to the translations, none is taken of their weights.
        "discriminators in the generators' update": 2 * forward.discriminator,
        "translations made again": 0 if shared_forward else forward.content + forward.decoder,
    }


def flops_of_realisations(a: Architecture, size: int, count: int, polyphase: bool) -> int:
    """Return the operations of translating an EUV image with a number of styles, its content encoded once."""
    encode = sum(layer.flops(polyphase) for layer in content_encoder(a, size, a.euv_channels))
    decode = sum(layer.flops(polyphase) for layer in decoder(a, size, a.magnetogram_channels))
    return encode + count * decode
