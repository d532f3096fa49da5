"""Train MUNIT: `python -m munit_jax.train --config=configs/aia193.py:quickstart`."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags, logging
from ml_collections import config_flags

from munit_jax import command_line

CONFIG = config_flags.DEFINE_config_file(
    "config", "configs/aia193.py", "Config file, with its variant behind a colon: configs/aia193.py:quickstart."
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "The run's folder; to go on with a run, give the same. Default: runs/ and the config's name."
)


def main(_: Sequence[str]) -> None:
    """Train as the flags say."""
    # Importing jax and the datasets takes seconds: --help and mistakes in flags should not wait for them.
    from munit_jax.training.loop import train_and_evaluate

    logging.set_verbosity(logging.INFO)
    workdir = Path(WORKDIR.value) if WORKDIR.value else default_workdir(flags.FLAGS["config"].config_filename)
    summary = train_and_evaluate(CONFIG.value, workdir)
    if summary is not None:
        logging.info("held out: %s", summary["held_out"])
        logging.info("baselines: %s", summary["baselines"])
        logging.info("summary and pictures are in %s", workdir)


def default_workdir(config_file: str) -> Path:
    """Return runs/aia193-quickstart for configs/aia193.py:quickstart."""
    path, _, variant = config_file.partition(":")
    return Path("runs") / (Path(path).stem + (f"-{variant}" if variant else ""))


if __name__ == "__main__":
    command_line.run(main)
