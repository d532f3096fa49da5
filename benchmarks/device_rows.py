"""What `device.py` measures of our program, a function each; what is imported waits for the process that measures."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from children import Answer

PRODUCTS = {"float32": "float32", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}  # what JAX calls them
TOLERANCE = {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 1e-1}  # of the difference from float64
LEAST_SECONDS = 2.0  # that a row is timed for, after one call to warm up


class Row(NamedTuple):
    """What is measured: by whom, what, at which size and precision, how many at once."""

    who: str  # ours or peer
    what: str
    size: int
    precision: str
    count: int


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of one call, the mean over some."""
    work()
    begin, calls = time.perf_counter(), 0
    while (passed := time.perf_counter() - begin) < LEAST_SECONDS:
        work()
        calls += 1
    return passed / calls


def device_memory() -> float | None:
    """Return the most memory of the device that this process has had, in GB; None where JAX does not report it."""
    import jax

    statistics = jax.devices()[0].memory_stats() or {}
    peak = statistics.get("peak_bytes_in_use")
    return None if peak is None else peak / 1e9


def measure(row: Row, width: int) -> Answer:
    """Measure one of our rows on the first device, in this process."""
    import jax

    work = {"precision": precision, "train": train, "translate": translate, "pfss": pfss}[row.what]
    if row.what == "precision":  # the other side needs its own setting
        answer = work(row, width)
    else:
        with jax.default_matmul_precision(PRODUCTS[row.precision]):
            answer = work(row, width)
    return {"device": jax.devices()[0].device_kind, "jax": jax.__version__, "memory_gb": device_memory(), **answer}


def architecture(row: Row, width: int, dtype: str | None = None) -> Any:
    """Return the reference's architecture at some width, with the arithmetic of a row."""
    from munit_jax.networks.munit import Architecture

    return Architecture(
        width=width,
        mlp_width=4 * width,
        discriminator_width=width,
        dtype=dtype or ("bfloat16" if row.precision == "bfloat16" else "float32"),
        recompute="all" if row.size >= 1024 else "activations",
    )


def precision(row: Row, width: int) -> Answer:
    """Return how far a translation and a gradient are from those in float64 on the CPU."""
    import jax
    import jax.numpy as jnp
    from train_step import random_images

    from munit_jax.networks.munit import init_generators, translate

    generators, images = init_generators(architecture(row, width), 0), random_images(row.size, 1)
    style = jax.random.normal(jax.random.key(0), (1, 8))

    def both(dtype: str, products: str, device: Any) -> tuple[Any, Any]:
        a = architecture(row, width, dtype)

        def error(generators: Any, images: Any, style: Any) -> tuple[Any, Any]:
            made = translate(a, generators, "euv", images["euv"], style)
            return jnp.abs(made - images["magnetogram"]).mean(), made

        with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision(products), jax.default_device(device):
            kind = a.parameter_dtype
            arguments = jax.tree.map(lambda x: jnp.asarray(jax.device_get(x), kind), (generators, images, style))
            gradient, made = jax.jit(jax.grad(error, has_aux=True))(*arguments)
            return jax.device_get(made), jax.device_get(gradient)

    made, gradient = both(architecture(row, width).dtype, PRODUCTS[row.precision], jax.devices()[0])
    exact = both("float64", "highest", jax.devices("cpu")[0])
    errors = {"output_error": difference(made, exact[0]), "gradient_error": difference(gradient, exact[1])}
    return {**errors, "agrees": all(value < TOLERANCE[row.precision] for value in errors.values())}


def difference(a: Any, b: Any) -> float:
    """Return the norm of the difference of two trees over the norm of the second."""
    import jax
    import numpy as np

    a, b = (np.concatenate([np.ravel(x).astype(np.float64) for x in jax.tree.leaves(tree)]) for tree in (a, b))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def train(row: Row, width: int) -> Answer:
    """Return what a training step takes."""
    from flops import flops_per_step
    from train_step import training

    a = architecture(row, width)
    step, times = training(a, row.size, row.count)
    seconds = timed(lambda: step(1))
    memory, flops = device_memory(), sum(flops_per_step(a, row.size, shared_forward=True, polyphase=True).values())
    rate = row.count * flops / seconds / 1e9
    return {
        "seconds": seconds,
        "images_per_second": row.count / seconds,
        "compile_seconds": times["trace_seconds"] + times["compile_seconds"],
        "share_of_peak": rate / product_peak(a.dtype),
        "memory_gb": memory,
    }


def product_peak(dtype: str) -> float:
    """Return the GFLOP/s of the fastest of several large matrix products, in the precision that is set."""
    import jax
    from train_step import peak

    side = 8192 if jax.default_backend() != "cpu" else 1024
    return peak(side, repeats=10, dtype=dtype)["gflop_per_second"]


def translate(row: Row, width: int) -> Answer:
    """Return what translating one image into several realisations takes."""
    from train_step import translation

    work, times = translation(architecture(row, width), row.size, row.count)
    seconds = timed(work)
    compile_seconds = times["trace_seconds"] + times["compile_seconds"]
    return {"seconds": seconds, "images_per_second": row.count / seconds, "compile_seconds": compile_seconds}


def pfss(row: Row, width: int) -> Answer:
    """Return what the open flux of several boundary maps takes."""
    import jax
    import numpy as np

    from munit_jax.pfss.field import open_flux, source_surface
    from munit_jax.pfss.harmonics import Grid, make_transform

    transform = make_transform(Grid(row.size, 2 * row.size), row.size // 3)
    noise = np.random.default_rng(0).normal(0, 10, (row.count, row.size, 2 * row.size))
    boundaries = jax.device_put(noise.astype(np.float32))
    solve = jax.jit(lambda t, b: open_flux(t, source_surface(t, b)))
    seconds = timed(lambda: jax.block_until_ready(solve(transform, boundaries)))
    return {"seconds": seconds, "images_per_second": row.count / seconds}
