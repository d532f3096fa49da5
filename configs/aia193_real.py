"""AIA 193 to HMI magnetograms of 64 pixels, for images of the real Sun: the weights that come with the package.

    python -m munit_jax.train --config=configs/aia193_real.py:synthetic --workdir=runs/synthetic
    python -m munit_jax.train --config=configs/aia193_real.py --workdir=runs/real --config.start_from=runs/synthetic

The first learns on the synthetic Sun where fields of both signs lie; the second goes on with seven real pairs of 2015,
which are changed at random each time, since a network of this size would learn them by heart.
"""

from ml_collections import ConfigDict

from configs import aia193_best


def get_config(variant: str = "") -> ConfigDict:
    """Return the config of the run on real pairs, or of the one before it on the synthetic Sun."""
    if variant not in ("", "synthetic"):
        raise ValueError(f"unknown variant {variant!r} of configs/aia193_real.py: choose synthetic or none")
    config = aia193_best.get_config("embedded")
    # Half the pixels are 32: the content of 16 by 16 places lost what a pixel's brightness tells of |B|.
    config.model.downsamplings = 1
    config.data.reversal = True
    config.data.distortion.update({"gain": 0.25, "gamma": 0.15, "noise": 0.03})
    config.style_spread = 0.7
    if variant == "synthetic":
        config.steps, config.checkpoint_every, config.eval_every = 3_000, 500, 3_000
        config.optimizer.halve_every = 700
    else:
        config.data.euv = config.data.magnetogram = "sdoml/pairs"
        config.data.distortion.update({"turn": 8.0, "zoom": 0.03, "shift": 0.02})
        config.steps, config.checkpoint_every, config.eval_every = 300, 100, 300
        config.optimizer.update({"learning_rate": 3e-4, "halve_every": 100, "ema_decay": 0.98})
    return config
