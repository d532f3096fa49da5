"""What commands have in common: where compiled programs are kept, and their names once installed."""

import importlib
import logging
import re
import sys
import tomllib

import jax
import pytest

from munit_jax import train
from munit_jax.command_line import keep_compiled
from tests.commands import ROOT, call, call_alone

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
def test_an_installed_command_is_the_module(name, monkeypatch, capsys):
    module, _, function = SCRIPTS[name].partition(":")
    monkeypatch.setattr(sys, "argv", [name, "--nonsense"])
    with pytest.raises(SystemExit, match="2"):
        getattr(importlib.import_module(module), function)()
    unknown = ("Unknown command line flag 'nonsense'", "error: the following arguments are required: route")
    said = capsys.readouterr().err
    assert any(words in said for words in unknown)


@pytest.mark.parametrize("module", ["train", "evaluate", "translate", "corona", "export"])
def test_a_command_runs_as_a_module(module, tmp_path):
    """In a process of its own, once each; their other tests call them in this one."""
    result = call_alone(module, tmp_path, "--nonsense")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: Unknown command line flag 'nonsense'\n"


@pytest.mark.parametrize("module", ["train", "evaluate", "translate", "corona", "export"])
def test_help_has_an_example_and_every_flag(module, tmp_path):
    result = call(module, tmp_path, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"\n    python -m munit_jax.{module} --" in result.stdout
    flags = set(importlib.import_module(f"munit_jax.{module}").FLAGS)
    assert flags == set(re.findall(r"^  --(?:\[no\])?(\w+)", result.stdout, re.MULTILINE))


def test_ctrl_c_is_one_line(monkeypatch, tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "main", interrupt)
    result = call("train", tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (130, 1)
    assert "run the same command to resume" in result.stderr


def test_what_a_command_logs_goes_to_its_terminal_and_to_nothing_after_it(tmp_path, caplog):
    call("train", tmp_path)
    assert logging.getLogger("munit_jax").handlers == []
    logging.getLogger("munit_jax").warning("after it")
    assert caplog.messages == ["after it"]


@pytest.mark.parametrize(
    ("module", "flag", "message"),
    [
        ("train", "--workdir=", "--workdir is empty: give a value"),
        ("evaluate", "--show=", "--show is empty: give a value"),
        ("corona", "--rss=inf", "--rss=inf: give a finite number"),
        ("evaluate", "--seed_radius=nan", "--seed_radius=nan: give a finite number"),
    ],
)
def test_a_value_that_no_flag_takes_is_refused_before_any_work(module, flag, message, tmp_path):
    result = call(module, tmp_path, flag)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_user_s_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    result = call("evaluate", tmp_path, "--workdir=~/run")
    assert result.stderr.startswith(f"error: no run in {tmp_path}/run: config.json: No such file")
    result = call("corona", tmp_path, "--synoptic=~/a.fits", "--synoptic=~/b.fits", "--output=~/out")
    assert result.stderr == f"error: no file {tmp_path}/b.fits\n"
