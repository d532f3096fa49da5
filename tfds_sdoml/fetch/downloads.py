"""Fetch many pieces into a folder: a plan with its bytes and time, bounded parallelism, resuming where it stopped."""

import csv
import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from tfds_sdoml.fetch.journal import Journal
from tfds_sdoml.fetch.patience import MissingError, RefusedError

logger = logging.getLogger(__name__)

ASSUMED_RATE = 5e6  # bytes a second, where nothing can be measured
FAILED = "failed.csv"


@dataclass(frozen=True)
class Piece:
    """What is transferred at once.

    Args:
        source: its address, unique in a route.
        files: that are made of it, below the folder.
        size: bytes; None if the server does not list them.
        readable: False for one that is there once the server has made it: a dry run cannot measure it.
        version: changes when the source does; empty if the server does not list one.
    """

    source: str
    files: tuple[str, ...]
    size: int | None = None
    version: str = ""
    readable: bool = True

    @property
    def kind(self) -> str:
        """The folder of its files: pieces of one have much the same size."""
        return self.files[0].partition("/")[0]


def as_it_is(piece: Piece, content: bytes) -> Mapping[str, bytes]:
    """Return the one file of a piece."""
    (file,) = piece.files
    return {file: content}


@dataclass(frozen=True)
class Route:
    """Pieces, and how they are fetched.

    Args:
        frames: number of examples in the files, for the user.
        pieces: in the order of time.
        read: returns the bytes of a piece, whole; RefusedError if it is not available. Called from several threads.
        unpack: returns the files of a piece by their names.
    """

    frames: int
    pieces: Sequence[Piece] = field(repr=False)
    read: Callable[[Piece], bytes]
    unpack: Callable[[Piece, bytes], Mapping[str, bytes]] = as_it_is


@dataclass(frozen=True)
class Estimate:
    """What is still to be read: pieces, bytes and seconds, and the source of the rate."""

    pieces: int
    size: int
    seconds: float
    rate: str

    @property
    def text(self) -> str:
        """One line for the user."""
        return f"to be read: {self.pieces:,} pieces, {self.size / 1e6:,.1f} MB, {duration(self.seconds)} at {self.rate}"


@dataclass
class Outcome:
    """The result of a route's pieces: reasons by source of those that failed, and of those that do not exist."""

    failed: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def evenly[T](items: Sequence[T], count: int) -> list[T]:
    """Return `count` items at equal distances, all where there are fewer."""
    return [items[k * len(items) // count] for k in range(count)] if count < len(items) else list(items)


def estimate(pieces: Sequence[Piece], sizes: Mapping[str, int], seconds: float) -> Estimate:
    """Return what pieces will take, by the sizes of those that were read (by source) and the seconds that this took.

    Sizes that the server does not list are taken to be the mean of those of the same kind that were read.
    """
    by_kind: dict[str, list[int]] = {}
    for piece in pieces:
        if piece.source in sizes:
            by_kind.setdefault(piece.kind, []).append(sizes[piece.source])

    def size_of(piece: Piece) -> float:
        if piece.source in sizes or piece.size is not None:
            return float(sizes.get(piece.source, piece.size or 0))
        return statistics.fmean(by_kind.get(piece.kind) or sizes.values() or [0])

    size = sum(size_of(piece) for piece in pieces)
    rate = sum(sizes.values()) / seconds if sizes and seconds > 0 else ASSUMED_RATE
    how = f"measured on {len(sizes)} of them" if sizes else "an assumption"
    return Estimate(len(pieces), round(size), size / rate, f"{rate / 1e6:.1f} MB/s ({how})")


def fetch(route: Route, folder: Path, parallel: int = 8, dry_run: bool = False) -> tuple[Outcome, list[str]]:
    """Fetch what is not in the folder yet; return what became of it, and lines to print.

    The folder has `fetched.jsonl` then, a line for each file with its checksum, and `failed.csv` if some
    failed. A stopped fetch resumes with the missing pieces; a piece that has changed on the server is fetched again.

    Args:
        route: what, and how.
        folder: made if need be.
        parallel: pieces at a time.
        dry_run: read a few pieces to measure the rate, and write nothing.

    Raises:
        ValueError: another fetch is at work in the folder.
        OSError: the folder cannot be written; RefusedError: none of the first pieces was available.
    """
    if dry_run:
        return _fetch(route, Journal(folder), parallel, True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".fetch.lock", timeout=0):
            return _fetch(route, Journal(folder), parallel, False)
    except Timeout:
        raise ValueError(f"another fetch is at work in {folder}: wait for it, or give another --output") from None


def _fetch(route: Route, journal: Journal, parallel: int, dry_run: bool) -> tuple[Outcome, list[str]]:
    todo = [piece for piece in route.pieces if not is_there(piece, journal)]
    outcome, sizes = Outcome(), {}
    first = evenly([piece for piece in todo if piece.readable], parallel)

    def one(piece: Piece) -> int:
        content = route.read(piece)
        if not dry_run:
            for file, made in route.unpack(piece, content).items():
                journal.keep(file, made, piece.source, piece.version)
        return len(content)

    begin = time.perf_counter()
    transfer(one, first, parallel, outcome, sizes)
    seconds = time.perf_counter() - begin
    there = len(route.pieces) - len(todo)
    if first and not sizes and (outcome.failed or not there):  # gaps alone may be all that is left
        reasons = [*outcome.failed.values(), *outcome.missing.values()]
        raise RefusedError(f"none of the first {len(first)} could be had: {reasons[0]}")
    lines = [
        f"{route.frames:,} frames in {len(route.pieces):,} pieces, {there:,} of which are there already",
        estimate(todo, sizes, seconds).text,
    ]
    if dry_run:
        return outcome, lines
    for line in lines:
        logger.info(line)
    sampled = {piece.source for piece in first}
    transfer(one, [piece for piece in todo if piece.source not in sampled], parallel, outcome, sizes)
    journal.close()
    write_failures(journal.folder / FAILED, outcome)
    return outcome, [
        f"fetched {sum(sizes.values()) / 1e6:,.1f} MB in {duration(time.perf_counter() - begin)}; {journal.folder} has "
        f"{len(journal.files):,} files, {sum(line.bytes for line in journal.files.values()) / 1e6:,.1f} MB",
        *([f"not on the server: {len(outcome.missing):,}, see {FAILED}"] if outcome.missing else []),
        *([f"not had: {len(outcome.failed):,}, see {FAILED}; the same command retries them"] if outcome.failed else []),
    ]


def is_there(piece: Piece, journal: Journal) -> bool:
    """Return whether all files of a piece are in the folder, from the piece's version."""
    lines = [journal.files.get(file) for file in piece.files]
    return all(line is not None and (line.source, line.version) == (piece.source, piece.version) for line in lines)


def transfer(
    one: Callable[[Piece], int], pieces: Sequence[Piece], parallel: int, outcome: Outcome, sizes: dict[str, int]
) -> None:
    """Do `one` for each piece in threads; add their sizes to `sizes`, and failures to `outcome`.

    An error of the disk ends it: those under way are finished, the others left.
    """
    total = sum(piece.size or 0 for piece in pieces) or None
    with (
        tqdm(total=total, unit="B", unit_scale=True, disable=None, leave=False) as bar,
        ThreadPoolExecutor(parallel) as pool,
    ):
        futures = {pool.submit(one, piece): piece for piece in pieces}
        try:
            for future in as_completed(futures):
                piece = futures[future]
                try:
                    sizes[piece.source] = future.result()
                    bar.update(sizes[piece.source])
                except MissingError as error:
                    outcome.missing[piece.source] = str(error)
                except RefusedError as error:
                    outcome.failed[piece.source] = str(error)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_failures(path: Path, outcome: Outcome) -> None:
    """Write the failures by source, with the reason; no file without failures."""
    path.unlink(missing_ok=True)
    if rows := sorted((outcome.failed | outcome.missing).items()):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("source", "reason"), *rows])
