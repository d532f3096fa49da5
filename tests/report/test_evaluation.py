"""An evaluation from a run's folder to its files; what it refuses."""

import csv
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from munit_jax.data.context import context_of
from munit_jax.data.pipeline import frame_context
from munit_jax.errors import ConfigError, DataError, WorkdirError
from munit_jax.metrics.corona import SCORES
from munit_jax.metrics.definitions import METRICS, PARTS
from munit_jax.report import evaluation, far_side
from munit_jax.report.evaluation import days_to_training, evaluate
from munit_jax.report.held_out import COLUMNS, Dates, open_held_out
from munit_jax.report.report import _leakage
from munit_jax.report.settings import CoronaSettings, Settings
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.trained_run import TrainedRun, open_run
from tests.instruments.suns import conditioned_run

CORONA = CoronaSettings(frames=1, samples=2, rows=18, lmax=8)
SETTINGS = Settings(samples=3, limit=5, show=("2011-11-17T06:00", "2012-12-01T00:00+01:00"))
SECTIONS = (
    "In words",
    "Scores",
    "By part of the disk",
    "Frames",
    "Generated against true",
    "Time and activity",
    "From the centre to the limb, from east to west",
    "Scales and strengths",
    "Realisations",
    "Limits",
    "Run and data",
)


@pytest.fixture
def evaluated(run, made_once):
    """The folder of an evaluation of the tiny run, made once."""
    return made_once("evaluated", lambda folder: evaluate(run, SETTINGS, folder))


@pytest.fixture
def modelled(run, made_once):
    """The folder of an evaluation of the tiny run beside itself, with the corona."""
    return made_once("modelled", lambda folder: evaluate(run, replace(SETTINGS, corona=CORONA), folder, run))


def test_metrics_json_has_every_metric_with_its_baselines(evaluated):
    metrics = json.loads((evaluated / "metrics.json").read_text())
    assert set(metrics) == {*METRICS, "ensemble", "run"}
    columns = {*COLUMNS, "spread", "interval"}
    for name, metric in METRICS.items():
        assert set(metrics[name]) == set(PARTS[metric.over]), name
        assert all(set(row) == columns for row in metrics[name].values()), name
    assert metrics["run"]["frames"] == 5
    assert metrics["run"]["frames_with_day_before"] == 0, "this Sun is seen every ten days"
    assert metrics["rmse"]["disk"]["day_before"] is None
    assert metrics["rmse"]["disk"]["model"] > 0
    assert metrics["run"]["split"] == "test"
    assert metrics["run"]["channels"] == ["0171"]


@pytest.mark.slow
@pytest.mark.optimized
def test_a_run_beside_itself_does_not_differ(modelled):
    metrics = json.loads((modelled / "metrics.json").read_text())
    columns = {*COLUMNS, "compared", "spread", "interval", "difference", "difference_interval"}
    assert all(set(row) == columns for name in METRICS for row in metrics[name].values())
    row = metrics["mae"]["disk"]
    assert row["compared"] == row["model"]
    assert row["difference"] == 0
    assert row["difference_interval"] == [0, 0]


@pytest.mark.slow
@pytest.mark.optimized
def test_the_corona_of_the_split_and_of_the_far_side(modelled):
    metrics = json.loads((modelled / "metrics.json").read_text())
    assert set(metrics) == {*METRICS, "ensemble", "run", "corona", "far_side"}
    corona, far = metrics["corona"], metrics["far_side"]
    for insertion in ("as_is", "flux_matched"):
        assert set(SCORES) == set(corona[insertion])
    assert corona["as_is"]["surface_error"]["truth"] == 0
    assert corona["as_is"]["surface_error"]["model"] > 0
    assert corona["background"] == "the dataset's own truth"
    assert (corona["frames"], far["dates"]) == (1, 1)
    assert corona["open_flux_mx"]["true"] > 1e21
    assert set(far["open_flux_error"]) == set(far_side.COLUMNS)
    page = (modelled / "report.html").read_text()
    before = SECTIONS.index("Limits")
    sections = [*SECTIONS[:before], "Corona", "Far side", *SECTIONS[before:]]
    assert re.findall(r'<h2 id="s\d+">(.*?)</h2>', page) == sections
    assert page.count("<img ") == 12
    assert "Error of the open flux with the disk generated (median of 1 frames)" in page
    assert "The whole Sun, error of the open flux" in page


def test_frames_csv_has_a_line_a_frame(evaluated):
    with (evaluated / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert all(float(row["true_unsigned_flux_mx"]) > 1e20 for row in rows)
    assert all(float(row["model_rmse"]) > 0 for row in rows)
    assert all(row["day_before_rmse"] == "" for row in rows)
    assert all(row["zero_polarity_50"] in ("0", "") for row in rows)


def test_the_report_stands_alone_and_has_all_sections(evaluated):
    page = (evaluated / "report.html").read_text()
    assert re.findall(r'<h2 id="s\d+">(.*?)</h2>', page) == list(SECTIONS)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page), "nothing is loaded from elsewhere"
    assert page.count("<img ") == page.count('src="data:image/png;base64,') == 7
    assert 'name="viewport"' in page
    assert "sdoml/small" in page
    assert "polarity" in page


def test_nothing_else_is_written(evaluated):
    assert {path.name for path in evaluated.iterdir()} == {"metrics.json", "frames.csv", "report.html"}


def test_days_to_the_nearest_training_frame(evaluated):
    day = 86400
    assert days_to_training([100 * day, 200 * day], [90 * day, 230 * day]) == 10
    run = json.loads((evaluated / "metrics.json").read_text())["run"]
    assert run["days_to_training"] >= 27, "the split keeps a rotation between"
    page = (evaluated / "report.html").read_text()
    assert f"The nearest frame of the training is {run['days_to_training']:g} days away. Most" in page


def test_frames_that_are_near_to_the_training_are_reported():
    assert "less than a rotation: the scores are flattered" in _leakage({"days_to_training": 1.0})


def test_a_folder_that_cannot_be_made(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match=r"cannot make .*file/out: Not a directory; give another --output"):
        evaluate(run, Settings(limit=2, samples=2), tmp_path / "file" / "out")


def with_data(run: TrainedRun, **changes) -> TrainedRun:
    """The run as if it had been trained on other data."""
    return replace(run, config=replace(run.config, data=replace(run.config.data, **changes)))


def test_realisations_have_the_context_of_their_image():
    """As `translate` with the context of the place and the time makes them; seen from elsewhere they differ."""
    conditioned, settings = conditioned_run(("hale_latitude", "mu")), Settings(samples=3, seed=2)
    euv = np.random.default_rng(0).uniform(0, 500, (16, 16, 1)).astype(np.float32)
    realisations = evaluation._realisations(conditioned, settings)
    geometry, time = sdoml_geometry(16, 7.0), int(datetime(2012, 11, 20, tzinfo=UTC).timestamp())
    made = realisations(euv, geometry, time, None, 0.0)
    context = context_of(conditioned.config.data.context, geometry, float(time))
    assert context is not None
    expected = conditioned.translate(euv[None], conditioned.random_styles(2, 3), context[None])[0, ..., 0]
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-3)
    assert np.abs(made - realisations(euv, sdoml_geometry(16, -7.0), time, None, 0.0)).max() > 1


def test_held_out_frames_have_the_planes_of_the_run(run):
    assert "context" not in open_held_out(run, Settings(samples=2, limit=2))[0]
    held_out = open_held_out(with_data(run, context=("mu", "hale_latitude")), Settings(samples=2, limit=2))
    for k, i in enumerate(held_out.numbers):
        np.testing.assert_array_equal(
            held_out[k]["context"], frame_context(("mu", "hale_latitude"), held_out.frames[i])
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 1}, "samples=1: give at least 2"),
        ({"limit": -1}, "limit=-1: give a number of frames, or 0"),
        ({"samples": 3, "corona": CoronaSettings(samples=4)}, "corona_samples=4: give 1 to samples=3"),
        ({"corona": CoronaSettings(frames=-1)}, "corona_frames=-1: give a number of frames, or 0"),
        ({"background": ("gong.fits",)}, "background is for the corona: give --corona too"),
        ({"show": ("yesterday",)}, "show='yesterday': give a time such as 2012-11-03T12:00"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    with pytest.raises(ConfigError, match=message):
        Settings(**changes)


def test_another_dataset_is_evaluated_with_the_baselines_of_the_run_s_own(run):
    """Here the same one under its name, and one of another size."""
    own, other = (open_held_out(run, Settings(samples=2, limit=2, dataset=name)) for name in (None, "sdoml/small"))
    assert own.dates.sha256 == other.dates.sha256
    assert own.climate.times == other.climate.times
    with pytest.raises(
        DataError, match=r"sdoml/small has images of 16 pixels, .* was trained on 32: build it with --size=32"
    ):
        open_held_out(replace(run, size=32), Settings(samples=2, limit=2, dataset="sdoml/small"))


def test_without_simultaneous_magnetograms_there_is_nothing_to_compare_with(run, tmp_path):
    with pytest.raises(DataError, match="not simultaneous: there is no true magnetogram"):
        evaluate(with_data(run, paired=False), SETTINGS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_split_without_frames(run, tmp_path):
    with pytest.raises(DataError, match=r"no frames in the split 'night', or none .*: it has train, validation, test"):
        evaluate(run, Settings(split="night"), tmp_path / "out")


def test_runs_on_other_data_are_not_compared(run, trained, tmp_path):
    other = with_data(open_run(trained, "latest"), euv="sdoml/other", magnetogram="sdoml/other")
    with pytest.raises(DataError, match="trained_on_171 was trained on sdoml/other, the other run on sdoml/small"):
        evaluate(run, SETTINGS, tmp_path / "out", other)
    assert not (tmp_path / "out").exists(), "it is refused before any work"


def test_everything_that_sums_depend_on_is_their_identity(run, trained):
    """Kept results are taken again only where nothing has changed."""

    def identity(run: TrainedRun, dates: Dates | None = None, **changes) -> str:
        settings = Settings(**{"samples": 2} | changes)
        held_out = open_held_out(run, settings)
        held_out.dates = dates or held_out.dates
        about = evaluation._about(run, held_out, settings) | evaluation._computed_from(run, held_out)
        return json.dumps(about, sort_keys=True)

    same = identity(run)
    assert identity(open_run(trained, "latest")) == same
    changed = [identity(run, samples=3), identity(run, seed=1), identity(run, split="validation")]
    changed += [identity(open_run(trained, "1")), identity(run, limit=3)]
    dates = open_held_out(run, Settings(samples=2)).dates
    rebuilt = replace(dates, digests=(b"another magnetogram", *dates.digests[1:]))
    changed += [identity(run, dates=rebuilt)]
    architecture = replace(run.architecture, convolution="winograd")
    changed += [identity(replace(run, translator=replace(run.translator, architecture=architecture)))]
    assert len({same, *changed}) == 8


def test_no_partial_results_are_left(evaluated):
    assert not (evaluated / "partial").exists()
