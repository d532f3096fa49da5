"""AIA 171, 193 and 304 together to HMI magnetograms, paired; otherwise as configs/aia193_best.py.

    python -m tfds_sdoml.build sdoml/aia0171_0193_0304_hmi --manual_dir=FOLDER_OF_SDOML
    python -m munit_jax.train --config=configs/multichannel.py
    python -m munit_jax.train --config=configs/multichannel.py:embedded

Three heights of the atmosphere should determine more of the field than one: on the synthetic Sun (:embedded, a third of
its steps, seed 0) CRPS 2.23 G instead of 2.30 with 193 alone, |B| correlation 0.66 instead of 0.64; 304 alone, which
follows the field closely there, has 2.20 and 0.65 (docs/skill.md). Cost as configs/aia193_best.py: the networks differ
only in their first layer. `translate` then needs an image of each channel.
Not yet run at full size by us.
"""

from ml_collections import ConfigDict

from configs import aia193, aia193_best

CHANNELS = ("0171", "0193", "0304")


def get_config(variant: str = "") -> ConfigDict:
    """Return the config of the run or of a variant of it."""
    if variant not in ("", "embedded"):
        raise ValueError(f"unknown variant {variant!r} of configs/multichannel.py: choose embedded or none")
    config = aia193_best.get_config(variant)
    config.data.channels = CHANNELS
    limits = tuple(aia193.AIA_LIMIT[channel] for channel in CHANNELS)
    scales = tuple(aia193.ASINH_FRACTION * limit for limit in limits)
    config.data.normalization.euv.update({"scale": scales, "limit": limits})
    if not variant:
        config.data.euv = config.data.magnetogram = "sdoml/aia0171_0193_0304_hmi"
    return config
