"""The resumable build: shards made by one process or by Apache Beam, kept until all are there, then put together."""

import csv
import hashlib
import json
import logging
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.plan import Plan
from tfds_sdoml.sdoml_dataset_builder import Builder
from tfds_sdoml.shards import Job, Report, finished_report, make_jobs, make_shard
from tfds_sdoml.sources.interface import Rejection, Source
from tfds_sdoml.sources.opening import find_frames
from tfds_sdoml.statistics import percentiles

logger = logging.getLogger(__name__)

FRAMES_WORTH_A_PROCESS = 45  # a process takes seconds to start, a frame a twentieth of one or more
REJECTED_FILE = "rejected.csv"


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


def prepare(builder: Builder, location: str | None, beam_options: Any = None) -> None:
    """Make a dataset that is not there yet, or go on with what an earlier build has left; shows its progress.

    The shards wait in a folder of their own until all are there; then they become the dataset in one step.

    Args:
        builder: of the dataset.
        location: of the source's files.
        beam_options: Apache Beam's pipeline options; None for this process alone.

    Raises:
        OSError, ValueError: see `find_frames`, `only_build` and `make_shard`.
    """
    config, final = builder.builder_config, Path(builder.data_path)
    source, plan = find_frames(config, location)
    with only_build(final.parent):
        partial = partial_folder(final.parent, config, plan, str(builder.version))
        report_leftovers(final.parent, partial)
        partial.mkdir(exist_ok=True)
        jobs = make_jobs(config, source, plan, partial)
        reports = make_shards(config, jobs, beam_options)
        rejected = all_rejected(plan, reports)
        if not any(report.examples for report in reports if report.split == "train"):
            raise ValueError(nothing_left(config, final.parent, rejected))
        assemble(builder, jobs, reports, partial)
        write_rejected(partial / REJECTED_FILE, rejected)
        metadata: Any = builder.info.metadata
        metadata |= {"statistics": statistics(config, reports), "build": build_record(plan, reports, rejected)}
        builder.info.write_to_directory(partial)
        for job in jobs:
            job.report_file.unlink()
        partial.rename(final)
        builder.info.read_from_directory(final)


def assemble(builder: Builder, jobs: Sequence[Job], reports: Sequence[Report], folder: Path) -> None:
    """Give the shards that have examples the names of TFDS, and tell TFDS what is in them."""
    by_split: dict[str, list[tuple[Job, Report]]] = {}
    for job, report in zip(jobs, reports, strict=True):
        if report.examples:
            by_split.setdefault(job.split, []).append((job, report))
    infos = []
    for split, made in by_split.items():
        place: Any = folder  # TFDS's type of paths takes those of the standard library
        template = tfds.core.ShardedFileTemplate(
            dataset_name=builder.name, split=split, filetype_suffix="array_record", data_dir=place
        )
        for number, (job, _) in enumerate(made):
            name = template.sharded_filepath(shard_index=number, num_shards=len(made))
            job.record_file.rename(name)
        infos.append(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[report.examples for _, report in made],
                num_bytes=sum(report.size for _, report in made),
                filename_template=template,
            )
        )
    builder.info.set_splits(tfds.core.SplitDict(infos))


def nothing_left(config: SdomlConfig, folder: Path, rejected: Sequence[Rejection]) -> str:
    """Return what to say when every example of train was rejected, and keep the list of them."""
    path = folder / REJECTED_FILE
    write_rejected(path, rejected)
    first = rejected[0]
    return (
        f"sdoml/{config.name}: all examples of train were rejected ({len(rejected):,} images, listed in {path}); the "
        f"first: {first.series}, {first.place}: {first.reason}, {first.detail}"
    )


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


def report_leftovers(folder: Path, partial: Path) -> None:
    """Log the shards that builds of other frames have left."""
    for path in folder.glob("partial-*"):
        if path != partial:
            size = sum(file.stat().st_size for file in path.iterdir())
            logger.info(
                "%s (%.1f MB) is left from a build of other frames: delete it to free the space", path, size / 1e6
            )
