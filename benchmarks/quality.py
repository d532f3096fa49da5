"""The same number of steps, one switch at a time: what helps the quickstart on held-out frames.

    python benchmarks/quality.py --workdir=runs/quality [--steps=500] [--seeds=0,1,2] [--jobs=2] [--only=base,hinge]
                                 [--combine=hinge+ema_off] [--table]

Every variant of the table below is configs/aia193.py:poster_quickstart with the changes of its row, trained
on the embedded synthetic Sun with every seed, as a process of its own on its share of the cores. Learning rates and the
moving average follow the steps. `--combine` adds a row with the changes of several variants. After every
run the table of held-out scores is written to table.md in the workdir. The same command resumes a stopped run:
finished runs are read, half-done ones continued. `--table` only prints the table of what is there.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from trainings import Run, data_folder, options_of, run_all, score_cell, seconds

from configs import aia193

CONFIG_FILE = "configs/aia193.py:poster_quickstart"
QUICKSTART = aia193.get_config("poster_quickstart")

# The quickstart without the switches of this table that it has.
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


def of_single(summary: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the scores of single realisations."""
    return summary["held_out"]["realisations"]


def outcome(run: Run) -> str:
    """Return the result of a training in a few words."""
    summary = run.summary()
    assert summary is not None
    return f"|B| correlation {of_single(summary)['abs_correlation']:.3f}"


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
        cells = [score_cell([of_single(s)["abs_correlation"] for s in own.values()], 3)]
        pairs = [
            of_single(s)["abs_correlation"] - summaries["base", seed]["held_out"]["realisations"]["abs_correlation"]
            for seed, s in own.items()
            if variant != "base" and ("base", seed) in summaries
        ]
        cells.append(gain_cell(pairs))
        cells.append(score_cell([of_single(s)["correlation"] for s in own.values()], 3))
        cells.append(score_cell([of_single(s)["rmse"] for s in own.values()], 2))
        finished = [run for run in runs if run.variant == variant and run.seed in own]
        cells.append(score_cell([seconds(run) for run in finished], 0))
        cells.append(f"{len(own)}" + (f", {diverged} diverged" if diverged else ""))
        lines.append(f"| {variant.replace('+', ' + ')} | {' | '.join(cells)} |")
    any_one = next(iter(summaries.values()))
    mean, zero = any_one["baselines"]["mean"], any_one["baselines"]["zero"]
    lines.append(
        f"| *mean image* | {mean['abs_correlation']:.3f} | | {mean['correlation']:.3f} | {mean['rmse']:.2f} | | |"
    )
    lines.append(f"| *empty image* | - | | - | {zero['rmse']:.2f} | | |")
    return "\n".join(lines)


def gain_cell(differences: Sequence[float]) -> str:
    """Return the mean difference to the base with the same seed, and in how many seeds it is positive."""
    if not differences:
        return ""
    better = sum(difference > 0 for difference in differences)
    return f"{statistics.mean(differences):+.3f} ({better} of {len(differences)} seeds better)"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_of(parser, [*VARIANTS, TOGETHER])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--combine", default="", help="further rows, such as hinge+ema_off, commas between")
    options = parser.parse_args()
    variants = [name for name in f"{options.only},{options.combine}".split(",") if name]
    if unknown := sorted({part for name in variants for part in name.split("+")} - set(VARIANTS)):
        parser.error(f"no variant {', '.join(unknown)}: choose from {', '.join(VARIANTS)}")
    # Seed by seed: stopped at any time, the rows have nearly the same number of seeds.
    runs = [
        Run(
            variant,
            seed,
            CONFIG_FILE,
            {"seed": seed, "data.data_dir": str(data_folder(options)), **budget(options.steps), **combined(variant)},
            options.workdir / f"{options.steps}_steps" / f"{variant}_seed{seed}",
        )
        for seed in map(int, options.seeds.split(","))
        for variant in dict.fromkeys(variants)
    ]
    run_all(runs, options, QUICKSTART.data.euv, outcome, table, "table.md")


if __name__ == "__main__":
    main()
