"""A run that begins with what another one has learnt: its generators, where a new run would draw them at random."""

import dataclasses
import json
from pathlib import Path

from ml_collections import ConfigDict

from munit_jax import configuration
from munit_jax.errors import ConfigError
from munit_jax.networks.munit import Architecture, Params, generator_shapes
from munit_jax.training.checkpoints import load_generators

# What the generators' shapes hang on, and where it stands in a config.
SHAPED_BY = {
    "width": "model.width",
    "style_size": "model.style_size",
    "mlp_width": "model.mlp_width",
    "downsamplings": "model.downsamplings",
    "residual_blocks": "model.residual_blocks",
    "euv_channels": "data.channels",
    "context_planes": "data.context",
}


def generators_of(start_from: str, architecture: Architecture) -> Params:
    """Return the generators of another run, the moving average of its best checkpoint.

    Args:
        start_from: the folder of that run, which is only read.
        architecture: of the run that begins.

    Raises:
        ConfigError: no run there, or its generators have other shapes; the keys that make them so are named.
        WorkdirError: it has no checkpoint, or that cannot be read.
    """
    path = Path(start_from) / "config.json"
    try:
        theirs = configuration.architecture(ConfigDict(json.loads(path.read_text())))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"start_from: no run in {start_from}: config.json: {reason}; give its --workdir") from None
    here, there = dataclasses.asdict(architecture), dataclasses.asdict(theirs)
    if differing := [key for name, key in SHAPED_BY.items() if here[name] != there[name]]:
        raise ConfigError(
            f"start_from: the generators of {start_from} have other shapes, by {', '.join(differing)}: "
            "set them as they are in its config.json, or start from another run"
        )
    return load_generators(Path(start_from), "best", generator_shapes(architecture)).generators
