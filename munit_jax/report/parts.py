"""Sums of frames kept on the disk while an evaluation goes on, so that one that was stopped goes on from there."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

Tree = Any  # a tree of numpy arrays


class Parts:
    """A folder with parts of some frames each, a file a part, written whole or not at all.

    Args:
        folder: of all evaluations of a run.
        identity: everything that the sums depend on; parts of another one are not looked at.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]):
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self._folder = folder / digest

    def __contains__(self, part: int) -> bool:
        return self._path(part).exists()

    def keep(self, part: int, frames: Iterable[Tree]) -> None:
        """Keep the sums of the frames of a part."""
        self._folder.mkdir(parents=True, exist_ok=True)
        stacked = {name: np.stack(values) for name, values in _columns(frames).items()}
        partial = self._path(part).with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, **stacked)  # pyright: ignore[reportArgumentType]
        partial.rename(self._path(part))

    def joined(self, parts: int) -> Tree:
        """Return the sums of all frames of the first `parts` parts, with the frames as leading axis."""
        read = []
        for part in range(parts):
            with np.load(self._path(part)) as file:
                read.append(dict(file))
        return unflatten_dict({name: np.concatenate([one[name] for one in read]) for name in read[0]}, sep="/")

    def _path(self, part: int) -> Path:
        return self._folder / f"part_{part:05d}.npz"


def _columns(frames: Iterable[Tree]) -> dict[str, list[np.ndarray]]:
    flat: list[Any] = [flatten_dict(frame, sep="/") for frame in frames]
    return {name: [frame[name] for frame in flat] for name in flat[0]}
