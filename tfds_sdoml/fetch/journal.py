"""The record of a fetch: a line for each file, and files that are written whole or not at all."""

import errno
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

NAME = "fetched.jsonl"


@dataclass(frozen=True)
class Line:
    """A file that was fetched: its path below the folder, and what it was made of."""

    file: str
    bytes: int
    sha256: str
    source: str
    version: str  # of the source; empty where the server has none


class Journal:
    """The files of a folder; safe from several threads.

    A file has its line once it is on the disk, so one without a line is fetched again. `files` are those that are
    there and have not been changed since, by their checksums.
    """

    def __init__(self, folder: Path):
        self.folder, self._lock = folder, Lock()
        self.files = {line.file: line for line in read_lines(folder / NAME) if line.sha256 == sha256_of(folder, line)}

    def keep(self, file: str, content: bytes, source: str, version: str) -> None:
        """Write a file, then its line.

        Raises:
            OSError: it cannot be written; of a full disk the message says what to do.
        """
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        try:
            write_through(partial, "wb", content)
        except OSError as error:
            partial.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise OSError(
                    f"no space left for {path}: make room, and give the same command again, which resumes here"
                ) from error
            raise
        os.replace(partial, path)
        line = Line(file, len(content), hashlib.sha256(content).hexdigest(), source, version)
        with self._lock:
            write_through(self.folder / NAME, "ab", b"\n" + as_text([line]))  # the line before may have been cut
            self.files[file] = line

    def close(self) -> None:
        """Put the lines in the order of the files, each once."""
        if self.files:
            partial = self.folder / f"{NAME}.partial"
            write_through(partial, "wb", as_text(self.files[file] for file in sorted(self.files)))
            os.replace(partial, self.folder / NAME)


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a journal that are whole; a kill may have cut the last one."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            lines.append(Line(**json.loads(text)))
        except (ValueError, TypeError):
            continue  # its file is fetched again
    return lines


def sha256_of(folder: Path, line: Line) -> str | None:
    """Return the checksum of a line's file, None if it is not there; of one of another size it is not computed."""
    path = folder / line.file
    if not path.is_file() or path.stat().st_size != line.bytes:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_text(lines: Iterable[Line]) -> bytes:
    """Return lines as JSON, one a line."""
    return "".join(json.dumps(asdict(line)) + "\n" for line in lines).encode()


def write_through(path: Path, mode: str, content: bytes) -> None:
    """Write to a file and wait until the disk has it."""
    with path.open(mode) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
