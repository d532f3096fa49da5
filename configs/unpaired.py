"""Frames of the two domains that are not simultaneous: AIA 171 and HMI from SDOML v1 files, 128-pixel crops.

    python -m tfds_sdoml.build sdoml/aia0171 --manual_dir=FOLDER_OF_SDOML
    python -m tfds_sdoml.build sdoml/hmi_bz --manual_dir=FOLDER_OF_SDOML
    python -m munit_jax.train --config=configs/unpaired.py

    Cost: 28 minutes of one core. Result: realisations of a held-out frame of December 2015 have the histogram of
    |B| and the power spectrum of the magnetogram of July 2016 within a factor of two (docs/skill.md).

MUNIT needs no pairs: each domain is shuffled for itself, and the cycle term ties a translation to its pixels. There is
no truth to score against, so the summary's held_out is null; look at samples/. Narrow networks, for a machine without
GPU.
"""

from configs import aia193
from munit_jax.configuration import Config

SYNTHETIC_BRIGHTNESS = 0.25  # median of the disk of the synthetic Sun in 171, over that of the real frames of 2014


def get_config(variant: str = "") -> Config:
    """Return the config of the run or of a variant of it."""
    if variant not in ("", "synthetic", "adapted"):
        raise ValueError(f"unknown variant {variant!r} of configs/unpaired.py: choose synthetic, adapted or none")
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
    if variant:
        config.data.context = ("hale_latitude", "mu")
    if variant == "synthetic":
        synthetic(config)
    return config


def synthetic(config: Config) -> None:
    """Turn the config into the paired one of the synthetic Sun, the recipe of configs/aia193_best.py."""
    config.steps, config.batch_size = 2_500, 4
    config.data.euv, config.data.magnetogram, config.data.paired = "sdoml/synthetic_512", "sdoml/synthetic_512", True
    scaling = config.data.normalization.euv
    scaling.update({name: tuple(SYNTHETIC_BRIGHTNESS * x for x in scaling[name]) for name in ("scale", "limit")})
    config.loss.update({"cycle_weight": 0.0, "ensemble_weight": 600.0, "ensemble_flux_weight": 10.0})
    config.loss.update(dict.fromkeys(("adversarial_weight", "image_weight", "content_weight", "style_weight"), 0.0))
    config.optimizer.update({"learning_rate": 1e-3, "b1": 0.9, "b2": 0.99, "halve_every": 500, "ema_decay": 0.995})
    config.evaluation.update({"limit": 8, "limit_during_training": 4})
