"""A run whose numbers go wrong: what it says, what it keeps, and the command that looks into it."""

import json
import re
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from munit_jax import configuration
from munit_jax.data.pipeline import training_batches
from munit_jax.errors import DataError, TrainingError
from munit_jax.networks.munit import DOMAINS
from munit_jax.training.diagnosis import finding, load_case, replay, save_case, table
from munit_jax.training.loop import train_and_evaluate
from munit_jax.training.parallel import split_batch
from munit_jax.training.state import init_state, make_optimizers
from tests.commands import ROOT, call
from tests.training.test_loop import ONE_TERM, lines, tiny_config

FIELDS = ("images", "index", "contexts")  # of a batch
WRONG = ONE_TERM | {"optimizer.learning_rate": 1e16}  # which sends the parameters out of all bounds at once


@pytest.fixture(scope="module")
def gone_wrong(small_sun_builder, tmp_path_factory):
    """A run whose learning rate sends the parameters out of all bounds at once; its folder and its error."""
    workdir = tmp_path_factory.mktemp("gone") / "wrong"
    config = tiny_config(
        **{
            "steps": 50,
            "checkpoint_every": 50,
            "eval_every": 50,
            "max_skipped_in_a_row": 3,
        }
        | WRONG
    )
    config.data.data_dir = str(small_sun_builder._data_dir_root)
    with pytest.raises(TrainingError) as error:
        train_and_evaluate(config, workdir)
    return workdir, str(error.value)


def test_a_run_that_no_longer_gets_ahead_stops_and_keeps_the_step(gone_wrong):
    workdir, message = gone_wrong
    metrics = lines(workdir)
    assert [line["skipped_in_a_row"] for line in metrics] == [0, 1, 2, 3, 4]
    assert message.endswith("no checkpoint was written yet")
    assert metrics[1]["generator_gradient_norm"] is None, "JSON has no NaN"
    (case,) = (workdir / "diagnostics").iterdir()
    # Step 5 was the one too many; step 6 was under way when its scalars came, and is kept since it failed too.
    assert case.name == "step_0000006"
    assert message.startswith(f"5 steps in a row were not finite, the last of them 6: it is kept in {case}")
    assert f"`python -m munit_jax.replay --case={case}` says where" in message
    report = json.loads((case / "report.json").read_text())
    assert report["step"] == 6
    assert "generator_total" in report["not_finite"]
    assert report["times"][0].startswith("201")


def test_the_kept_step_is_the_run_s_own(gone_wrong):
    """Its batch is that of the data, its state that after the first step."""
    workdir, _ = gone_wrong
    (case,) = (workdir / "diagnostics").iterdir()
    config = ConfigDict(json.loads((case / "config.json").read_text()))
    recipe = configuration.recipe(config)
    state, batch = load_case(case, recipe, 4)
    assert (int(state.step), int(state.skipped), int(state.skipped_in_a_row)) == (5, 4, 4)
    expected = next(training_batches(configuration.data_settings(config), 4, config.seed, first=5))
    for domain, image in expected["images"].items():
        np.testing.assert_array_equal(batch.images[domain], image)
    np.testing.assert_array_equal(batch.index, np.arange(4))


@pytest.mark.slow
@pytest.mark.usefixtures("blank_pictures")
def test_a_step_that_is_saved_is_looked_at_too(small_sun, tmp_path, caplog):
    """With a save every step no scalars come late."""
    changes = WRONG | {"checkpoint_every": 1, "max_skipped_in_a_row": 1}
    with pytest.raises(
        TrainingError, match=r"^2 steps in a row .* the last of them 3: .*; the checkpoint of step 2 stands"
    ):
        train_and_evaluate(tiny_config(**changes), tmp_path)
    (warning, _) = (record.message for record in caplog.records if "is not applied" in record.message)
    assert warning.startswith("step 2 is not applied, since these are not finite: generator_gradient_norm, ")
    assert re.search(r"\(1 in a row, 1 in all\); examples of 201\d-\d\d-\d\dT00:00:00Z, 201", warning)


def test_the_command_says_where_it_goes_wrong(gone_wrong, tmp_path):
    workdir, _ = gone_wrong
    (case,) = (workdir / "diagnostics").iterdir()
    result = call("replay", ROOT, f"--case={case}")
    assert result.returncode == 0, result.stderr
    assert "step 6, not applied; examples of 201" in result.stderr
    assert "taken again, the step is not applied, as in the run" in result.stderr
    marked = [line for line in result.stderr.splitlines() if line.endswith("<--")]
    assert marked
    assert marked[0].startswith("translation, magnetogram"), "the first part in which a number is not finite"
    assert any(line.startswith("generator_total ") for line in marked)
    assert "images, euv  " in result.stderr
    for flags, message in (
        ((), "no case: give --case="),
        ((f"--case={tmp_path}",), "give a folder of RUN/diagnostics"),
    ):
        result = call("replay", ROOT, *flags)
        assert result.returncode == 2
        (line,) = result.stderr.strip().splitlines()
        assert message in line


def test_a_case_without_the_part_of_a_host(gone_wrong, tmp_path):
    workdir, _ = gone_wrong
    (case,) = (workdir / "diagnostics").iterdir()
    shutil.copytree(case, tmp_path / "case")
    part = dict(np.load(case / "batch_host0.npz"))
    np.savez(tmp_path / "case" / "batch_host0.npz", **{key: value[:2] for key, value in part.items()})
    recipe = configuration.recipe(ConfigDict(json.loads((case / "config.json").read_text())))
    with pytest.raises(DataError, match="does not hold the whole batch of 4: a host's part is missing"):
        load_case(tmp_path / "case", recipe, 4)


def test_a_folder_without_a_step(tmp_path, recipe):
    with pytest.raises(DataError, match="holds no step to replay: give a folder of RUN/diagnostics"):
        load_case(tmp_path, recipe, 4)


def skipped_once(recipe):
    """A state that one step was not applied to."""
    state = init_state(recipe.architecture, make_optimizers(recipe.optimizer), 0)
    return state.replace(step=state.step + 1, skipped=state.skipped + 1, skipped_in_a_row=state.skipped_in_a_row + 1)


@pytest.mark.slow
def test_a_kept_step_has_the_contexts_of_its_images(told, images, contexts, tmp_path):
    """They go with the examples' order; the pixel that spoilt the step is found among them when it is taken again."""
    spoilt = {**contexts, "euv": contexts["euv"].copy()}
    spoilt["euv"][2, 3, 4, 1] = np.nan
    batch = split_batch(images, 2, contexts=spoilt)
    turned = batch.replace(**{name: jax.tree.map(lambda x: x[::-1], getattr(batch, name)) for name in FIELDS})
    save_case(tmp_path / "case", {}, skipped_once(told), turned, 0, {})
    state, loaded = load_case(tmp_path / "case", told, 4)
    assert (int(state.step), int(state.skipped)) == (0, 0)
    assert loaded.contexts is not None
    for domain in DOMAINS:
        np.testing.assert_array_equal(loaded.images[domain], images[domain])
        np.testing.assert_array_equal(loaded.contexts[domain], spoilt[domain])
    applied, findings = replay(told, 0, state, loaded)
    assert not applied
    names = [found.name for found in findings]
    assert names[:4] == ["images, euv", "images, magnetogram", "context, euv", "context, magnetogram"]
    bad = [found.name for found in findings if found.not_finite]
    assert bad[0] == "context, euv"
    assert {"reconstruction, euv", "translation, magnetogram", "another, magnetogram", "ensemble_crps"} <= set(bad)
    assert "reconstruction, magnetogram" not in bad, "it has the context of its own image"


def test_a_kept_step_without_contexts_has_none(recipe, images, tmp_path):
    save_case(tmp_path / "case", {}, skipped_once(recipe), split_batch(images, 1), 0, {})
    assert load_case(tmp_path / "case", recipe, 4)[1].contexts is None


def test_findings_by_hand():
    found = finding("x", {"a": jnp.array([1.0, -3.0, jnp.nan]), "b": jnp.array([jnp.inf, 2.0])})
    assert found == ("x", 5, 2, 3.0)
    assert finding("y", jnp.array(jnp.nan)) == ("y", 1, 1, 0.0)
    first, second, third = table([found, finding("fine", jnp.array([2.0]))]).splitlines()
    assert first.split() == ["values", "not", "finite", "largest"]
    assert second.split() == ["x", "5", "2", "3", "<--"]
    assert third.split() == ["fine", "1", "0", "2"]
