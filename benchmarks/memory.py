"""The memory of the compiled training step, for each way to save it, without running it.

    python benchmarks/memory.py [--sizes=256,512,1024] [--recompute=nothing,activations,blocks,networks,all]
        [--dtypes=float32,bfloat16] [--convolution=direct] [--width=64] [--run=1024]

XLA's own account of the compiled step, batch 1 and one channel a domain, on the device that JAX finds: what is computed
on the way (temporaries), what goes in (the state and the images) and what comes out; the input state is donated, so
its memory is that of the output state. `--run` takes one step of that size, with the first policy and dtype, and
prints the peak of the whole process.
"""

import argparse
import platform
import resource
import time
from typing import Any, get_args

import jax
import numpy as np

from munit_jax.networks.blocks import Recompute
from munit_jax.networks.convolution import Algorithm
from munit_jax.networks.munit import DOMAINS, Architecture
from munit_jax.training.objectives import Objective
from munit_jax.training.parallel import make_parallel_step, replicate, split_batch
from munit_jax.training.state import OptimizerSettings, init_state, make_optimizers
from munit_jax.training.step import Recipe

GIB = 2**30


def lower(size: int, width: int, convolution: Any, recompute: Any, dtype: str) -> tuple[Any, Any, Any]:
    """Return the lowered step, a state and a batch for images of a size."""
    architecture = Architecture(
        width=width, discriminator_width=width, dtype=dtype, convolution=convolution, recompute=recompute
    )
    recipe = Recipe(architecture, Objective(), OptimizerSettings())
    devices = jax.local_devices()[:1]
    state = replicate(init_state(architecture, make_optimizers(recipe.optimizer), 0), devices)
    generator = np.random.default_rng(0)
    images = {domain: generator.uniform(-1, 1, (1, size, size, 1)).astype(np.float32) for domain in DOMAINS}
    batch = split_batch(images, 1)
    return make_parallel_step(recipe, 0, devices).lower(state, batch), state, batch


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="256,512,1024")
    parser.add_argument("--recompute", default=",".join(get_args(Recompute)))
    parser.add_argument("--dtypes", default="float32,bfloat16")
    parser.add_argument("--convolution", default="direct", choices=get_args(Algorithm))
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--run", type=int, default=0)
    options = parser.parse_args()
    policies, dtypes = options.recompute.split(","), options.dtypes.split(",")
    print(f"{jax.devices()[0].device_kind}, {platform.machine()}, jax {jax.__version__}", end=", ")
    print(f"width {options.width}, convolutions {options.convolution}")
    if options.run:
        lowered, state, batch = lower(options.run, options.width, options.convolution, policies[0], dtypes[0])
        step = lowered.compile()
        begin = time.perf_counter()
        state, metrics = jax.block_until_ready(step(state, batch))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
        print(f"a step at {options.run}, {policies[0]}, {dtypes[0]}: {time.perf_counter() - begin:.1f} s,", end=" ")
        print(f"peak of the process {peak:.2f} GiB, generator total {float(metrics['generator_total']):.4f}")
        return
    columns = ("size", 6), ("recompute", 13), ("dtype", 10), ("temporaries", 13), ("arguments", 11), ("outputs", 9)
    print("".join(f"{name:>{width}}" for name, width in columns) + "    both, GB  compile")
    for size in map(int, options.sizes.split(",")):
        for dtype in dtypes:
            for policy in policies:
                lowered, _, _ = lower(size, options.width, options.convolution, policy, dtype)
                begin = time.perf_counter()
                memory = lowered.compile().memory_analysis()
                seconds = time.perf_counter() - begin
                temporaries, arguments, outputs = (
                    getattr(memory, f"{what}_size_in_bytes") / 1e9 for what in ("temp", "argument", "output")
                )
                print(
                    f"{size:>6}{policy:>13}{dtype:>10}{temporaries:>13.2f}{arguments:>11.2f}{outputs:>9.2f}"
                    f"{temporaries + arguments:>12.2f}{seconds:>7.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
