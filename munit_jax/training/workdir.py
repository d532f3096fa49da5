"""A run's folder: locked, and checked against the config and the disk."""

import errno
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from filelock import FileLock, Timeout
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array

from munit_jax.data.context import context_signs
from munit_jax.errors import ConfigError, WorkdirError
from munit_jax.networks.munit import Architecture, Params, generator_shapes
from munit_jax.training.checkpoints import load_generators
from munit_jax.training.packaged import WEIGHTS, read_generators

LOCK, HOLDER = ".lock", ".holder"

# Keys that may change when a run resumes: they control the run, or how it computes.
STEERING = (
    "steps",
    "checkpoint_every",
    "eval_every",
    "max_skipped_in_a_row",
    "data.data_dir",
    "evaluation",
    "style_spread",
    "strength_from_brightness",
    "convolution",
    "recompute",
)
# The keys that the shapes of the generators' parameters depend on.
SHAPES = tuple(
    f"model.{name}" for name in ("width", "style_size", "mlp_width", "downsamplings", "residual_blocks", "image_plane")
)


@contextmanager
def claimed(workdir: Path, config: Mapping[str, Any], writes: bool = True) -> Iterator[None]:
    """Make the run's folder and keep other runs out of it, or check that the run in it has this config.

    One of several processes `writes`, and takes the lock for all.

    Raises:
        WorkdirError: it cannot be written, another process trains in it, or it has a run with another config.
    """
    with ExitStack() as stack:
        try:
            workdir.mkdir(parents=True, exist_ok=True)
            if writes:
                stack.enter_context(FileLock(workdir / LOCK, timeout=0))
                (workdir / HOLDER).write_text(f"process {os.getpid()} on {socket.gethostname()}")
        except Timeout:
            holder = workdir / HOLDER
            raise WorkdirError(
                f"another run is at work in {workdir} ({holder.read_text() if holder.exists() else 'unknown'}): wait "
                "for it or stop it, or give another --workdir; for one run of several processes give --distributed"
            ) from None
        except OSError as error:
            raise WorkdirError(
                f"cannot write the workdir {workdir}: {error.strerror}; choose another --workdir"
            ) from None
        check_config(workdir, config)
        yield


def check_config(workdir: Path, config: Mapping[str, Any]) -> None:
    """Raise WorkdirError with the differing keys if the run in a folder has another config."""
    path = workdir / "config.json"
    if path.exists() and (keys := differing_keys(_read(path), config)):
        raise WorkdirError(
            f"{workdir} has a run with another config, differing in {', '.join(keys)}: "
            "use the same config to resume it, or another --workdir"
        )


def check_datasets(workdir: Path, images: Mapping[str, Any]) -> None:
    """Raise WorkdirError if a resumed run reads other datasets than it started with, by `describe_images` now."""
    then = _read(workdir / "images.json", "fingerprints")
    if changed := [name for name, value in images["fingerprints"].items() if then.get(name) != value]:
        raise WorkdirError(
            f"{', '.join(changed)} is not the dataset that the run in {workdir} began with: it was built again; put "
            "that one back (--config.data.data_dir), or start again in another --workdir"
        )


def _read(path: Path, key: str | None = None) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text())
        return content if key is None else content[key]
    except (OSError, ValueError, KeyError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WorkdirError(
            f"{path} cannot be read ({reason}): put a good copy there, or choose another --workdir"
        ) from None


def differing_keys(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the keys in which two configs differ, but for those that only steer a run."""
    a, b = flatten_dict(one, sep="."), flatten_dict(other, sep=".")
    differing = {key for key in a.keys() & b.keys() if a[key] != b[key]} | (a.keys() ^ b.keys())
    return sorted(key for key in differing if key not in STEERING and key.split(".")[0] not in STEERING)


def generators_of(start_from: str, architecture: Architecture, config: Mapping[str, Any], random: Params) -> Params:
    """Return the generators of another run, the moving average of its best checkpoint, to start a new run with.

    The folder may be one of `munit_jax.export`, too, whose networks come in place of the `random` ones. Planes of
    context that this run has behind those of the other begin without effect.

    Raises:
        ConfigError: no run there, or its generators have other shapes; the keys that make them so are named.
        WorkdirError: it has no checkpoint, or that cannot be read.
    """
    try:
        theirs: Any = flatten_dict(json.loads((Path(start_from) / "config.json").read_text()), sep=".")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"start_from: no run in {start_from}: config.json: {reason}; give its --workdir") from None
    ours: Any = flatten_dict(config, sep=".")
    theirs = {"model.image_plane": False, **theirs}  # which the configs of older weights lack
    differing = [key for key in SHAPES if ours[key] != theirs.get(key)]
    planes = tuple(theirs.get("data.context", ()))
    # New planes come last, and need the modules that planes have; the image plane would be behind them.
    shared = len(planes) if planes and not ours["model.image_plane"] else None
    if planes != tuple(ours["data.context"])[:shared]:
        differing.append("data.context")
    if len(ours["data.channels"]) != len(theirs.get("data.channels", ())):
        differing.append("data.channels")
    if differing:
        values = ", ".join(f"{key}={theirs.get(key)}" for key in differing)
        raise ConfigError(
            f"start_from: the generators of {start_from} have other shapes: set {values}, or start from another run"
        )
    shapes = generator_shapes(replace(architecture, context_planes=len(context_signs(planes))))
    if (Path(start_from) / WEIGHTS).exists():
        loaded = read_generators(Path(start_from), shapes, some=True).generators
    else:
        loaded = load_generators(Path(start_from), "best", shapes).generators
    begun, wanted, kept = (dict[Any, Any](flatten_dict(x)) for x in (random, generator_shapes(architecture), loaded))
    return unflatten_dict(begun | {name: _with_inputs(x, wanted[name].shape) for name, x in kept.items()})


def _with_inputs(kernel: Array, shape: tuple[int, ...]) -> Array:
    """Return a kernel that takes more input channels, the last ones without effect; others as they are."""
    more = [(0, wanted - there) for wanted, there in zip(shape, kernel.shape, strict=True)]
    return jnp.pad(kernel, more)


def check_space(workdir: Path, needed: int) -> None:
    """Raise WorkdirError if a run's checkpoints, `needed` bytes at most, will not find room where they are."""
    folders = [workdir / "checkpoints", workdir / "best"]
    there = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(workdir).free
    if there + free < needed:
        raise WorkdirError(
            f"the checkpoints in {workdir} will take up to {needed / 1e6:.0f} MB and {(there + free) / 1e6:.0f} MB are "
            "there: make room, or choose another --workdir"
        )


@contextmanager
def full_disk_explained(workdir: Path) -> Iterator[None]:
    """Raise WorkdirError instead of the system's error if the disk fills up while a run writes into its folder."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise WorkdirError(
            f"cannot write into {workdir}: {error.strerror}; what was saved is kept: make room, and run the same "
            "command to resume"
        ) from error
