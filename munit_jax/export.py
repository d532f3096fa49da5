"""Make a folder of weights, as those that come with the package, from a trained run.

    python -m munit_jax.export --workdir=RUN --card=MODEL_CARD.md --output=munit_jax/pretrained/NAME

It has the run's networks in half precision, with config, brightness and model card.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from munit_jax import command_line
from munit_jax.errors import UserError, WorkdirError

FLAGS = flags.FlagValues()
define = command_line.Define(FLAGS)

WORKDIR = define.string("workdir", None, "The folder of the training run.")
CHECKPOINT = define.string("checkpoint", "best", "best (by the validation score), latest, or a step.")
CARD = define.string(
    "card", None, "The model card: the weights, their data, their scores, and what not to use them for."
)
OUTPUT = define.string("output", None, "The folder to make.")


def main(_: Sequence[str]) -> None:
    """Export as the flags say."""
    if not (WORKDIR.value and CARD.value and OUTPUT.value):
        raise UserError("give --workdir=RUN, --card=MODEL_CARD.md and --output=FOLDER")
    export(Path(WORKDIR.value), CHECKPOINT.value, Path(CARD.value), Path(OUTPUT.value))


def export(workdir: Path, checkpoint: str, card: Path, output: Path) -> None:
    """Write a run's generators, what a translation reads beside them, and the model card into a folder.

    Whole or not at all.

    The config goes without the paths of the machine that trained.

    Raises:
        UserError: an existing folder, or no card.
        WorkdirError: no such run or checkpoint, or a folder that cannot be written.
    """
    from munit_jax.field_strength import STRENGTH
    from munit_jax.files import write_json
    from munit_jax.trained_run import open_run
    from munit_jax.training import packaged

    if output.exists():
        raise UserError(f"{output} is there: remove it, or choose another --output")
    if not card.is_file():
        raise UserError(f"no model card {card}: write one, in Markdown (--card)")
    run = open_run(workdir, checkpoint)
    source = run.config.source
    config = {**source, "start_from": None, "data": {**source["data"], "data_dir": None}}
    partial = output.with_name(f"{output.name}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        write_json(partial / "config.json", config)
        for name in ("images.json", *([STRENGTH] if run.translator.strength else [])):
            shutil.copyfile(workdir / name, partial / name)
        shutil.copyfile(card, partial / "MODEL_CARD.md")
        packaged.write_generators(partial, run.step, run.config.recipe.objective.used_of(run.generators))
        os.replace(partial, output)
    except OSError as error:
        raise WorkdirError(f"cannot write {output}: {error.strerror}; choose another --output") from None
    size = sum(file.stat().st_size for file in output.iterdir())
    command_line.logger.info("%s, step %d: %.2f MB in %s", run.name, run.step, size / 1e6, output)


def command() -> None:
    """Run as `munit-export`."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
