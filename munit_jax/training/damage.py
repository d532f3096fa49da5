"""Files that cannot be read or written: what is said of them, and where they are put."""

import errno
import gc
import os
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax


def put_aside(path: Path, folder: Path) -> None:
    """Move a file or folder into another folder, under a name that is free there."""
    folder.mkdir(exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        target, number = folder / f"{path.name}.{number}", number + 1
    path.rename(target)


class UnreadableError(Exception):
    """A file that cannot be read; the message is the reason in a line."""


def read_quietly[T](read: Callable[[], T]) -> T:
    """Return what is read; what the libraries' threads print of a damaged file, pages for every array, is kept back.

    Raises:
        UnreadableError: it cannot be read.
        JaxRuntimeError, TimeoutError: the device or the processes in common have failed, not the disk.
    """
    with _terminal_silenced():
        try:
            return read()
        except (jax.errors.JaxRuntimeError, TimeoutError):
            raise
        except Exception as error:  # whatever the libraries make of damaged files
            reason = reason_of(error)
        # What reads are still under way, and what is left of them, would speak up later.
        time.sleep(0.5)
        gc.collect()
    raise UnreadableError(reason)


@contextmanager
def _terminal_silenced() -> Iterator[None]:
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def reason_of(error: BaseException) -> str:
    """Return in a line what went wrong: what the system said, if it is in there."""
    told = str(error)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO):
        if os.strerror(number) in told:
            return os.strerror(number)
    line = next((line for line in told.splitlines() if line.strip()), type(error).__name__)
    return textwrap.shorten(line.partition(" [")[0], 200)  # the libraries put their whole settings into brackets
