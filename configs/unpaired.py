"""Frames of the two domains that are not simultaneous: AIA 171 and HMI from SDOML v1 files, 128-pixel crops.

    python -m tfds_sdoml.build sdoml/aia0171 --manual_dir=FOLDER_OF_SDOML
    python -m tfds_sdoml.build sdoml/hmi_bz --manual_dir=FOLDER_OF_SDOML
    python -m munit_jax.train --config=configs/unpaired.py

    Cost: 28 minutes of one core. Result: realisations of a held-out frame of December 2015 have the histogram of
    |B| and the power spectrum of the magnetogram of July 2016 within a factor of two
    (docs/experiments/2026-11-26_unpaired_real_frames.md).

MUNIT needs no pairs: each domain is shuffled separately, and the cycle term ties a translation to its pixels. There is
no truth to score against, so the summary's held_out is null; look at samples/. Narrow networks, for a machine without
GPU.
"""

from ml_collections import ConfigDict

from configs import aia193


def get_config(variant: str = "") -> ConfigDict:
    """Return the config; it has no variants."""
    if variant:
        raise ValueError(f"unknown variant {variant!r} of configs/unpaired.py: it has none")
    config = aia193.base("0171")
    config.steps = 4_000
    config.batch_size = 1
    config.checkpoint_every = 500
    config.eval_every = 500
    config.data.euv, config.data.magnetogram, config.data.paired = "sdoml/aia0171", "sdoml/hmi_bz", False
    config.data.crop = 128
    config.data.normalization.magnetogram.update({"scale": (20.0,), "limit": (2000.0,)})
    config.model.update({"width": 16, "mlp_width": 64, "discriminator_width": 16, "discriminator_spectral_norm": True})
    config.loss.update({"adversarial": "lsgan", "cycle_weight": 10.0, "detach_content_target": True})
    config.optimizer.update({"learning_rate": 4e-4, "discriminator_learning_rate": 4e-4, "halve_every": 1_500})
    config.optimizer.ema_decay = 0.995
    return config
