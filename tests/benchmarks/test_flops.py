import jax
import jax.numpy as jnp
import pytest

from benchmarks.flops import content_encoder, decoder, discriminator, flops_per_step, style_encoder
from munit_jax.networks.munit import Architecture, discriminate, encode_style, init_discriminators, init_generators

FULL = Architecture()


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (content_encoder, 5_379_584),
        (style_encoder, 2_758_664),
        # The MLP, and the decoder but for layer norm's gamma and beta, which are not layers here.
        (decoder, 1_120_768 + 5_748_353 - 2 * (128 + 64)),
        (discriminator, 8_265_027),
    ],
)
def test_layers_hold_the_reference_s_parameters(network, parameters):
    assert sum(layer.parameters for layer in network(FULL, 128, 1)) == parameters


@pytest.mark.parametrize(
    ("shared_forward", "polyphase", "giga"), [(False, False, 546), (True, False, 476), (True, True, 375)]
)
def test_step_at_128(shared_forward, polyphase, giga):
    flops = flops_per_step(FULL, 128, shared_forward=shared_forward, polyphase=polyphase)
    assert sum(flops.values()) == pytest.approx(giga * 1e9, rel=0.02)


def test_four_times_the_pixels_take_four_times_the_operations():
    small, large = (flops_per_step(FULL, size, shared_forward=False, polyphase=False) for size in (128, 256))
    assert sum(large.values()) == pytest.approx(4 * sum(small.values()), rel=1e-3)


@pytest.mark.parametrize("side", ["style", "discriminator"])
def test_agrees_with_the_compiler_s_count(side):
    a = Architecture(width=16, discriminator_width=16)
    image = jnp.zeros((1, 64, 64, 1))
    if side == "style":
        parameters, network = init_generators(a, 0), style_encoder(a, 64, 1)
        lowered = jax.jit(lambda p: encode_style(a, p, "euv", image)).lower(parameters)
    else:
        parameters, network = init_discriminators(a, 0), discriminator(a, 64, 1)
        lowered = jax.jit(lambda p: discriminate(a, p, "euv", image)).lower(parameters)
    # The compiler counts biases and activations too: some per cent at this width.
    expected = lowered.cost_analysis()["flops"]
    counted = sum(layer.flops(polyphase=False) for layer in network)
    assert 0.9 * expected < counted < expected
