"""How a generator does on frames it never saw, beside the baselines that need no network."""

from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np
from jaxtyping import Array, Float

from munit_jax.data.normalization import Normalization, denormalize, normalize
from munit_jax.data.pipeline import Frames
from munit_jax.evaluation.disk import add_sums, pixel_sums, scores
from munit_jax.model.munit import Architecture, Params, StyleCode, draw_style, realisations
from munit_jax.solar.disk import DiskGeometry, on_disk

# The limb ring of SDOML's magnetograms is an artefact of their resampling: score inside 200 of 203.3 pixels.
SCORED_RADIUS = 200 / 203.3

WITHOUT_TRUTH = ("rms", "spread")  # the scores that need no true magnetogram

# (generator parameters, EUV image (h, w, c) in DN/s, styles (n, s)) -> magnetograms (n, h, w) in gauss
Translator = Callable[[Params, Float[np.ndarray, "h w c"], StyleCode], Float[Array, "n h w"]]
Scores = dict[str, float | None]
# What the frame numbers are gone through with: for a bar that shows progress, or to stop in between.
Watch = Callable[[Iterable[int]], Iterable[int]]


def make_translator(architecture: Architecture, normalizations: Mapping[str, Normalization]) -> Translator:
    """Return the compiled translation of one EUV image in DN/s into magnetograms in gauss, one for each style.

    The content is encoded once.
    """

    @jax.jit
    def translator(
        generators: Params, euv: Float[Array, "h w c"], styles: Float[Array, "n s"]
    ) -> Float[Array, "n h w"]:
        image = normalize(normalizations["euv"], euv[None])
        generated = realisations(architecture, generators, "euv", image, styles, at_once=len(styles))
        return denormalize(normalizations["magnetogram"], generated)[..., 0]

    return translator


def frame_styles(architecture: Architecture, seed: int, frame: int, count: int) -> StyleCode:
    """Return the styles drawn for a held-out frame: always the same for a seed, so that scores compare."""
    return draw_style(architecture, jax.random.fold_in(jax.random.key(seed), frame), count)


def scored_mask(frame: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return where a frame's disk is scored."""
    size = frame["euv"].shape[0] if "euv" in frame else frame["magnetogram"].shape[0]
    geometry = DiskGeometry(size, float(frame["solar_radius"]), (float(frame["centre"][0]), float(frame["centre"][1])))
    return on_disk(geometry, SCORED_RADIUS)


def score_generator(
    translator: Translator,
    generators: Params,
    architecture: Architecture,
    frames: Frames,
    limit: int,
    styles: int,
    seed: int,
    watch: Watch = iter,
) -> Scores:
    """Score single realisations on evenly spaced held-out frames.

    Every one of `styles` realisations of every frame counts for itself (their mean would score higher but is no
    realisation). `limit` frames at most, 0 for all. Frames without a true magnetogram have `WITHOUT_TRUTH` only.
    """
    total, has_truth = None, True
    for i in watch(spaced(len(frames), limit)):
        frame = frames[i]
        generated = translator(generators, frame["euv"], frame_styles(architecture, seed, i, styles))
        has_truth = "magnetogram" in frame
        true = frame["magnetogram"][..., 0] if has_truth else np.zeros(generated.shape[1:], np.float32)
        total = add_sums(total, pixel_sums(generated, true, scored_mask(frame)))
    assert total is not None
    return {name: value for name, value in scores(total).items() if has_truth or name in WITHOUT_TRUTH}


def score_baselines(train: Frames, held_out: Frames, limit: int, watch: Watch = iter) -> dict[str, Scores]:
    """Score an empty magnetogram and the mean of the training split on the same held-out frames.

    `mean` is the pixel's mean field for `rmse` and `correlation`, and its mean |B| for `abs_correlation`: the mean of
    the signed field would be nearly empty and so too easy to beat.
    """
    mean, mean_abs = _mean_magnetogram(train, watch)
    zero_sums = mean_sums = abs_sums = None
    for i in watch(spaced(len(held_out), limit)):
        frame = held_out[i]
        true, mask = frame["magnetogram"][..., 0], scored_mask(frame)
        zero_sums = add_sums(zero_sums, pixel_sums(np.zeros_like(true), true, mask))
        mean_sums = add_sums(mean_sums, pixel_sums(mean, true, mask))
        abs_sums = add_sums(abs_sums, pixel_sums(mean_abs, true, mask))
    assert zero_sums is not None
    assert mean_sums is not None
    assert abs_sums is not None
    return {
        "zero": scores(zero_sums),
        "mean": {**scores(mean_sums), "abs_correlation": scores(abs_sums)["abs_correlation"]},
    }


def spaced(count: int, limit: int) -> Iterable[int]:
    """Return at most `limit` (0: all) evenly spaced indices of `count`."""
    if not limit or count <= limit:
        return range(count)
    return [int(i) for i in np.linspace(0, count - 1, limit).round()]


def _mean_magnetogram(frames: Frames, watch: Watch) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    total = np.zeros((frames.size, frames.size))
    total_abs = np.zeros_like(total)
    for i in watch(range(len(frames))):
        field = frames[i]["magnetogram"][..., 0]
        total += field
        total_abs += np.abs(field)
    return (total / len(frames)).astype(np.float32), (total_abs / len(frames)).astype(np.float32)
