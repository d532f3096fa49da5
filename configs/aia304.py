"""AIA 304 to HMI magnetograms and back; otherwise as configs/aia193.py, with the same variants.

    python -m tfds_sdoml.build sdoml/aia0304_hmi --manual_dir=FOLDER_OF_SDOML
    python -m munit_jax.train --config=configs/aia304.py
    python -m munit_jax.train --config=configs/aia304.py:quickstart

304 degrades strongly over the years: over longer spans than the poster's 2010-2012 check that the frames are corrected.
Cost as configs/aia193.py. Not yet run at full size by us: no result to expect.
"""

from ml_collections import ConfigDict

from configs import aia193


def get_config(variant: str = "") -> ConfigDict:
    """Return the config of the run or of a variant of it."""
    return aia193.with_variant("0304", variant, "configs/aia304.py")
