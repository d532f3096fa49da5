"""The resumable build: shards made by one process or by Apache Beam, then put together as a TFDS dataset."""

import csv
import hashlib
import json
import logging
import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.percentiles import percentiles
from tfds_sdoml.plan import Plan, summary
from tfds_sdoml.shards import Job, Report, finished_report, make_jobs, make_shard
from tfds_sdoml.sources.interface import Rejection, Source
from tfds_sdoml.sources.opening import find_frames

logger = logging.getLogger(__name__)

FRAMES_WORTH_A_PROCESS = 45  # a process takes seconds to start, a frame a twentieth of one or more
REJECTED_FILE = "rejected.csv"


def prepare(builder: tfds.core.DatasetBuilder, location: str | None, beam_options: Any = None) -> None:
    """Build a dataset that does not exist yet; a stopped build keeps its finished shards.

    The location is `open_source`'s; without Apache Beam's pipeline options this process builds alone.
    """
    config: Any = builder.builder_config
    source, plan = find_frames(config, location)
    folder = Path(builder.data_path).parent
    with only_build(folder):
        partial = partial_folder(folder, config, plan, str(builder.version))
        partial.mkdir(exist_ok=True)
        name_leftovers(folder, partial)
        jobs = make_jobs(config, source, plan, partial)
        reports = make_shards(config, jobs, beam_options)
        describe(builder.info, config, plan, reports, partial)
        shards = [(job, report) for job, report in zip(jobs, reports, strict=True) if report.examples]
        made = {split: [pair for pair in shards if pair[0].split == split] for split in plan.splits}
        infos = [
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[report.examples for _, report in pairs],
                num_bytes=sum(report.size for _, report in pairs),
            )
            for split, pairs in made.items()
            if pairs
        ]
        builder.info.set_splits(tfds.core.SplitDict(infos))
        builder.info.write_to_directory(partial)
        # From here on nothing is written, so that a full disk leaves the shards as the next build expects them.
        for split, info in builder.info.splits.items():
            for (job, _), path in zip(made[split], info.filepaths, strict=True):
                job.record_file.rename(partial / path.name)
        for job in jobs:
            job.report_file.unlink()
        partial.rename(builder.data_path)


def only_build(folder: Path) -> AbstractContextManager[Any]:
    """Keep a second build out of a dataset's folder with a ValueError; a process that died blocks nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(folder / ".lock", timeout=0).acquire()
    except Timeout:
        raise ValueError(f"another build of {folder} is at work: wait for it, or stop it") from None


def partial_folder(folder: Path, config: SdomlConfig, plan: Plan, version: str) -> Path:
    """Return the folder of a plan's shards, with a name for everything that they depend on."""
    plan_text = json.dumps([version, config.parameters(), plan.splits], sort_keys=True)
    return folder / f"partial-{hashlib.sha256(plan_text.encode()).hexdigest()[:16]}"


def make_shards(config: SdomlConfig, jobs: Sequence[Job], beam_options: Any = None) -> list[Report]:
    """Make all missing shards and return their reports, see `prepare`."""
    reports = [finished_report(job) for job in jobs]
    if finished := sum(report is not None for report in reports):
        logger.info("resuming an earlier build: %d of %d shards exist", finished, len(jobs))
    if beam_options is not None:
        return make_on_beam(jobs, beam_options)
    total = sum(len(job.written) for job in jobs)
    left = sum(len(job.written) for job, report in zip(jobs, reports, strict=True) if report is None)
    with (
        workers(jobs[0].source, left) as pool,
        tqdm(total=total, desc=f"sdoml/{config.name}", unit="frame", smoothing=0.05) as bar,
    ):
        return [make_shard(job, pool, bar.update) for job in jobs]


def workers(source: Source, frames: int) -> AbstractContextManager[Executor | None]:
    """Return a pool that reads frames: threads, or processes where reading is computing; None for a single core."""
    count = os.cpu_count() or 1
    if not source.spawn:
        return ThreadPoolExecutor(count + 1)  # one more, while others wait for the interpreter
    count = min(count, frames // FRAMES_WORTH_A_PROCESS)
    if count < 2:
        return nullcontext()
    # A forked copy of a process that runs JAX may hang: the workers start afresh.
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=begin_worker)


def begin_worker() -> None:
    """Make a process ready to read frames: one thread of linear algebra, and an end when the build is killed."""
    threadpool_limits(1)
    parent = multiprocessing.parent_process()

    def leave_with_parent() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def make_on_beam(jobs: Sequence[Job], options: Any) -> list[Report]:
    """Make shards with Apache Beam; all its workers must see the folders of the source and of the dataset."""
    import apache_beam as beam  # pyright: ignore[reportMissingImports]

    with beam.Pipeline(options=options) as pipeline:
        shards = pipeline | beam.Create(list(jobs)) | beam.Reshuffle()
        _ = shards | beam.Map(make_shard) | beam.Map(lambda report: report.examples)
    return [report for job in jobs if (report := finished_report(job)) is not None]


def describe(
    info: tfds.core.DatasetInfo, config: SdomlConfig, plan: Plan, reports: Sequence[Report], folder: Path
) -> None:
    """Write the list of rejected frames into a folder, and the other results of a build into TFDS's metadata.

    `statistics`: percentiles of each series over the disks of the train split (DN/s, or unsigned gauss).
    `fingerprint`: a checksum of all examples, by split. `build`: what was found, joined, left out and rejected.

    Raises:
        ValueError: all examples of train were rejected; the list of them stays next to the dataset.
    """
    rows = [*plan.rejected, *(row for report in reports for row in report.rejected)]
    rows.sort(key=lambda row: (row.series, row.time is not None, row.time or 0, row.place))
    train = [report for report in reports if report.split == "train"]
    if not any(report.examples for report in train):
        path, first = folder.parent / REJECTED_FILE, rows[0]
        write_rejected(path, rows)
        raise ValueError(
            f"sdoml/{config.name}: all examples of train were rejected ({len(rows):,} images, listed in {path}); the "
            f"first: {first.series}, {first.place}: {first.reason}, {first.detail}"
        )
    write_rejected(folder / REJECTED_FILE, rows)
    counts: Any = sum(report.counts for report in train)
    sums = {split: sum(r.digest for r in reports if r.split == split) % 2**256 for split in plan.splits}
    metadata: Any = info.metadata
    metadata |= {
        "statistics": {series: dict(percentiles(counts[k])) for k, series in enumerate(config.series)},
        "fingerprint": hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest(),
        "build": summary(plan, rows) | {"clipped_pixels": sum(report.clipped for report in reports)},
    }


def write_rejected(path: Path, rows: Sequence[Rejection]) -> None:
    """Write the rejected frames as a table; times in ISO 8601, UTC."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Rejection._fields)
        for row in rows:
            time = "" if row.time is None else datetime.fromtimestamp(row.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            writer.writerow(row._replace(time=time))  # pyright: ignore[reportArgumentType]


def name_leftovers(folder: Path, partial: Path) -> None:
    """Log which shards are left from builds of other frames."""
    for path in folder.glob("partial-*"):
        if path != partial:
            size = sum(file.stat().st_size for file in path.iterdir())
            logger.info(
                "%s (%.1f MB) is left from a build of other frames: delete it to free the space", path, size / 1e6
            )
