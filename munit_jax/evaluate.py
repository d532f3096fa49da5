"""Evaluate a run's magnetograms: on the disk, and in the corona.

    python -m munit_jax.evaluate --workdir=RUN
    python -m munit_jax.evaluate --workdir=RUN --corona
    python -m munit_jax.evaluate --workdir=RUN --images='FSI/*.fits' --truth='PHI/*.fits'

See docs/evaluate.md for the scores and the outputs.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from munit_jax import command_line
from munit_jax.errors import ConfigError, UserError
from munit_jax.heliosphere.choices import check_installed

FLAGS = flags.FlagValues()
define = command_line.Define(FLAGS)

WORKDIR = define.string("workdir", None, "The folder of the training run.")
OUTPUT = define.string("output", None, "The folder for the report. Default: evaluation/ in the run's.")
SPLIT = define.choice("split", "test", ("test", "validation", "train"), "The frames to evaluate.")
SAMPLES = define.integer("samples", 16, "Realisations of each frame.")
LIMIT = define.integer("limit", 0, "Frames, evenly spaced; 0 for all.")
SEED = define.integer("seed", 0, "Of the random styles and of the resampling.")
CHECKPOINT = define.string("checkpoint", "best", "best (by the validation score), latest, or a step.")
COMPARE = define.string(
    "compare", None, "The folder of another run on the same dataset, whose best checkpoint is compared, on the disk."
)
SHOW = define.strings(
    "show", [], "Time of a frame to draw, as 2012-11-03T12:00: the nearest of the evaluated ones; repeatable."
)
DATASET = define.string("dataset", None, "Another dataset than the run's own, as sdoml/NAME.")
IMAGES = define.strings("images", [], "Instead of a dataset: EUV images, as a pattern in quotes ...")
TRUTH = define.strings("truth", [], "... and true magnetograms, from anywhere; pairs are found by time and place.")
PAIR_HOURS = define.number("pair_hours", 6.0, "Between an image and its magnetogram.")
PAIR_DEGREES = define.number("pair_degrees", 10.0, "Between the vantage points of an image and its magnetogram.")
SCALE_TO = define.choice("scale_to", "none", ("none", "hmi"), "Bring true magnetograms and background to HMI's scale.")
DATA_DIR = define.string("data_dir", None, "The folder of the datasets. Default: as in training.")
CORONA = define.switch("corona", False, "Model the corona of the magnetograms too; see docs/evaluate.md.")
CORONA_FRAMES = define.integer("corona_frames", 10, "Frames for the corona, evenly spaced; 0 for all.")
CORONA_SAMPLES = define.integer("corona_samples", 4, "Realisations whose whole corona is modelled.")
EARTH = define.switch("earth", False, "With --corona: follow the wind of far sides to the Earth too, by HUXt.")
BACKGROUND = define.strings(
    "background",
    [],
    "Synoptic maps of the rest of the Sun, as a pattern in quotes; none for a field of 0. Default: the dataset's own "
    "truth.",
)
LMAX = define.integer("lmax", 60, "Highest degree of the corona's spherical harmonics.")
RSS = define.number("rss", 2.5, "Radius of the source surface in solar radii.")
SEED_RADIUS = define.number("seed_radius", 1.0, "Where lines of the open-field map start, in solar radii.")
ROWS = define.integer("rows", 180, "Rows of the corona's maps, half as many as columns.")
CONVOLUTION = define.convolution()
COMPILATION_CACHE = define.compilation_cache()


def main(_: Sequence[str]) -> None:
    """Evaluate as the flags say."""
    if not WORKDIR.value:
        raise UserError("no run: give --workdir=RUN, the folder of a training run")
    if EARTH.value and not CORONA.value:
        raise UserError("--earth needs the wind of coronae: give --corona too")
    if EARTH.value:
        check_installed()
    # Importing jax takes seconds: --help and mistakes in flags should not wait for it.
    from munit_jax.pfss.model import ModelSettings
    from munit_jax.report.evaluation import FOLDER, evaluate
    from munit_jax.report.results import metrics_table
    from munit_jax.report.settings import CoronaSettings, PairSettings, Settings
    from munit_jax.trained_run import open_run

    corona = None
    if CORONA.value:
        try:
            model = ModelSettings(RSS.value, SEED_RADIUS.value)
            corona = CoronaSettings(
                CORONA_FRAMES.value, CORONA_SAMPLES.value, ROWS.value, LMAX.value, model, EARTH.value
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None
    background = BACKGROUND.value
    if background != ["none"]:
        background = map(str, command_line.matching("background", background))
    of_frames = SPLIT.value, SAMPLES.value, LIMIT.value, SEED.value, tuple(SHOW.value), DATA_DIR.value
    pairs = None
    if IMAGES.value or TRUTH.value:
        images, truth = command_line.matching("images", IMAGES.value), command_line.matching("truth", TRUTH.value)
        pairs = PairSettings(tuple(images), tuple(truth), PAIR_HOURS.value, PAIR_DEGREES.value)
    settings = Settings(*of_frames, corona, tuple(background), DATASET.value, pairs, SCALE_TO.value)
    command_line.keep_compiled(COMPILATION_CACHE.value)
    workdir = Path(WORKDIR.value)
    run = open_run(workdir, CHECKPOINT.value, convolution=CONVOLUTION.value)
    other = open_run(Path(COMPARE.value), convolution=CONVOLUTION.value) if COMPARE.value else None
    output = Path(OUTPUT.value) if OUTPUT.value else workdir / FOLDER
    metrics = evaluate(run, settings, output, other)
    command_line.logger.info("%s\nreport.html, metrics.json and frames.csv are in %s", metrics_table(metrics), output)


def command() -> None:
    """Run as `munit-evaluate`."""
    command_line.run(main, FLAGS)


if __name__ == "__main__":
    command()
