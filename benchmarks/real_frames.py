"""Do realisations of real EUV frames look like magnetograms? Their histogram and power spectrum against real ones.

    python -m tfds_sdoml.build sdoml/aia0171 --manual_dir=FOLDER_OF_SDOML
    python -m tfds_sdoml.build sdoml/hmi_bz --manual_dir=FOLDER_OF_SDOML
    python -m munit_jax.train --config=configs/unpaired.py --workdir=RUN
    python benchmarks/real_frames.py --workdir=RUN [--samples=8] [--picture=FILE.png]

For a run without pairs, which has no truth to be scored by. Every held-out EUV frame is translated, and the result is
compared with every magnetogram of the dataset, of training and test alike: the share of the disk by |B|, and the
power in bands of wavelengths. Real magnetograms of other times differ too, so each is also compared with the first.
"""

import argparse
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from munit_jax.data.datasets import Frames, format_time, geometry_of
from munit_jax.figures import draw_euv, draw_magnetogram
from munit_jax.metrics.structure import BANDS, power_ratio, structure_sums
from munit_jax.trained_run import TrainedRun, open_run
from munit_jax.training.monitor import scored_mask

STRENGTHS = (0.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, np.inf)  # gauss: edges of the histogram's bins
SHOWN = 3  # realisations in the picture
MINUTE = 16  # characters of a time up to its minute, by which frames are called: there may be several a day


def shares(fields: Float[np.ndarray, "n h w"], disk: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, " bins"]:
    """Return the share of the disk by |B| (`STRENGTHS`), of several magnetograms in gauss together."""
    strengths = np.abs(fields[:, disk])
    return np.histogram(np.minimum(strengths, np.finfo(np.float32).max), STRENGTHS)[0] / strengths.size


def power(
    fields: Float[np.ndarray, "n h w"], real: Float[np.ndarray, "h w"], disk: Bool[np.ndarray, "h w"]
) -> Float[np.ndarray, " bands"]:
    """Return the mean power of several magnetograms over that of a real one, by band of wavelengths (`BANDS`)."""
    return power_ratio(structure_sums(fields, np.abs(fields), real, disk)).mean(axis=0)


def row(name: str, values: Iterable[float]) -> str:
    """Return a row of a markdown table."""
    return f"| {name} | " + " | ".join(f"{value:.3g}" for value in values) + " |"


def table(made: Mapping[str, np.ndarray], real: Mapping[str, np.ndarray], disk: Bool[np.ndarray, "h w"]) -> str:
    """Return the histograms and the power against every real magnetogram as two markdown tables."""
    bins = [f"{low:g} to {high:g} G" for low, high in pairwise(STRENGTHS)]
    bands = [band.replace("_", " ") for band in BANDS]
    lines = [f"| share of the disk by \\|B\\| | {' | '.join(bins)} |", "|---" * (len(bins) + 1) + "|"]
    lines += [row(name, shares(fields, disk)) for name, fields in (*made.items(), *real.items())]
    lines += ["", f"| power over that of a real one | {' | '.join(bands)} |", "|---" * (len(bands) + 1) + "|"]
    first = next(iter(real))
    lines += [
        row(f"{name} / {other}", power(fields, theirs[0], disk))
        for name, fields in made.items()
        for other, theirs in real.items()
    ]
    lines += [row(f"{name} / {first}", power(fields, real[first][0], disk)) for name, fields in real.items()]
    return "\n".join(lines)


def picture(
    path: Path,
    euv: Float[np.ndarray, "h w"],
    channel: str,
    made: Float[np.ndarray, "n h w"],
    real: Mapping[str, np.ndarray],
) -> None:
    """Draw an EUV frame, a few realisations and, for comparison, real magnetograms of other times."""
    panels = [("EUV, held-out", None), *((f"generated, style {k + 1}", made[k]) for k in range(min(SHOWN, len(made))))]
    panels += [(f"real, {name}", fields[0]) for name, fields in real.items()]
    figure = Figure(figsize=(3 * len(panels), 3.3), layout="constrained")
    for axes, (title, field) in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
        if field is None:
            draw_euv(axes, euv, channel)
        else:
            draw_magnetogram(axes, field)
        axes.set_title(title, fontsize=9)
    figure.savefig(path, dpi=100)


def realisations_of(run: TrainedRun, frame: Mapping[str, np.ndarray], samples: int) -> Float[np.ndarray, "n h w"]:
    """Return realisations of an EUV frame in gauss."""
    context = run.context(geometry_of(frame), float(frame["time"]))
    contexts = None if context is None else context[None]
    return np.asarray(run.translate(frame["euv"][None], run.random_styles(0, samples), contexts))[0, ..., 0]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", type=Path, required=True, help="the folder of the training run")
    parser.add_argument("--data_dir", default=None, help="the folder of the datasets; as in training")
    parser.add_argument("--samples", type=int, default=8, help="realisations of each frame")
    parser.add_argument("--picture", type=Path, default=None, help="draw the first frame into this file")
    options = parser.parse_args()
    run = open_run(options.workdir)
    settings = run.config.data
    data_dir = options.data_dir or settings.data_dir
    held_out = Frames(settings.euv, "test", ("euv",), settings.channels, data_dir)
    splits = (
        Frames(settings.magnetogram, split, ("magnetogram",), settings.channels, data_dir)
        for split in ("train", "validation", "test")
    )
    magnetograms = [frames[i] for frames in splits for i in range(len(frames))]
    if not len(held_out) or not magnetograms:
        parser.error(
            f"{settings.euv} has {len(held_out)} held-out frames and {settings.magnetogram} {len(magnetograms)} "
            "magnetograms: one of each is needed"
        )
    real = {format_time(frame["time"])[:MINUTE]: frame["magnetogram"][None, ..., 0] for frame in magnetograms}
    frames = [held_out[i] for i in range(len(held_out))]
    made = {
        f"generated from {format_time(frame['time'])[:MINUTE]}": realisations_of(run, frame, options.samples)
        for frame in frames
    }
    print(table(made, real, scored_mask(magnetograms[0])))
    if options.picture is not None:
        picture(options.picture, frames[0]["euv"][..., 0], run.channels[0], next(iter(made.values())), real)


if __name__ == "__main__":
    main()
