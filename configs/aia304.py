"""AIA 304 to HMI magnetograms and back; all else as configs/aia193.py, whose variants it has.

    python -m tfds_sdoml.build sdoml/aia0304_hmi --manual_dir=FOLDER_OF_SDOML
    python -m munit_jax.train --config=configs/aia304.py
    python -m munit_jax.train --config=configs/aia304.py:quickstart

304 degrades strongly over the years: over longer spans than the poster's 2010-2012 check that the frames are corrected.
Cost as configs/aia193.py. Not yet run at full size by us: no result to expect.
"""

from configs import aia193
from munit_jax.configuration import Config


def get_config(variant: str = "") -> Config:
    """Return the config of the run or of a variant of it."""
    if variant not in ("", "quickstart"):
        raise ValueError(f"unknown variant {variant!r} of configs/aia304.py: choose quickstart or none")
    config = aia193.base("0304")
    if variant == "quickstart":
        aia193.quickstart(config)
    return config
