"""Commands as users call them: in a process of their own, from their flags to their exit code."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def call(
    module: str, folder: Path, *flags: str, interpreter: Sequence[str] = (), timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `python -m munit_jax.MODULE` in a folder.

    Args:
        module: the command.
        folder: where it is called.
        flags: its own.
        interpreter: Python's.
        timeout: seconds, after which the test fails.
    """
    command = [sys.executable, *interpreter, "-m", f"munit_jax.{module}", *flags]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )
