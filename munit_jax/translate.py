"""Translate EUV images of the Sun into magnetograms, or back.

    python -m munit_jax.translate --pretrained=aia193 --input='FOLDER/*.fits' --output=OUT
    python -m munit_jax.translate --workdir=RUN --input='FOLDER/*.fits' --output=OUT

docs/translate.md describes how images of each instrument are prepared, docs/fits_files.md the outputs.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from munit_jax import command_line
from munit_jax.errors import DataError, UserError

if TYPE_CHECKING:
    from munit_jax.translation.translate_files import Draw
    from munit_jax.translation.translation import Translation

FLAGS = flags.FlagValues()
define = command_line.Define(FLAGS)

WORKDIR = define.string("workdir", None, "The folder of the training run.")
PRETRAINED = define.string("pretrained", None, "Instead of --workdir: the name of weights that come with the package.")
INPUT = define.strings("input", [], "Files, as a pattern in quotes ('a*.fits'), or a folder; repeatable.")
OUTPUT = define.string("output", None, "The folder for the translations.")
SAMPLES = define.integer("samples", 16, "Realisations of each input.")
SEED = define.integer("seed", 0, "Of the random styles.")
STYLE = define.string(
    "style", "random", "Where the styles come from: random, mean, or image:FILE for that of a real magnetogram."
)
CHECKPOINT = define.string("checkpoint", "best", "best (by the validation score), latest, or a step.")
DIRECTION = define.choice(
    "direction", "euv_to_magnetogram", ("euv_to_magnetogram", "magnetogram_to_euv"), "The direction of the translation."
)
SIZE = define.integer("size", None, "Pixels across the networks' input. Default: as in training.")
CALIBRATE_TO = define.strings(
    "calibrate_to",
    [],
    "Files of AIA, as a pattern: images are brought to the brightness of the one nearest in time. "
    "Default: to that of the training images.",
)
DEGRADATION_TABLE = define.string(
    "degradation_table",
    None,
    "AIA's loss of sensitivity, SolarSoft's aia_V*_response_table.txt (needs aiapy). Default: by its brightness.",
)
SCALE_TO = define.choice("scale_to", "none", ("none", "hmi"), "Bring the fields of other magnetographs to HMI's scale.")
LAST_SEEN = define.strings(
    "last_seen",
    [],
    "Earlier magnetograms from the Earth (HMI), as a pattern in quotes, for a run trained with them: of a rotation, a "
    "week or less apart. Without them the past counts as unknown.",
)
RESUME = define.switch("resume", False, "Keep outputs made from the same inputs, checkpoint and settings.")
FORCE = define.switch("force", False, "Translate images that are unlike those of the training, with a warning.")
CONVOLUTION = define.convolution()
COMPILATION_CACHE = define.compilation_cache()

REFUSED = 1  # the exit code where some inputs could not be used
PICTURES = ("map", "grid")


class _Picture(flags.Flag):
    """A flag that may occur alone (`--png`) or have a value (`--png=grid`)."""

    def __init__(self):
        parser = flags.EnumParser((*PICTURES, "true", "false"), case_sensitive=False)
        super().__init__(
            parser, flags.ArgumentSerializer(), "png", None, "A picture of each output; =grid: of all styles."
        )
        self.boolean = True


PNG = flags.DEFINE_flag(_Picture(), flag_values=FLAGS)


def main(_: Sequence[str]) -> None:
    """Translate as the flags say."""
    if not (WORKDIR.value or PRETRAINED.value):
        raise UserError(
            "no run: give --workdir=RUN, the folder of a training run, or --pretrained=NAME, weights that come with "
            "the package"
        )
    if WORKDIR.value and PRETRAINED.value:
        raise UserError("two runs: give --workdir or --pretrained")
    if PRETRAINED.value and FLAGS["checkpoint"].present:
        raise UserError("--checkpoint: the weights of --pretrained are of one step; leave it out")
    if not OUTPUT.value:
        raise UserError("no output: give --output=FOLDER, where the translations go")
    if not INPUT.value:
        raise UserError("no input: give --input='FOLDER/*.fits'")
    from munit_jax.instruments.reading import files_below

    inputs = command_line.matching("input", INPUT.value, files_below)
    references = command_line.matching("calibrate_to", CALIBRATE_TO.value)
    # Importing jax takes seconds: --help and mistakes in flags should not wait for it.
    from munit_jax.translation.translate_files import TABLE, translate_files

    command_line.keep_compiled(COMPILATION_CACHE.value)
    translation = _translation(references)
    output = Path(OUTPUT.value)
    rows = translate_files(translation, inputs, output, resume=RESUME.value, draw=_draw(translation))
    count = Counter(row.status for row in rows)
    command_line.logger.info(
        "%d written, %d kept, %d refused: see %s", *(count[s] for s in ("written", "kept", "refused")), output / TABLE
    )
    if count["refused"]:
        sys.exit(REFUSED)


def _translation(references: Sequence[Path]) -> "Translation":
    from munit_jax.instruments.degradation import open_table
    from munit_jax.trained_run import load_pretrained, open_run
    from munit_jax.translation.settings import Settings, preparation, reference_of
    from munit_jax.translation.translation import Translation

    past = command_line.matching("last_seen", LAST_SEEN.value)
    settings = Settings(DIRECTION.value, STYLE.value, SAMPLES.value, SEED.value, tuple(past), FORCE.value)
    table = Path(DEGRADATION_TABLE.value) if DEGRADATION_TABLE.value else None
    if table is not None:
        try:
            open_table(table)
        except (FileNotFoundError, ValueError) as error:
            raise DataError(f"degradation_table: {error}") from None
    elif settings.source == "euv":
        command_line.logger.info(
            "FITS files of AIA are scaled to the brightness of the training images; for aiapy's correction of the loss "
            "of sensitivity give --degradation_table"
        )
    if PRETRAINED.value:
        run = load_pretrained(PRETRAINED.value, size=SIZE.value, convolution=CONVOLUTION.value)
    else:
        run = open_run(Path(WORKDIR.value or ""), CHECKPOINT.value, size=SIZE.value, convolution=CONVOLUTION.value)
    command_line.logger.info(
        "%s, step %d, images of %d pixels of AIA %s", run.name, run.step, run.size, ", ".join(run.channels)
    )
    how = preparation(run, table=table, scale_to=SCALE_TO.value)
    levels = [reference_of(path, how) for path in references]
    return Translation(run, settings, replace(how, references=[*levels, *how.references]))


def _draw(translation: "Translation") -> "Draw | None":
    if PNG.value in (None, "false"):
        return None
    from munit_jax.translation.quicklook import make_draw  # matplotlib takes a second

    return make_draw("grid" if PNG.value == "grid" else "map", translation)


def command() -> None:
    """Run as `munit-translate`."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
