"""A run taken over frames: what does not matter (batches, devices, order), and what does."""

from dataclasses import replace
from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.data.pipeline import frame_context
from munit_jax.metrics.baselines import learn_climate
from munit_jax.report import measurement
from munit_jax.report.held_out import COLUMNS, SINGLES, HeldOutFrames, read_dates
from munit_jax.report.kept import Kept
from munit_jax.report.measurement import make_measure, measure_frames, translate_with_own_style
from munit_jax.report.results import ensemble_of, metrics_json
from munit_jax.sun.constants import DAY
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.training.objectives import Objective
from tests.instruments.suns import conditioned_run

SIZE, COUNT = 16, 6
ONE_WAY = Objective(adversarial_weight=0.0, image_weight=0.0, content_weight=0.0, style_weight=0.0, ensemble_weight=1.0)


class Frames(list):
    """Frames in memory, with what an evaluation asks of a split."""

    size = SIZE
    name = "in memory"


def made_frames(order=range(COUNT)) -> Frames:
    """Return frames a day apart, the images of the days in an order."""
    geometry = sdoml_geometry(SIZE)
    rng = np.random.default_rng(5)
    images = [
        (rng.gamma(2, 100, (SIZE, SIZE, 1)).astype(np.float32), rng.normal(0, 150, (SIZE, SIZE, 1)).astype(np.float32))
        for _ in range(COUNT)
    ]
    return Frames(
        {
            "euv": images[k][0],
            "magnetogram": images[k][1],
            "time": np.int64(day * DAY),
            "solar_radius": np.float32(geometry.solar_radius),
            "centre": np.array(geometry.centre, np.float32),
            "b0": np.float32(3),
            "l0": np.float32((100 - 13.2 * day) % 360),
            "distance": np.float32(geometry.distance),
        }
        for day, k in enumerate(order)
    )


@pytest.fixture(scope="module")
def compiled() -> dict:
    """What was compiled for a number of devices."""
    return {}


@pytest.fixture
def evaluate(run, compiled, tmp_path):
    """Return the function that measures the run on frames."""
    climate = learn_climate(made_frames(), run.translator.euv)

    folders = count()

    def measured(frames, devices=1, batch=4, numbers=range(COUNT), measure=None, folder=None):
        if measure is None:
            if devices not in compiled:
                styles = run.random_styles(0, 4)
                compiled[devices] = make_measure(run, styles, jax.local_devices()[:devices], 5)
            measure = compiled[devices]
        held_out = HeldOutFrames(frames, read_dates(frames), climate, run.translator.euv, list(numbers))
        kept = Kept(tmp_path / (folder or str(next(folders))), {})
        return measure_frames(measure, held_out, batch, kept, "run")

    return measured


def figures(frame_sums) -> dict:
    return metrics_json(frame_sums, {}, 0)


def flat(tree, path=()):
    if isinstance(tree, dict):
        return {key: value for name, item in tree.items() for key, value in flat(item, (*path, name)).items()}
    if isinstance(tree, list):
        return {key: value for k, item in enumerate(tree) for key, value in flat(item, (*path, k)).items()}
    return {path: tree}


def assert_same(one: dict, other: dict, leave=()):
    first, second = flat(one), flat(other)
    assert first.keys() == second.keys()
    for place, value in first.items():
        if not set(place) & set(leave):
            expected = second[place]
            same = value == expected if isinstance(value, str | None) else value == pytest.approx(expected, 2e-4, 2e-5)
            assert same, (place, value, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "batch"), [(1, 1), (4, 4)])
def test_batches_and_devices_do_not_matter(evaluate, devices, batch):
    one = figures(evaluate(made_frames()))
    assert_same(one, figures(evaluate(made_frames(), devices=devices, batch=batch)))


def test_the_order_of_the_frames_does_not_matter(evaluate):
    frames = made_frames()
    turned = Frames(reversed(frames))
    one, other = evaluate(frames), evaluate(turned)
    np.testing.assert_array_equal(one.times, other.times)
    assert_same(figures(one), figures(other))


def test_other_dates_for_the_images_change_the_day_before_and_nothing_else(evaluate):
    """The image is that of another day, so the magnetogram of the day before is another; all else stays.

    Intervals are by time, and so they move too.
    """
    one = figures(evaluate(made_frames()))
    other = figures(evaluate(made_frames([2, 0, 4, 1, 5, 3])))
    assert_same(one, other, leave=("day_before", "interval", "run"))
    assert one["rmse"]["disk"]["day_before"] != pytest.approx(other["rmse"]["disk"]["day_before"], rel=1e-3)


def test_each_frame_is_measured_with_its_own_context(tmp_path, monkeypatch):
    """Summed up by hand over translations with the context of each frame, which is seen in another place each time."""
    monkeypatch.setattr(measurement, "structure_sums", lambda *_: {})  # not compiled, since not compared
    conditioned = conditioned_run(("mu",))
    frames: Any = made_frames()
    for k, frame in enumerate(frames):
        frame["centre"] = np.array([7.5 - k / 2, 7.5 + k / 3], np.float32)
    styles, climate = conditioned.random_styles(0, 2), learn_climate(frames, conditioned.translator.euv)
    euv, planes = conditioned.translator.euv, conditioned.config.data.context
    held_out = HeldOutFrames(frames, read_dates(frames), climate, euv, range(COUNT), lambda f: frame_context(planes, f))
    measure = make_measure(conditioned, styles, jax.local_devices()[:1], 3)
    frame_sums = measure_frames(measure, held_out, 4, Kept(tmp_path, {}), "run")

    def translated(frame, seen_in):
        context = frame_context(planes, seen_in)
        assert context is not None
        return np.asarray(conditioned.translate(frame["euv"][None], styles, context[None]))[0, ..., 0]

    for k, frame in enumerate(frames):
        errors = np.abs(translated(frame, frame) - frame["magnetogram"][..., 0])
        expected = errors[:, held_out[k]["places"][0]].sum(axis=1)
        np.testing.assert_allclose(frame_sums.model["absolute_error"][k, :, 0], expected, rtol=1e-4)
    assert np.abs(translated(frames[0], frames[5]) - translated(frames[0], frames[0])).max() > 1


def test_a_generator_of_nothing_is_exposed(evaluate, run, monkeypatch):
    """With an empty field for every realisation, all scores of the model are those of the zero baseline."""
    styles = run.random_styles(0, 4)
    usual = translate_with_own_style
    monkeypatch.setattr(measurement, "translate_with_own_style", lambda *arguments: 0.0 * usual(*arguments))
    measure = make_measure(run, styles, jax.local_devices()[:1], 5)
    result = figures(evaluate(made_frames(), batch=1, measure=measure))
    for name, parts in result.items():
        if name not in ("ensemble", "run"):
            for part, columns in parts.items():
                for column in ("model", "model_mean"):
                    got, expected = columns[column], columns["zero"]
                    assert got == (expected if expected is None else pytest.approx(expected, rel=1e-9)), (name, part)
    assert result["polarity_50"]["disk"]["model"] == 0
    assert result["ensemble"]["spread"] == 0
    polarity = result["ensemble"]["polarity"]
    assert polarity["right"] == polarity["either_sign"] == polarity["best_of_realisations"] == 0
    assert polarity["own_style"] == 0
    assert polarity["majority"] == 0.5, "no realisation has a sign"
    assert result["ensemble"]["verdict"][0].startswith("Overconfident")


def test_a_run_that_cannot_tell_the_style_of_an_image_has_no_field_of_that_style(run):
    recipe = replace(run.config.recipe, objective=ONE_WAY)
    one_way = replace(run, config=replace(run.config, recipe=recipe))
    frame, styles = made_frames()[0], run.random_styles(0, 3)
    given = jnp.asarray(frame["euv"]), jnp.asarray(frame["magnetogram"][..., 0]), styles, None, 4
    made, without = (np.asarray(translate_with_own_style(one, one.generators, *given)) for one in (run, one_way))
    np.testing.assert_array_equal(without[:-1], made[:-1])
    assert np.isfinite(made).all()
    assert np.isnan(without[-1]).all()


def test_the_first_frame_has_no_day_before(evaluate):
    frame_sums = evaluate(made_frames())
    day_before = SINGLES.index("day_before")
    assert frame_sums.available[:, day_before].tolist() == [False, *[True] * (COUNT - 1)]
    assert figures(frame_sums)["run"]["frames_with_day_before"] == COUNT - 1
    pixels = frame_sums.of("day_before")["moments"][:, 0, 0, 0, 0]
    assert pixels[0] == 0
    assert (pixels[1:] > 0).all()


def test_dates_distinguish_frames():
    frames = made_frames()
    assert read_dates(frames).sha256 == read_dates(frames).sha256
    other = made_frames()
    other[3]["magnetogram"] = other[3]["magnetogram"] + 1
    later = made_frames()
    later[0]["time"] = later[0]["time"] + 1
    assert len({read_dates(f).sha256 for f in (frames, other, later)}) == 3


def test_crps_is_of_all_realisations_and_the_error_of_a_single_field(evaluate):
    frame_sums = evaluate(made_frames())
    result = figures(frame_sums)
    assert result["crps"]["disk"]["model"] == pytest.approx(ensemble_of(frame_sums)["crps"])
    for column in COLUMNS[1:]:
        assert result["crps"]["disk"][column] == result["mae"]["disk"][column]
    assert result["crps"]["disk"]["model"] <= result["mae"]["disk"]["model"]


def test_a_stopped_evaluation_goes_on(evaluate, compiled):
    """The second of two batches is measured alone, and the sums are those of both."""
    whole, asked = evaluate(made_frames()), []

    def measure(stacked):
        asked.append(len(asked))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return compiled[1](stacked)

    with pytest.raises(KeyboardInterrupt):
        evaluate(made_frames(), measure=measure, folder="stopped")
    resumed = evaluate(made_frames(), measure=measure, folder="stopped")
    assert asked == [0, 1, 2]
    assert_same(figures(resumed), figures(whole))
