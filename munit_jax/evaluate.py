"""Tell how wrong the magnetograms of a run are, on the disk.

    python -m munit_jax.evaluate --workdir=RUN

docs/evaluate.md tells what the scores are and what the outputs hold.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from munit_jax import command_line
from munit_jax.errors import UserError

WORKDIR = flags.DEFINE_string("workdir", None, "The folder of the training run.")
OUTPUT = flags.DEFINE_string("output", None, "The folder for the report. Default: evaluation/ in the run's.")
SPLIT = flags.DEFINE_enum("split", "test", ("test", "validation", "train"), "The frames to evaluate.")
SAMPLES = flags.DEFINE_integer("samples", 16, "Realisations of each frame.")
LIMIT = flags.DEFINE_integer("limit", 0, "Frames, evenly spaced; 0 for all.")
SEED = flags.DEFINE_integer("seed", 0, "Of the random styles and of the resampling.")
CHECKPOINT = flags.DEFINE_string("checkpoint", "best", "best (by the held-out score), latest, or a step.")
COMPARE = flags.DEFINE_string("compare", None, "The folder of another run on the same dataset, to stand beside.")
SHOW = flags.DEFINE_multi_string("show", [], "Time of a frame to draw, as 2012-11-03T12:00; may be given again.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "The folder of the datasets. Default: as in training.")
CONVOLUTION = flags.DEFINE_enum(
    "convolution", "auto", ("auto", "direct", "winograd"), "How convolutions are computed; auto chooses by the device."
)
COMPILATION_CACHE = flags.DEFINE_string(
    "compilation_cache",
    None,
    "Folder where compiled programs are kept for the next start; none for nowhere. Default: JAX_COMPILATION_CACHE_DIR "
    "or the user's cache folder.",
)

TABLE = ("rmse", "mae", "crps", "correlation", "abs_correlation", "unsigned_flux_error", "polarity_50", "ssim")
COLUMNS = ("model", "zero", "mean", "persistence", "shuffled", "euv_proxy")


def main(_: Sequence[str]) -> None:
    """Evaluate as the flags say."""
    if not WORKDIR.value:
        raise UserError("no run: give --workdir=RUN, the folder of a training run")
    # Importing jax takes seconds: --help and mistakes in flags should not wait for it.
    from munit_jax.evaluation.evaluation import FOLDER, Settings, evaluate
    from munit_jax.inference import open_run

    settings = Settings(SPLIT.value, SAMPLES.value, LIMIT.value, SEED.value, tuple(SHOW.value), DATA_DIR.value)
    command_line.keep_compiled(COMPILATION_CACHE.value)
    workdir = Path(WORKDIR.value)
    run = open_run(workdir, CHECKPOINT.value, convolution=CONVOLUTION.value)
    other = open_run(Path(COMPARE.value), convolution=CONVOLUTION.value) if COMPARE.value else None
    output = Path(OUTPUT.value) if OUTPUT.value else workdir / FOLDER
    metrics = evaluate(run, settings, output, other)
    command_line.logger.info("%s\nreport.html, metrics.json and frames.csv are in %s", score_table(metrics), output)


def score_table(metrics: Mapping[str, Any]) -> str:
    """Return the main scores of the disk beside the baselines, a line each."""
    columns = [*COLUMNS, *(["compared"] if "compared" in metrics["rmse"]["disk"] else [])]
    lines = [f"{'on the disk':<22}" + "".join(f"{column:>13}" for column in columns)]
    for name in TABLE:
        row = metrics[name]["disk"]
        cells = ("-" if row[column] is None else f"{row[column]:.3f}" for column in columns)
        lines.append(f"{name:<22}" + "".join(f"{cell:>13}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    command_line.run(main)
