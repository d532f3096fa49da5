"""A whole run, end to end: what it leaves, how it goes on, what it refuses."""

import json
import os
import re
import shutil
import signal
import struct

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from tensorboardX.proto import event_pb2

from configs import aia193
from munit_jax.config import parse
from munit_jax.data.datasets import Frames
from munit_jax.errors import ConfigError, DataError, TrainingError, WorkdirError
from munit_jax.networks.munit import init_generators
from munit_jax.train import train
from munit_jax.trained_run import open_run
from munit_jax.training import loop
from munit_jax.training.checkpoints import load_generators, sha256

STEPS = 4
# One term alone, of the simultaneous magnetogram: what it does not need is not compiled.
ONE_TERM = {f"loss.{name}_weight": 0.0 for name in ("adversarial", "image", "content", "style")}


def tiny_config(**changes) -> ConfigDict:
    config = aia193.get_config("poster_quickstart")
    config.update({"steps": STEPS, "batch_size": 4, "checkpoint_every": 2, "eval_every": 2})
    config.data.euv = config.data.magnetogram = "sdoml/small"
    config.model.update({"width": 2, "style_size": 3, "mlp_width": 4, "downsamplings": 1, "residual_blocks": 1})
    config.model.update({"discriminator_width": 2, "discriminator_scales": 1, "discriminator_layers": 2})
    config.evaluation.update({"styles": 2, "limit": 3, "limit_during_training": 2})
    config.update_from_flattened_dict(changes)
    return config


def train_and_evaluate(config: ConfigDict, workdir) -> dict | None:
    return train(config.to_dict(), workdir)


@pytest.fixture
def uninterrupted(small_sun, made_once):
    return made_once("uninterrupted", lambda workdir: train_and_evaluate(tiny_config(), workdir))


def lines(workdir, kind="metrics"):
    return [json.loads(line) for line in (workdir / f"{kind}.jsonl").read_text().splitlines()]


def test_what_a_run_leaves(uninterrupted):
    summary = json.loads((uninterrupted / "summary.json").read_text())
    assert set(summary) == {"steps", "images_per_second", "losses", "held_out", "baselines", "params_sha256"}
    assert summary["steps"] == STEPS
    assert summary["images_per_second"] > 0
    keys = {
        "rmse",
        "mae",
        "fair_crps",
        "correlation",
        "abs_correlation",
        "unsigned_field_ratio",
        "polarity_50",
        "rms",
        "spread",
    }
    assert set(summary["baselines"]) == {"zero", "mean", "euv_proxy", "hale"}
    assert set(summary["held_out"]) == {"realisations", "their_mean"}
    assert all(set(scores) == keys for scores in {**summary["held_out"], **summary["baselines"]}.values())
    assert summary["baselines"]["zero"]["correlation"] is None
    assert summary["losses"]["generator_total"] == lines(uninterrupted)[-1]["generator_total"]
    assert [line["step"] for line in lines(uninterrupted)] == [1, 2, 3, 4]
    assert [(line["step"], set(line) - {"step"}) for line in lines(uninterrupted, "scores")] == [(2, keys), (4, keys)]
    pictures = sorted(path.name for path in (uninterrupted / "samples").iterdir())
    assert pictures == ["step_0000002.png", "step_0000004.png"]
    assert json.loads((uninterrupted / "config.json").read_text())["data"]["normalization"]["euv"]["kind"] == "asinh"
    saved = sorted(path.name for path in (uninterrupted / "checkpoints").iterdir())
    assert saved == ["step_2", "step_4"]
    assert {"state", "config", "checksum"} <= {path.name for path in (uninterrupted / "checkpoints/step_4").iterdir()}


def test_the_best_is_the_evaluated_step_with_the_lowest_crps(uninterrupted, tmp_path):
    best = min(lines(uninterrupted, "scores"), key=lambda line: line["fair_crps"])
    (kept,) = (uninterrupted / "best").iterdir()
    assert kept.name == f"step_{best['step']}"
    architecture = parse(tiny_config().to_dict()).recipe.architecture
    abstract = jax.eval_shape(lambda: init_generators(architecture, 0))
    assert load_generators(uninterrupted, "best", abstract).step == best["step"]
    # A run with a single evaluation has one best, whatever its score, and its latest state is the same step.
    before = sha256(load_generators(uninterrupted, 4, abstract).generators)
    assert sha256(load_generators(uninterrupted, "latest", abstract).generators) == before


def test_tensorboard_holds_the_same_scalars(uninterrupted):
    (path,) = (uninterrupted / "tensorboard").iterdir()
    tags, data = {}, path.read_bytes()
    while data:  # a record: its length, a checksum of that, the event, a checksum of it
        (length,) = struct.unpack("<Q", data[:8])
        event = event_pb2.Event.FromString(data[12 : 12 + length])
        tags |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        data = data[16 + length :]
    last = lines(uninterrupted)[-1]
    for name in ("generator_total", "style_reconstruction_euv", "generator_gradient_norm"):
        assert tags[name, 4] == pytest.approx(last[name], rel=1e-5)


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.parametrize("moment", ["_report", pytest.param("_evaluate", marks=pytest.mark.slow)])
def test_a_run_that_was_asked_to_stop_goes_on_to_the_same_end(uninterrupted, small_sun, tmp_path, monkeypatch, moment):
    """Asked while step 2 is computed, which is then saved, or at the start of its evaluation, which is made up for."""
    usual = getattr(loop.Training, moment)

    def ask_to_stop(self, *arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return usual(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, moment, ask_to_stop)
        assert train_and_evaluate(tiny_config(checkpoint_every=3), tmp_path) is None
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step_2"]
    assert [line["step"] for line in lines(tmp_path)] == [1, 2]
    assert lines(tmp_path, "scores") == []
    assert not (tmp_path / "summary.json").exists()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 99, "gener')  # as a kill in the middle of a line leaves it
    summary = train_and_evaluate(tiny_config(), tmp_path)
    expected = json.loads((uninterrupted / "summary.json").read_text())
    assert summary is not None
    assert summary["params_sha256"] == expected["params_sha256"]
    for name, scores in expected["held_out"].items():
        assert summary["held_out"][name] == pytest.approx(scores)
    resumed = lines(tmp_path)
    assert [line["step"] for line in resumed] == [1, 2, 3, 4]
    for one, other in zip(resumed, lines(uninterrupted), strict=True):
        assert one["generator_total"] == other["generator_total"]
    assert lines(tmp_path, "scores") == lines(uninterrupted, "scores")
    assert os.listdir(tmp_path / "best") == os.listdir(uninterrupted / "best")
    assert [line["first_step"] for line in lines(tmp_path, "sessions")] == [0, 2]


def test_a_run_that_was_asked_to_stop_while_it_was_made_ready_takes_no_step(small_sun, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(loop, "check_space", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with caplog.at_level("INFO"):
        assert train_and_evaluate(tiny_config(), tmp_path) is None
    assert "stopped at step 0 of 4: run the same command to resume" in caplog.messages
    assert lines(tmp_path) == []
    assert os.listdir(tmp_path / "checkpoints") == []


def test_a_finished_run_is_not_trained_again(uninterrupted, small_sun, monkeypatch):
    monkeypatch.setattr(loop, "make_parallel_step", lambda *_: None)
    before = json.loads((uninterrupted / "summary.json").read_text())
    summary = train_and_evaluate(tiny_config(), uninterrupted)
    assert summary is not None
    assert summary["params_sha256"] == before["params_sha256"]
    assert summary["losses"] == before["losses"]
    assert summary["images_per_second"] == before["images_per_second"]


def test_another_config_is_refused_by_name(uninterrupted, small_sun):
    with pytest.raises(
        WorkdirError, match=r"another config, differing in loss.style_weight, seed: use the same config"
    ):
        train_and_evaluate(tiny_config(seed=1, **{"loss.style_weight": 2.0}), uninterrupted)


@pytest.mark.slow
def test_unpaired_training_has_pictures_and_no_scores(small_sun, tmp_path):
    changes = ONE_TERM | {"loss.adversarial_weight": 1.0, "loss.unsigned_weight": 0.0}
    changes |= {"data.paired": False, "data.flip": "none", "steps": 1}
    summary = train_and_evaluate(tiny_config(**changes), tmp_path)
    assert summary is not None
    assert summary["held_out"] is None
    assert summary["baselines"] is None
    assert (tmp_path / "samples" / "step_0000001.png").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_a_run_with_a_context_is_trained_scored_taken_up_and_opened(small_sun, tmp_path):
    planes = ("hale_latitude", "mu", "cycle_phase")
    changes = ONE_TERM | {"loss.unsigned_weight": 0.0, "loss.ensemble_weight": 2.0}
    changes |= {"data.context": planes, "data.reversal": True, "evaluation.limit": 2}
    changes |= {"checkpoint_every": 1, "eval_every": 1}
    assert train_and_evaluate(tiny_config(steps=1, **changes), tmp_path) is not None
    summary = train_and_evaluate(tiny_config(steps=2, **changes), tmp_path)
    assert summary is not None
    assert summary["held_out"]["realisations"]["rmse"] > 0
    assert [line["ensemble_crps"] > 0 for line in lines(tmp_path)] == [True, True]
    assert (tmp_path / "samples" / "step_0000002.png").exists()
    run = open_run(tmp_path, "latest")
    assert (run.step, run.config.data.context, run.architecture.context_planes) == (2, planes, 3)
    with pytest.raises(WorkdirError, match=r"another config, differing in data\.context: use the same config"):
        train_and_evaluate(tiny_config(steps=2, **changes | {"data.context": planes[:2]}), tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_a_run_begins_with_the_generators_of_another_and_goes_on_without_it(uninterrupted, small_sun, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(uninterrupted, source)
    still = ONE_TERM | {"start_from": str(source), "optimizer.learning_rate": 0.0}
    still |= {"checkpoint_every": 1, "eval_every": 2}
    train_and_evaluate(tiny_config(steps=1, seed=5, **still), tmp_path / "run")
    shapes = jax.eval_shape(lambda: init_generators(parse(tiny_config().to_dict()).recipe.architecture, 0))
    begun = load_generators(tmp_path / "run", "latest", shapes)
    assert sha256(begun.generators) == sha256(load_generators(uninterrupted, "best", shapes).generators)
    shutil.rmtree(source)
    assert train_and_evaluate(tiny_config(steps=2, seed=5, **still), tmp_path / "run") is not None


def test_a_run_cannot_begin_with_what_does_not_fit_or_is_not_there(uninterrupted, small_sun, tmp_path):
    changes = {"start_from": str(uninterrupted), "model.width": 4, "data.context": ("mu",)}
    with pytest.raises(ConfigError, match=r"have other shapes: set model\.width=2, data\.context=\[\], or start"):
        train_and_evaluate(tiny_config(**changes), tmp_path / "one")
    with pytest.raises(ConfigError, match=r"start_from: no run in nowhere: config\.json: No such file"):
        train_and_evaluate(tiny_config(start_from="nowhere"), tmp_path / "two")
    assert not (tmp_path / "one" / "config.json").exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batch_size": 6}, ConfigError, "does not divide by 4 devices"),
        ({"model.discriminator_scales": 4}, ConfigError, "image size of sdoml/small=16 is too small"),
        ({"data.euv": "sdoml/aia0193"}, DataError, "sdoml/aia0193 is not prepared"),
        ({"data.channels": ("0304",)}, ConfigError, "sdoml/small has no channel 0304"),
    ],
)
def test_mistakes_are_found_before_anything_is_written(small_sun, tmp_path, changes, error, message):
    config = tiny_config(**changes)
    config.data.data_dir = str(tmp_path / "none")
    with pytest.raises(error, match=message):
        train_and_evaluate(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


def test_an_unwritable_workdir(small_sun, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match="cannot write the workdir"):
        train_and_evaluate(tiny_config(), tmp_path / "file" / "run")


def test_nan_in_the_data_ends_the_run_with_its_place(small_sun, tmp_path, monkeypatch):
    read = Frames.__getitem__

    def spoil(self, index):
        example = dict(self.source[index])
        example["euv"] = np.full_like(example["euv"], np.nan)
        self.source = {index: example} | dict.fromkeys(range(len(self.source)), example)
        return read(self, index)

    monkeypatch.setattr(Frames, "__getitem__", spoil)
    with pytest.raises(DataError, match=r"256 of 256 values are not finite in the euv of sdoml/small, train split"):
        train_and_evaluate(tiny_config(), tmp_path)


@pytest.mark.parametrize("checkpoint_every", [50, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_that_no_longer_gets_ahead_stops_with_the_reason(small_sun, tmp_path, caplog, checkpoint_every):
    """Its learning rate sends the parameters out of all bounds at once; a save every step fetches all metrics."""
    changes = ONE_TERM | {"optimizer.learning_rate": 1e16, "steps": 50, "eval_every": 50}
    changes |= {"checkpoint_every": checkpoint_every, "max_skipped_in_a_row": 3}
    with pytest.raises(TrainingError) as error:
        train_and_evaluate(tiny_config(**changes), tmp_path)
    message = str(error.value)
    assert re.match(
        r"4 steps in a row were not finite, the last of them 5 \(generator_gradient_norm, .*; examples of 201\d-",
        message,
    )
    left = "no checkpoint was written yet" if checkpoint_every == 50 else "the checkpoint of step [34] is kept"
    assert re.search(rf"{left}: lower optimizer.learning_rate, or set optimizer.clip_norm, in another", message)
    assert [line["skipped_in_a_row"] for line in lines(tmp_path)] == [0, 1, 2, 3, 4]
    assert lines(tmp_path)[1]["generator_gradient_norm"] is None, "JSON has no NaN"
    warning = next(record.message for record in caplog.records if "is not applied" in record.message)
    assert warning.startswith("step 2 is not applied, since these are not finite: generator_gradient_norm, ")
    assert re.search(r"\(1 in a row, 1 in all\); examples of 201\d-\d\d-\d\dT00:00:00Z, 201", warning)


@pytest.mark.slow
def test_without_a_validation_split_no_checkpoint_is_the_best(small_sun, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "munit_jax.training.monitor.Monitor._frames",
        lambda self, split: (
            () if split == "validation" else Frames(self.data.euv, split, self.domains, self.data.channels, None)
        ),
    )
    summary = train_and_evaluate(tiny_config(steps=1), tmp_path)
    assert summary is not None
    assert summary["held_out"]["realisations"]["fair_crps"] > 0, "the test split is scored at the end"
    assert [set(line) for line in lines(tmp_path, "scores")] == [{"step", "rms", "spread"}]
    assert os.listdir(tmp_path / "best") == []
