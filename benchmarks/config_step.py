"""Training steps of a config, against other ways to compute them and against another checkout.

    python benchmarks/config_step.py [--config=configs/aia193.py:quickstart] [--against=CHECKOUT] [--rounds=7]

Every row is a process of its own, warmed up once; the rows take turns within every round, and ratios are of the times
of one round. Images are random numbers of the synthetic Sun's 64 pixels. Run it alone.
"""

import argparse
import importlib
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from children import Answer, Child, serve

SIZE = 64
STEPS = 10  # a round


def ours(name: str, convolution: str) -> None:
    """Serve steps of a config in this process."""
    import jax

    from munit_jax.config import parse
    from munit_jax.training.parallel import compile_step, make_parallel_step, replicate, split_batch, to_devices
    from munit_jax.training.state import init_state, make_optimizers

    file, _, variant = name.partition(":")
    source = importlib.import_module(file.removesuffix(".py").replace("/", ".")).get_config(variant)
    source.convolution = convolution
    config, devices = parse(source.to_dict()), jax.devices()[:1]
    recipe, batch = config.recipe, config.run.batch_size
    a = recipe.architecture

    def draw(channels: int) -> np.ndarray:
        return np.random.default_rng(0).uniform(-1, 1, (batch, SIZE, SIZE, channels)).astype(np.float32)

    images = {"euv": draw(a.euv_channels), "magnetogram": draw(a.magnetogram_channels)}
    contexts = dict.fromkeys(images, draw(a.context_planes)) if a.context_planes else None
    shares = to_devices(split_batch(images, 1, 0, 1, contexts), devices)
    state = replicate(init_state(a, make_optimizers(recipe.optimizer), 0), devices)
    step = compile_step(make_parallel_step(recipe, 0, devices), state, shares)

    def steps(count: int) -> Answer:
        nonlocal state
        begin = time.perf_counter()
        for _ in range(count):
            state, _ = step(state, shares)
        jax.block_until_ready(state)
        return {"seconds": time.perf_counter() - begin}

    steps(3)
    serve({"batch": batch}, {"steps": steps})


def child(checkout: Path, config: str, convolution: str) -> Child:
    """Start a row: this file with the packages of a checkout."""
    there = ["env", "-C", str(checkout), f"PYTHONPATH={checkout}"]
    return Child(
        [*there, sys.executable, str(Path(__file__).resolve()), f"--config={config}", f"--serve={convolution}"]
    )


def main() -> None:
    """Measure the rows and print their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/aia193.py:quickstart")
    parser.add_argument("--against", type=Path, default=None, help="another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return ours(options.config, options.serve)
    here = Path(__file__).resolve().parents[1]
    rows = {"as it is": (here, "auto"), "direct convolutions": (here, "direct")}
    if options.against:
        rows[str(options.against)] = (options.against.resolve(), "auto")
    seconds = {name: [] for name in rows}
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(child(checkout, options.config, how)) for name, (checkout, how) in rows.items()
        }
        for _ in range(options.rounds):
            for name, one in children.items():
                seconds[name].append(one.ask("steps", count=STEPS)["seconds"])
    first = seconds["as it is"]
    print(f"{options.config}, {options.rounds} rounds of {STEPS} steps\n")
    print("| step | images/s | times as long |\n|---|---|---|")
    for name, of_row in seconds.items():
        rate = children[name].ready["batch"] * STEPS / statistics.median(of_row)
        ratios = [x / y for x, y in zip(of_row, first, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {name} | {rate:.1f} | {spread} |")


if __name__ == "__main__":
    main()
