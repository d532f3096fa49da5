"""What commands have in common: where compiled programs are kept, and their names once installed."""

import subprocess
import sys
import tomllib

import jax
import pytest

from munit_jax.command_line import keep_compiled
from tests.commands import ROOT, call

SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.fixture(autouse=True)
def restored():
    before = jax.config.jax_compilation_cache_dir
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def test_the_flag_comes_before_the_environment_and_that_before_the_user_s_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    keep_compiled(None)
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "munit_jax" / "compiled")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    keep_compiled(None)
    assert jax.config.jax_compilation_cache_dir == "/elsewhere"
    keep_compiled("here")
    assert jax.config.jax_compilation_cache_dir == "here"
    keep_compiled("none")
    assert jax.config.jax_compilation_cache_dir is None


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_installed_command_is_the_module(name, tmp_path):
    module, _, function = SCRIPTS[name].partition(":")
    code = f"import sys; sys.argv = ['{name}', '--nonsense']; from {module} import {function}; {function}()"
    script = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    other = call(module.removeprefix("munit_jax."), tmp_path, "--nonsense")
    assert (script.returncode, script.stderr) == (other.returncode, other.stderr)
    assert "Unknown command line flag 'nonsense'" in script.stderr
