"""Generators in half precision, without all that only training needs: the file of weights that are passed on."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from munit_jax.errors import WorkdirError
from munit_jax.files import whole
from munit_jax.networks.munit import Params
from munit_jax.training.checkpoints import LoadedGenerators, reason_of

WEIGHTS = "generators.npz"
STEP = "step"  # among the arrays


def write_generators(folder: Path, step: int, generators: Params) -> None:
    """Write generators in half precision; WorkdirError for weights that are too large for it."""
    with np.errstate(over="ignore"):  # refused below
        halves = {name: np.asarray(x).astype(np.float16) for name, x in flatten_dict(generators, sep="/").items()}
    if beyond := [name for name, half in halves.items() if not np.isfinite(half).all()]:
        raise WorkdirError(f"weights beyond the range of float16 in {', '.join(beyond)}: take another --checkpoint")
    arrays: dict[str, Any] = {STEP: np.array(step), **halves}
    with whole(folder / WEIGHTS) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_generators(folder: Path, abstract: Params, some: bool = False) -> LoadedGenerators:
    """Return generators and their training step; `abstract` are the shapes and dtypes to return.

    With `some`, the networks of `abstract` that the file has are returned. WorkdirError where they cannot be read, or
    have other shapes.
    """
    expected: dict[str, Any] = flatten_dict(abstract, sep="/")  # pyright: ignore[reportAssignmentType]
    try:
        with (folder / WEIGHTS).open("rb") as raw, np.load(raw) as file:
            arrays = {name: file[name] for name in file.files}
        step = int(arrays.pop(STEP))
        if some:
            expected = {name: x for name, x in expected.items() if name in arrays}
        if {name: array.shape for name, array in arrays.items()} != {name: x.shape for name, x in expected.items()}:
            raise ValueError("its arrays are not those of its config.json")
    except Exception as error:  # numpy and zipfile raise errors of many kinds for damaged files
        raise WorkdirError(f"cannot read {folder / WEIGHTS}: {reason_of(error)}; install munit_jax again") from None
    single = {name: arrays[name].astype(x.dtype) for name, x in expected.items()}
    return LoadedGenerators(step, unflatten_dict(jax.device_put(single, jax.local_devices()[0]), sep="/"))
