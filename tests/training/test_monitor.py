"""Held-out scores: fixed styles, baselines by hand, and a translator that is the networks in physical units."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from munit_jax.data.datasets import spaced
from munit_jax.data.normalization import Normalization
from munit_jax.data.pipeline import frame_context, no_context
from munit_jax.metrics.baselines import learn_climate
from munit_jax.networks.munit import init_generators
from munit_jax.training.monitor import (
    Monitor,
    frame_styles,
    score_baselines,
    score_generator,
    scored_mask,
    translate_frame,
)
from munit_jax.translator import Translator
from tests.architectures import TINY

NORMALIZATIONS = {
    "euv": Normalization("asinh", False, (50.0,), (9000.0,)),
    "magnetogram": Normalization("asinh", True, (20.0,), (1500.0,)),
}


class Frames(list):
    """Frames in memory, with what the scores ask of a split."""

    size = 16


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    return Frames(
        {
            "euv": rng.gamma(2, 100, (16, 16, 1)).astype(np.float32),
            "magnetogram": rng.normal(0, 50, (16, 16, 1)).astype(np.float32),
            "solar_radius": np.float32(6.0),
            "centre": np.array([7.5, 7.5], np.float32),
            "time": np.int64(0),
            "b0": np.float32(0),
            "l0": np.float32(0),
            "distance": np.float32(215),
        }
        for _ in range(3)
    )


def test_mask_is_the_disk_without_the_limb(frames):
    mask = scored_mask(frames[0])
    y, x = np.mgrid[:16, :16]
    np.testing.assert_array_equal(mask, np.hypot(x - 7.5, y - 7.5) < 6.0 * 200 / 203.3)


def test_a_frame_has_its_context_in_every_realisation(frames):
    architecture = replace(TINY, context_planes=1)
    generators, styles = init_generators(architecture, 0), frame_styles(architecture, 0, 0, 2)
    context = frame_context(("mu",), frames[0])
    assert context is not None
    translator = Translator(architecture, **NORMALIZATIONS)
    made = translate_frame(translator, generators, frames[0], styles, context)
    for one, style in zip(made, styles, strict=True):
        expected = translator.translate(generators, frames[0]["euv"][None], style[None], context[None])
        np.testing.assert_allclose(one, expected[0, 0, ..., 0], rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match="the decoders take a context of 1 planes, got 0"):
        translate_frame(translator, generators, frames[0], styles, None)


class Made:
    """A translator whose magnetograms (n, h, w) are made by a function of image, styles and context."""

    architecture = TINY

    def __init__(self, make):
        self.make = make

    def translate(self, _generators, images, styles, contexts, a_pass):
        context = None if contexts is None else contexts[0]
        return np.asarray(self.make(images[0], styles, context))[None, ..., None]


def scored(make, frames, limit=0, watch=iter, context=no_context, style_spread=1.0, what="realisations"):
    """Score as a run does: two realisations a frame, by the run's own way from a frame to them."""
    monitor: Any = SimpleNamespace(
        run=SimpleNamespace(seed=0, style_spread=style_spread, evaluation=SimpleNamespace(styles=2)),
        translator=Made(make),
        context=context,
    )
    return score_generator(Monitor._realise(monitor, None), frames, limit, watch)[what]


def test_every_frame_is_scored_with_its_own_context(frames):
    """The disk being elsewhere in each frame, a translation into its context is scored by what that is."""
    turned = Frames({**frame, "centre": np.array([7.5 - k, 7.5], np.float32)} for k, frame in enumerate(frames))
    contexts = []

    def first_plane(_, styles, context):
        contexts.append(context)
        return np.stack([context[..., 0]] * len(styles))

    scores = scored(first_plane, turned, context=lambda f: frame_context(("mu",), f))
    values = []
    for context, frame in zip(contexts, turned, strict=True):
        expected = frame_context(("mu",), frame)
        assert expected is not None
        np.testing.assert_array_equal(context, expected)
        values += list(expected[scored_mask(frame), 0])
    assert scores["rms"] == pytest.approx(np.sqrt(np.mean(np.square(values))), rel=1e-5)


def test_the_mean_of_the_realisations_is_scored_beside_them(frames):
    """Realisations +-a have the mean 0 and the mean |B| a: no error of |B| where the truth is a in both signs."""

    def make(image, styles, context):
        return np.stack([image[..., 0], -image[..., 0]])

    like = Frames({**frame, "magnetogram": frame["euv"] * (-1) ** k} for k, frame in enumerate(frames))
    mean = scored(make, like, what="their_mean")
    assert (mean["abs_correlation"], mean["correlation"]) == (pytest.approx(1), None)
    assert mean["rmse"] == pytest.approx(scored(lambda *_: np.zeros((2, 16, 16)), like)["rmse"])


def test_styles_of_a_frame_are_its_own_and_always_the_same():
    np.testing.assert_array_equal(frame_styles(TINY, 0, 3, 4), frame_styles(TINY, 0, 3, 4))
    assert (frame_styles(TINY, 0, 3, 4) != frame_styles(TINY, 0, 4, 4)).all()
    assert (frame_styles(TINY, 0, 3, 4) != frame_styles(TINY, 1, 3, 4)).all()
    np.testing.assert_array_equal(frame_styles(TINY, 0, 3, 4, 2.0), 2 * frame_styles(TINY, 0, 3, 4))


def test_styles_are_drawn_as_wide_as_asked(frames):
    """A generator that shows the styles' first number in every pixel."""

    def shown(euv, styles, _):
        return np.broadcast_to(np.asarray(styles)[:, :1, None], (len(styles), *euv.shape[:2]))

    one, two = (scored(shown, frames, style_spread=spread) for spread in (1.0, 2.0))
    assert two["rms"] == pytest.approx(2 * one["rms"], rel=1e-5)


def test_a_perfect_generator_scores_the_ideal(frames):
    by_euv = {frame["euv"].tobytes(): frame["magnetogram"][..., 0] for frame in frames}

    def perfect(euv, styles, _):
        return np.stack([by_euv[euv.tobytes()]] * len(styles))

    ideal = scored(perfect, frames)
    assert ideal["rmse"] == pytest.approx(0, abs=0.02)
    assert ideal["correlation"] == pytest.approx(1)
    assert ideal["abs_correlation"] == pytest.approx(1)
    assert ideal["fair_crps"] == pytest.approx(0, abs=0.02)
    assert ideal["spread"] == 0, "two times the same is no spread"


def test_the_crps_of_two_realisations_by_hand(frames):
    """Of +-20 G about the truth: (20 + 20) / 2 - 40 / 2 = 0 G, the fair one; of 20 G above it, twice, 20 G."""
    by_euv = {frame["euv"].tobytes(): frame["magnetogram"][..., 0] for frame in frames}

    def around(euv, *_):
        return np.stack([by_euv[euv.tobytes()] + 20, by_euv[euv.tobytes()] - 20])

    def above(euv, *_):
        return np.stack([by_euv[euv.tobytes()] + 20] * 2)

    assert scored(around, frames)["fair_crps"] == pytest.approx(0, abs=1e-4)
    assert scored(above, frames)["fair_crps"] == pytest.approx(20, rel=1e-5)


def test_without_truth_there_is_the_spread_of_the_realisations(frames):
    """Realisations of +-20 G everywhere: root mean square 20, standard deviation 20."""
    blind = [{key: value for key, value in frame.items() if key != "magnetogram"} for frame in frames]

    def opposite(euv, *_):
        return np.stack([np.full(euv.shape[:2], sign * 20.0, np.float32) for sign in (1, -1)])

    seen = []

    def watch(numbers):
        for number in numbers:
            seen.append(number)
            yield number

    result = scored(opposite, blind, limit=2, watch=watch)
    assert result == {"rms": pytest.approx(20.0), "spread": pytest.approx(20.0)}
    assert seen == list(spaced(len(frames), 2))


def test_baselines_by_hand(frames):
    euv = NORMALIZATIONS["euv"]
    baselines = score_baselines(frames, frames, euv, 0)  # pyright: ignore[reportArgumentType]
    mask = scored_mask(frames[0])
    true = np.stack([frame["magnetogram"][mask, 0] for frame in frames])
    assert baselines["zero"] == {
        "rmse": pytest.approx(np.sqrt(np.mean(true**2))),
        "mae": pytest.approx(np.mean(np.abs(true))),
        "fair_crps": pytest.approx(np.mean(np.abs(true))),
        "correlation": None,
        "abs_correlation": None,
        "unsigned_field_ratio": 0.0,
        "polarity_50": 0.0,
        "rms": 0.0,
        "spread": 0.0,
    }
    mean, mean_abs = np.broadcast_to(true.mean(0), true.shape), np.broadcast_to(np.abs(true).mean(0), true.shape)
    assert baselines["mean"]["rmse"] == pytest.approx(np.sqrt(np.mean((mean - true) ** 2)), rel=1e-5)
    assert baselines["mean"]["correlation"] == pytest.approx(np.corrcoef(mean.ravel(), true.ravel())[0, 1], rel=1e-4)
    expected = np.corrcoef(mean_abs.ravel(), np.abs(true).ravel())[0, 1]
    assert baselines["mean"]["abs_correlation"] == pytest.approx(expected, rel=1e-4)
    strong = np.abs(true) >= 50
    right = np.mean((np.sign(mean) == np.sign(true))[strong])
    assert baselines["mean"]["polarity_50"] == pytest.approx(right)


def test_the_euv_proxy_is_scored_for_its_modulus_alone(frames):
    climate = learn_climate(frames, NORMALIZATIONS["euv"])  # pyright: ignore[reportArgumentType]
    scores = score_baselines(frames, frames, NORMALIZATIONS["euv"], 0)["euv_proxy"]  # pyright: ignore[reportArgumentType]
    assert len(climate.times) == 3
    assert scores["abs_correlation"] > 0
    assert scores["unsigned_field_ratio"] == pytest.approx(1, abs=0.05)
    assert scores["rmse"] is scores["correlation"] is scores["polarity_50"] is scores["rms"] is None
