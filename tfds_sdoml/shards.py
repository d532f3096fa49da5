"""One shard of a dataset: the unit of work, done whole or not at all, by one process or by a worker of Beam."""

import contextlib
import functools
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from threadpoolctl import threadpool_limits

from munit_jax.instruments.errors import FrameError
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.examples import Loaded, load
from tfds_sdoml.neighbours import check_neighbours, references
from tfds_sdoml.plan import Frame, Plan
from tfds_sdoml.sources.interface import Rejection, Source
from tfds_sdoml.statistics import BINS

SHARD_BYTES = 256 * 2**20  # of images, before compression: large enough to read, small enough to do again
COUNTED_SPLIT = "train"  # what the statistics are taken from
# Any example can be read alone. zstd:1 would save a tenth of the bytes at twice the time to write and to read.
RECORD_OPTIONS = "group_size:1,zstd:-1"
READ_AHEAD = 2  # frames a worker

Levels = tuple[float, ...]  # of each series of a frame


@dataclass(frozen=True)
class Job:
    """A shard to be made.

    Attributes:
        path: of the shard, without ending.
        frames: those that are written, unless they are rejected, and those beside that they are compared with; in the
            order of time.
        written: which of `frames` are the shard's own.
        compared: for each of the shard's own, the indices in `frames` of those it is compared with.
    """

    config: SdomlConfig
    source: Source
    split: str
    path: Path
    frames: Sequence[Frame] = field(repr=False)
    written: range
    compared: Sequence[Sequence[int]] = field(repr=False)

    @property
    def record_file(self) -> Path:
        """The file of the examples."""
        return self.path.with_suffix(".array_record")

    @property
    def report_file(self) -> Path:
        """The file of the report; where it is, the shard is finished."""
        return self.path.with_suffix(".json")


@dataclass(frozen=True)
class Report:
    """What is in a shard and what is not.

    Attributes:
        split: of the shard.
        examples: number of examples written.
        size: of the file in bytes; 0 for no file.
        rejected: frames left out, with the reason.
        counts: histogram of each series, summed over the examples (series, bin).
        clipped: pixels beyond the range of the stored type.
    """

    split: str
    examples: int
    size: int
    rejected: list[Rejection]
    counts: np.ndarray
    clipped: int

    def to_json(self) -> str:
        """Return the report as text."""
        return json.dumps(vars(self) | {"counts": self.counts.tolist()})

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Return the report of a text."""
        items: dict[str, Any] = json.loads(text)
        items["rejected"] = [Rejection(*row) for row in items["rejected"]]
        items["counts"] = np.array(items["counts"], np.int64)
        return cls(**items)


def frames_a_shard(config: SdomlConfig) -> int:
    """Return how many examples a shard holds at most."""
    return max(1, SHARD_BYTES // example_bytes(config))


def example_bytes(config: SdomlConfig) -> int:
    """Return the bytes of an example's images before compression."""
    return config.size**2 * len(config.series) * np.dtype(config.dtype).itemsize


def make_jobs(config: SdomlConfig, source: Source, plan: Plan, folder: Path) -> list[Job]:
    """Return the shards of a plan, to be made in `folder`."""
    jobs, length = [], frames_a_shard(config)
    for split, frames in plan.splits.items():
        near = references(np.array([frame.time for frame in frames], np.int64))
        for number, start in enumerate(range(0, len(frames), length)):
            own = range(start, min(start + length, len(frames)))
            seen = sorted({*own, *(other for i in own for other in near[i])})
            place = {index: position for position, index in enumerate(seen)}
            jobs.append(
                Job(
                    config=config,
                    source=source,
                    split=split,
                    path=folder / f"{split}-{number:05d}",
                    frames=[frames[i] for i in seen],
                    written=range(place[own[0]], place[own[-1]] + 1),
                    compared=[[place[other] for other in near[i]] for i in own],
                )
            )
    return jobs


def finished_report(job: Job) -> Report | None:
    """Return the report of a shard that is there already, else None."""
    try:
        report = Report.from_json(job.report_file.read_text())
    except FileNotFoundError:
        return None
    present = not report.examples or job.record_file.is_file()
    return report if present else None


def frames_of(
    job: Job, pool: Executor | None = None, advance: Callable[[int], object] = lambda frames: None
) -> Iterator[tuple[Frame, Loaded, list[Rejection]]]:
    """Yield each of the shard's own frames, read and checked, with the reasons why it is rejected, none for a good one.

    A frame is compared with later ones too: examples wait in memory until those are read, some hours of them.

    Args:
        job: the shard.
        pool: reads several frames at a time.
        advance: is called with the number of frames that have been read.
    """
    tasks = [
        functools.partial(load, job.config, job.source, frame, i in job.written, job.split == COUNTED_SPLIT)
        for i, frame in enumerate(job.frames)
    ]
    compared = dict(zip(job.written, job.compared, strict=True))
    levels: list[Levels | None] = []
    waiting: deque[tuple[int, Loaded]] = deque()
    # Small matrices: threads of the linear algebra would only wait for each other.
    with threadpool_limits(1):
        for last, loaded in enumerate(in_order(pool, tasks)):
            levels.append(loaded.levels)
            if last in compared:
                waiting.append((last, loaded))
                advance(1)
            while waiting and max(compared[waiting[0][0]], default=0) <= last:
                i, its = waiting.popleft()
                neighbours = [levels[k] for k in compared[i]]
                yield job.frames[i], its, its.rejected or unlike_neighbours(job, i, its.levels, neighbours)


def make_shard(
    job: Job, pool: Executor | None = None, advance: Callable[[int], object] = lambda frames: None
) -> Report:
    """Read, check and write a shard, unless it is there; then write its report. For the arguments see `frames_of`.

    Raises:
        OSError: the shard cannot be written.
    """
    if report := finished_report(job):
        advance(len(job.written))
        return report
    rejected: list[Rejection] = []
    counts, clipped = np.zeros((len(job.config.series), BINS), np.int64), 0
    with ShardWriter(job.record_file) as writer:
        for _, loaded, reasons in frames_of(job, pool, advance):
            rejected += reasons
            if loaded.record is not None and not reasons:
                writer.write(loaded.record)
                clipped += loaded.clipped
                counts += 0 if loaded.counts is None else loaded.counts
        size = writer.finish()
    report = Report(job.split, writer.written, size, rejected, counts, clipped)
    write_whole(job.report_file, report.to_json())
    return report


def unlike_neighbours(
    job: Job, index: int, levels: Levels | None, neighbours: Sequence[Levels | None]
) -> list[Rejection]:
    """Return a rejection for each series of a frame whose level is far from those of the frames it is compared with.

    Neighbours that were rejected themselves (None) do not count.
    """
    rejected, frame = [], job.frames[index]
    good = [theirs for theirs in neighbours if theirs is not None]
    for k, (series, level) in enumerate(zip(job.config.series, levels or (), strict=True)):
        try:
            check_neighbours(level, [theirs[k] for theirs in good], series in job.config.field)
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


class ShardWriter:
    """A file of records that is whole or not there; a context that is left before `finish` leaves no file.

    Attributes:
        written: number of records.
    """

    def __init__(self, path: Path):
        self.path, self.unfinished = path, path.with_suffix(".writing")
        self.written = 0
        self._writer: ArrayRecordWriter | None = None

    def __enter__(self) -> "ShardWriter":
        return self

    def write(self, record: bytes) -> None:
        """Write a record.

        Raises:
            OSError: the disk is full, or the file cannot be written for another reason.
        """
        with self._told():
            writer = self._writer or ArrayRecordWriter(os.fspath(self.unfinished), RECORD_OPTIONS)
            self._writer = writer
            writer.write(record)
        self.written += 1

    def finish(self) -> int:
        """Make the file whole and return its bytes; without records there is none, and 0 is returned.

        Raises:
            OSError: as `write`, or not all records arrived.
        """
        if self._writer is None:
            return 0
        with self._told():
            self._writer.close()
            reader = ArrayRecordReader(os.fspath(self.unfinished))
            arrived = reader.num_records()
            reader.close()
            if arrived != self.written:
                raise RuntimeError(f"{arrived} of {self.written} records arrived")
        self.unfinished.rename(self.path)
        return self.path.stat().st_size

    def __exit__(self, *_: object) -> None:
        if self._writer is not None and self._writer.is_open():
            with contextlib.suppress(RuntimeError):  # the error that led here is the one to tell
                self._writer.close()
        self.unfinished.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # the library's own word for any failure
            raise OSError(
                f"cannot write {self.path}: {error}; what is finished is kept: mend it and give the same command again"
            ) from error


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is whole or not there."""
    unfinished = path.with_suffix(".writing")
    unfinished.write_text(text)
    unfinished.rename(path)
