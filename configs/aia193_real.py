r"""AIA 193 to HMI magnetograms of 64 pixels for images of the real Sun: the weights that come with the package.

    python -m munit_jax.train --config=configs/aia193_real.py:synthetic --workdir=runs/synthetic
    python -m munit_jax.train --config=configs/aia193_real.py:modelled --workdir=runs/modelled \
        --config.start_from=runs/synthetic
    python -m munit_jax.train --config=configs/aia193_real.py --workdir=runs/real --config.start_from=runs/modelled \
        --config.data.earlier=sdoml/earlier
    Cost: 8, 6 and 1 minutes on 2 cores. Result: docs/results.md.

The first learns the pattern of both signs on the synthetic Sun; the second continues with real magnetograms under
modelled images (benchmarks/modelled_pairs.py builds sdoml/modelled) and the synthetic Sun together; the third with
seven real pairs of 2015 (benchmarks/real_pairs.py builds sdoml/pairs and sdoml/earlier), which are changed at random
each time: networks memorise so few. The last two see the field of up to a rotation before, too, where it was seen.
"""

from ml_collections import ConfigDict

from configs import aia193_best


def get_config(variant: str = "") -> ConfigDict:
    """Return the config of the run on real pairs, or of one of the two before it."""
    if variant not in ("", "synthetic", "modelled"):
        raise ValueError(f"unknown variant {variant!r} of configs/aia193_real.py: choose synthetic, modelled or none")
    config = aia193_best.get_config("embedded")
    # Content of 32 by 32 places: that of 16 by 16 loses what the brightness of a pixel shows of |B|.
    config.model.downsamplings = 1
    config.data.reversal = True
    config.style_spread = 0.7
    if variant == "synthetic":
        config.data.distortion.update({"gain": 0.25, "gamma": 0.15, "noise": 0.03})
        config.steps, config.checkpoint_every, config.eval_every = 3_000, 500, 3_000
        config.optimizer.halve_every = 700
        return config
    # The first step goes without: it has to learn Hale's law, for images whose past nobody saw.
    config.data.context = (*config.data.context, "last_seen")
    config.data.distortion.update({"zoom": 0.05, "shift": 0.03, "gain": 0.3, "gamma": 0.2, "noise": 0.05})
    if variant == "modelled":
        config.data.euv = config.data.magnetogram = "sdoml/modelled"
        config.data.distortion.turn = 4.0
        config.steps, config.checkpoint_every, config.eval_every = 2_000, 500, 2_000
        config.optimizer.update({"learning_rate": 1e-3, "halve_every": 700, "ema_decay": 0.99})
    else:
        config.data.euv = config.data.magnetogram = "sdoml/pairs"
        config.data.distortion.turn = 12.0
        config.steps, config.checkpoint_every, config.eval_every = 160, 80, 160
        config.optimizer.update({"learning_rate": 3e-4, "halve_every": 80, "ema_decay": 0.98})
        # Six pairs teach a regression of few coefficients more of |B| than they teach the networks.
        config.strength_from_brightness = 0.5
    return config
