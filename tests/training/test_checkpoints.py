"""Checkpoints: what comes back, what is kept, and what becomes of damage."""

import os
import shutil

import jax
import numpy as np
import pytest

from munit_jax.errors import WorkdirError
from munit_jax.training.checkpoints import (
    KEEP,
    Checkpoints,
    bytes_kept,
    load_generators,
    load_tree,
    sha256,
)
from munit_jax.training.parallel import replicate
from munit_jax.training.state import OptimizerSettings, TrainState, make_optimizers

# The threads that read a damaged file leave more behind than the one exception that is caught; it may be collected
# while a later test runs.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def fresh():
    """A state of few arrays: what is kept of it does not depend on how many they are."""
    rng, optimizers = np.random.default_rng(0), make_optimizers(OptimizerSettings())
    generators, discriminators = (
        {name: {"kernel": rng.normal(size=(3, 3, 16, 32)).astype(np.float32), "bias": np.zeros(32, np.float32)}}
        for name in ("encoder", "critic")
    )
    return TrainState(
        step=np.int32(0),
        skipped=np.int32(0),
        skipped_in_a_row=np.int32(0),
        generators=generators,
        discriminators=discriminators,
        ema=generators,
        generator_optimizer=optimizers.generators.init(generators),
        discriminator_optimizer=optimizers.discriminators.init(discriminators),
    )


@pytest.fixture(scope="module")
def states(fresh):
    """States of a run on two devices, which differ in all parameters, by their step."""

    def at(step: int):
        moved = jax.tree.map(lambda x: x + x.dtype.type(step), fresh)
        return replicate(moved.replace(step=np.int32(step)), jax.devices()[:2])

    return {step: at(step) for step in (10, 20, 30, 40)}


@pytest.fixture(scope="module")
def saved(states, tmp_path_factory):
    """A run's folder with the checkpoints 20 and 30."""
    workdir = tmp_path_factory.mktemp("saved")
    with Checkpoints(workdir, {"seed": 1}) as checkpoints:
        for step in (20, 30):
            checkpoints.save(step, states[step])
    return workdir


def test_round_trip_onto_other_devices(saved, states, fresh):
    with Checkpoints(saved, {}) as checkpoints:
        four = checkpoints.restore(replicate(fresh, jax.devices()[:4]))
    assert four is not None
    assert sha256(four) == sha256(states[30])
    assert len(four.step.sharding.device_set) == 4


def test_no_checkpoint_is_none(tmp_path, states):
    with Checkpoints(tmp_path, {}) as checkpoints:
        assert checkpoints.latest_step() is None
        assert checkpoints.restore(states[10]) is None


def test_the_latest_and_the_best_are_kept_apart(tmp_path, states, fresh):
    """The best is older than the latest three; reading it takes nothing away."""
    assert KEEP == 3
    abstract = jax.eval_shape(lambda: fresh.ema)
    with pytest.raises(WorkdirError, match=r"has no checkpoint: give the folder of a run that has trained"):
        load_generators(tmp_path, "best", abstract)
    with Checkpoints(tmp_path, {}) as checkpoints:
        for step, score, better in ((10, 0.5, True), (20, 0.2, False), (30, 0.5, False), (40, 0.4, False)):
            checkpoints.save(step, states[step])
            checkpoints.save(step, states[step])  # a second time is once
            assert checkpoints.keep_if_best(step, states[step].ema, score, "highest") == better
    for _ in range(2):
        for which, step in (("best", 10), ("latest", 40), (30, 30)):
            loaded = load_generators(tmp_path, which, abstract)
            assert loaded.step == step
            assert sha256(loaded.generators) == sha256(states[step].ema)
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["step_20", "step_30", "step_40"]
    assert os.listdir(tmp_path / "best") == ["step_10"]
    with pytest.raises(WorkdirError, match="has no checkpoint 10: choose best, latest, 20, 30, 40"):
        load_generators(tmp_path, 10, abstract)
    with Checkpoints(tmp_path, {}) as checkpoints:
        assert checkpoints.keep_if_best(50, states[20].ema, 0.6, "highest")
        assert not checkpoints.keep_if_best(40, states[20].ema, 0.7, "highest"), "a run that resumed before its best"
        assert not checkpoints.keep_if_best(60, states[20].ema, 0.6, "lowest")
        assert checkpoints.keep_if_best(60, states[20].ema, 0.3, "lowest")
    assert os.listdir(tmp_path / "best") == ["step_60"]


def test_without_scores_the_latest_stands_for_the_best(saved, states, fresh, caplog):
    loaded = load_generators(saved, "best", jax.eval_shape(lambda: fresh.ema))
    assert (loaded.step, sha256(loaded.generators)) == (30, sha256(states[30].ema))
    assert "has no validation scores: using the latest" in caplog.text


def remove(path):
    path.unlink()


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)


@pytest.mark.slow
def test_whatever_is_damaged_the_numbers_are_right(saved, states, fresh, tmp_path):
    """Each file of the newest checkpoint in turn: either it does not matter, or the one before is taken."""
    files = [path.relative_to(saved) for path in (saved / "checkpoints" / "step_30").rglob("*") if path.is_file()]
    kinds = (remove, truncate, flip)
    back = set()
    for number, file in enumerate(sorted(files)):
        damage = kinds[number % 3]
        workdir = tmp_path / str(number)
        shutil.copytree(saved, workdir)
        damage(workdir / file)
        with Checkpoints(workdir, {}) as checkpoints:
            restored = checkpoints.restore(replicate(fresh, jax.devices()[:2]))
            assert restored is not None
            step = int(restored.step)
            assert sha256(restored) == sha256(states[step])
            assert checkpoints.latest_step() == step
            if step == 20:
                back.add(file.parts[2])
                assert os.listdir(workdir / "damaged") == ["step_30"]
                checkpoints.save(30, states[30])  # the place is free again
                checkpoints.wait()
                assert checkpoints.latest_step() == 30
    assert "state" in back


def test_a_fallback_is_reported_and_the_damaged_one_kept(saved, states, tmp_path, caplog):
    workdir = tmp_path / "run"
    shutil.copytree(saved, workdir)
    (workdir / "checkpoints" / "step_30" / "checksum" / "metadata").write_text('{"sha256": "0"}')
    (workdir / "damaged").mkdir()
    (workdir / "damaged" / "step_30").mkdir()  # of an earlier day
    with Checkpoints(workdir, {}) as checkpoints:
        assert checkpoints.restore(states[10]).step == 20
    assert (
        f"checkpoint 30 cannot be read (its numbers are not those that were saved): moved into {workdir / 'damaged'}, "
        "falling back to step 20"
    ) in caplog.text
    assert sorted(os.listdir(workdir / "damaged")) == ["step_30", "step_30.1"]


def test_when_none_can_be_read_nothing_is_touched(saved, states, tmp_path):
    workdir = tmp_path / "run"
    shutil.copytree(saved, workdir)
    for step in (20, 30):
        remove(workdir / "checkpoints" / f"step_{step}" / "checksum" / "metadata")
    with (
        Checkpoints(workdir, {}) as checkpoints,
        pytest.raises(WorkdirError, match=r"no checkpoint in .* can be read \(step 30: .* step 20: .*start again"),
    ):
        checkpoints.restore(states[10])
    assert sorted(os.listdir(workdir / "checkpoints")) == ["step_20", "step_30"]
    assert not (workdir / "damaged").exists()


def test_no_room_for_a_save_is_reported_before_it_begins(saved, states, tmp_path, monkeypatch):
    shutil.copytree(saved, tmp_path / "run")
    with Checkpoints(tmp_path / "run", {}) as checkpoints:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))
        with pytest.raises(
            WorkdirError,
            match=r"it takes \d MB and 0 MB are free; the checkpoint of step 30 is kept: make room or repair",
        ):
            checkpoints.save(40, states[40])


def test_trees_and_sizes(saved, states, fresh):
    tree = load_tree(saved / "checkpoints" / "step_30" / "state", jax.eval_shape(lambda: fresh))
    assert sha256(tree) == sha256(states[30])
    state = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(fresh))
    ema = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(fresh.ema))
    assert bytes_kept(fresh) == 4 * state + 2 * ema


def test_checksum_sees_names_shapes_and_bits():
    tree = {"a": np.zeros((2, 3), np.float32), "b": np.ones(2, np.float32)}
    assert sha256(tree) == sha256({key: value.copy() for key, value in tree.items()})
    others = [
        {"a": tree["a"].reshape(3, 2), "b": tree["b"]},
        {"a": tree["a"], "c": tree["b"]},
        {"a": tree["a"], "b": tree["b"].astype(np.float64)},
        {"a": -tree["a"], "b": tree["b"]},  # -0.0 is another bit pattern
    ]
    assert len({sha256(tree), *map(sha256, others)}) == 5
