"""Many trainings side by side: each run a process on its share of the cores, in a folder that is read if it exists.

Stopped and started again, finished runs are read and half-done ones continued.
"""

import argparse
import importlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from munit_jax.config import parse
from munit_jax.training.workdir import differing_keys
from tfds_sdoml.build import build

ROOT = Path(__file__).parents[1]
POLL = 0.5  # seconds between checks of the processes


@dataclass(frozen=True)
class Run:
    """One training of a variant, in a folder of its own.

    Attributes:
        variant, seed: what it is called.
        config: file and variant, such as configs/aia193.py:quickstart.
        changes: of that config.
        folder: of the run.
        evaluation: flags of `munit_jax.evaluate`, which follows the training; None for none.
        scores: where the evaluation goes, in the folder.
    """

    variant: str
    seed: int
    config: str
    changes: Mapping[str, Any]
    folder: Path
    evaluation: tuple[str, ...] | None = None
    scores: str = "evaluation"

    def command(self) -> list[str]:
        """Return what is still to be done: the training, or its evaluation. It resumes there."""
        workdir = f"--workdir={self.folder.absolute()}"
        if self.summary() is not None:
            output = f"--output={(self.folder / self.scores).absolute()}"
            return [sys.executable, "-m", "munit_jax.evaluate", workdir, output, *(self.evaluation or ())]
        values = [f"--config.{key}={value}" for key, value in self.changes.items()]
        return [sys.executable, "-m", "munit_jax.train", f"--config={self.config}", workdir, *values]

    def summary(self) -> dict[str, Any] | None:
        """Return what the finished training left, None if it is not finished."""
        path = self.folder / "summary.json"
        if not path.exists():
            return None
        file, _, variant = self.config.partition(":")
        config = importlib.import_module(file.removesuffix(".py").replace("/", ".")).get_config(variant)
        config.update_from_flattened_dict(dict(self.changes))
        there = json.loads((self.folder / "config.json").read_text())
        if keys := differing_keys(there, parse(config.to_dict()).source):
            raise SystemExit(f"{self.folder} is a run with another config ({', '.join(keys)}): take another --workdir")
        return json.loads(path.read_text())

    def metrics(self) -> dict[str, Any] | None:
        """Return what the evaluation left, None if there is none."""
        path = self.folder / self.scores / "metrics.json"
        return json.loads(path.read_text()) if path.exists() else None

    def diverged(self) -> bool:
        """Return whether the run diverged to non-finite values; it then leaves no summary."""
        try:
            last = json.loads((self.folder / "metrics.jsonl").read_text().splitlines()[-1])
        except (FileNotFoundError, IndexError, json.JSONDecodeError):
            return False
        return not math.isfinite(last["generator_total"] + last.get("discriminator_total", 0.0))

    def done(self) -> bool:
        """Return whether nothing is left to do, or can be done."""
        if self.summary() is None:
            return self.diverged()
        return self.evaluation is None or self.metrics() is not None


def work_off(runs: Sequence[Run], jobs: int, outcome: Callable[[Run], str], report: Callable[[], None]) -> None:
    """Do what is not done, `jobs` runs at a time, each on its share of the cores; stop them all when stopped.

    Args:
        runs: in the order in which they are begun.
        jobs: at a time.
        outcome: says in a few words how a run ended.
        report: is called after each.
    """
    waiting = [run for run in runs if not run.done()]
    total, begin = len(waiting), time.monotonic()
    cores = sorted(os.sched_getaffinity(0))
    free = [cores[i::jobs] or cores for i in range(jobs)]
    active: list[tuple[Run, subprocess.Popen[bytes], list[int], int]] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or active:
            while waiting and free:
                run, share = waiting.pop(0), free.pop(0)
                active.append((run, start(run, share), share, 1))
            time.sleep(POLL)
            for entry in [entry for entry in active if entry[1].poll() is not None]:
                active.remove(entry)
                run, process, share, stage = entry
                if process.returncode == 0 and not run.done() and stage == 1:  # its evaluation is next
                    active.append((run, start(run, share), share, 2))
                    continue
                free.append(share)
                done = total - len(waiting) - len(active)
                left = (time.monotonic() - begin) / done * (total - done) / 60
                print(f"{done}/{total} {run.folder.name}: {ending(run, outcome)}; {left:.0f} min left", flush=True)
                report()
    finally:
        for _, process, _, _ in active:
            process.terminate()  # it saves its state after the step that it is in
        for _, process, _, _ in active:
            process.wait()


def options_of(parser: argparse.ArgumentParser, variants: Sequence[str]) -> None:
    """Add the options that all benchmarks of trainings have."""
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="default: one a core")
    parser.add_argument("--only", default=",".join(variants), help="variants, commas between")
    parser.add_argument("--table", action="store_true", help="train nothing")


def run_all(
    runs: Sequence[Run],
    options: argparse.Namespace,
    dataset: str,
    outcome: Callable[[Run], str],
    table: Callable[[Sequence[Run]], str],
    file: str,
) -> None:
    """Do what is not done, unless the table alone is asked for; print the table, and keep it in a file of the workdir.

    Args:
        runs: in the order in which they are begun.
        options: of `options_of`.
        dataset: is made where it is missing, in `data_folder`.
        outcome: says in a few words how a run ended.
        table: of what is there.
        file: is written after every run.
    """
    if not options.table:
        build(dataset, data_folder(options))
        try:
            work_off(runs, options.jobs, outcome, lambda: _write(options.workdir / file, table(runs)))
        except KeyboardInterrupt:
            print("stopped: the same command resumes")
    print(table(runs))


def data_folder(options: argparse.Namespace) -> Path:
    """Return the datasets' folder of all runs."""
    return options.workdir.absolute() / "data"


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n")


def start(run: Run, cores: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start what is next of a run on some cores; XLA starts as many threads as it may use cores."""
    run.folder.mkdir(parents=True, exist_ok=True)
    with (run.folder / "log").open("ab") as log:
        process = subprocess.Popen(
            run.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
        )
    os.sched_setaffinity(process.pid, cores)  # long before the process has any other thread
    return process


def ending(run: Run, outcome: Callable[[Run], str]) -> str:
    """Say in a few words how a run ended."""
    if run.diverged():
        return "diverged"
    return outcome(run) if run.done() else f"failed, see {run.folder / 'log'}"


def seconds(run: Run) -> float | None:
    """Return what the steps took, without compilation; None for a run that was stopped just before its end."""
    summary = run.summary()
    assert summary is not None
    rate, batch = summary["images_per_second"], json.loads((run.folder / "config.json").read_text())["batch_size"]
    return summary["steps"] * batch / rate if rate else None


def score_cell(values: Sequence[float | None], digits: int) -> str:
    """Return mean and standard deviation, `-` where one does not exist (say, of constant images)."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return "-"
    mean = f"{statistics.mean(known):.{digits}f}"
    return f"{mean} ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else mean
