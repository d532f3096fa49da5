r"""AIA 193 to HMI magnetograms for images of the real Sun, where the field was seen up to a rotation before.

    python -m munit_jax.train --config=configs/aia193_last_seen.py:synthetic --workdir=runs/synthetic
    python -m munit_jax.train --config=configs/aia193_last_seen.py:modelled --workdir=runs/modelled \
        --config.start_from=runs/synthetic
    python -m munit_jax.train --config=configs/aia193_last_seen.py --workdir=runs/real \
        --config.start_from=runs/modelled

configs/aia193_real.py with earlier magnetograms as context: those of the seven pairs are in `sdoml/earlier`
(benchmarks/real_pairs.py builds it), those of the other two steps in the datasets themselves.
"""

from ml_collections import ConfigDict

from configs import aia193_real


def get_config(variant: str = "") -> ConfigDict:
    """Return the config of the run on real pairs, or of one of the two before it."""
    config = aia193_real.get_config(variant)
    config.data.context = (*config.data.context, "last_seen")
    if not variant:
        config.data.earlier = "sdoml/earlier"
    return config
