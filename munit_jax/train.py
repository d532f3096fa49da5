"""Train networks to turn EUV images into magnetograms (MUNIT), or resume a stopped run.

    python -m munit_jax.train --config=configs/aia193.py:quickstart
    python -m munit_jax.train --config=configs/aia193_best.py --workdir=RUN --config.steps=5000

The docstring of each file of configs/ has its purpose, cost and result; docs/train.md explains
the keys, docs/long_runs.md how a run is stopped and resumed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from munit_jax import command_line
from munit_jax.errors import UserError

FLAGS = flags.FlagValues()
define = command_line.Define(FLAGS)

CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Config file, with its variant behind a colon: configs/aia193.py:quickstart. --config.KEY=VALUE sets a key.",
    flag_values=FLAGS,
)
WORKDIR = define.string(
    "workdir", None, "The run's folder; give the same to resume a run. Default: runs/ and the config's name."
)
COMPILATION_CACHE = define.compilation_cache()
DISTRIBUTED = define.switch(
    "distributed",
    False,
    "This is one of several processes of one run: SLURM, Open MPI (both a process a device) and Kubernetes say which; "
    "elsewhere give the three flags below, usually to a process a host.",
)
COORDINATOR = define.string("coordinator_address", None, "host:port of the first process, with a free port.")
NUM_PROCESSES = define.integer("num_processes", None, "How many processes the run has.")
PROCESS_ID = define.integer("process_id", None, "Which of them this is, from 0.")

SHOWN = {
    "RMSE (G)": "rmse",
    "CRPS (G)": "fair_crps",
    "correlation": "correlation",
    "|B| correlation": "abs_correlation",
    "signs above 50 G": "polarity_50",
}
CALLED = {"euv_proxy": "the EUV proxy", "hale": "Hale's law"}


def main(_: Sequence[str]) -> None:
    """Train as the flags say."""
    if CONFIG.value is None:
        raise UserError("no config: give --config=configs/aia193.py:quickstart, or another file of configs/")
    if DISTRIBUTED.value:
        _join_other_processes()
    elif (COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value) != (None, None, None):
        raise UserError(
            "--coordinator_address, --num_processes and --process_id are for --distributed runs: give it too"
        )
    command_line.keep_compiled(COMPILATION_CACHE.value)

    workdir = (
        Path(WORKDIR.value) if WORKDIR.value else default_workdir(config_flags.get_config_filename(FLAGS["config"]))
    )
    summary = train(CONFIG.value.to_dict(), workdir)
    if summary is not None:
        command_line.logger.info("%s\nsummary.json and samples/ are in %s", summary_table(summary), workdir)


def train(source: Mapping[str, Any], workdir: Path) -> dict[str, Any] | None:
    """Train as a config, a dictionary, says; see `config.parse` and `training.loop.train_and_evaluate`."""
    # Importing jax and the datasets takes seconds: --help and mistakes in flags should not wait for them.
    import jax

    from munit_jax import pretrained
    from munit_jax.config import parse
    from munit_jax.training import hosts
    from munit_jax.training.loop import train_and_evaluate

    with hosts.ends_alone():
        with hosts.first_alone("config"):  # it may have to build the synthetic Sun
            config = parse(pretrained.with_folder(source), jax.device_count(), jax.devices()[0].platform)
        return train_and_evaluate(config, workdir)


def _join_other_processes() -> None:
    from munit_jax.training.hosts import join

    try:
        join(COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value)
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"cannot join the other processes: {error}; give --coordinator_address=HOST:PORT --num_processes=N "
            "--process_id=I, or start them by SLURM's srun or Open MPI's mpirun"
        ) from None


def summary_table(summary: Mapping[str, Any]) -> str:
    """Return the scores on the test split with the baselines, and a verdict."""
    if summary["held_out"] is None:
        return "no held-out scores: there are no simultaneous magnetograms to compare with"
    of_all = {**summary["held_out"], **summary["baselines"]}
    rows = {title: {name: scores[key] for name, scores in of_all.items()} for title, key in SHOWN.items()}
    return f"{command_line.score_table('held-out', rows)}\n{verdict(of_all)}"


def verdict(scores: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return in a sentence whether the mean of the realisations beats the baselines."""

    def against(key: str, baseline: str) -> str:
        own, other = scores["their_mean"][key] or 0.0, scores[baseline][key] or 0.0
        return f"{'ahead of' if own > other else 'behind'} {CALLED[baseline]} ({own:.3f} against {other:.3f})"

    return (
        f"The mean of the realisations is {against('abs_correlation', 'euv_proxy')} in |B|, "
        f"{against('correlation', 'hale')} in the signed field and {against('polarity_50', 'hale')} in the signs."
    )


def default_workdir(config_file: str) -> Path:
    """Return runs/aia193-quickstart for configs/aia193.py:quickstart."""
    path, _, variant = config_file.partition(":")
    return Path("runs") / (Path(path).stem + (f"-{variant}" if variant else ""))


def command() -> None:
    """Run as `munit-train`."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
