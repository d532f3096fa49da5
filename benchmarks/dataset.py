"""Building and reading a dataset at 512 x 512, compared with reading the npz files directly and a numpy memmap.

    python benchmarks/dataset.py [--pairs=200] [--rounds=5] [--memory_frames=2000] [--folder=/tmp]

SDOML v1 files of the synthetic Sun are fabricated (compressed float32, as the archive has them). Then, interleaved in
every round: reading them one after the other, building the dataset from them, and reading paired random crops of 256
pixels out of the npz files, a float32 memmap and the dataset. Everything lies in the page cache. Last, the peak memory
of builds of two lengths, each in a process of its own, and from the two what 20 000 frames would take.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grain
import numpy as np

from munit_jax.data.augment import random_crop
from munit_jax.data.datasets import Frames
from munit_jax.instruments.sdoml import BINNING
from tfds_sdoml.build import build
from tfds_sdoml.sources.npz_v1 import NpzV1
from tfds_sdoml.synthetic_sun.observation import observe

SIZE, CROP = 512, 256
START = datetime(2011, 1, 1, tzinfo=UTC)
BASES = 8  # different pairs; the other files are copies of them
NAME, SERIES = "aia0193_hmi", ("bz", "0193")
# All frames are for training: nothing in the guard gaps.
CHANGES = {"test_months": (), "validation_months": ()}
WHOLE = 20_000  # frames, of a build whose memory is extrapolated


def fabricate(folder: Path, pairs: int, place: Callable[[Path, Path], object]) -> None:
    """Write SDOML v1 files, 12 minutes apart; all but the first few by `place(file, copy)`."""
    folder.mkdir()
    bases = []
    for k in range(min(BASES, pairs)):
        frame = observe(0, int(START.timestamp()) + 86400 * k, SIZE, ("0193",))
        images = {"bz": frame.magnetogram[..., 0], "0193": BINNING * frame.euv[..., 0]}
        bases.append({series: folder / f"base{k}_{series}" for series in images})
        for series, image in images.items():
            with bases[k][series].open("wb") as file:
                np.savez_compressed(file, x=image.astype(np.float32))
    for k in range(pairs):
        time_of = (START + timedelta(minutes=12 * k)).strftime("%Y%m%d_%H%M")
        for series, file in bases[k % len(bases)].items():
            place(file, folder / f"{'HMI' if series == 'bz' else 'AIA'}{time_of}_{series}.npz")


def read_alone(folder: Path, pairs: int) -> None:
    """Read every image of the source, one after the other."""
    source = NpzV1(folder)
    listings = {series: source.listing(series).places for series in SERIES}
    for k in range(pairs):
        for series in SERIES:
            source.read(series, listings[series][k])


def read_in_threads(folder: Path, pairs: int) -> None:
    """Read every image of the source with a thread a core."""
    source = NpzV1(folder)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for series in SERIES:
            list(pool.map(lambda place, s=series: source.read(s, place), source.listing(series).places[:pairs]))


def crops(frames: Callable[[int], dict[str, np.ndarray]], order: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Yield random crops of pairs."""
    generator = np.random.default_rng(0)
    for k in order:
        frame = frames(int(k))
        images = random_crop({domain: frame[domain] for domain in ("euv", "magnetogram")}, CROP, generator)
        yield {domain: np.ascontiguousarray(image) for domain, image in images.items()}


def loaded_crops(folder: Path, data_dir: Path, order: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Yield crops out of the dataset through grain, with the threads that training reads with."""
    frames = Frames(f"sdoml/{NAME}", "train", ("euv", "magnetogram"), ("0193",), str(data_dir))

    def cut(frame: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
        images = random_crop({domain: frame[domain] for domain in ("euv", "magnetogram")}, CROP, generator)
        return {domain: np.ascontiguousarray(image) for domain, image in images.items()}

    yield from (
        grain.MapDataset.source(frames)
        .seed(0)
        .shuffle()
        .random_map(cut)
        .to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=16))
    )


def seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def exhaust(iterator: Iterator[object]) -> None:
    """Exhaust an iterator."""
    for _ in iterator:
        pass


def measure(folder: Path, pairs: int, rounds: int) -> dict[str, list[float]]:
    """Return pairs per second of every way, one number a round."""
    files, data_dir = folder / "files", folder / "data"
    fabricate(files, pairs, shutil.copy)
    source = NpzV1(files)
    places = {series: source.listing(series).places for series in SERIES}
    memmaps = {
        domain: np.lib.format.open_memmap(folder / f"{domain}.npy", "w+", np.float32, (pairs, SIZE, SIZE, 1))
        for domain in ("euv", "magnetogram")
    }
    for k in range(pairs):
        for domain, series in (("magnetogram", "bz"), ("euv", "0193")):
            memmaps[domain][k, ..., 0] = source.read(series, places[series][k])
    order = np.random.default_rng(1).permutation(pairs)

    def from_npz(k: int) -> dict[str, np.ndarray]:
        return {
            domain: np.load(files / places[series][k])["x"][..., None]
            for domain, series in (("magnetogram", "bz"), ("euv", "0193"))
        }

    def make() -> None:
        shutil.rmtree(data_dir, ignore_errors=True)
        build(NAME, data_dir, files, CHANGES)

    make()
    frames = Frames(f"sdoml/{NAME}", "train", ("euv", "magnetogram"), ("0193",), str(data_dir))
    ways: dict[str, Callable[[], object]] = {
        "read the source, one thread": lambda: read_alone(files, pairs),
        "read the source, a thread a core": lambda: read_in_threads(files, pairs),
        "build the dataset from it": make,
        "crops of npz files": lambda: exhaust(crops(from_npz, order)),
        "crops of a float32 memmap": lambda: exhaust(
            crops(lambda k: {domain: array[k] for domain, array in memmaps.items()}, order)
        ),
        "crops of the dataset, one thread": lambda: exhaust(crops(frames.__getitem__, order)),
        "crops of the dataset, as training reads": lambda: exhaust(loaded_crops(folder, data_dir, order)),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            rates[name].append(pairs / seconds(work))
    return rates


def peak_memory(folder: Path, frames: int) -> float:
    """Return the peak memory (MiB) of a process that builds a number of pairs."""
    files = folder / f"files_{frames}"
    fabricate(files, frames, os.link)
    command = [sys.executable, __file__, f"--build={files}", f"--folder={folder / f'data_{frames}'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def report(rates: dict[str, list[float]]) -> None:
    """Print the medians, the spread and the two ratios."""
    for name, values in rates.items():
        print(f"{name:<44}{statistics.median(values):>9.1f} pairs/s   {min(values):.1f} to {max(values):.1f}")

    def ratio(one: str, other: str) -> str:
        values = [a / b for a, b in zip(rates[one], rates[other], strict=True)]
        return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"

    built, alone = "build the dataset from it", "read the source, one thread"
    print(f"building / reading the source, one thread:       {ratio(built, alone)}")
    print(f"building / reading the source, a thread a core:  {ratio(built, 'read the source, a thread a core')}")
    for way in ("one thread", "as training reads"):
        print(f"crops, dataset ({way}) / npz: {ratio(f'crops of the dataset, {way}', 'crops of npz files')}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory_frames", type=int, default=2000, help="0: leave the memory out")
    parser.add_argument("--folder", type=Path, default=None, help="where files are fabricated (default: the system's)")
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)  # the child that peak_memory starts
    options = parser.parse_args()
    if options.build:
        build(NAME, options.folder, options.build, CHANGES)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        report(measure(Path(name), options.pairs, options.rounds))
        if options.memory_frames:
            short, long = options.memory_frames // 4, options.memory_frames
            peaks = {frames: peak_memory(Path(name), frames) for frames in (short, long)}
            slope = (peaks[long] - peaks[short]) / (long - short)
            print("peak memory: " + ", ".join(f"{peak:.0f} MiB for {frames:,} pairs" for frames, peak in peaks.items()))
            print(f"at that growth {peaks[long] + slope * (WHOLE - long):.0f} MiB for {WHOLE:,}")


if __name__ == "__main__":
    main()
