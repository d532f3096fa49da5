"""Data parallelism over the devices of all hosts, in the one file that names pmap."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from munit_jax.training.state import TrainState
from munit_jax.training.step import Batch, Metrics, Recipe, make_train_step

AXIS = "devices"
Device = Any  # jax.Device is no static type
Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]

logger = logging.getLogger(__name__)


def make_parallel_step(recipe: Recipe, seed: int, devices: Sequence[Device]) -> jax.stages.Wrapped:
    """Return the training step over the devices: (state, batch as `split_batch` gives it) -> (state, metrics).

    The input state is donated: its memory is reused for the output state.
    """
    step = make_train_step(recipe, jax.random.key(seed), AXIS)
    return jax.pmap(
        step, axis_name=AXIS, in_axes=(None, 0), out_axes=(None, None), devices=list(devices), donate_argnums=(0,)
    )


def compile_step(step: jax.stages.Wrapped, state: TrainState, batch: Batch) -> Step:
    """Return the step compiled for such a state and batch, and for no other shapes, and log time and memory."""
    start = time.perf_counter()
    logger.info("compiling the training step")
    lowered = step.lower(state, batch)
    traced = time.perf_counter()
    compiled = lowered.compile()
    logger.info(
        "the training step: traced in %.1f s, compiled or read from the cache in %.1f s",
        traced - start,
        time.perf_counter() - traced,
    )
    if (memory := compiled.memory_analysis()) is not None:  # some backends have none
        kept, temporary = memory.argument_size_in_bytes / 1e9, memory.temp_size_in_bytes / 1e9
        logger.info("memory a device: %.2f GB, %.2f of it within a step only", kept + temporary, temporary)
    return compiled


def replicate(state: TrainState, devices: Sequence[Device]) -> TrainState:
    """Put a copy of the state on every device of all hosts, laid out as the parallel step returns it: not stacked."""
    sharding = NamedSharding(Mesh(np.asarray(devices), (AXIS,)), PartitionSpec())
    return jax.tree.map(lambda x: jax.device_put(np.asarray(x), sharding), state)


def local_copy(tree: Any) -> Any:
    """Return a replicated tree from this host's first device, for work of this host alone."""
    return jax.tree.map(lambda x: x.addressable_data(0), tree)


def split_batch(
    images: Mapping[str, np.ndarray],
    devices: int,
    host: int = 0,
    hosts: int = 1,
    contexts: Mapping[str, np.ndarray] | None = None,
) -> Batch:
    """Split a host's part of a global batch, arrays (b, h, w, c), into equal shares: (devices, b / devices, h, w, c).

    It has every `hosts`-th example of the global batch, from `host` on. ValueError where it does not divide.
    """
    size = len(next(iter(images.values())))
    if size % devices:
        raise ValueError(f"a batch of {size} examples does not divide by {devices} devices")
    index = np.arange(host, hosts * size, hosts, dtype=np.int32)
    batch = Batch(images=dict(images), index=index, contexts=contexts)  # pyright: ignore[reportArgumentType]
    return jax.tree.map(lambda x: x.reshape(devices, size // devices, *x.shape[1:]), batch)


def to_devices(batch: Batch, devices: Sequence[Device]) -> Batch:
    """Put a host's shares of a batch, as `split_batch` gives them, on its devices, as part of the global batch."""
    sharding = NamedSharding(Mesh(np.asarray(devices), (AXIS,)), PartitionSpec(AXIS))
    return jax.tree.map(lambda x: jax.make_array_from_process_local_data(sharding, x), batch)
