"""Sums of frames kept on disk while an evaluation runs, so that a stopped one resumes."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from munit_jax.files import whole

Tree = Any  # a tree of numpy arrays


class PartialSums:
    """A folder of files with the sums of some frames each, by number.

    Args:
        folder: of all evaluations of a run.
        identity: everything that the sums depend on; files of another identity are ignored.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]):
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self._folder = folder / digest

    def __contains__(self, number: int) -> bool:
        return self._path(number).exists()

    def save(self, number: int, frames: Iterable[Tree]) -> None:
        """Save the sums of frames."""
        flat: list[Any] = [flatten_dict(frame, sep="/") for frame in frames]
        self._folder.mkdir(parents=True, exist_ok=True)
        with whole(self._path(number)) as partial, partial.open("wb") as file:
            np.savez(file, **{name: np.stack([frame[name] for frame in flat]) for name in flat[0]})  # pyright: ignore[reportArgumentType]

    def load(self, count: int) -> Tree:
        """Return the sums of all frames of the first `count` files, with the frames as leading axis."""
        read = []
        for number in range(count):
            with np.load(self._path(number)) as file:
                read.append(dict(file))
        return unflatten_dict({name: np.concatenate([one[name] for one in read]) for name in read[0]}, sep="/")

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:05d}.npz"
