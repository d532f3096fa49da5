"""What a run was made with, and what has changed since."""

import json
import subprocess

import jax
import pytest

from munit_jax.training.sessions import PACKAGES, add_session, revision, session


def test_a_session_names_versions_revision_and_devices():
    now = session(40)
    assert now["first_step"] == 40
    assert now["packages"]["jax"] == jax.__version__
    assert set(now["packages"]) == set(PACKAGES)
    assert (now["platform"], now["devices"], now["hosts"]) == ("cpu", 4, 1)
    json.dumps(now)


def test_what_numbers_depend_on_is_compared_with_the_last_start(tmp_path):
    path = tmp_path / "sessions.jsonl"
    now = session(0)
    assert add_session(path, now) == []
    assert add_session(path, now | {"time": "later", "first_step": 9}) == []
    changed = now | {"devices": 2, "packages": now["packages"] | {"jax": "0.1"}}
    assert add_session(path, changed) == ["devices 4 then, 2 now", f"jax {jax.__version__} then, 0.1 now"]
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("torn", ['{"time": "2026', "\n", "null\n", "\x00\x00"])
def test_a_torn_line_is_dropped(tmp_path, torn):
    path = tmp_path / "sessions.jsonl"
    add_session(path, session(0))
    with path.open("a") as file:
        file.write(torn)
    assert add_session(path, session(5) | {"devices": 2}) == ["devices 4 then, 2 now"]
    assert [json.loads(line)["first_step"] for line in path.read_text().splitlines()] == [0, 5]


def test_the_revision_is_of_the_checkout_and_says_if_it_is_changed(tmp_path):
    assert revision(tmp_path) is None

    def git(*arguments):
        identity = ("-c", "user.name=n", "-c", "user.email=e@x.org")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "a.py").write_text("1")
    git("add", "a.py")
    git("commit", "-m", "one")
    clean = revision(tmp_path)
    assert clean is not None
    assert len(clean) == 40
    (tmp_path / "a.py").write_text("2")
    assert revision(tmp_path) == clean + "+"
