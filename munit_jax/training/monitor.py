"""Held-out frames of a run: scores and pictures during the training; test scores and baselines at the end."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from munit_jax.data.datasets import Frames, Watch, format_time, geometry_of, spaced
from munit_jax.data.normalization import Normalization
from munit_jax.data.pipeline import archive_of, context_of_scored
from munit_jax.field_strength import field_strength_of
from munit_jax.metrics import disk
from munit_jax.metrics.baselines import learn_climate, without_others
from munit_jax.metrics.disk import ABS_B, ABS_T, B, T, correlation, in_double, pixel_sums, ratio
from munit_jax.metrics.ensemble import pixel_crps
from munit_jax.metrics.strata import SCORED_RADIUS
from munit_jax.networks.munit import DOMAINS, Architecture, Params, StyleCode, draw_style
from munit_jax.sun.disk import on_disk
from munit_jax.training.settings import RunConfig
from munit_jax.training.step import style_keys
from munit_jax.translator import Translator

WITHOUT_TRUTH = ("rms", "spread")  # the scores that need no true magnetogram
# Scores that can choose the best checkpoint, and whether it is the lowest or the highest that is best.
BEST_BY: Mapping[str, Literal["lowest", "highest"]] = {
    "fair_crps": "lowest",
    "rmse": "lowest",
    "mae": "lowest",
    "correlation": "highest",
    "abs_correlation": "highest",
    "polarity_50": "highest",
}
PICTURED_FRAMES = 3
PICTURED_REALISATIONS = 4

Scores = dict[str, float | None]
Frame = Mapping[str, np.ndarray]
# A frame's number and the frame -> realisations of its magnetogram in gauss
Realise = Callable[[int, Frame], Float[Any, "n h w"]]


class Monitor:
    """The held-out frames of a run.

    The validation split is scored while the run trains and chooses the best checkpoint; the test split is read once,
    at the end. Where a dataset has no validation split, training frames are drawn and checked for collapse, and no
    checkpoint is the best.
    """

    def __init__(self, config: RunConfig, watch: Watch = iter):
        self.run, self.data, self.watch = config.run, config.data, watch
        self.domains = DOMAINS if self.data.paired else ("euv",)
        strength = field_strength_of(self._frames("train"), self.run.strength_from_brightness, watch)
        self.translator = Translator(config.recipe.architecture, **config.data.normalization, strength=strength)
        self.context = context_of_scored(self.data, archive_of(self.data))
        self.test = self._frames("test")
        self.watched = self._frames("validation") or self._frames("train")

    @property
    def size(self) -> int:
        """Width and height of the frames in pixels."""
        return self.watched.size

    def validation_scores(self, generators: Params) -> Scores:
        """Return the scores while the run trains; of frames that are not held-out, those that need no truth."""
        limit = self.run.evaluation.limit_during_training
        scores = score_generator(self._realise(generators), self.watched, limit, self.watch)["realisations"]
        if self.watched.split == "validation":
            return scores
        return {name: scores[name] for name in WITHOUT_TRUTH}

    def test_scores(self, generators: Params) -> dict[str, Scores] | None:
        """Return the scores on the test split, see `score_generator`; None where it has no magnetograms."""
        if not self._has_truth:
            return None
        return score_generator(self._realise(generators), self.test, self.run.evaluation.limit, self.watch)

    def baselines(self) -> dict[str, Scores] | None:
        """Return the scores of the baselines on the test split, None where it has no magnetograms."""
        if not self._has_truth:
            return None
        euv = self.data.normalization["euv"]
        return score_baselines(self._frames("train"), self.test, euv, self.run.evaluation.limit, self.watch)

    def picture(self, generators: Params, path: Path, step: int) -> None:
        """Save a picture of a few frames and their realisations."""
        from munit_jax.figures import FrameImages, frames_figure  # matplotlib takes a second: not before the first step

        rows, realise = [], self._realise(generators, PICTURED_REALISATIONS)
        for i in self.watch(spaced(len(self.watched), PICTURED_FRAMES)):
            frame = self.watched[i]
            true = frame["magnetogram"][..., 0] if self.data.paired else None
            label, geometry = format_time(frame["time"])[:16], geometry_of(frame)
            rows.append(FrameImages(label, frame["euv"][..., 0], true, np.asarray(realise(i, frame)), geometry))
        title = f"{self.watched.name}, {self.watched.split} split, step {step}"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames_figure(rows, self.data.channels[0], title).savefig(path, dpi=110)

    @property
    def _has_truth(self) -> bool:
        return self.data.paired and len(self.test) > 0

    def _frames(self, split: str) -> Frames:
        return Frames(self.data.euv, split, self.domains, self.data.channels, self.data.data_dir)

    def _realise(self, generators: Params, count: int | None = None) -> Realise:
        """Return the function that draws `count` realisations of a frame, None for as many as are scored."""
        run, count = self.run, count or self.run.evaluation.styles

        def realise(number: int, frame: Frame) -> Float[Array, "n h w"]:
            styles = frame_styles(self.translator.architecture, run.seed, number, count, run.style_spread)
            return translate_frame(self.translator, generators, frame, styles, self.context(frame))

        return realise


def frame_styles(architecture: Architecture, seed: int, frame: int, count: int, spread: float = 1.0) -> StyleCode:
    """Draw styles for a held-out frame from N(0, `spread`^2 I), always the same for a seed, so that scores compare."""
    key = jax.random.fold_in(style_keys(jax.random.key(seed)).frames, frame)
    return draw_style(architecture, key, count, spread)


def translate_frame(
    translator: Translator,
    generators: Params,
    frame: Frame,
    styles: StyleCode,
    context: Float[np.ndarray, "h w k"] | None,
) -> Float[Array, "n h w"]:
    """Return the magnetograms of a frame's EUV image in gauss, one for each style, all decoded in one pass."""
    contexts = None if context is None else context[None]
    return translator.translate(generators, frame["euv"][None], styles, contexts, a_pass=len(styles))[0, ..., 0]


def scored_mask(frame: Frame) -> Bool[np.ndarray, "h w"]:
    """Return where a frame's disk is scored."""
    return on_disk(geometry_of(frame), SCORED_RADIUS)


def score_generator(realise: Realise, frames: Frames, limit: int, watch: Watch = iter) -> dict[str, Scores]:
    """Score `realisations` and `their_mean` on evenly spaced frames, `limit` at most, 0 for all.

    Every realisation of every frame counts separately. Of the mean, |B| is the mean |B|: it scores higher but is no
    realisation. Frames without a true magnetogram have `WITHOUT_TRUTH` of the realisations only.
    """
    total, of_mean, has_truth = None, None, True
    for i in watch(spaced(len(frames), limit)):
        frame = frames[i]
        generated = realise(i, frame)
        has_truth = "magnetogram" in frame
        true = frame["magnetogram"][..., 0] if has_truth else np.zeros(generated.shape[1:], np.float32)
        unsigned, mask = jnp.abs(generated), scored_mask(frame)
        total = _add(total, _frame_sums(generated, unsigned, true, mask))
        if has_truth:
            means = generated.mean(0, keepdims=True), unsigned.mean(0, keepdims=True)
            of_mean = _add(of_mean, _frame_sums(*means, true, mask))
    assert total is not None
    scores = {name: value for name, value in _scores(total).items() if has_truth or name in WITHOUT_TRUTH}
    return {"realisations": scores, "their_mean": {} if of_mean is None else _scores(of_mean)}


def score_baselines(
    train: Frames, held_out: Frames, euv: Normalization, limit: int, watch: Watch = iter
) -> dict[str, Scores]:
    """Score the baselines that need no other held-out frame on the same frames; `euv` is the scaling of EUV images."""
    climate = learn_climate(train, euv, watch)
    totals: dict[str, Any] = {}
    for i in watch(spaced(len(held_out), limit)):
        frame = held_out[i]
        true, mask = frame["magnetogram"][..., 0], scored_mask(frame)
        fields = without_others(climate, euv, frame)
        for name, (signed, unsigned) in fields.items():
            totals[name] = _add(totals.get(name), _frame_sums(signed[None], unsigned[None], true, mask))
    return {name: _scores(total) for name, total in totals.items()}


def _frame_sums(
    generated: Float[Any, "n h w"],
    unsigned: Float[Any, "n h w"],
    true: Float[Any, "h w"],
    mask: Bool[Any, "h w"],
) -> dict[str, np.ndarray]:
    no_euv = np.zeros((*true.shape, 0), np.float32)
    of_each = in_double(jax.device_get(pixel_sums(generated, unsigned, true, no_euv, mask[None])))
    sums = {name: x.sum(axis=0) for name, x in of_each.items()}
    sums |= in_double(jax.device_get(_sums_of_all(generated, true, mask)))
    sums["disk"] = np.asarray(mask.sum(), np.float64)
    return sums


@jax.jit
def _sums_of_all(
    generated: Float[Array, "n h w"], true: Float[Array, "h w"], mask: Bool[Array, "h w"]
) -> dict[str, Float[Array, ""]]:
    fair_crps = pixel_crps(generated.reshape(len(generated), -1), true.ravel())[1]
    pixels = {"variance": generated.var(axis=0), "fair_crps": fair_crps.reshape(true.shape)}
    return {name: jnp.where(mask, x, 0.0).sum() for name, x in pixels.items()}


def _add(total: Mapping[str, np.ndarray] | None, more: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: more[name] + (total[name] if total else 0.0) for name in more}


def _scores(sums: Mapping[str, np.ndarray]) -> Scores:
    """Return the scores of the summed frames, as `munit_jax.metrics.definitions` has them; None where not defined.

    fair_crps: of a frame's realisations together, in gauss; that of a single one is its absolute error.
    rms: root mean square of the generated field in gauss.
    spread: standard deviation among a frame's realisations in gauss (root mean square over the pixels); 0 where they
        are all equal.
    """
    moments = sums["moments"]
    values = {
        "rmse": np.sqrt(disk.mean_square_error(sums)),
        "mae": ratio(sums["absolute_error"], disk.pixels(sums)),
        "fair_crps": ratio(sums["fair_crps"], sums["disk"]),
        "correlation": correlation(moments, B, T),
        "abs_correlation": correlation(moments, ABS_B, ABS_T),
        "unsigned_field_ratio": ratio(moments[..., 0, ABS_B], moments[..., 0, ABS_T]),
        "polarity_50": disk.polarity_agreement(sums, 50.0),
        "rms": np.sqrt(ratio(moments[..., B, B], disk.pixels(sums))),
        "spread": np.sqrt(ratio(sums["variance"], sums["disk"])),
    }
    return {name: float(x.item()) if np.isfinite(x) else None for name, x in values.items()}
