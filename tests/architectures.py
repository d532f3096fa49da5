"""Networks of sizes that compile quickly."""

from dataclasses import replace

from munit_jax.networks.munit import Architecture

TINY = Architecture(
    width=2,
    style_size=3,
    mlp_width=4,
    downsamplings=1,
    residual_blocks=1,
    discriminator_width=2,
    discriminator_scales=1,
    discriminator_layers=2,
)
# Two downsamplings, two scales and two EUV channels: what TINY has once.
SMALL = replace(
    TINY,
    width=4,
    mlp_width=8,
    downsamplings=2,
    discriminator_width=4,
    discriminator_scales=2,
    discriminator_layers=4,
    euv_channels=2,
)
