"""What saving costs a run at full width, and how long it takes to resume.

    python benchmarks/checkpoint.py [--size=128] [--rounds=5] [--steps=8] [--folder=/tmp] [--skip_resume]

Cost of a save: in every round the same number of steps is taken once without a save and once with one at their
beginning, in turns. `blocked` is how long the call blocked the loop (copy and checksum); `in all` is by how much the
steps with a save took longer, since writing overlaps them; `written` is when it was on the disk. The share of a
run is that of `in all` at the config's interval (`checkpoint_every` steps of this machine), and at one save every ten
minutes of a device that is quicker.

Resuming: the command is started again in the folder of a run that has stopped, with its programs in the cache, and the
time is taken until the first step behind the checkpoint has ended, imports included. The Sun is the embedded one.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from configs import aia193
from munit_jax.config import parse
from munit_jax.networks.munit import DOMAINS
from munit_jax.training.checkpoints import Checkpoints, sha256
from munit_jax.training.parallel import Step, compile_step, make_parallel_step, replicate, split_batch, to_devices
from munit_jax.training.state import TrainState, init_state, make_optimizers
from munit_jax.training.step import Batch

ROOT = Path(__file__).parents[1]
TEN_MINUTES = 600.0


def prepare(size: int) -> tuple[Step, TrainState, Batch]:
    """Return the poster's step at full width, compiled, with a state and a random batch of one image."""
    devices = jax.devices()[:1]
    recipe = parse(aia193.get_config().to_dict(), platform=devices[0].platform).recipe
    state = replicate(init_state(recipe.architecture, make_optimizers(recipe.optimizer), 0), devices)
    rng = np.random.default_rng(0)
    images = {domain: rng.uniform(-1, 1, (1, size, size, 1)).astype(np.float32) for domain in DOMAINS}
    batch = split_batch(images, 1)
    step = compile_step(make_parallel_step(recipe, 0, devices), state, batch)
    return step, state, to_devices(batch, devices)


def take(step: Step, state: TrainState, batch: Batch, count: int) -> TrainState:
    """Take a number of steps and wait for the last."""
    for _ in range(count):
        state, _ = step(state, batch)
    return jax.block_until_ready(state)


def measure_saving(size: int, rounds: int, steps: int, folder: Path) -> None:
    """Print the cost of a save."""
    step, state, batch = prepare(size)
    state = take(step, state, batch, 2)
    megabytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) / 1e6
    plain, blocked, in_all, written, checksums = [], [], [], [], []
    with Checkpoints(folder, {}) as checkpoints:
        for number in range(rounds):
            begin = time.perf_counter()
            state = take(step, state, batch, steps)
            without = time.perf_counter() - begin

            begin = time.perf_counter()
            checkpoints.save(number + 1, state)
            blocked.append(time.perf_counter() - begin)
            state = take(step, state, batch, steps)
            in_all.append(time.perf_counter() - begin - without)
            checkpoints.wait()
            written.append(time.perf_counter() - begin)

            begin = time.perf_counter()
            sha256(state)
            checksums.append(time.perf_counter() - begin)
            plain.append(without / steps)
    second = statistics.median(plain)
    print(f"\na state of {megabytes:.0f} MB; a step at {size} pixels, batch 1, takes {second:.2f} s")
    print(f"{'seconds':<28}{'median':>8}{'least':>8}{'most':>8}")
    rows = {"blocked": blocked, "  of it the checksum": checksums, "in all": in_all, "written after": written}
    for name, values in rows.items():
        print(f"{name:<28}{statistics.median(values):>8.2f}{min(values):>8.2f}{max(values):>8.2f}")
    interval = aia193.get_config().checkpoint_every
    cost = max(statistics.median(in_all), statistics.median(blocked))
    print(f"share of a run that saves every {interval} steps: {100 * cost / (interval * second):.3f} %")
    print(f"share of a run that saves every ten minutes: {100 * cost / TEN_MINUTES:.2f} %")


def measure_resuming(rounds: int, folder: Path) -> None:
    """Print how long a run at full width takes to resume."""
    workdir, cache = folder / "run", folder / "compiled"
    flags = ["--config=configs/aia193.py", "--config.data.euv=sdoml/synthetic_64", "--config.batch_size=1"]
    flags += ["--config.data.magnetogram=sdoml/synthetic_64", "--config.eval_every=1000000"]
    flags += [f"--workdir={workdir}", f"--compilation_cache={cache}"]
    seconds = []
    for _ in range(rounds + 1):  # the first start compiles and has nothing to resume
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "munit_jax.train", *flags], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        said = []
        for line in process.stderr:  # a bar's redrawings are lines here
            said.append(line)
            if line.startswith("G "):  # the losses of the first step have come
                break
        seconds.append(time.perf_counter() - begin)
        process.terminate()
        process.communicate()
        if process.returncode:
            raise RuntimeError(f"the command ended with {process.returncode}: {''.join(said[-5:])}")
    print(f"the first start, compiling: {seconds[0]:.1f} s to the end of its first step")
    again = seconds[1:]
    print(f"resuming: {statistics.median(again):.1f} s (from {min(again):.1f} to {max(again):.1f})")


def main() -> None:
    """Measure as the flags say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="a disk to write to")
    parser.add_argument("--skip_resume", action="store_true")
    asked = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, JAX {jax.__version__}")
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        measure_saving(asked.size, asked.rounds, asked.steps, Path(folder) / "saving")
        if not asked.skip_resume:
            measure_resuming(asked.rounds, Path(folder))


if __name__ == "__main__":
    main()
