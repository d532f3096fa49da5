"""Several processes, usually a host each, as one run: how they find each other and what they do in common."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager

import jax
import numpy as np
from jax.experimental import multihost_utils

from munit_jax.errors import TrainingError

# A process without a heartbeat for this time is dead, and the others end.
HEARTBEAT_SECONDS = 30
# How long one that ends waits for the others to end as well: they may be scoring.
SHUTDOWN_SECONDS = 300

# Words of the errors that the libraries raise when a process does not answer.
SIGNS_OF_DEATH = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "heartbeat")


def writes() -> bool:
    """Return whether this process, the first, is the one that writes what only one may write."""
    return jax.process_index() == 0


@contextmanager
def first_alone(what: str) -> Iterator[None]:
    """Let the first process do this before the others, which then find it done, or find the same mistake."""
    if not writes():
        wait(what)
    try:
        yield
    finally:
        if writes():
            wait(what)


def agree(value: float) -> float:
    """Return the first process's value, in single precision, in all of them."""
    return value if jax.process_count() == 1 else float(multihost_utils.broadcast_one_to_all(np.float32(value)))


def wait(what: str) -> None:
    """Wait for all processes."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)


def all_say(yes: bool) -> bool:
    """Return whether the condition is true in every process."""
    return yes if jax.process_count() == 1 else bool(multihost_utils.process_allgather(np.int32(yes)).all())


@contextmanager
def ends_alone() -> Iterator[None]:
    """Let an error end this process at once, with TrainingError where another process has died.

    JAX would wait for the others at the end, and they for this one: so they detect that it has ended, and end too.
    """
    try:
        yield
    except BaseException as error:
        if jax.process_count() == 1:
            raise
        atexit.register(os._exit, getattr(error, "exit_code", 1))
        message = str(error).partition("\n")[0]
        if isinstance(error, jax.errors.JaxRuntimeError) and any(sign in message for sign in SIGNS_OF_DEATH):
            raise TrainingError(
                f"another process of the run has died or cannot be reached ({message}): see its own messages; what "
                "was saved is kept: start all processes again with the same command to resume"
            ) from error
        raise


def join(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Join the other processes of the run; to be called before any other use of JAX.

    Args and errors are those of `jax.distributed.initialize`: host:port of the first process, how many there are, and
    which of them this is, from 0. What is None is asked of SLURM, Open MPI or Kubernetes; under the first two a process
    has one device, that of its local rank.
    """
    jax.distributed.initialize(
        coordinator,
        processes,
        process,
        heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        shutdown_timeout_seconds=SHUTDOWN_SECONDS,
    )
