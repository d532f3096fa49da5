"""Checkpoints: the one file that imports orbax.

One checkpoint holds the state, the data position and the run's config, normalisation included, all of one step.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grain
import jax
import orbax.checkpoint as ocp

from munit_jax.training.state import TrainState

KEEP = 3  # the latest checkpoints


class Checkpoints:
    """The checkpoints in a run's folder; a context manager, since saving goes on in the background."""

    def __init__(self, workdir: Path):
        self._manager = ocp.CheckpointManager(
            (workdir / "checkpoints").absolute(),
            options=ocp.CheckpointManagerOptions(max_to_keep=KEEP, step_prefix="step"),
            item_names=("state", "data", "config"),
        )

    def latest_step(self) -> int | None:
        """Return the step of the newest whole checkpoint, None if there is none."""
        return self._manager.latest_step()

    def save(self, step: int, state: TrainState, data: grain.DatasetIterator, config: Mapping[str, Any]) -> None:
        """Save in the background; a second save waits for the first."""
        if self._manager.latest_step() == step:
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state),  # pyright: ignore[reportCallIssue]
                data=grain.checkpoint.CheckpointSave(data),  # pyright: ignore[reportCallIssue]
                config=ocp.args.JsonSave(dict(config)),  # pyright: ignore[reportCallIssue]
            ),
        )

    def restore(self, step: int, state: TrainState, data: grain.DatasetIterator) -> TrainState:
        """Return the state of a step, laid out over devices as `state` is, and set `data` to its position."""
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(abstract),  # pyright: ignore[reportCallIssue]
                data=grain.checkpoint.CheckpointRestore(data),  # pyright: ignore[reportCallIssue]
            ),
        )
        return restored["state"]

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()
