"""Reading pairs of 512 x 512 pixels as training does, up to arrays on the device, and what a fast step waits for them.

    python benchmarks/input_pipeline.py [--pairs=200] [--rounds=5] [--step_ms=50] [--seconds=10] [--folder=/tmp]

The dataset is prepared from fabricated SDOML v1 files (see `dataset.py`) and lies in the page cache. In every round
each way of reading first runs as fast as it can. Then it feeds a pretended device on which a step takes `step_ms` and
which uses no processor. As in training, the host asks for the next batch while the device computes and is at most one
step ahead of it. Counted are the milliseconds from asking for a batch to having it on the device, and the share of the
time that the device has nothing to do. CPU-milliseconds are those of the whole process while it reads freely.
"""

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
from children import cpu_seconds
from dataset import CHANGES, CROP, NAME, SIZE, fabricate

from munit_jax.data.datasets import dataset_statistics
from munit_jax.data.normalization import preset
from munit_jax.data.pipeline import DataSettings, training_batches
from tfds_sdoml.build import build

WARM_UP = 4  # batches, not timed: the threads start and read ahead
CHANNELS = ("0193",)


@dataclass
class Way:
    """One way to read and its results, a number a round."""

    crop: int
    batch_size: int
    rates: list[float] = field(default_factory=list)
    cpu_milliseconds: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)


def settings_of(data_dir: Path, crop: int) -> DataSettings:
    """Return settings as a training on the whole Sun or on crops of it has them."""
    name = f"sdoml/{NAME}"
    statistics_of = dataset_statistics(name, str(data_dir))
    normalization = {
        "euv": preset("dataset", "euv", CHANNELS, statistics_of),
        "magnetogram": preset("dataset", "magnetogram", ("bz",), statistics_of),
    }
    return DataSettings(name, name, True, CHANNELS, crop, "physical", normalization, str(data_dir))


def on_device(batches: Iterator[dict[str, Any]]) -> None:
    """Take the next batch and wait until its images lie on the device."""
    jax.block_until_ready(jax.device_put(next(batches)["images"]))


def read_freely(batches: Iterator[dict[str, Any]], pairs: int, batch_size: int) -> tuple[float, float]:
    """Return pairs per second and CPU-milliseconds a pair."""
    for _ in range(WARM_UP):
        on_device(batches)
    count = max(1, pairs // batch_size)
    begin, cpu_begin = time.perf_counter(), cpu_seconds()
    for _ in range(count):
        on_device(batches)
    seconds, cpu = time.perf_counter() - begin, cpu_seconds() - cpu_begin
    return count * batch_size / seconds, 1e3 * cpu / (count * batch_size)


def feed(batches: Iterator[dict[str, Any]], step_seconds: float, seconds: float) -> tuple[float, float]:
    """Return the share of the time that a pretended device waits, and the milliseconds that a batch takes to come."""
    for _ in range(WARM_UP):
        on_device(batches)
        time.sleep(step_seconds)
    begin = time.perf_counter()
    idle, latencies, free_at = 0.0, [], begin
    while (asked := time.perf_counter()) - begin < seconds:
        on_device(batches)
        now = time.perf_counter()
        latencies.append(now - asked)
        idle += max(0.0, now - free_at)
        previous, free_at = free_at, max(now, free_at) + step_seconds
        # Wait for the previous step, since its losses are written; this one is still being computed.
        time.sleep(max(0.0, previous - time.perf_counter()))
    return idle / (free_at - begin), 1e3 * statistics.mean(latencies)


def measure(ways: list[Way], data_dir: Path, options: argparse.Namespace) -> None:
    """Let every way have its turn in every round."""
    for k in range(options.rounds):
        for way in ways:
            settings = settings_of(data_dir, way.crop)
            rate, cpu = read_freely(training_batches(settings, way.batch_size, k), options.pairs, way.batch_size)
            way.rates.append(rate)
            way.cpu_milliseconds.append(cpu)
            fed = training_batches(settings, way.batch_size, k)
            waiting, latency = feed(fed, options.step_ms / 1e3, options.seconds)
            way.waiting.append(waiting)
            way.latencies.append(latency)


def spread(values: list[float], form: str) -> str:
    """Return the median and the range of some numbers."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def report(ways: list[Way]) -> None:
    """Print a line for every way."""
    print(f"{'':<22}{'pairs/s':>26}{'CPU-ms a pair':>24}{'ms until a batch is there':>28}{'share waiting':>26}")
    for way in ways:
        name = f"{f'crops of {way.crop}' if way.crop else 'whole images'}, batch {way.batch_size}"
        print(
            f"{name:<22}{spread(way.rates, '.0f'):>26}{spread(way.cpu_milliseconds, '.1f'):>24}"
            f"{spread(way.latencies, '.1f'):>28}{spread(way.waiting, '.1%'):>26}"
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200, help="in the dataset, and read freely a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--step_ms", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=10.0, help="of pretended steps a round")
    parser.add_argument("--folder", type=Path, default=None, help="where files are fabricated (default: the system's)")
    options = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, jax {jax.__version__} on "
        f"{jax.devices()[0].device_kind}; load before: {os.getloadavg()[0]:.1f}"
    )
    print(
        f"{SIZE} x {SIZE}, {options.pairs} pairs, {options.rounds} rounds; a pretended step of {options.step_ms:g} ms"
    )
    ways = [Way(crop, batch_size) for crop in (CROP, 0) for batch_size in (1, 4)]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        files, data_dir = Path(name) / "files", Path(name) / "data"
        fabricate(files, options.pairs, shutil.copy)
        build(NAME, data_dir, files, CHANGES)
        measure(ways, data_dir, options)
    report(ways)


if __name__ == "__main__":
    main()
