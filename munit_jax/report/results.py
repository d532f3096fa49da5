"""The scores of an evaluation from the sums over frames: metrics.json, frames.csv and the conclusions."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from munit_jax.command_line import score_table
from munit_jax.data.datasets import format_time
from munit_jax.metrics.bootstrap import blocks_of, intervals, paired_intervals
from munit_jax.metrics.definitions import METRICS, PARTS, scores
from munit_jax.metrics.disk import polarity_agreement
from munit_jax.metrics.ensemble import SIGNED_ABOVE, ensemble_scores
from munit_jax.report.held_out import COLUMNS
from munit_jax.report.measurement import FrameSums

# What a frame's row has of every column; of the model it has everything.
OF_EVERY_COLUMN = ("rmse", "correlation", "abs_correlation", "unsigned_flux_bias", "polarity_50")
OVER_FRAMES = ("unsigned_flux_correlation", "net_flux_correlation")  # not defined for one

# Of the table that a command ends with.
SHOWN = ("rmse", "mae", "crps", "correlation", "abs_correlation", "unsigned_flux_error", "polarity_50", "ssim")
SHOWN_COLUMNS = ("model", "zero", "mean", "day_before", "shuffled", "euv_proxy", "hale")

RIVALS = ("zero", "mean", "shuffled", "euv_proxy", "hale")  # the baselines that `findings` compares the model with

# Headlines, with what they are called in a sentence.
HEADLINES = {
    "rmse": "root mean square error",
    "correlation": "signed correlation",
    "abs_correlation": "correlation of |B|",
    "unsigned_flux_error": "error of the total unsigned flux",
    "polarity_50": "share of right signs above 50 G",
    "crps": "CRPS",
}


def metrics_json(
    sums: FrameSums, about: Mapping[str, Any], seed: int, compared: FrameSums | None = None
) -> dict[str, Any]:
    """Return the content of metrics.json: {metric: {part: {column: value}}}, `ensemble` and `run`.

    The model has `spread` too, the standard deviation of the score among the realisations, each pooled over the frames,
    and `interval`, 95 % by resampling blocks of time. A second run on the same frames adds `compared`, `difference`
    (the model minus the other) and `difference_interval`. What is not defined is None.
    """
    blocks = blocks_of(sums.times)
    model = sums.of("model")
    columns = {column: scores(pooled(sums.of(column))) for column in COLUMNS}
    with np.errstate(invalid="ignore"):  # it is NaN where a score is not defined for one of the realisations
        spread = {name: x.std(axis=0) for name, x in scores({k: x.sum(axis=0) for k, x in model.items()}).items()}
    spread["crps"][:] = np.nan  # it is of all realisations
    more: dict[str, dict[str, Any]] = {"spread": spread, "interval": intervals(model, blocks, seed)}
    if compared is not None:
        other = compared.of("model")
        columns["compared"] = scores(pooled(other))
        with np.errstate(invalid="ignore"):  # two perfect PSNR are both infinite
            more["difference"] = {name: columns["model"][name] - columns["compared"][name] for name in METRICS}
        more["difference_interval"] = paired_intervals(model, other, blocks, seed)
    result: dict[str, Any] = {
        name: {
            part: {column: of[name][k] for column, of in (columns | more).items()}
            for k, part in enumerate(PARTS[metric.over])
        }
        for name, metric in METRICS.items()
    }
    result["ensemble"] = ensemble_of(sums)
    result["run"] = {
        **about,
        "frames": len(sums.times),
        "frames_with_day_before": int(sums.available[:, COLUMNS.index("day_before") - 1].sum()),
        "blocks_of_time": int(blocks.max()) + 1,
    }
    return without_nan(result)


def pooled(sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add up the sums of frames and magnetograms, (frame, n, ...)."""
    return {name: x.sum(axis=(0, 1)) for name, x in sums.items()}


def ensemble_of(sums: FrameSums) -> dict[str, Any]:
    """Return the scores of the realisations as an ensemble."""
    model = sums.of("model")
    right, wrong = (polarity_agreement(model, SIGNED_ABOVE, which)[:, :, 0] for which in ("agreeing", "opposing"))
    own = polarity_agreement(pooled(sums.of("model_own_style")), SIGNED_ABOVE)[0]
    return ensemble_scores({name: x.sum(axis=0) for name, x in sums.ensemble.items()}, right, wrong, float(own))


def per_frame(sums: FrameSums, column: str) -> dict[str, np.ndarray]:
    """Return the scores of every frame over the scored disk, and by bands under names like power_ratio_2_to_4_px."""
    of_frames = scores({name: x.sum(axis=1) for name, x in sums.of(column).items()})
    result = {}
    for name, values in of_frames.items():
        if name in OVER_FRAMES:
            continue
        if METRICS[name].over == "bands":
            result |= {f"{name}_{band}": values[:, k] for k, band in enumerate(PARTS["bands"])}
        else:
            result[name] = values[:, 0]
    return result


def frames_csv(sums: FrameSums) -> str:
    """Return frames.csv, a line a frame: time, true unsigned flux and scores; empty where not defined."""
    table: dict[str, Sequence[Any]] = {
        "time": [format_time(time) for time in sums.times],
        "true_unsigned_flux_mx": [f"{value:.6g}" for value in sums.true_unsigned_flux],
    }
    for column in COLUMNS:
        for name, values in per_frame(sums, column).items():
            if column == "model" or name in OF_EVERY_COLUMN:
                table[f"{column}_{name}"] = [f"{value:.6g}" if np.isfinite(value) else "" for value in values]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue()


def findings(sums: FrameSums, metrics: Mapping[str, Any], seed: int) -> list[str]:
    """Return sentences that compare the model with the best of the `RIVALS` in the main scores."""
    model, blocks = sums.of("model"), blocks_of(sums.times)
    differences = {rival: paired_intervals(model, sums.of(rival), blocks, seed) for rival in RIVALS}
    sentences = []
    for name, called in HEADLINES.items():
        metric, row = METRICS[name], metrics[name]["disk"]
        rivals = {rival: row[rival] for rival in RIVALS if row[rival] is not None}
        if row["model"] is None or not rivals:
            continue
        best = min(rivals, key=lambda rival: abs(rivals[rival] - metric.ideal))
        better = abs(row["model"] - metric.ideal) < abs(rivals[best] - metric.ideal)
        low, high = differences[best][name][0]
        unit = f" {metric.unit}" if metric.unit else ""
        certain = low > 0 or high < 0
        doubt = "; too few dates to be sure." if np.isnan(low) else "; with other dates the order may change."
        sentences.append(
            f"{called[0].upper()}{called[1:]}: {row['model']:.3g}{unit}, {'better' if better else 'worse'} than the "
            f"best baseline, {best.replace('_', ' ')}, with "
            f"{rivals[best]:.3g}{unit}{'.' if certain else doubt}"
        )
    return sentences


def without_nan(value: Any) -> Any:
    """Return a tree for JSON: arrays as lists, non-finite values as None."""
    if isinstance(value, Mapping):
        return {name: without_nan(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def plain(name: str) -> str:
    """Return the name of a score, a column or a part as text."""
    return name.replace("_", " ")


def number_text(value: float | None) -> str:
    """Return a number as a table shows it; a dash for what is not defined."""
    if value is None or not np.isfinite(value):
        return "-"
    return f"{value:.3f}" if 0.001 <= abs(value) < 10 else f"{value:.4g}"


def metrics_table(metrics: Mapping[str, Any]) -> str:
    """Return the main scores on the disk with the baselines."""
    columns = [*SHOWN_COLUMNS, *(["compared"] if "compared" in metrics["rmse"]["disk"] else [])]
    rows = {name: {column: metrics[name]["disk"][column] for column in columns} for name in SHOWN}
    return score_table("on the disk", rows)
