"""Results kept on disk while an evaluation runs, so that a stopped one resumes."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from tqdm import tqdm

from munit_jax.files import whole

Tree = Any  # a tree of numpy arrays


@dataclass(frozen=True)
class Kept:
    """A folder of results, each in a file of its own.

    `identity` is everything that they depend on, as JSON; results of another identity in the folder are ignored.
    """

    folder: Path
    identity: Mapping[str, Any]

    def of(self, **more: Any) -> "Kept":
        """Return the results that depend on something more."""
        return replace(self, identity={**self.identity, **more})

    def results(self, count: int, measure: Callable[[int], Tree], name: str) -> list[Tree]:
        """Return `measure(k)` for every k below `count`, with a progress bar; stored results are not measured again."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:16]
        folder, read = self.folder / digest, []
        for k in tqdm(range(count), desc=name, dynamic_ncols=True):
            path = folder / f"{k:06d}.npz"
            if not path.exists():
                folder.mkdir(parents=True, exist_ok=True)
                arrays: Any = flatten_dict(measure(k), sep="/")
                with whole(path) as partial, partial.open("wb") as file:
                    np.savez(file, **arrays)
            with np.load(path) as arrays:
                read.append(unflatten_dict(dict(arrays), sep="/"))
        return read
