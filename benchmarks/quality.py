"""The same number of steps, one switch at a time: what helps the quickstart on frames it never saw.

    python benchmarks/quality.py --workdir=runs/quality [--steps=500] [--seeds=0,1,2] [--jobs=2] [--only=base,hinge]
                                 [--combine=hinge+ema_off] [--table]

Every variant of the table below is configs/aia193.py:quickstart with the changes that stand beside it, trained on the
embedded synthetic Sun with every seed, as a process of its own on its share of the cores. Learning-rate schedule and
moving average are shortened with the steps. `--combine` adds a row with the changes of several variants. After every
run the table of held-out scores is written to table.md in the workdir. Stopped and given again, the command goes on:
finished runs are read, half-done ones continued. `--table` only prints the table of what is there.
"""

import argparse
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

from configs import aia193
from munit_jax import configuration
from tfds_sdoml.build import build

ROOT = Path(__file__).parents[1]
CONFIG_FILE = "configs/aia193.py:quickstart"
QUICKSTART = aia193.get_config("quickstart")
POLL = 0.5  # seconds between looks at the processes

# The quickstart without what it has of this table.
BASE = {"model.discriminator_spectral_norm": False, "loss.detach_content_target": False}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "log": {"loss.adversarial": "log"},
    "hinge": {"loss.adversarial": "hinge"},
    "ema_off": {"optimizer.ema_decay": 0.0},
    "two_time_scales": {"optimizer.discriminator_learning_rate": 4 * QUICKSTART.optimizer.learning_rate},
    "spectral_norm": {"model.discriminator_spectral_norm": True},
    "detached_content": {"loss.detach_content_target": True},
    "cycle": {"loss.cycle_weight": 10.0},
    "paired": {"loss.paired_weight": 10.0},
    "poster_terms": {"loss.unsigned_weight": 0.0},
}
# What GANs of later years use together: SAGAN (Zhang et al. 2019) and the reference's successor.
TOGETHER = "hinge+spectral_norm+two_time_scales"


@dataclass(frozen=True)
class Run:
    """One training of a variant, in a folder of its own."""

    variant: str
    seed: int
    changes: Mapping[str, Any]
    folder: Path

    def command(self) -> list[str]:
        """Return the command that trains it, or goes on with it."""
        values = [f"--config.{key}={value}" for key, value in self.changes.items()]
        flags = [f"--config={CONFIG_FILE}", f"--workdir={self.folder.absolute()}", *values]
        return [sys.executable, "-m", "munit_jax.train", *flags]

    def summary(self) -> dict[str, Any] | None:
        """Return what the finished run left, None if it is not finished."""
        path = self.folder / "summary.json"
        if not path.exists():
            return None
        config = aia193.get_config("quickstart")
        config.update_from_flattened_dict(dict(self.changes))
        there = json.loads((self.folder / "config.json").read_text())
        if keys := configuration.differing_keys(there, configuration.to_json(config)):
            raise SystemExit(f"{self.folder} is a run with another config ({', '.join(keys)}): take another --workdir")
        return json.loads(path.read_text())

    def diverged(self) -> bool:
        """Tell whether the run went on to numbers that are not finite; it then leaves no summary."""
        try:
            last = json.loads((self.folder / "metrics.jsonl").read_text().splitlines()[-1])
        except (FileNotFoundError, IndexError, json.JSONDecodeError):
            return False
        return not math.isfinite(last["generator_total"] + last["discriminator_total"])


def budget(steps: int) -> dict[str, Any]:
    """Return the changes that fit the quickstart to another number of steps."""
    stretch = steps / QUICKSTART.steps
    return {
        "steps": steps,
        "checkpoint_every": max(1, steps // 2),
        "eval_every": steps,
        "evaluation.limit_during_training": 1,  # the final scores are of all held-out frames
        "optimizer.halve_every": max(1, round(stretch * QUICKSTART.optimizer.halve_every)),
        "optimizer.ema_decay": round(max(0.0, 1 - (1 - QUICKSTART.optimizer.ema_decay) / stretch), 4),
    }


def combined(names: str) -> dict[str, Any]:
    """Return the changes of one variant, or of several with + between their names."""
    return BASE | {key: value for name in names.split("+") for key, value in VARIANTS[name].items()}


def train(runs: Sequence[Run], jobs: int, report: Callable[[], None]) -> None:
    """Train what is not finished, `jobs` at a time, each on its share of the cores; stop them all when stopped."""
    waiting = [run for run in runs if run.summary() is None and not run.diverged()]
    total, begin = len(waiting), time.monotonic()
    cores = sorted(os.sched_getaffinity(0))
    free = [cores[i::jobs] or cores for i in range(jobs)]
    active: list[tuple[Run, subprocess.Popen[bytes], list[int]]] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or active:
            while waiting and free:
                run, share = waiting.pop(0), free.pop(0)
                active.append((run, start(run, share), share))
            time.sleep(POLL)
            for entry in [entry for entry in active if entry[1].poll() is not None]:
                active.remove(entry)
                free.append(entry[2])
                done = total - len(waiting) - len(active)
                left = (time.monotonic() - begin) / done * (total - done) / 60
                print(f"{done}/{total} {entry[0].folder.name}: {outcome(entry[0])}; {left:.0f} min left", flush=True)
                report()
    finally:
        for _, process, _ in active:
            process.terminate()  # it saves its state after the step that it is in
        for _, process, _ in active:
            process.wait()


def start(run: Run, cores: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start the training of a run on some cores; XLA starts as many threads as it may use cores."""
    run.folder.mkdir(parents=True, exist_ok=True)
    with (run.folder / "train.log").open("ab") as log:
        process = subprocess.Popen(
            run.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
        )
    os.sched_setaffinity(process.pid, cores)  # long before the process has any other thread
    return process


def outcome(run: Run) -> str:
    """Say in a few words how a run ended."""
    if summary := run.summary():
        return f"|B| correlation {summary['held_out']['abs_correlation']:.3f}"
    return "diverged" if run.diverged() else f"failed, see {run.folder / 'train.log'}"


def table(runs: Sequence[Run]) -> str:
    """Return the scores of the finished runs as a markdown table: mean and standard deviation over the seeds."""
    summaries = {(run.variant, run.seed): summary for run in runs if (summary := run.summary())}
    if not summaries:
        return "no run is finished"
    seeds = sorted({run.seed for run in runs})
    lines = [
        r"| variant | \|B\| correlation | gain over the base | correlation | RMSE (G) | seconds | seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for variant in dict.fromkeys(run.variant for run in runs):
        own = {seed: summaries[variant, seed] for seed in seeds if (variant, seed) in summaries}
        diverged = sum(run.diverged() for run in runs if run.variant == variant)
        cells = [score_cell([s["held_out"]["abs_correlation"] for s in own.values()], 3)]
        pairs = [
            s["held_out"]["abs_correlation"] - summaries["base", seed]["held_out"]["abs_correlation"]
            for seed, s in own.items()
            if variant != "base" and ("base", seed) in summaries
        ]
        cells.append(gain_cell(pairs))
        cells.append(score_cell([s["held_out"]["correlation"] for s in own.values()], 3))
        cells.append(score_cell([s["held_out"]["rmse"] for s in own.values()], 2))
        cells.append(score_cell([seconds(s) for s in own.values()], 0))
        cells.append(f"{len(own)}" + (f", {diverged} diverged" if diverged else ""))
        lines.append(f"| {variant.replace('+', ' + ')} | {' | '.join(cells)} |")
    any_one = next(iter(summaries.values()))
    mean, zero = any_one["baselines"]["mean"], any_one["baselines"]["zero"]
    lines.append(
        f"| *mean image* | {mean['abs_correlation']:.3f} | | {mean['correlation']:.3f} | {mean['rmse']:.2f} | | |"
    )
    lines.append(f"| *empty image* | - | | - | {zero['rmse']:.2f} | | |")
    return "\n".join(lines)


def seconds(summary: Mapping[str, Any]) -> float | None:
    """Return what the steps took, without compilation; None for a run that was stopped just before its end."""
    rate = summary["images_per_second"]
    return summary["steps"] * QUICKSTART.batch_size / rate if rate else None


def score_cell(values: Sequence[float | None], digits: int) -> str:
    """Return mean and standard deviation, `-` where one does not exist (say, of constant images)."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return "-"
    mean = f"{statistics.mean(known):.{digits}f}"
    return f"{mean} ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else mean


def gain_cell(differences: Sequence[float]) -> str:
    """Return the mean difference to the base with the same seed, and in how many seeds it is positive."""
    if not differences:
        return ""
    better = sum(difference > 0 for difference in differences)
    return f"{statistics.mean(differences):+.3f} ({better} of {len(differences)} seeds better)"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="default: one a core")
    parser.add_argument("--only", default=",".join([*VARIANTS, TOGETHER]), help="variants, commas between")
    parser.add_argument("--combine", default="", help="further rows, such as hinge+ema_off, commas between")
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args()
    variants = [name for name in f"{options.only},{options.combine}".split(",") if name]
    if unknown := sorted({part for name in variants for part in name.split("+")} - set(VARIANTS)):
        parser.error(f"no variant {', '.join(unknown)}: choose from {', '.join(VARIANTS)}")
    data_dir = options.workdir.absolute() / "data"
    # Seed by seed: stopped at any time, the rows have nearly the same number of seeds.
    runs = [
        Run(
            variant,
            seed,
            {"seed": seed, "data.data_dir": str(data_dir), **budget(options.steps), **combined(variant)},
            options.workdir / f"{options.steps}_steps" / f"{variant}_seed{seed}",
        )
        for seed in map(int, options.seeds.split(","))
        for variant in dict.fromkeys(variants)
    ]

    def report() -> None:
        (options.workdir / "table.md").write_text(table(runs) + "\n")

    if not options.table:
        build(QUICKSTART.data.euv, data_dir)
        try:
            train(runs, options.jobs, report)
        except KeyboardInterrupt:
            print("stopped: the same command goes on")
    print(table(runs))


if __name__ == "__main__":
    main()
