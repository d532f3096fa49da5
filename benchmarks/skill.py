"""What a realisation gets right: recipes at a fixed budget of CPU time, scored as `munit_jax.evaluate` does.

    python benchmarks/skill.py --workdir=runs/skill [--minutes=10] [--seeds=0,1,2] [--jobs=2] [--only=best]
                               [--split=validation] [--sun=0] [--table]

Every variant is configs/aia193_best.py:embedded, or another config, with the changes of its row, trained on
the embedded synthetic Sun with every seed on its share of the cores for as many steps as its seconds a step allow, then
evaluated with 16 realisations on all frames of a split: validation, by which recipes are chosen, or test, which is read
once. `--sun=1` and so on scores the same runs on a synthetic Sun of another seed, that no choice has seen. After every
run the table is written to the workdir. The same command resumes a stopped run. `--table` only prints the
table of what is there.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainings import Run, data_folder, options_of, run_all, score_cell, seconds

from configs import aia193, aia193_best, multichannel
from tfds_sdoml.build import build

BEST, QUICKSTART = "configs/aia193_best.py:embedded", "configs/aia193.py:quickstart"
POSTER = "configs/aia193.py:poster_quickstart"
MULTICHANNEL = "configs/multichannel.py:embedded"
CONFIGS = {
    BEST: aia193_best.get_config("embedded"),
    QUICKSTART: aia193.get_config("quickstart"),
    POSTER: aia193.get_config("poster_quickstart"),
    MULTICHANNEL: multichannel.get_config("embedded"),
}
MINUTE = 60.0


@dataclass(frozen=True)
class Variant:
    """A recipe.

    Attributes:
        seconds_a_step: on one core of the machine of docs/skill.md, without compilation.
        config: what is changed ...
        changes: ... and how.
    """

    seconds_a_step: float
    config: str = BEST
    changes: Mapping[str, Any] = field(default_factory=dict)

    def all_changes(self, minutes: float) -> dict[str, Any]:
        """Return the changes with those that fit the schedules to a budget."""
        steps, config = round(minutes * MINUTE / self.seconds_a_step), CONFIGS[self.config]
        halve_every = config.optimizer.halve_every
        return {
            "steps": steps,
            "checkpoint_every": max(1, steps // 4),
            "eval_every": steps,
            "evaluation.limit_during_training": 1,
            "evaluation.limit": 1,  # the evaluation scores all held-out frames
            "optimizer.halve_every": halve_every and max(1, round(steps / config.steps * halve_every)),
            **self.changes,
        }


def alone(channel: str) -> Mapping[str, Any]:
    """Return the changes for another channel than 193."""
    limit = aia193.AIA_LIMIT[channel]
    return {
        "data.channels": (channel,),
        "data.normalization.euv.scale": (aia193.ASINH_FRACTION * limit,),
        "data.normalization.euv.limit": (limit,),
    }


WITHOUT_PLANES = {"data.context": ()}
WITH_PAST = {"data.context": (*CONFIGS[BEST].data.context, "last_seen")}
WITHOUT_FLUX = {"loss.ensemble_flux_weight": 0.0}
WITHOUT_CRPS = {**WITHOUT_FLUX, "loss.ensemble_weight": 0.0}
TERMS = aia193.get_config().loss
MUNIT = {
    f"loss.{name}": TERMS[name] for name in ("adversarial_weight", "image_weight", "content_weight", "style_weight")
}
VARIANTS: Mapping[str, Variant] = {
    "best": Variant(0.17),
    "quickstart": Variant(0.15, QUICKSTART),
    "poster_quickstart": Variant(0.17, POSTER),
    "without_flux": Variant(0.17, changes=WITHOUT_FLUX),
    "with_unsigned": Variant(0.17, changes={"loss.unsigned_weight": 200.0}),
    "without_planes": Variant(0.15, changes=WITHOUT_PLANES),
    "last_seen": Variant(0.18, changes=WITH_PAST),
    "reversal": Variant(0.17, changes={"data.reversal": True}),
    "all_of_munit": Variant(0.48, changes=MUNIT),
    "planes_unsigned": Variant(0.12, changes={**WITHOUT_CRPS, "loss.unsigned_weight": 600.0}),
    "planes_l1": Variant(0.35, changes={**WITHOUT_CRPS, "loss.paired_weight": 600.0}),
    "three_channels": Variant(0.17, MULTICHANNEL),
    "aia171": Variant(0.17, changes=alone("0171")),
    "aia304": Variant(0.17, changes=alone("0304")),
}
# Of metrics.json: heading, digits, value.
COLUMNS: Sequence[tuple[str, int, Callable[[Mapping[str, Any]], float | None]]] = (
    (r"\|B\| correlation", 3, lambda m: m["abs_correlation"]["disk"]["model"]),
    ("of the mean", 3, lambda m: m["abs_correlation"]["disk"]["model_mean"]),
    ("of the mean, 8 x 8", 3, lambda m: m["abs_correlation_binned"]["disk"]["model_mean"]),
    ("correlation", 3, lambda m: m["correlation"]["disk"]["model"]),
    ("of the mean", 3, lambda m: m["correlation"]["disk"]["model_mean"]),
    ("right signs above 50 G", 3, lambda m: m["polarity_50"]["disk"]["model"]),
    ("of the mean", 3, lambda m: m["polarity_50"]["disk"]["model_mean"]),
    ("CRPS (G)", 2, lambda m: m["ensemble"]["crps"]),
    ("90 % interval holds", 3, lambda m: m["ensemble"]["coverage"]["90"]["value"]),
)


def table(runs: Sequence[Run]) -> str:
    """Return the scores of the evaluated runs as a markdown table: mean and standard deviation over the seeds."""
    lines = [
        "| variant | " + " | ".join(name for name, *_ in COLUMNS) + " | CPU minutes | seeds |",
        "|---" * (len(COLUMNS) + 3) + "|",
    ]
    for variant in dict.fromkeys(run.variant for run in runs):
        own = [(run, metrics) for run in runs if run.variant == variant and (metrics := run.metrics())]
        diverged = sum(run.diverged() for run in runs if run.variant == variant)
        cells = [score_cell([value(metrics) for _, metrics in own], digits) for _, digits, value in COLUMNS]
        spent = [seconds(run) for run, _ in own]
        cells.append(score_cell([None if s is None else s / MINUTE for s in spent], 1))
        cells.append(f"{len(own)}" + (f", {diverged} diverged" if diverged else ""))
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def outcome(run: Run) -> str:
    """Say in a few words how a run ended."""
    metrics = run.metrics()
    assert metrics is not None
    return f"|B| correlation {COLUMNS[0][2](metrics):.3f}, right signs {COLUMNS[5][2](metrics):.3f}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options_of(parser, list(VARIANTS))
    parser.add_argument("--minutes", type=float, default=10.0, help="of CPU time for the steps of a training")
    parser.add_argument("--split", choices=("validation", "test"), default="validation", help="the frames scored")
    parser.add_argument("--sun", type=int, default=0, help="seed of the Sun scored; the training's is 0")
    options = parser.parse_args()
    if unknown := sorted(set(options.only.split(",")) - set(VARIANTS)):
        parser.error(f"no variant {', '.join(unknown)}: choose from {', '.join(VARIANTS)}")
    dataset, scored = CONFIGS[BEST].data.euv, data_folder(options)
    if options.sun and not options.table:
        scored = scored.with_name(f"data_of_sun_{options.sun}")
        build(dataset, scored, changes={"seed": options.sun})
    on = f"{options.split}_{options.sun}"
    # Seed by seed: stopped at any time, the rows have nearly the same number of seeds.
    runs = [
        Run(
            name,
            seed,
            VARIANTS[name].config,
            {"seed": seed, "data.data_dir": str(data_folder(options)), **VARIANTS[name].all_changes(options.minutes)},
            options.workdir / f"{options.minutes:g}_minutes" / f"{name}_seed{seed}",
            ("--samples=16", f"--split={options.split}", f"--data_dir={scored}"),
            f"evaluation_{on}",
        )
        for seed in map(int, options.seeds.split(","))
        for name in options.only.split(",")
    ]
    run_all(runs, options, dataset, outcome, table, f"table_{options.minutes:g}_{on}.md")


if __name__ == "__main__":
    main()
