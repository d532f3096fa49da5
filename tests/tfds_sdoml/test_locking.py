"""A lock is held once, says by whom, and is free again."""

import pytest

from tfds_sdoml.locking import sole_holder


def test_a_lock_is_held_once(tmp_path):
    path = tmp_path / "lock"
    with sole_holder(path, "the first"):
        for _ in range(2):
            with pytest.raises(BlockingIOError) as held, sole_holder(path, "the second"):
                pytest.fail("held twice")
            assert held.value.strerror == "the first"
    with sole_holder(path, "the third"):
        assert path.read_text() == "the third"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError), sole_holder(tmp_path / "none" / "lock"):
        pytest.fail("locked nothing")
