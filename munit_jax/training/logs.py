"""Scalars of a run, as lines of JSON and for TensorBoard."""

import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2, summary_pb2

from munit_jax.training.hosts import writes

events: Any = event_pb2  # generated: without static types
summaries: Any = summary_pb2

LINE = re.compile(rb'\{"step": (\d+)[,}].*\n')  # a whole line as it is written here


class JsonLines:
    """Appends to a file of lines of JSON, a line a step."""

    def __init__(self, path: Path, first_step: int):
        """Continue after `first_step` steps: what an interrupted run wrote of later ones is removed."""
        self.last, end = _last_up_to(path, first_step)  # the newest line, with its step
        self.file = (path if writes() else Path(os.devnull)).open("a")
        if writes():
            self.file.truncate(end)

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add a line; values that are not finite, which JSON does not have, are null."""
        self.last = {"step": step} | {name: value if np.isfinite(value) else None for name, value in scalars.items()}
        self.file.write(json.dumps(self.last) + "\n")


def _last_up_to(path: Path, step: int) -> tuple[dict[str, Any], int]:
    """Return the last whole line of no later step, empty if there is none, and the bytes up to its end."""
    last, end = b"{}", 0
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                found = LINE.match(line)
                if not found or int(found[1]) > step:
                    break
                last, end = line, end + len(line)
    return json.loads(last), end


class ScalarWriter:
    """Writes a run's scalars to files of lines of JSON and to TensorBoard; a context manager.

    `metrics.jsonl` has those of every step, `scores.jsonl` the held-out scores of every evaluation. TensorBoard's file
    is written here and now: in a thread, as is usual, a full disk would go unseen until the run hangs.
    """

    def __init__(self, workdir: Path, first_step: int):
        """Continue after `first_step` steps; only the first process of a run writes."""
        self.metrics = JsonLines(workdir / "metrics.jsonl", first_step)
        self.scores = JsonLines(workdir / "scores.jsonl", first_step)
        self._tensorboard = None
        if writes():
            (workdir / "tensorboard").mkdir(exist_ok=True)
            self._tensorboard = EventsWriter(str(workdir / "tensorboard" / "events"))
            begin = events.SessionLog(status=events.SessionLog.START)  # later steps of earlier files do not count
            self._event(first_step + 1, session_log=begin)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the scalars of a step."""
        self.metrics.add(step, metrics)
        self._plot(step, metrics)

    def write_scores(self, step: int, scores: Mapping[str, float]) -> None:
        """Write the held-out scores of a step."""
        self.scores.add(step, scores)
        self._plot(step, {f"held_out_{name}": value for name, value in scores.items()})
        self.flush()

    def flush(self) -> None:
        """Bring everything written so far to the disk."""
        self.metrics.file.flush()
        self.scores.file.flush()
        if self._tensorboard is not None:
            self._tensorboard.flush()

    def _plot(self, step: int, scalars: Mapping[str, float]) -> None:
        values = [
            summaries.Summary.Value(tag=name, simple_value=value)
            for name, value in scalars.items()
            if np.isfinite(value)
        ]
        self._event(step, summary=summaries.Summary(value=values))

    def _event(self, step: int, **content: Any) -> None:
        if self._tensorboard is not None:
            self._tensorboard.write_event(events.Event(wall_time=time.time(), step=step, **content))

    def __enter__(self) -> "ScalarWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.metrics.file.close()
        self.scores.file.close()
        if self._tensorboard is not None:
            self._tensorboard.close()
