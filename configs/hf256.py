"""AIA 193 to HMI magnetograms of 256 pixels: a first training on years of the real Sun, on one GPU of 12 GB.

    python -m tfds_sdoml.fetch hf256 --output=hf256
    python -m tfds_sdoml.build sdoml/hf256 --source=hf256 --channels=193 --field=bz --manual_dir=hf256
    python -m munit_jax.train --config=configs/hf256.py
    python -m munit_jax.evaluate --workdir=runs/hf256

    Not yet run: no result to expect. Cost, computed: 5.0 GB of GPU memory, 2.7 h at 4 TFLOP/s (docs/real_data.md).

The recipe of configs/aia193_best.py at full width. The set has two frames a day from May 2010 to December 2016, of
which the blocked months leave some 2200 for training, 400 for validation and 800 for the test: 20 000 steps of four
images read each training frame 36 times. docs/real_data.md has what the commands before it need.
"""

from ml_collections import ConfigDict

from configs import aia193_best


def get_config(variant: str = "") -> ConfigDict:
    """Return the config; it has no variants."""
    if variant:
        raise ValueError(f"unknown variant {variant!r} of configs/hf256.py: it has none")
    config = aia193_best.get_config()
    config.data.euv = config.data.magnetogram = "sdoml/hf256"
    config.steps, config.checkpoint_every, config.eval_every = 20_000, 1_000, 2_000
    config.optimizer.update({"learning_rate": 3e-4, "discriminator_learning_rate": 3e-4, "halve_every": 5_000})
    return config
