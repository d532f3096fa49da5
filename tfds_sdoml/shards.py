"""One shard of a dataset: the unit of work, done whole or not at all, by one process or by a worker of Beam."""

import contextlib
import functools
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import batched, islice
from pathlib import Path
from typing import Any

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from threadpoolctl import threadpool_limits

from munit_jax.instruments.errors import FrameError
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.examples import Loaded, load
from tfds_sdoml.neighbours import REFERENCES, check_neighbours, references, with_references
from tfds_sdoml.plan import Frame, Plan
from tfds_sdoml.sources.interface import Rejection, Source

SHARD_BYTES = 256 * 2**20  # of images, before compression: large enough to read, small enough to do again
# Any example can be read alone. zstd:1 would save a tenth of the bytes at twice the time to write and to read.
RECORD_OPTIONS = "group_size:1,zstd:-1"
READ_AHEAD = 2  # frames a worker

Levels = tuple[float, ...]  # of each series of a frame


@dataclass(frozen=True)
class Job:
    """A shard to be made."""

    config: SdomlConfig
    source: Source
    split: str
    path: Path  # without ending
    frames: Sequence[Frame] = field(repr=False)  # its own and those they may be compared with, in the order of time
    written: range  # which of the frames are its own

    @property
    def record_file(self) -> Path:
        """The file of the examples."""
        return self.path.with_suffix(".array_record")

    @property
    def report_file(self) -> Path:
        """The file of the report; where it is, the shard is finished."""
        return self.path.with_suffix(".json")


@dataclass
class Report:
    """The contents of a shard, and what was left out."""

    split: str
    counts: Any = 0  # histogram of each series, summed over the examples (series, bin); 0 without examples
    examples: int = 0
    size: int = 0  # bytes of the file; 0 for no file
    clipped: int = 0  # pixels beyond the range of the stored type
    digest: int = 0  # sum of the examples' SHA-256, modulo 2^256: the same in any order and cut into any shards
    rejected: list[Rejection] = field(default_factory=list)

    def add(self, loaded: Loaded) -> None:
        """Count a frame."""
        self.rejected += loaded.rejected
        self.examples += loaded.record is not None
        self.counts = self.counts + loaded.counts
        self.clipped += loaded.clipped
        self.digest = (self.digest + loaded.digest) % 2**256

    def to_json(self) -> str:
        """Return the report as text."""
        return json.dumps(vars(self) | {"counts": np.asarray(self.counts).tolist()})

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Return the report of a text."""
        items: dict[str, Any] = json.loads(text)
        items["rejected"] = [Rejection(*row) for row in items["rejected"]]
        items["counts"] = np.array(items["counts"], np.int64)
        return cls(**items)


def example_bytes(config: SdomlConfig) -> int:
    """Return the bytes of an example's images before compression."""
    return config.size**2 * len(config.series) * np.dtype(config.dtype).itemsize


def make_jobs(config: SdomlConfig, source: Source, plan: Plan, folder: Path) -> list[Job]:
    """Return the shards of a plan, to be made in `folder`."""
    jobs, length = [], max(1, SHARD_BYTES // example_bytes(config))
    for split, frames in plan.splits.items():
        times = np.array([frame.time for frame in frames], np.int64)
        for number, own in enumerate(batched(range(len(frames)), length)):
            seen = with_references(times, own)
            at = int(np.searchsorted(seen, own[0]))
            path, written = folder / f"{split}-{number:05d}", range(at, at + len(own))
            jobs.append(Job(config, source, split, path, [frames[i] for i in seen], written))
    return jobs


def finished_report(job: Job) -> Report | None:
    """Return the report of an existing shard, otherwise None."""
    if not job.report_file.is_file():
        return None
    report = Report.from_json(job.report_file.read_text())
    return report if job.record_file.is_file() or not report.examples else None


def make_shard(
    job: Job, pool: Executor | None = None, advance: Callable[[int], object] = lambda frames: None
) -> Report:
    """Read, check and write a shard, unless it exists; then write its report.

    The pool reads several frames at a time; `advance` is called with the number of frames that are done.

    Raises:
        OSError: the shard cannot be written.
    """
    if report := finished_report(job):
        advance(len(job.written))
        return report
    report = Report(job.split)
    report.size = write_records(job.record_file, good_records(job, report, pool, advance))
    unfinished = job.report_file.with_suffix(".writing")
    unfinished.write_text(report.to_json())
    unfinished.rename(job.report_file)
    return report


def good_records(
    job: Job, report: Report, pool: Executor | None, advance: Callable[[int], object] = lambda frames: None
) -> Iterator[bytes]:
    """Yield the records of a shard, and count its frames in the report."""
    for loaded in checked_frames(job, pool):
        report.add(loaded)
        advance(1)
        if loaded.record is not None:
            yield loaded.record


def checked_frames(job: Job, pool: Executor | None) -> Iterator[Loaded]:
    """Yield the shard's own frames, read, checked and compared with their neighbours, in the order of time.

    A frame is compared with later ones too: it waits in memory until those are read, some hours of them.
    """
    compared = references(np.array([frame.time for frame in job.frames], np.int64))
    nearest = {i: {k for side in compared[i] for k in side[:REFERENCES]} for i in job.written}
    read = sorted({*job.written}.union(*nearest.values()))
    tasks = [functools.partial(load, job.config, job.source, job.frames[i], i in job.written) for i in read]
    levels: dict[int, Levels | None] = {}

    def good(side: Sequence[int]) -> Iterator[Levels]:
        """Yield the levels of a side's frames that are good; those beyond the nearest are read when they are needed."""
        for k in side:
            if k not in levels:
                levels[k] = load(job.config, job.source, job.frames[k], wanted=False).levels
            if (theirs := levels[k]) is not None:
                yield theirs

    waiting: deque[tuple[int, Loaded]] = deque()
    # Small matrices: threads of the linear algebra would only wait for each other.
    with threadpool_limits(1):
        for last, loaded in zip(read, in_order(pool, tasks), strict=True):
            levels[last] = loaded.levels
            if last in nearest:
                waiting.append((last, loaded))
            while waiting and max(nearest[waiting[0][0]], default=0) <= last:
                i, its = waiting.popleft()
                neighbours = [theirs for side in compared[i] for theirs in islice(good(side), REFERENCES)]
                reasons = its.rejected or unlike_neighbours(job, i, its.levels, neighbours)
                yield Loaded(None, reasons) if reasons else its


def unlike_neighbours(job: Job, index: int, levels: Levels | None, neighbours: Sequence[Levels]) -> list[Rejection]:
    """Return a rejection for each series of a frame whose level is far from those of the frames it is compared with."""
    rejected, frame = [], job.frames[index]
    for k, (series, level) in enumerate(zip(job.config.series, levels or (), strict=True)):
        try:
            check_neighbours(level, [theirs[k] for theirs in neighbours], series in job.config.field)
        except FrameError as error:
            rejected.append(Rejection(series, frame.time, frame.places[k], error.reason, error.detail))
    return rejected


def in_order[T](pool: Executor | None, tasks: Sequence[Callable[[], T]]) -> Iterator[T]:
    """Yield the results of tasks in their order, a few of them done ahead by the pool's workers."""
    if pool is None:
        yield from (task() for task in tasks)
        return
    ahead = READ_AHEAD * (getattr(pool, "_max_workers", None) or os.cpu_count() or 1)
    waiting = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def write_records(path: Path, records: Iterable[bytes]) -> int:
    """Write a file of records, whole or not at all; return its bytes, 0 for no records and no file."""
    unfinished, writer, count = path.with_suffix(".writing"), None, 0
    try:
        for count, record in enumerate(records, 1):  # noqa: B007 (the last one is their number)
            with failure_explained(path):
                writer = writer or ArrayRecordWriter(os.fspath(unfinished), RECORD_OPTIONS)
                writer.write(record)
        if writer is None:
            return 0
        with failure_explained(path):
            writer.close()
            with contextlib.closing(ArrayRecordReader(os.fspath(unfinished))) as reader:
                arrived = reader.num_records()
            if arrived != count:
                raise RuntimeError(f"{arrived} of {count} records arrived")
        unfinished.rename(path)
        return path.stat().st_size
    finally:
        if writer is not None and writer.is_open():
            with contextlib.suppress(RuntimeError):  # the error that led here is the one to report
                writer.close()
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def failure_explained(path: Path) -> Iterator[None]:
    """Raise OSError instead of RuntimeError, the record library's for any failure."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(
            f"cannot write {path}: {error}; what is finished is kept: correct it and give the same command again"
        ) from error
