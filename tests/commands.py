"""Commands as users call them, from their flags to their exit code: in this process, or in one of their own."""

import contextlib
import importlib
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from absl.testing import flagsaver

from munit_jax import command_line

ROOT = Path(__file__).parents[1]


def call(module: str, folder: Path, *flags: str) -> CompletedProcess[str]:
    """Do what `python -m munit_jax.MODULE` does in a folder, without the seconds that a new interpreter takes.

    Args:
        module: the command.
        folder: where it is called.
        flags: its own.
    """
    command = importlib.import_module(f"munit_jax.{module}")
    before = flagsaver.save_flag_values(command.FLAGS)
    arguments = [f"munit_jax.{module}", *flags]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.callback(flagsaver.restore_flag_values, before, command.FLAGS)
        stack.callback(command.FLAGS.unparse_flags)
        stack.enter_context(mock.patch.object(sys, "argv", arguments))
        stack.enter_context(contextlib.chdir(folder))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            command_line.run(command.main, command.FLAGS)
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def call_alone(module: str, folder: Path, *flags: str, interpreter: Sequence[str] = ()) -> CompletedProcess[str]:
    """Run `python -m munit_jax.MODULE` in a folder, in a process of its own.

    Args:
        module: the command.
        folder: where it is called.
        flags: its own.
        interpreter: Python's.
    """
    command = [sys.executable, *interpreter, "-m", f"munit_jax.{module}", *flags]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
