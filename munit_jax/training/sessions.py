"""What each session of a run was made with, a line each in sessions.jsonl."""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

from munit_jax.files import write_text

# What the numbers of a run depend on.
PACKAGES = ("munit-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy", "tensorflow-datasets")


def session(first_step: int) -> dict[str, Any]:
    """Return what this session of a run is made with: versions, revision, devices and the command."""
    devices = jax.devices()
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "first_step": first_step,
        "command": sys.argv,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "environment": {key: value for key, value in os.environ.items() if key.startswith(("JAX_", "XLA_"))},
        "revision": revision(Path(__file__).parent),
        "platform": devices[0].platform,
        "device_kind": devices[0].device_kind,
        "devices": len(devices),
        "hosts": jax.process_count(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None  # a checkout that is not installed


def revision(folder: Path) -> str | None:
    """Return the git revision of the checkout that a folder lies in, `+` behind it for changed files; None outside."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", ".")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def add_session(path: Path, now: Mapping[str, Any]) -> list[str]:
    """Add a line to a run's sessions; return what differs from the last one and affects the numbers, as text."""
    earlier = [line for line in path.read_text().splitlines() if _is_json(line)] if path.exists() else []
    write_text(path, "\n".join([*earlier, json.dumps(now)]) + "\n")
    if not earlier:
        return []
    then = json.loads(earlier[-1])
    keys = ("python", "revision", "device_kind", "devices", "hosts", "environment")
    pairs = [(key, then.get(key), now[key]) for key in keys]
    pairs += [(name, then["packages"].get(name), version) for name, version in now["packages"].items()]
    return [f"{name} {old} then, {new} now" for name, old, new in pairs if old != new]


def _is_json(line: str) -> bool:
    """Return whether a line is whole: one that a power cut left torn, or empty, is dropped."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
