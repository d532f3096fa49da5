"""What a run leaves behind in its folder beside checkpoints: scalars, config and summary."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tensorboardX import SummaryWriter

from munit_jax.training.state import TrainState


class ScalarWriter:
    """Writes scalars to `metrics.jsonl`, a line a step, and to TensorBoard; a context manager."""

    def __init__(self, workdir: Path, first_step: int):
        """Go on behind `first_step` steps: what an interrupted run wrote of later ones is taken back."""
        self._path = workdir / "metrics.jsonl"
        kept = _keep_lines_up_to(self._path, first_step)
        self.last: dict[str, float] = kept[-1] if kept else {}  # the newest scalars, with their step
        self._file = self._path.open("a")
        self._tensorboard = SummaryWriter(str(workdir / "tensorboard"), purge_step=first_step + 1, flush_secs=10)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the scalars of a step."""
        self.last = {"step": step, **scalars}
        self._file.write(json.dumps(self.last) + "\n")
        for name, value in scalars.items():
            self._tensorboard.add_scalar(name, value, step)

    def flush(self) -> None:
        """Bring everything written so far to the disk."""
        self._file.flush()
        self._tensorboard.flush()

    def __enter__(self) -> "ScalarWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._tensorboard.close()


def _keep_lines_up_to(path: Path, step: int) -> list[dict[str, float]]:
    if not path.exists():
        return []
    kept = []
    for line in path.read_text().splitlines():
        try:
            scalars = json.loads(line)
        except json.JSONDecodeError:
            break  # the run was stopped in the middle of this line
        if scalars["step"] <= step:
            kept.append(scalars)
    write_text(path, "".join(json.dumps(scalars) + "\n" for scalars in kept))
    return kept


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all. NaN, which JSON does not have, is refused with a ValueError."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)


def params_sha256(state: TrainState) -> str:
    """Return a checksum of all parameters, moving average included: equal for bit-identical states."""
    digest = hashlib.sha256()
    params = {"generators": state.generators, "discriminators": state.discriminators, "ema": state.ema}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        array = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
