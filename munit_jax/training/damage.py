"""Files that cannot be read or written: what is said of them, and where they are put."""

import errno
import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def put_aside(path: Path, folder: Path) -> None:
    """Move a file or folder into another folder, under a name that is free there."""
    folder.mkdir(exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        target, number = folder / f"{path.name}.{number}", number + 1
    path.rename(target)


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """Keep off the terminal what the libraries' threads print of a damaged file: pages for every array in it."""
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
