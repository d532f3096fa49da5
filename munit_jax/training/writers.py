"""What a run leaves behind in its folder beside checkpoints: scalars, config and summary."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import SummaryWriter


class JsonLines:
    """Appends to a file of lines of JSON, a line a step."""

    def __init__(self, path: Path, first_step: int, writes: bool):
        """Go on behind `first_step` steps: what an interrupted run wrote of later ones is taken back."""
        kept = _lines_up_to(path, first_step)
        self.last: dict[str, Any] = kept[-1] if kept else {}  # the newest line, with its step
        if writes:
            write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = (path if writes else Path(os.devnull)).open("a")

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add a line; values that are not finite, which JSON does not have, are null."""
        self.last = {"step": step} | {name: value if np.isfinite(value) else None for name, value in scalars.items()}
        self._file.write(json.dumps(self.last) + "\n")

    def flush(self) -> None:
        """Bring everything written so far to the disk."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ScalarWriter:
    """Writes a run's scalars to files of lines of JSON and to TensorBoard; a context manager.

    `metrics.jsonl` has those of every step, `scores.jsonl` the held-out scores of every evaluation.
    """

    def __init__(self, workdir: Path, first_step: int, writes: bool = True):
        """Go on behind `first_step` steps.

        Args:
            workdir: the run's folder.
            first_step: see `JsonLines`.
            writes: False for the processes of a run that leave writing to the first.
        """
        self.metrics = JsonLines(workdir / "metrics.jsonl", first_step, writes)
        self.scores = JsonLines(workdir / "scores.jsonl", first_step, writes)
        self._tensorboard = SummaryWriter(
            str(workdir / "tensorboard"), purge_step=first_step + 1, flush_secs=10, write_to_disk=writes
        )

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the scalars of a step."""
        self.metrics.add(step, metrics)
        self._plot(step, metrics)

    def write_scores(self, step: int, scores: Mapping[str, float]) -> None:
        """Write the held-out scores of a step."""
        self.scores.add(step, scores)
        self._plot(step, {f"held_out_{name}": value for name, value in scores.items()})
        self.flush()

    def _plot(self, step: int, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            if np.isfinite(value):
                self._tensorboard.add_scalar(name, value, step)

    def flush(self) -> None:
        """Bring everything written so far to the disk."""
        self.metrics.flush()
        self.scores.flush()
        self._tensorboard.flush()

    def __enter__(self) -> "ScalarWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.metrics.close()
        self.scores.close()
        self._tensorboard.close()


def _lines_up_to(path: Path, step: int) -> list[dict[str, Any]]:
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
    return kept


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all. NaN, which JSON does not have, is refused with a ValueError."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
