"""Several processes, usually a host each, as one run: how they find each other and what they do in common."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import jax
import numpy as np
from jax.experimental import multihost_utils

from munit_jax.errors import TrainingError

# A process that sends no sign of life for so long is dead, and the others end.
HEARTBEAT_SECONDS = 30
# How long one that ends waits for the others to end as well: they may be scoring.
SHUTDOWN_SECONDS = 300

EXIT_CODE = 1
# Words of the errors that the libraries raise when a process does not answer.
SIGNS_OF_DEATH = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "heartbeat")


@dataclass(frozen=True)
class Host:
    """Which of how many processes this is; the first is the one that writes what one must write."""

    index: int
    count: int

    @property
    def writes(self) -> bool:
        """Whether this process writes what only one may write."""
        return self.index == 0

    @contextmanager
    def first_alone(self, what: str) -> Iterator[None]:
        """Let the first process do this before the others, who then find it done."""
        if self.count > 1 and not self.writes:
            multihost_utils.sync_global_devices(what)
        yield
        if self.count > 1 and self.writes:
            multihost_utils.sync_global_devices(what)

    def agree(self, value: float) -> float:
        """Return the first process's value, in single precision, in all of them."""
        if self.count == 1:
            return value
        return float(multihost_utils.broadcast_one_to_all(np.float32(value)))

    def wait(self, what: str) -> None:
        """Wait until all processes have come here."""
        if self.count > 1:
            multihost_utils.sync_global_devices(what)

    @contextmanager
    def death_told(self) -> Iterator[None]:
        """Tell the death of another process, where it shows as an error of what they do in common.

        Raises:
            TrainingError: in place of JAX's error.
        """
        try:
            yield
        except jax.errors.JaxRuntimeError as error:
            told = str(error).partition("\n")[0]
            if self.count == 1 or not any(sign in told for sign in SIGNS_OF_DEATH):
                raise
            # At the end JAX would wait for the dead, and abort when they do not come.
            atexit.register(os._exit, EXIT_CODE)
            raise TrainingError(
                f"another process of the run has died or cannot be reached ({told}): see its own messages; the newest "
                "checkpoint stands: start all processes again with the same command to go on"
            ) from error


def this_host() -> Host:
    """Return which of the processes this is."""
    return Host(jax.process_index(), jax.process_count())


def join(coordinator: str | None, processes: int | None, process: int | None) -> Host:
    """Join the other processes of the run; to be called before anything else of JAX.

    Args:
        coordinator: host:port of the first process; None to ask the environment, as for the others: SLURM, Open MPI
            and Kubernetes are known to JAX.
        processes: how many there are.
        process: which of them this is, from 0.

    Raises:
        ValueError, RuntimeError: see `jax.distributed.initialize`.
    """
    jax.distributed.initialize(
        coordinator,
        processes,
        process,
        heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        shutdown_timeout_seconds=SHUTDOWN_SECONDS,
    )
    return this_host()
