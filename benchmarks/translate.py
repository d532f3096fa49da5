"""Translations per second, what the content code saves, memory, and the time to the first output.

    python benchmarks/translate.py [--what=rate,files,start] [--size=512] [--width=64] [--realisations=1,16]
        [--rounds=5] [--files=20] [--input_size=1024]

`rate` times the compiled translation of an image into n realisations and n translations one by one, each with its
own encoding; both take turns in every round. `files` runs the whole way, from FITS to FITS with the same realisations,
over a folder of images, and prints the memory of the process during it. `start` calls the command with an empty
compilation cache, then with a full one, and takes the time from its start to its first output on the disk.

The networks are of the given width and untrained, which does not change the time; the images are made up.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from astropy.io import fits
from train_step import processor, spread

from configs import aia193
from munit_jax.config import parse
from munit_jax.files import write_json
from munit_jax.instruments.interface import Preparation
from munit_jax.networks.munit import init_generators
from munit_jax.trained_run import TrainedRun, open_run
from munit_jax.training.checkpoints import Checkpoints
from munit_jax.translation.settings import Settings
from munit_jax.translation.translate_files import translate_files
from munit_jax.translation.translation import Translation

CHANNEL = "0171"


def make_run(folder: Path, width: int) -> Path:
    """Write the folder of a run of AIA 171 with networks as they are drawn."""
    config = aia193.base(CHANNEL)
    config.model.update({"width": width, "mlp_width": 4 * width, "discriminator_width": width})
    folder.mkdir()
    parsed = parse(config.to_dict())
    write_json(folder / "config.json", parsed.source)
    write_json(folder / "images.json", {"size": 512, "disk_percentiles": {}})
    with Checkpoints(folder, parsed.source) as checkpoints:
        checkpoints.keep_if_best(1, init_generators(parsed.recipe.architecture, 0), 0.0, "lowest")
    return folder


def make_images(folder: Path, count: int, size: int) -> list[Path]:
    """Write images of AIA 171 with a noisy disk."""
    folder.mkdir()
    y, x = np.indices((size, size)) - (size - 1) / 2
    disk, generator, paths = np.where(np.hypot(x, y) < 0.39 * size, 300.0, 6.0), np.random.default_rng(0), []
    header: dict[str, Any] = {
        "TELESCOP": "SDO/AIA",
        "INSTRUME": "AIA_3",
        "WAVELNTH": int(CHANNEL),
        "T_OBS": "2011-02-15T00:00:01.34Z",
        "EXPTIME": 2.0,
        "CDELT1": 972 / (0.39 * size),
        "CDELT2": 972 / (0.39 * size),
        "CRPIX1": (size + 1) / 2,
        "CRPIX2": (size + 1) / 2,
        "RSUN_OBS": 972.0,
    }
    for k in range(count):
        path = folder / f"{k:05d}.fits"
        image = disk * generator.uniform(0.9, 1.1, disk.shape)
        fits.PrimaryHDU(image.astype(np.float32), fits.Header(header)).writeto(path)
        paths.append(path)
    return paths


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def resident_mib() -> float:
    """Return the memory that the process has now, in MiB, or the peak where the system does not have it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return pages * resource.getpagesize() / 2**20


def measure_rate(run: TrainedRun, counts: list[int], rounds: int) -> None:
    """Print the time of n realisations of one image, together and one by one."""
    image = np.random.default_rng(0).uniform(0, 500, (1, run.size, run.size, 1)).astype(np.float32)
    print(
        f"{'realisations':>12}{'seconds':>26}{'images/s':>10}{'one by one, seconds':>28}{'together / one by one':>28}"
    )
    for count in counts:
        styles, a_pass = run.random_styles(0, count), run.batch_and_pass(count)[1]

        def at_once(a_pass: int = a_pass, styles: Any = styles) -> None:
            jax.block_until_ready(run.translate(image, styles, a_pass=a_pass))

        def one_by_one(styles: Any = styles) -> None:
            for style in styles:
                jax.block_until_ready(run.translate(image, style[None]))

        at_once(), one_by_one()
        pairs = [(seconds(at_once), seconds(one_by_one)) for _ in range(rounds)]
        ours, theirs = zip(*pairs, strict=True)
        ratio = spread([a / b for a, b in pairs])
        rate = 1 / statistics.median(ours)
        print(f"{count:>12}{spread(ours):>26}{rate:>10.2f}{spread(theirs):>28}{ratio:>28}", flush=True)


def measure_files(run: TrainedRun, count: int, paths: list[Path], folder: Path) -> None:
    """Print how many files a second go the whole way, and the memory on the way."""
    translation = Translation(run, Settings(samples=count), Preparation(run.geometry))
    translate_files(translation, paths[:1], folder / "warm")
    quarter, memory = max(1, len(paths) // 4), []
    begin = time.perf_counter()
    for k in range(0, len(paths), quarter):
        translate_files(translation, paths[k : k + quarter], folder / str(count))
        memory.append(f"{resident_mib():.0f}")
    rate = len(paths) / (time.perf_counter() - begin)
    print(
        f"{len(paths)} files, {count} realisations: {rate:.2f} files/s; MiB on the way: {', '.join(memory)}", flush=True
    )


def measure_start(workdir: Path, path: Path, folder: Path, count: int) -> None:
    """Print the seconds from the command's start to its first output, with an empty and a full compilation cache."""
    for name in ("empty", "full", "full"):
        output = folder / "start"
        command = [sys.executable, "-m", "munit_jax.translate", f"--workdir={workdir}", f"--input={path}"]
        command += [f"--output={output}", f"--samples={count}", f"--compilation_cache={folder / 'cache'}"]
        made = output / f"{path.stem}_magnetogram.fits"
        made.unlink(missing_ok=True)
        begin = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while not made.exists() and process.poll() is None:
                time.sleep(0.02)
            first = time.perf_counter() - begin
        if not made.exists():
            raise RuntimeError(f"{' '.join(command)} made no output")
        print(f"start, {name} cache, {count} realisations: first output after {first:.1f} s", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", default="rate,files,start")
    parser.add_argument("--size", type=int, default=512, help="of the networks' images")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--realisations", default="1,16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--input_size", type=int, default=1024, help="of the images in the files")
    options = parser.parse_args()
    what, counts = options.what.split(","), [int(n) for n in options.realisations.split(",")]
    print(
        f"{os.cpu_count()} cores, {processor()}, {jax.devices()[0].device_kind}, Python {platform.python_version()}, "
        f"jax {jax.__version__}, load before: {os.getloadavg()[0]:.1f}; {options.size} x {options.size}, "
        f"width {options.width}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workdir = make_run(folder / "run", options.width)
        paths = make_images(folder / "images", options.files, options.input_size)
        run = open_run(workdir, size=options.size)
        if "rate" in what:
            measure_rate(run, counts, options.rounds)
        if "files" in what:
            for count in counts:
                measure_files(run, count, paths, folder)
        if "start" in what:
            for count in counts:
                measure_start(workdir, paths[0], folder, count)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        print(f"peak of the process: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
