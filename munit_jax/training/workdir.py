"""A run's folder: made, checked, and kept from a second run."""

import errno
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from munit_jax import configuration
from munit_jax.errors import WorkdirError
from tfds_sdoml.locking import sole_holder

LOCK = ".lock"


@contextmanager
def claimed(workdir: Path, config: Mapping[str, Any], writes: bool = True) -> Iterator[None]:
    """Make the run's folder and keep other runs out of it, or check that the run in it has this config.

    Args:
        workdir: the folder.
        config: of the run, as JSON holds it.
        writes: whether this process takes the lock: one of several does it for all.

    Raises:
        WorkdirError: it cannot be written, another process trains in it, or it holds a run with another config, whose
            differing keys are named.
    """
    with ExitStack() as stack:
        try:
            workdir.mkdir(parents=True, exist_ok=True)
            if writes:
                stack.enter_context(sole_holder(workdir / LOCK, f"process {os.getpid()} on {socket.gethostname()}"))
        except BlockingIOError as error:
            raise WorkdirError(
                f"another run is at work in {workdir} ({error.strerror}): wait for it or stop it, or give another "
                "--workdir; for one run of several processes give --distributed"
            ) from None
        except OSError as error:
            raise WorkdirError(
                f"cannot write the workdir {workdir}: {error.strerror}; choose another --workdir"
            ) from None
        check_config(workdir, config)
        yield


def check_config(workdir: Path, config: Mapping[str, Any]) -> None:
    """Check that the run in a folder, if there is one, has this config.

    Raises:
        WorkdirError: it has another; the differing keys are named.
    """
    path = workdir / "config.json"
    if not path.exists():
        return
    try:
        there = json.loads(path.read_text())
    except ValueError as error:
        raise WorkdirError(
            f"{path} cannot be read ({error}): put a good copy there, or choose another --workdir"
        ) from None
    if keys := configuration.differing_keys(there, config):
        raise WorkdirError(
            f"{workdir} holds a run with another config, differing in {', '.join(keys)}: "
            "use the same config to go on with it, or another --workdir"
        )


def check_space(workdir: Path, needed: int) -> None:
    """Check that a run's checkpoints will find room, those that are there already included.

    Args:
        workdir: the run's folder.
        needed: bytes that the checkpoints take at most.

    Raises:
        WorkdirError: they will not.
    """
    folders = [workdir / "checkpoints", workdir / "best"]
    there = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(workdir).free
    if there + free < needed:
        raise WorkdirError(
            f"the checkpoints in {workdir} will take up to {needed / 1e6:.0f} MB and {(there + free) / 1e6:.0f} MB are "
            "there: make room, or choose another --workdir"
        )


@contextmanager
def full_disk_told(workdir: Path) -> Iterator[None]:
    """Tell a disk that fills up while a run writes into its folder.

    Raises:
        WorkdirError: in place of the system's error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise WorkdirError(
            f"cannot write into {workdir}: {error.strerror}; what was saved stands: make room, and run the same "
            "command to go on from it"
        ) from error
