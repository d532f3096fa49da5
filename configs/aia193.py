"""The poster's run: AIA 193 to HMI magnetograms and back, SDOML 2010-2012, Adam 1e-4 on four devices.

Full run (variant none, 512 x 512, full width, batch 4 over four GPUs):
    python -m tfds_sdoml.build sdoml/aia0193_hmi --manual_dir=FOLDER_OF_SDOML
    python -m munit_jax.train --config=configs/aia193.py
    Cost: the poster took 4 days on 4 Titan Xp at 1024 x 1024. Not yet run at full size by us: no result to expect.

:1024 is the size of the poster, inside a card of 12 GB (docs/training_step.md), from FITS files:
    python -m tfds_sdoml.build sdoml/aia0193_hmi_1024 --manual_dir=FOLDER_OF_FITS
    python -m munit_jax.train --config=configs/aia193.py:1024

:quickstart is the embedded one. It makes a synthetic Sun of 64 pixels and trains narrow networks on it, by the recipe
of configs/aia193_best.py, which leaves MUNIT's own terms out.
    python -m munit_jax.train --config=configs/aia193.py:quickstart
    Cost and result: README.md, docs/results.md.

:poster_quickstart trains MUNIT's own terms on the same Sun: in as many minutes it learns less, and no signs.
"""

from ml_collections import ConfigDict, config_dict

# ITI's asinh stretch for AIA (Jarolim et al.): 0.5 % of the maximum in DN/s is where the logarithm takes over.
ASINH_FRACTION = 0.005
AIA_LIMIT = {"0171": 8600.0, "0193": 9800.0, "0304": 8800.0}


def get_config(variant: str = "") -> ConfigDict:
    """Return the config of the poster's run or of a variant of it."""
    return with_variant("0193", variant, "configs/aia193.py")


def with_variant(channel: str, variant: str, file: str) -> ConfigDict:
    """Return the config of the run with an EUV channel, or of a variant of it; `file` is for the message.

    Raises:
        ValueError: an unknown variant.
    """
    if variant not in ("", "1024", "quickstart", "poster_quickstart"):
        raise ValueError(f"unknown variant {variant!r} of {file}: choose 1024, quickstart, poster_quickstart or none")
    config = base(channel)
    if variant == "1024":
        config.data.euv = config.data.magnetogram = f"sdoml/aia{channel}_hmi_1024"
        config.recompute = "all"
    elif variant == "quickstart":
        embedded(config)
        quickstart(config)
    elif variant == "poster_quickstart":
        embedded(config)
        poster_terms(config)
    return config


def base(channel: str) -> ConfigDict:
    """Return the poster's run with an EUV channel."""
    config = ConfigDict()
    config.seed = 0
    config.start_from = config_dict.placeholder(str)  # folder of a run, or pretrained/NAME
    config.steps = 300_000
    config.batch_size = 4  # over all devices: one image on each of the poster's four
    config.checkpoint_every = 5_000
    config.eval_every = 5_000
    config.max_skipped_in_a_row = 10  # steps whose numbers are not finite; more stop the run
    config.best_by = "fair_crps"  # the validation score that chooses the best checkpoint
    config.style_spread = 1.0  # standard deviation of the styles of realisations; training draws them with 1
    # How far realisations are brought to the field strength that a regression on the brightness suggests, 0 to 1.
    config.strength_from_brightness = 0.0
    config.dtype = "float32"
    config.convolution = "auto"  # Winograd's algorithm on CPUs
    config.recompute = "activations"  # a third less memory for 5 % of time

    config.data = ConfigDict()
    config.data.euv = config.data.magnetogram = f"sdoml/aia{channel}_hmi"
    config.data.paired = True
    config.data.channels = (channel,)
    config.data.crop = 0  # the whole disk
    config.data.flip = "physical"
    config.data.context = ()  # planes that condition the decoders on each pixel's place
    # The dataset of the earlier magnetograms of last_seen, if it is not that of the magnetograms.
    config.data.earlier = config_dict.placeholder(str)
    config.data.reversal = False  # the fields of half of the examples reversed, as in the next cycle
    # For datasets of few frames: standard deviations of random changes, see `munit_jax.data.augment.Distortion`.
    config.data.distortion = ConfigDict(dict.fromkeys(("turn", "zoom", "shift", "gain", "gamma", "noise"), 0.0))
    config.data.data_dir = config_dict.placeholder(str)
    config.data.normalization = ConfigDict()
    config.data.normalization.euv = ConfigDict(
        {"kind": "asinh", "scale": (ASINH_FRACTION * AIA_LIMIT[channel],), "limit": (AIA_LIMIT[channel],)}
    )
    config.data.normalization.magnetogram = ConfigDict({"kind": "asinh", "scale": (100.0,), "limit": (3000.0,)})

    config.model = ConfigDict(
        {
            "width": 64,
            "style_size": 8,
            "mlp_width": 256,
            "downsamplings": 2,
            "residual_blocks": 4,
            "discriminator_width": 64,
            "discriminator_scales": 3,
            "discriminator_layers": 4,
            "discriminator_spectral_norm": False,
            "image_plane": False,  # whether the decoders see the image beside its content code
        }
    )

    config.loss = ConfigDict(
        {
            "adversarial": "log",  # the poster's
            "non_saturating": True,
            "adversarial_weight": 1.0,
            "image_weight": 10.0,  # the poster's lambda 1
            "content_weight": 1.0,  # lambda 2
            "style_weight": 1.0,  # lambda 3
            "cycle_weight": 0.0,
            "paired_weight": 0.0,
            "unsigned_weight": 0.0,
            "ensemble_weight": 0.0,
            "ensemble_flux_weight": 0.0,
            "source_surface_weight": 0.0,
            "detach_content_target": False,
            "fresh_styles_for_d": False,
        }
    )

    config.optimizer = ConfigDict(
        {
            "learning_rate": 1e-4,
            "discriminator_learning_rate": 1e-4,
            "b1": 0.5,
            "b2": 0.999,
            "weight_decay": 0.0,
            "warm_up": 0,  # steps
            "halve_every": 0,  # steps
            "cosine": False,  # to 0 at the last step
            "clip_norm": 0.0,
            "ema_decay": 0.999,
        }
    )

    # Realisations a frame; held-out frames at the end (0: all) and at every `eval_every`.
    config.evaluation = ConfigDict({"styles": 4, "limit": 0, "limit_during_training": 64})
    return config


def embedded(config: ConfigDict) -> None:
    """Turn a config into one of the synthetic Sun, with networks for two cores."""
    config.data.euv = config.data.magnetogram = "sdoml/synthetic_64"
    # Pixels of 64 average the field: it seldom exceeds 1000 G.
    config.data.normalization.magnetogram.update({"scale": (30.0,), "limit": (1000.0,)})
    config.model.update({"width": 16, "mlp_width": 64, "discriminator_width": 16, "residual_blocks": 4})


def informed(config: ConfigDict) -> None:
    """Give a config the recipe of configs/aia193_best.py, which says why."""
    config.data.context = ("hale_latitude", "mu", "cycle_phase")
    config.style_spread = 1.4
    config.loss.update({"ensemble_weight": 600.0, "ensemble_flux_weight": 10.0})
    config.loss.update(dict.fromkeys(("adversarial_weight", "image_weight", "content_weight", "style_weight"), 0.0))
    config.loss.update({"adversarial": "lsgan", "detach_content_target": True})
    config.model.discriminator_spectral_norm = True
    config.optimizer.update({"b1": 0.9, "b2": 0.99})


def quickstart(config: ConfigDict) -> None:
    """Train that recipe on the synthetic Sun in a few minutes."""
    small(config)
    # In a few minutes decoders learn more if they see the image itself, and from content of 32 by 32 places than from
    # that of 16 by 16; the flux of blocks costs |B|, and |B| in the loss makes realisations better: docs/results.md.
    config.model.update({"downsamplings": 1, "image_plane": True})
    config.loss.update({"ensemble_flux_weight": 0.0, "unsigned_weight": 200.0})
    config.recompute = "nothing"
    # Without the warm-up some seeds leave the signs of single realisations to chance; the cosine suits a short run.
    config.steps, config.checkpoint_every, config.eval_every = 1_200, 600, 1_200
    config.optimizer.update({"learning_rate": 4e-3, "warm_up": 100, "cosine": True})
    config.strength_from_brightness = 0.5
    config.evaluation.update({"styles": 16, "limit": 64, "limit_during_training": 16})


def small(config: ConfigDict) -> None:
    """Give a config that recipe with the steps of the synthetic Sun: four images, which CPUs do faster together."""
    informed(config)
    config.batch_size = 4
    config.optimizer.update({"learning_rate": 1e-3, "discriminator_learning_rate": 1e-3, "ema_decay": 0.998})


def poster_terms(config: ConfigDict) -> None:
    """Train MUNIT's own terms on the synthetic Sun in a few minutes."""
    config.steps = 1_600
    config.batch_size = 1
    config.checkpoint_every = 400
    config.eval_every = 400
    # In a few minutes the adversarial term alone does not find out which content belongs where; the true |B| says so.
    config.loss.update({"adversarial": "lsgan", "unsigned_weight": 150.0})
    # The two switches that help with every seed, and most together: docs/experiments/2026-11-25_switches.md.
    config.loss.detach_content_target = True
    config.model.discriminator_spectral_norm = True
    config.optimizer.update({"learning_rate": 5e-4, "discriminator_learning_rate": 5e-4, "halve_every": 700})
    config.optimizer.ema_decay = 0.995
