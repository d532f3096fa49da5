r"""Scores on real pairs of AIA and HMI images: what simple baselines reach, and a run.

    python -m tfds_sdoml.build sdoml/pairs --source=hf256 --channels=0193 --field=bz --size=64 --guard_days=0 \
        --test_months=12 --validation_months=10 --manual_dir=PAIRS
    python -m tfds_sdoml.build sdoml/earlier --source=hf256 --channels= --field=bz --size=64 --guard_days=0 \
        --manual_dir=MAGNETOGRAMS
    python benchmarks/real_pairs.py --pairs=sdoml/pairs [--earlier=sdoml/earlier] [--workdir=RUN]

Prints a table: each score inside 0.9 solar radii, its mean over the pairs and the standard error of it. What is fitted
is fitted to all pairs but the one that is scored. `linear` has the |B| of `munit_jax.field_strength` and, for the
signed field, a ridge regression on the gradients of the brightness along and across the rotation times Hale's sign. A
run is scored as it is, even if it was trained on these pairs. With a run for each pair, each scores its own, on which
it must not have been trained. With earlier magnetograms, a run that takes them (`last_seen`) has those that are half a
rotation old or more, and a second table has only the pairs of which there is one from a rotation before. The last line
has the share of pixels in the 90 % interval: the deviations from the mean of 16 times one factor, which is fitted to
the other pairs.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter
from scipy.optimize import isotonic_regression

from munit_jax.data.context import Past
from munit_jax.data.datasets import Frames, format_time, geometry_of, open_dataset, past_magnetograms
from munit_jax.data.pipeline import SCORED_GAP
from munit_jax.field_strength import PENALTY, SCALES, features, fit_field_strength
from munit_jax.figures import draw_euv, draw_grid
from munit_jax.metrics.baselines import painted
from munit_jax.sun.constants import DAY, SYNODIC_CARRINGTON_DAYS
from munit_jax.sun.cycle import hale_sign
from munit_jax.sun.disk import heliographic, on_disk
from munit_jax.sun.rotation import rotated
from munit_jax.trained_run import TrainedRun, open_run

INSIDE = 0.9  # solar radii
SCORES = ("correlation", "signs > 15 G", "signs > 50 G", "|B| correlation")

Image = Float[np.ndarray, "h w"]
Pair = Mapping[str, Any]  # a frame of the dataset
Made = tuple[Image, Image]  # the signed field and |B|, gauss
Rows = dict[str, list[float]]  # the scores of a pair by what made the magnetogram
BEFORE = "one rotation before"


def all_frames(name: str, data_dir: str | None, *domains: str) -> list[dict[str, Any]]:
    """Return the frames of all splits of a dataset by their times."""
    channels = open_dataset(name, data_dir).builder_config.channels
    splits = [Frames(name, split, domains, channels, data_dir) for split in ("train", "validation", "test")]
    return sorted((split[k] for split in splits for k in range(len(split))), key=lambda frame: int(frame["time"]))


def scores(made: Made, pair: Pair) -> list[float]:
    """Return SCORES of a magnetogram."""
    inside = on_disk(geometry_of(pair), INSIDE)
    b, unsigned, true = (x[inside] for x in (*made, pair["magnetogram"][..., 0]))

    def right(least: float) -> float:
        strong = np.abs(true) > least
        return float((np.sign(b[strong]) == np.sign(true[strong])).mean())

    return [correlation(b, true), right(15), right(50), correlation(unsigned, np.abs(true))]


def correlation(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    """Return the correlation, NaN where one is constant."""
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef(x, y)[0, 1])


def proxy(pair: Pair, others: Sequence[Pair]) -> Made:
    """Return |B| as an increasing function of the brightness, fitted to the others, with the signs of Hale's law."""
    inside = [on_disk(geometry_of(other), INSIDE) for other in others]
    brightness = np.concatenate([o["euv"][..., 0][disk] for o, disk in zip(others, inside, strict=True)])
    unsigned = np.concatenate([np.abs(o["magnetogram"][..., 0][disk]) for o, disk in zip(others, inside, strict=True)])
    order = np.argsort(brightness)
    fitted = np.interp(pair["euv"][..., 0], brightness[order], isotonic_regression(unsigned[order]).x)
    return painted(fitted, geometry_of(pair), float(pair["time"])), fitted


def slopes_by_hale(pair: Pair) -> Float[np.ndarray, "h w f"]:
    """Return what the signed field is regressed on."""
    geometry, pixels = geometry_of(pair), len(pair["euv"]) / 64
    columns = np.moveaxis(np.asarray(features(pair["euv"][..., :1])), -1, 0)
    vertical, contrast, smooth = columns[0], columns[1], columns[2 : 2 + len(SCALES)]
    latitude = np.nan_to_num(heliographic(geometry)[0])
    hale, north = hale_sign(float(pair["time"])) * np.sign(latitude), np.sign(latitude)
    bright = np.maximum(contrast, 0)
    slopes = []
    for scale in SCALES:
        for power in (1, 2):
            along_y, along_x = np.gradient(gaussian_filter(bright**power, scale * pixels))
            slopes += [along_x, along_y * north]
    odd = [hale * x for x in (*slopes, *(s * smooth[0] for s in slopes), *(s * smooth[1] for s in slopes))]
    odd += [hale * x for x in (*smooth, np.ones_like(vertical), np.abs(np.sin(np.deg2rad(latitude))))]
    return np.stack(odd, axis=-1)


def ridge(x: Float[np.ndarray, "n f"], y: Float[np.ndarray, " n"]) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that a ridge regression of y on x fits."""
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = (x - mean) / deviation
    weights = np.linalg.solve(z.T @ z + PENALTY * len(z) * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return lambda x: (x - mean) / deviation @ weights + y.mean()


def linear(pair: Pair, others: Sequence[Pair]) -> Made:
    """Return the regressions' magnetogram, fitted to the others."""
    inside = [on_disk(geometry_of(other), INSIDE) for other in others]
    odd = [slopes_by_hale(other)[disk] for other, disk in zip(others, inside, strict=True)]
    field = [other["magnetogram"][..., 0][disk] for other, disk in zip(others, inside, strict=True)]
    of_signed = ridge(np.concatenate(odd), np.concatenate(field))
    strength = fit_field_strength(((o["euv"], o["magnetogram"][..., 0]) for o in others), exponent=1.0)
    return of_signed(slopes_by_hale(pair)), np.asarray(strength.of(pair["euv"]))


def realisations(run: TrainedRun, pair: Pair, earlier: Past | None = None) -> Float[np.ndarray, "n h w"]:
    """Return 16 magnetograms of a run in gauss."""
    context = run.context(geometry_of(pair), float(pair["time"]), earlier, SCORED_GAP)
    contexts = None if context is None else context[None]
    return np.asarray(run.translate(pair["euv"][None], run.random_styles(0, 16), contexts))[0, ..., 0]


def of_run(made: Float[np.ndarray, "n h w"], pair: Pair) -> Rows:
    """Return the scores of the mean of the realisations, and the mean of those of single ones."""
    single = np.mean([scores((one, np.abs(one)), pair) for one in made], axis=0)
    return {"run, mean of 16": scores((made.mean(axis=0), np.abs(made).mean(axis=0)), pair), "run, single": [*single]}


def needed_factors(made: Float[np.ndarray, "n h w"], pair: Pair) -> Float[np.ndarray, " pixel"]:
    """Return the factor by which the 90 % interval about the mean must grow to include each true pixel."""
    inside = on_disk(geometry_of(pair), INSIDE)
    mean = made.mean(axis=0)
    lower, upper = np.quantile(made, (0.05, 0.95), axis=0) - mean
    error = pair["magnetogram"][..., 0] - mean
    return (np.abs(error) / np.maximum(np.where(error < 0, -lower, upper), 1e-6))[inside]


def widened(needed: Sequence[Float[np.ndarray, " pixel"]]) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Return for each of k pairs the factor that is right for the others, and the share of its pixels then inside."""
    factors = [np.quantile(np.concatenate([*needed[:k], *needed[k + 1 :]]), 0.9) for k in range(len(needed))]
    inside = [(own <= factor).mean() for own, factor in zip(needed, factors, strict=True)]
    return np.array(factors), np.array(inside)


def picture(shown: Sequence[tuple[Pair, Float[np.ndarray, "n h w"]]]) -> Figure:
    """Draw pairs with their realisations: a row each, fields within +-50 G of the scored part of the disk."""
    titles = ("AIA 193 Å", "HMI", "mean of 16", "realisation 1", "realisation 2", "spread of 16")
    figure = Figure(figsize=(1.9 * len(titles), 2.05 * len(shown)), layout="compressed")
    for row, (pair, made) in zip(figure.subplots(len(shown), len(titles), squeeze=False), shown, strict=True):
        geometry = geometry_of(pair)
        inside = on_disk(geometry, INSIDE)
        draw_euv(row[0], pair["euv"][..., 0], "0193")
        for axes, field in zip(row[1:], (pair["magnetogram"][..., 0], made.mean(axis=0), *made[:2]), strict=False):
            axes.imshow(np.where(inside, field, np.nan), cmap="gray", vmin=-50, vmax=50, origin="lower")
        row[-1].imshow(np.where(inside, made.std(axis=0), np.nan), cmap="viridis", vmin=0, vmax=25, origin="lower")
        moment = format_time(pair["time"])[:10]
        row[0].set_ylabel(f"{moment}\ncorrelation {scores((made.mean(axis=0), made[0]), pair)[0]:.2f}", fontsize=8)
        for axes in row:
            axes.set(facecolor="0.15", xticks=[], yticks=[])
            draw_grid(axes, geometry)
    for axes, title in zip(figure.axes, titles, strict=False):
        axes.set_title(title, fontsize=9)
    return figure


def table(of_pairs: Sequence[Rows]) -> str:
    """Return the mean scores and their standard errors as Markdown."""
    names = dict.fromkeys(name for rows in of_pairs for name in rows)
    lines = [f"| | pairs | {' | '.join(SCORES)} |".replace("|B|", "\\|B\\|"), "|---" * (len(SCORES) + 2) + "|"]
    for name in names:
        values = [rows[name] for rows in of_pairs if name in rows]
        mean = np.mean(values, axis=0)
        error = np.std(values, axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.full(len(mean), np.nan)
        cells = [f"{m:.3f} +- {e:.3f}" for m, e in zip(mean, error, strict=True)]
        lines.append(f"| {name} | {len(values)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", required=True, help="the dataset of pairs; all splits are scored")
    parser.add_argument("--earlier", default=None, help="a dataset of magnetograms, for those of a rotation before")
    parser.add_argument("--workdir", nargs="*", default=[], help="a training run, or one for each pair, by their times")
    parser.add_argument("--checkpoint", default="best", help="best, latest, or a step")
    parser.add_argument("--data_dir", default=None, help="the folder of the datasets; as in training")
    parser.add_argument("--picture", default=None, help="a file for the runs' best, middle and worst pair")
    options = parser.parse_args()
    runs = [open_run(workdir, options.checkpoint) for workdir in options.workdir]
    earlier = past_magnetograms(options.earlier, options.data_dir) if options.earlier else None
    pairs = all_frames(options.pairs, options.data_dir, "euv", "magnetogram")
    if len(runs) not in (0, 1, len(pairs)):
        parser.error(f"{len(runs)} runs for {len(pairs)} pairs: give one --workdir, or one for each pair")
    of_pairs: list[Rows] = []
    needed, drawn = [], []
    for k, pair in enumerate(pairs):
        others = pairs[:k] + pairs[k + 1 :]
        geometry, time = geometry_of(pair), float(pair["time"])
        of_pair: Rows = {"Hale's law on the EUV proxy": scores(proxy(pair, others), pair)}
        of_pair["linear"] = scores(linear(pair, others), pair)
        if earlier is not None and (before := earlier(time - SYNODIC_CARRINGTON_DAYS * DAY)) is not None:
            turned, seen = rotated(before[0], before[1], geometry, (time - before[2]) / DAY)
            turned = np.where(seen, turned, 0)
            of_pair[BEFORE] = scores((turned, np.abs(turned)), pair)
        if runs:
            made = realisations(runs[k % len(runs)], pair, earlier)
            of_pair |= of_run(made, pair)
            needed.append(needed_factors(made, pair))
            drawn.append((pair, made))
        of_pairs.append(of_pair)
    print(table(of_pairs))
    if with_past := [rows for rows in of_pairs if BEFORE in rows]:
        print(f"\n{table(with_past)}\n")
    if options.picture and drawn:
        drawn.sort(key=lambda one: scores((one[1].mean(axis=0), one[1][0]), one[0])[0])
        picture([drawn[-1], drawn[len(drawn) // 2], drawn[0]]).savefig(options.picture, dpi=110)
    if len(needed) > 1:
        factors, inside = widened(needed)
        print(f"pixels in the 90 % interval: {inside.mean():.2f}, {inside.min():.2f} to {inside.max():.2f},")
        print(f"widened by a factor of {factors.min():.2f} to {factors.max():.2f}")


if __name__ == "__main__":
    main()
