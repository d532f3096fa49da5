"""A whole build: shards made by one process or by Apache Beam, kept until all are there, then put together."""

import csv
import hashlib
import json
import logging
import multiprocessing
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.plan import Plan, make_plan
from tfds_sdoml.shards import Job, Report, finished_report, make_shard
from tfds_sdoml.sources.interface import Rejection, Source
from tfds_sdoml.sources.opening import likely_source, open_source
from tfds_sdoml.statistics import percentiles

logger = logging.getLogger(__name__)

FRAMES_WORTH_A_PROCESS = 45  # a process takes seconds to start, a frame a twentieth of one or more
REJECTED_FILE = "rejected.csv"


def find_frames(config: SdomlConfig, location: str | None) -> tuple[Source, Plan]:
    """Return the source of a dataset and which of its frames are used.

    Raises:
        OSError, ValueError: see `open_source` and `make_plan`.
    """
    source = open_source(config, location)
    try:
        return source, make_plan(config, source)
    except ValueError as error:
        likely = None if location is None else likely_source(location)
        if likely in (None, config.source):
            raise
        raise ValueError(f"{error}; the folder looks like {likely}: give --source={likely}") from None


@contextmanager
def only_build(folder: Path) -> Iterator[None]:
    """Keep a second build out of a dataset's folder; a process that died holds nothing.

    Raises:
        ValueError: another build is at work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(folder / ".lock", timeout=0))
        except Timeout:
            raise ValueError(f"another build of {folder} is at work: wait for it, or stop it") from None
        yield


def partial_folder(folder: Path, config: SdomlConfig, plan: Plan, version: str) -> Path:
    """Return where the shards of a plan wait: a name of its own for all that they depend on."""
    told = json.dumps([version, config.parameters(), plan.splits], sort_keys=True)
    return folder / f"partial-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def make_shards(config: SdomlConfig, jobs: Sequence[Job], beam_options: Any = None) -> list[Report]:
    """Make all shards that are not there yet and return their reports.

    Args:
        config: of the dataset.
        jobs: the shards; their folder exists.
        beam_options: Apache Beam's pipeline options; None for this process alone.
    """
    reports = [finished_report(job) for job in jobs]
    finished = sum(report is not None for report in reports)
    if finished:
        logger.info("going on with an earlier build: %d of %d shards are there", finished, len(jobs))
    if beam_options is not None:
        run_on_beam(jobs, beam_options)
        return [report for job in jobs if (report := finished_report(job)) is not None]
    total = sum(len(job.written) for job in jobs)
    left = sum(len(job.written) for job, report in zip(jobs, reports, strict=True) if report is None)
    with (
        workers(jobs[0].source, left) as pool,
        tqdm(total=total, desc=f"sdoml/{config.name}", unit="frame", smoothing=0.05) as bar,
    ):
        return [make_shard(job, pool, bar.update) for job in jobs]


@contextmanager
def workers(source: Source, frames: int) -> Iterator[Executor | None]:
    """Yield a pool that reads frames: threads, or processes where reading is computing; None for a single core."""
    count = os.cpu_count() or 1
    if not source.spawn:
        with ThreadPoolExecutor(count + 1) as pool:  # one more, while others wait for the interpreter
            yield pool
        return
    count = min(count, frames // FRAMES_WORTH_A_PROCESS)
    if count < 2:
        yield None
        return
    # A forked copy of a process that runs JAX may hang: the workers start afresh.
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=begin_worker) as pool:
        yield pool


def begin_worker() -> None:
    """Make a process ready to read frames: one thread of linear algebra, and an end when the build is killed."""
    threadpool_limits(1)
    threading.Thread(target=leave_with_parent, daemon=True).start()


def leave_with_parent() -> None:
    """End this process when the one that started it is gone, which a worker would not notice."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_on_beam(jobs: Sequence[Job], options: Any) -> None:
    """Make shards with Apache Beam; all its workers must see the folders of the source and of the dataset.

    Raises:
        ValueError: Apache Beam is not installed.
    """
    try:
        import apache_beam as beam  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError('Apache Beam is not installed: pip install "munit-jax[tfds-cli]"') from None
    with beam.Pipeline(options=options) as pipeline:
        shards = pipeline | beam.Create(list(jobs)) | beam.Reshuffle()
        _ = shards | beam.Map(make_shard) | beam.Map(lambda report: report.examples)


def move_shards(jobs: Sequence[Job], reports: Sequence[Report], folder: Path, template: str) -> dict[str, list[Report]]:
    """Move the files of the shards that have examples into a folder, by the names that TFDS gives them.

    Returns the reports by split, in the order of the files.

    Args:
        jobs, reports: of all shards, in the same order.
        folder: of the dataset.
        template: file name with the fields split, number and count.
    """
    by_split: dict[str, list[tuple[Job, Report]]] = {}
    for job, report in zip(jobs, reports, strict=True):
        if report.examples:
            by_split.setdefault(job.split, []).append((job, report))
    for split, made in by_split.items():
        for number, (job, _) in enumerate(made):
            job.record_file.rename(folder / template.format(split=split, number=number, count=len(made)))
    return {split: [report for _, report in made] for split, made in by_split.items()}


def all_rejected(plan: Plan, reports: Sequence[Report]) -> list[Rejection]:
    """Return every rejected frame, ordered by series and time."""
    rows = [*plan.rejected, *(row for report in reports for row in report.rejected)]
    return sorted(rows, key=lambda row: (row.series, row.time is not None, row.time or 0, row.place))


def write_rejected(path: Path, rows: Sequence[Rejection]) -> None:
    """Write the rejected frames as a table; times in ISO 8601, UTC."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Rejection._fields)
        for row in rows:
            time = "" if row.time is None else datetime.fromtimestamp(row.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            writer.writerow(row._replace(time=time))  # pyright: ignore[reportArgumentType]


def statistics(config: SdomlConfig, reports: Sequence[Report]) -> dict[str, Any]:
    """Return percentiles of each series over the disks of the train split (DN/s, or unsigned gauss)."""
    counts = np.sum([report.counts for report in reports], axis=0)
    return {series: dict(percentiles(counts[k])) for k, series in enumerate(config.series)}


def build_record(plan: Plan, reports: Sequence[Report], rejected: Sequence[Rejection]) -> dict[str, Any]:
    """Return what was found, left out and rejected, for the dataset's metadata."""
    return {
        "found": plan.found,
        "joined": plan.joined,
        "left_out": plan.left_out,
        "rejected": dict(sorted(Counter(row.reason for row in rejected).items())),
        "clipped_pixels": sum(report.clipped for report in reports),
    }


def remove_leftovers(folder: Path, partial: Path, incomplete: Path) -> None:
    """Remove what a killed build has left of the last step, and tell of shards that another build has left."""
    for path in folder.glob("incomplete.*"):
        if path != incomplete:
            shutil.rmtree(path)
    for path in folder.glob("partial-*"):
        if path != partial:
            size = sum(file.stat().st_size for file in path.iterdir())
            logger.info(
                "%s (%.1f MB) is left from a build of other frames: delete it to free the space", path, size / 1e6
            )
