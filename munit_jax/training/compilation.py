"""The training step compiled before the first step, with a word on what it took."""

import ctypes
import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax

from munit_jax.training.state import TrainState
from munit_jax.training.step import Batch, Metrics

logger = logging.getLogger(__name__)

StepFunction = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


def compile_step(step_function: jax.stages.Wrapped, state: TrainState, batch: Batch) -> StepFunction:
    """Return the step compiled for such a state and batch, and for no other shapes: it is never traced again."""
    begin = time.perf_counter()
    logger.info("compiling the training step")
    with garbage_uncollected():
        lowered = step_function.lower(state, batch)
    traced = time.perf_counter()
    compiled = lowered.compile()
    end = time.perf_counter()
    logger.info(
        "the training step: traced in %.1f s, compiled or found compiled in %.1f s", traced - begin, end - traced
    )
    if (memory := compiled.memory_analysis()) is not None:  # not every backend tells
        held, passing = memory.argument_size_in_bytes / 1e9, memory.temp_size_in_bytes / 1e9
        logger.info("it needs %.2f GB a device: %.2f all the time, %.2f within a step", held + passing, held, passing)
    return_freed_memory()
    return compiled


@contextmanager
def garbage_uncollected() -> Iterator[None]:
    """Leave garbage where it is: tracing makes millions of objects, and going through them takes a third of it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def return_freed_memory() -> None:
    """Give back to the system what the compiler took: on Linux a gigabyte that the C library would keep."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
