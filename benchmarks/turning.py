r"""Do generated magnetograms turn with the Sun? Those of one day, turned to later days, and those of the later days.

    python -m tfds_sdoml.build sdoml/days --source=hf256 --channels=0171 --field= --size=64 --guard_days=0 \
        --manual_dir=DAYS
    python benchmarks/turning.py --frames=sdoml/days --workdir=RUN [--magnetograms=sdoml/earlier] [--picture=FILE.png]

No truth is needed: images of several days, each translated by itself. Prints for some days between two images the
correlation of the mean of 16 inside 0.9 solar radii, where both days saw the surface, with and without the turning,
and of the mean |B|; with `--magnetograms`, of real ones too. The brightness is brought to that of the run's images by
one factor. What a network makes of its own noise, or of the place on the disk alone, does not turn.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from real_pairs import INSIDE, all_frames, correlation, realisations

from munit_jax.data.datasets import format_time, geometry_of
from munit_jax.figures import draw_euv, draw_grid
from munit_jax.instruments.calibration import quartiles
from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import DiskGeometry, on_disk
from munit_jax.sun.rotation import rotated
from munit_jax.trained_run import TrainedRun, open_run

LAGS = (1, 2, 4, 6)  # days
TOLERANCE = 3 * 3600  # seconds
HEADINGS = ("days", "pairs", "turned", "not turned", "|B|, turned", "|B|, not turned")
SHOWN = 5  # dates in the picture

Image = Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Seen:
    """A magnetogram (gauss), its |B|, and from where and when (seconds since 1970) it is."""

    field: Image
    unsigned: Image
    geometry: DiskGeometry
    time: int


def agreement(first: Seen, then: Seen) -> list[float]:
    """Return the correlations of a later magnetogram with the first, turned and not, and those of |B|."""
    days = float(then.time - first.time) / DAY
    found = []
    for of_first, of_then in ((first.field, then.field), (first.unsigned, then.unsigned)):
        turned, seen = rotated(of_first, first.geometry, then.geometry, days)
        both = seen & on_disk(then.geometry, INSIDE)
        found += [correlation(turned[both], of_then[both]), correlation(of_first[both], of_then[both])]
    return found


def rows(series: Sequence[Seen]) -> list[list[float]]:
    """Return for each of LAGS the days, how many pairs of magnetograms are so far apart, and their mean agreement."""
    table = []
    for lag in LAGS:
        pairs = [(a, b) for a in series for b in series if abs(b.time - a.time - lag * DAY) <= TOLERANCE]
        if pairs:
            table.append([lag, len(pairs), *np.mean([agreement(*pair) for pair in pairs], axis=0)])
    return table


def as_bright(run: TrainedRun, euv: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w c"]:
    """Return an image with the quartiles of the disk of the run's images, by one factor a channel."""
    scaled = np.empty_like(euv)
    for k, channel in enumerate(run.channels):
        levels = [run.disk_percentiles[channel][name] for name in ("25", "50", "75")]
        scaled[..., k] = euv[..., k] * np.median(np.array(levels) / quartiles(euv[..., k]))
    return scaled


def picture(shown: Sequence[tuple[Image, Seen]], channel: str) -> Figure:
    """Draw images and what was made of them, a column a date."""
    figure = Figure(figsize=(2.1 * len(shown), 4.4), layout="compressed")
    for (above, below), (euv, seen) in zip(figure.subplots(2, len(shown)).T, shown, strict=True):
        draw_euv(above, euv, channel)
        inside = on_disk(seen.geometry, INSIDE)
        below.imshow(np.where(inside, seen.field, np.nan), cmap="gray", vmin=-30, vmax=30, origin="lower")
        below.set(facecolor="0.15")
        above.set_title(format_time(seen.time)[:16], fontsize=8)
        for axes in (above, below):
            axes.set(xticks=[], yticks=[])
            draw_grid(axes, seen.geometry)
    return figure


def print_table(name: str, series: Sequence[Seen]) -> None:
    """Print the rows of a series as markdown."""
    print(f"\n{name}\n\n| {' | '.join(HEADINGS)} |".replace("|B|", r"\|B\|"))
    print("|---" * len(HEADINGS) + "|")
    for days, count, *values in rows(series):
        print(f"| {days:g} | {count:g} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", required=True, help="the dataset of EUV images")
    parser.add_argument("--workdir", required=True, help="a training run of their channels")
    parser.add_argument("--checkpoint", default="best", help="best, latest, or a step")
    parser.add_argument("--magnetograms", default=None, help="a dataset of real magnetograms, to compare with")
    parser.add_argument("--data_dir", default=None, help="the folder of the datasets; as in training")
    parser.add_argument("--picture", default=None, help="a file for some dates, evenly spaced")
    options = parser.parse_args()
    run = open_run(options.workdir, options.checkpoint)
    series, images = [], []
    for frame in all_frames(options.frames, options.data_dir, "euv"):
        images.append(as_bright(run, frame["euv"]))
        made = realisations(run, frame | {"euv": images[-1]})
        series.append(Seen(made.mean(axis=0), np.abs(made).mean(axis=0), geometry_of(frame), int(frame["time"])))
    print_table(f"made of {options.frames}", series)
    if options.magnetograms:
        real = all_frames(options.magnetograms, options.data_dir, "magnetogram")
        true = [(frame["magnetogram"][..., 0], geometry_of(frame), int(frame["time"])) for frame in real]
        print_table(
            options.magnetograms, [Seen(field, np.abs(field), geometry, time) for field, geometry, time in true]
        )
    if options.picture:
        chosen = np.linspace(0, len(series) - 1, SHOWN).round().astype(int)
        picture([(images[i][..., 0], series[i]) for i in chosen], run.channels[0]).savefig(options.picture, dpi=110)


if __name__ == "__main__":
    main()
