"""Files written whole or not at all."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.io import fits  # which takes half a second to import


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give the path of a partial file to write, which replaces `path` on success."""
    partial = path.with_name(path.name + ".partial")
    yield partial
    os.replace(partial, path)


def write_fits(path: Path, hdus: "fits.HDUList") -> None:
    """Write a FITS file with checksums."""
    with whole(path) as partial, partial.open("wb") as file:
        hdus.writeto(file, checksum=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    with whole(path) as partial:
        partial.write_text(text)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file. NaN, which JSON does not have, is refused with a ValueError."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
