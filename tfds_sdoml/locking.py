"""One process at a time: a lock that dies with the process that holds it."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def sole_holder(path: Path, note: str = "") -> Iterator[None]:
    """Hold a lock file, made where it is not there; the system takes the lock from a process that dies.

    Args:
        path: the lock file. It stays: taking it away could leave two processes with a lock each.
        note: what is written into it for those who find it locked, see the error.

    Raises:
        BlockingIOError: another process holds it; `strerror` is that process's note.
        OSError: the file cannot be made or locked.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            file.seek(0)
            raise BlockingIOError(errno.EAGAIN, file.read().strip()) from None
        file.truncate(0)
        file.write(note)
        file.flush()
        yield
