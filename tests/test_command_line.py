"""Where compiled programs are kept."""

import jax
import pytest

from munit_jax.command_line import keep_compiled


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
