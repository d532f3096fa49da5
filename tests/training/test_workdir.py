"""A run's folder: claimed once, given free by the dead, refused where there is no room."""

import errno
import json
import os
import shutil

import pytest

from munit_jax.errors import WorkdirError
from munit_jax.training.workdir import (
    check_config,
    check_datasets,
    check_space,
    claimed,
    differing_keys,
    full_disk_explained,
)


def test_a_folder_is_claimed_once_and_free_again(tmp_path):
    workdir = tmp_path / "runs" / "one"
    with claimed(workdir, {}):
        with (
            pytest.raises(WorkdirError, match=rf"another run is at work in {workdir} \(process {os.getpid()} on "),
            claimed(workdir, {}),
        ):
            pytest.fail("claimed twice")
        with claimed(workdir, {}, writes=False):
            pass  # another process of the same run
    with claimed(workdir, {}):
        pass


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(WorkdirError, match=r"cannot write the workdir .*: Not a directory; choose another --workdir"),
        claimed(tmp_path / "file" / "run", {}),
    ):
        pytest.fail("claimed a file")


def test_a_config_that_a_power_cut_left_empty(tmp_path):
    (tmp_path / "config.json").write_text("")
    with pytest.raises(WorkdirError, match=r"config.json cannot be read \(Expecting value.*\): put a good copy there"):
        check_config(tmp_path, {})


def test_room_is_asked_for_before_the_work(tmp_path, monkeypatch):
    """1000 bytes are free and 600 hold checkpoints already: 1600 will do, 1601 will not."""
    (tmp_path / "checkpoints" / "step_1").mkdir(parents=True)
    (tmp_path / "checkpoints" / "step_1" / "state").write_bytes(bytes(600))
    (tmp_path / "other").write_bytes(bytes(300))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(5000, 4000, 1000))
    check_space(tmp_path, 1600)
    with pytest.raises(WorkdirError, match=r"will take up to 0 MB and 0 MB are there: make room, or choose another"):
        check_space(tmp_path, 1601)


def test_a_full_disk_is_reported_and_other_errors_are_not_hidden(tmp_path):
    with (
        pytest.raises(WorkdirError, match="No space left on device; what was saved is kept"),
        full_disk_explained(tmp_path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError), full_disk_explained(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "gone")


def test_a_dataset_that_was_built_again(tmp_path):
    now = {"size": 64, "fingerprints": {"sdoml/a": "1", "sdoml/b": "2"}}
    (tmp_path / "images.json").write_text(json.dumps(now))
    check_datasets(tmp_path, now)
    with pytest.raises(
        WorkdirError, match=r"sdoml/b is not the dataset that the run in .* began with: .* put that one"
    ):
        check_datasets(tmp_path, {"fingerprints": {"sdoml/a": "1", "sdoml/b": "3"}})
    (tmp_path / "images.json").write_text('{"size"')
    with pytest.raises(WorkdirError, match=r"images.json cannot be read \(.*\): put a good copy there"):
        check_datasets(tmp_path, now)


def test_differing_keys():
    one = {"steps": 5, "seed": 0, "evaluation": {"limit": 3}, "data": {"data_dir": None}, "model": {"width": 4}}
    other = {"steps": 7, "seed": 3, "evaluation": {"limit": 5}, "data": {"data_dir": "x"}, "model": {"width": 8}}
    assert differing_keys(one, other) == ["model.width", "seed"], "the rest only steers the run"
    assert differing_keys(one, {**one, "new": 1}) == ["new"]
    assert differing_keys(one, one) == []
