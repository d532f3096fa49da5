"""Checkpoints: the one file that imports orbax.

A run's folder keeps the latest whole states in `checkpoints/`, so that it can go on, and in `best/` the generators
(their moving average) that scored best on held-out frames, for inference. Each has its own folder, so that keeping one
never costs the other.
"""

import errno
import gc
import hashlib
import logging
import os
import shutil
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from munit_jax.errors import WorkdirError
from munit_jax.model.munit import Params
from munit_jax.training.state import TrainState

logger = logging.getLogger(__name__)

KEEP = 3  # the latest checkpoints
DAMAGED = "damaged"  # where checkpoints that cannot be read are put

json_save: Any = ocp.args.JsonSave  # orbax's dataclasses have no types for a static checker
json_restore: Any = ocp.args.JsonRestore
tree_save: Any = ocp.args.StandardSave
tree_restore: Any = ocp.args.StandardRestore
partial_restore: Any = ocp.args.PyTreeRestore


class Checkpoints:
    """The checkpoints in a run's folder; a context manager, since saving goes on in the background.

    With several processes every method is called by all of them, at the same step.
    """

    def __init__(self, workdir: Path, config: Mapping[str, Any]):
        """Open the folders; what a save that was killed has left behind is removed."""
        self._workdir, self._config = workdir, dict(config)
        self._latest = _manager(workdir / "checkpoints", KEEP, ("state", "config", "checksum"))
        self._best = _manager(workdir / "best", 1, ("generators", "score", "config"))

    def latest_step(self) -> int | None:
        """Return the step of the newest whole checkpoint, None if there is none."""
        return self._latest.latest_step()

    def standing(self) -> str:
        """Return in words what a run that ends now can go on from."""
        step = self.latest_step()
        return "no checkpoint was written yet" if step is None else f"the checkpoint of step {step} stands"

    def save(self, step: int, state: TrainState) -> None:
        """Save in the background; a second save waits for the first.

        Raises:
            WorkdirError: there is no room for it, or the one before could not be written.
        """
        if self._latest.latest_step() == step:
            return
        self._check_space(_size(state))
        items = ocp.args.Composite(
            state=tree_save(state), config=json_save(self._config), checksum=json_save({"sha256": sha256(state)})
        )
        self._guard(lambda: self._latest.save(step, args=items))

    def check(self) -> None:
        """Raise WorkdirError if a save in the background has failed."""
        self._guard(self._latest.check_for_errors)

    def restore(self, state: TrainState) -> TrainState | None:
        """Return the state of the newest checkpoint that can be read, None if there is no checkpoint.

        The state is laid out over devices as `state` is, however many wrote it. Newer checkpoints that are corrupt are
        put into `damaged/`, with a warning.

        Raises:
            WorkdirError: there are checkpoints, and none can be read.
        """
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)
        failures: dict[int, str] = {}
        for step in sorted(self._latest.all_steps(), reverse=True):
            restored = self._read(step, abstract)
            if isinstance(restored, str):
                failures[step] = restored
                continue
            self._put_aside(failures, step)
            return restored
        if failures:
            told = "; ".join(f"step {step}: {reason}" for step, reason in failures.items())
            raise WorkdirError(
                f"no checkpoint in {self._workdir / 'checkpoints'} can be read ({told}): "
                "put a good copy there, or begin anew in another --workdir"
            )
        return None

    def keep_if_best(self, step: int, ema: Params, score: float) -> bool:
        """Keep the generators if their score is the highest so far; they are written when this returns."""
        best = self._best.latest_step()
        if best is not None and (best >= step or score <= self._score(best)):
            return False
        items = ocp.args.Composite(
            generators=tree_save(ema), score=json_save({"score": score}), config=json_save(self._config)
        )

        def write() -> None:
            self._best.save(step, args=items)
            self._best.wait_until_finished()

        self._guard(write)
        return True

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            WorkdirError: it could not be written.
        """
        self._guard(self._latest.wait_until_finished)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        for manager in (self._latest, self._best):
            try:
                manager.close()
            except Exception:
                if error is None:  # else that error is the one to tell of
                    raise

    def _read(self, step: int, abstract: TrainState) -> TrainState | str:
        """Return a saved state, or the reason why it cannot be read."""
        items = ocp.args.Composite(state=tree_restore(abstract), checksum=json_restore())
        with _libraries_silenced():
            try:
                restored = self._latest.restore(step, args=items)
            except Exception as error:  # whatever the libraries below make of damaged files
                reason = _reason(error)
            else:
                good = sha256(restored["state"]) == restored["checksum"]["sha256"]
                return restored["state"] if good else "its numbers are not those that were saved"
            # What reads are still under way, and what is left of them, would speak up later.
            time.sleep(0.5)
            gc.collect()
        return reason

    def _put_aside(self, failures: Mapping[int, str], good: int) -> None:
        for step, reason in failures.items():
            logger.warning(
                "checkpoint %d cannot be read (%s): put into %s, going back to step %d",
                step,
                reason,
                self._workdir / DAMAGED,
                good,
            )
            if jax.process_index() == 0:
                put_aside(self._workdir / "checkpoints" / f"step_{step}", self._workdir / DAMAGED)
        if failures:
            self._latest.reload()

    def _score(self, step: int) -> float:
        return self._best.restore(step, args=ocp.args.Composite(score=json_restore()))["score"]["score"]

    def _check_space(self, needed: int) -> None:
        free = shutil.disk_usage(self._workdir).free
        if free < needed:
            raise self._cannot_write(f"it takes {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free")

    def _guard(self, write: Callable[[], object]) -> None:
        try:
            write()
        except Exception as error:  # tensorstore and orbax wrap what the system says in errors of many kinds
            raise self._cannot_write(_reason(error)) from error

    def _cannot_write(self, reason: str) -> WorkdirError:
        return WorkdirError(
            f"cannot write a checkpoint into {self._workdir}: {reason}; {self.standing()}: "
            "make room or mend the disk, and run the same command to go on"
        )


class LoadedGenerators(NamedTuple):
    """The moving average of the generators' parameters and the step it was taken at."""

    step: int
    generators: Params


def load_generators(workdir: Path, which: str | int, abstract: Params) -> LoadedGenerators:
    """Return the generators of a run for inference; the run's folder is only read.

    Args:
        workdir: the run's folder.
        which: `best`, the highest held-out score, or where a run has no scores, the latest; `latest`; or a step.
        abstract: shapes and dtypes of the generators' parameters, of the config's architecture. They come on the first
            device, whatever they were trained on.

    Raises:
        WorkdirError: there is no such checkpoint, or it cannot be read.
    """
    place = workdir / ("best" if which == "best" else "checkpoints")
    if which == "best" and not _steps(place):
        logger.warning(
            "the run in %s has no best checkpoint, since it has no held-out scores: using the latest", workdir
        )
        place = workdir / "checkpoints"
    steps = _steps(place)
    if not steps:
        raise WorkdirError(f"{workdir} has no checkpoint: give the folder of a run that has trained (--workdir)")
    step = steps[-1] if which in ("best", "latest") else which
    if step not in steps:
        raise WorkdirError(f"{workdir} has no checkpoint {which}: choose best, latest, {', '.join(map(str, steps))}")
    try:
        folder = place / f"step_{step}"
        if place.name == "best":
            return LoadedGenerators(int(step), load_tree(folder / "generators", abstract))
        return LoadedGenerators(int(step), _load_part(folder / "state", {"ema": abstract})["ema"])
    except Exception as error:
        raise WorkdirError(f"cannot read checkpoint {step} of {workdir}: {_reason(error)}") from error


def save_tree(folder: Path, tree: Any) -> None:
    """Write a tree of arrays into a folder of its own, in place of what is there."""
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.absolute(), tree, force=True)


def load_tree(folder: Path, abstract: Any) -> Any:
    """Return the tree of arrays in a folder, for given shapes and dtypes, on the first device."""
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(folder.absolute(), _on_one_device(abstract))


def bytes_kept(state: TrainState) -> int:
    """Return the bytes that the checkpoints of a run take on the disk at most, one that is being written included."""
    return (KEEP + 1) * _size(state) + 2 * _size(state.ema)


def sha256(tree: Any) -> str:
    """Return a checksum of a tree's names, dtypes, shapes and bits."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def put_aside(path: Path, folder: Path) -> None:
    """Move a file or folder into another folder, under a name that is free there."""
    folder.mkdir(exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        target, number = folder / f"{path.name}.{number}", number + 1
    path.rename(target)


def _manager(folder: Path, keep: int, items: tuple[str, ...]) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, step_prefix="step", cleanup_tmp_directories=True)
    return ocp.CheckpointManager(folder.absolute(), options=options, item_names=items)


def _size(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def _on_one_device(abstract: Any) -> Any:
    place = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), abstract)


def _load_part(folder: Path, abstract: dict[str, Any]) -> dict[str, Any]:
    """Return some of the fields of a saved state, on the first device."""
    abstract = _on_one_device(abstract)
    arguments = partial_restore(
        abstract, restore_args=ocp.checkpoint_utils.construct_restore_args(abstract), partial_restore=True
    )
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        return checkpointer.restore(folder.absolute(), args=arguments)


@contextmanager
def _libraries_silenced() -> Iterator[None]:
    """Keep off the terminal what the libraries' threads print of a damaged file: pages for every array in it."""
    terminal = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _steps(folder: Path) -> list[int]:
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name.removeprefix("step_")) for name in names if name.removeprefix("step_").isdigit())


def _reason(error: BaseException) -> str:
    """Return in a line what went wrong: what the system said, if it is in there."""
    told = str(error)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO):
        if os.strerror(number) in told:
            return os.strerror(number)
    line = next((line for line in told.splitlines() if line.strip()), type(error).__name__)
    return textwrap.shorten(line.partition(" [")[0], 200)  # the libraries put their whole settings into brackets
