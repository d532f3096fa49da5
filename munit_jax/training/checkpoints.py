"""Checkpoints of a run, in the one file that imports orbax."""

import errno
import hashlib
import json
import logging
import os
import shutil
import textwrap
from collections.abc import Callable, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from munit_jax.errors import WorkdirError
from munit_jax.networks.munit import Params
from munit_jax.training import hosts
from munit_jax.training.state import TrainState

logger = logging.getLogger(__name__)

KEEP = 3  # the latest checkpoints
DAMAGED = "damaged"  # of unreadable checkpoints
OTHER_NUMBERS = "its numbers are not those that were saved"

args: Any = ocp.args  # orbax's dataclasses have no types for a static checker


class Checkpoints:
    """The checkpoints in a run's folder; a context manager, since saving runs in the background.

    `checkpoints/` keeps the latest whole states (`TrainState`, config, checksum), from which a run resumes; `best/` the
    generators (their moving average) with the best validation score, for inference. With several processes every
    method is called by all of them, at the same step.
    """

    def __init__(self, workdir: Path, config: Mapping[str, Any]):
        """Open the folders; the remains of a killed save are removed."""
        self._workdir, self._config = workdir, dict(config)
        self._latest = _manager(workdir / "checkpoints", KEEP, ("state", "config", "checksum"))
        self._best = _manager(workdir / "best", 1, ("generators", "config", "checksum", "score"))

    def latest_step(self) -> int | None:
        """Return the step of the newest checkpoint, including one that is being written; None if there is none."""
        return self._latest.latest_step()

    def standing(self) -> str:
        """Return in words the checkpoint from which a run that ends now can resume."""
        steps = _steps(
            self._workdir / "checkpoints"
        )  # what is complete on the disk: a save may be under way, or failed
        return f"the checkpoint of step {steps[-1]} is kept" if steps else "no checkpoint was written yet"

    def save(self, step: int, state: TrainState) -> None:
        """Save in the background; a second save waits for the first. WorkdirError: no room, or that one failed."""
        if self._latest.latest_step() == step:
            return
        self._check_space(_size(state))
        items = args.Composite(
            state=args.StandardSave(state),
            config=args.JsonSave(self._config),
            checksum=args.JsonSave({"sha256": sha256(state), "ema_sha256": sha256(state.ema)}),
        )
        self._guard(lambda: self._latest.save(step, args=items))

    def check(self) -> None:
        """Raise WorkdirError if a save in the background has failed; never waits."""
        if not self._latest.is_saving_in_progress():  # only waiting for its end reports a failed one
            self.wait()

    def restore(self, state: TrainState) -> TrainState | None:
        """Return the state of the newest checkpoint that can be read, None if there is no checkpoint.

        The state is laid out over devices as `state` is, however many wrote it. Newer checkpoints that are corrupt are
        put into `damaged/`, with a warning; WorkdirError where none can be read.
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
            reasons = "; ".join(f"step {step}: {reason}" for step, reason in failures.items())
            raise WorkdirError(
                f"no checkpoint in {self._workdir / 'checkpoints'} can be read ({reasons}): "
                "put a good copy there, or start again in another --workdir"
            )
        return None

    def keep_if_best(self, step: int, ema: Params, score: float, wanted: Literal["lowest", "highest"]) -> bool:
        """Keep the generators if their score is the best so far; they are written when this returns."""
        best = self._best.latest_step()
        if best is not None:
            gain = score - self._best.restore(best, args=args.Composite(score=args.JsonRestore()))["score"]["score"]
            if best >= step or (gain if wanted == "highest" else -gain) <= 0:
                return False
        items = args.Composite(
            generators=args.StandardSave(ema),
            config=args.JsonSave(self._config),
            checksum=args.JsonSave({"ema_sha256": sha256(ema)}),
            score=args.JsonSave({"score": score}),
        )

        def write() -> None:
            self._best.save(step, args=items)
            self._best.wait_until_finished()

        self._guard(write)
        return True

    def wait(self) -> None:
        """Wait until everything is written; raise WorkdirError if it could not be."""
        self._guard(self._latest.wait_until_finished)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        for manager in (self._latest, self._best):
            try:
                manager.close()
            except Exception:
                if error is None:  # otherwise report that error
                    raise

    def _read(self, step: int, abstract: TrainState) -> TrainState | str:
        """Return a saved state, or the reason why it cannot be read; the same in all processes."""
        items = args.Composite(state=args.StandardRestore(abstract), checksum=args.JsonRestore())
        restored, reason = None, ""
        try:
            restored = self._latest.restore(step, args=items)
            if sha256(restored["state"]) != restored["checksum"]["sha256"]:
                reason = OTHER_NUMBERS
        except (jax.errors.JaxRuntimeError, TimeoutError):
            raise  # of what the processes do in common, or of the device: not of the disk
        except Exception as error:  # orbax and tensorstore raise errors of many kinds for damaged files
            reason = reason_of(error)
        agreed = hosts.all_say(not reason)
        if restored is None or not agreed:
            return reason or "another process cannot read it"
        return restored["state"]

    def _put_aside(self, failures: Mapping[int, str], good: int) -> None:
        """Move checkpoints that cannot be read into `damaged/`, under names that are free there."""
        folder = self._workdir / DAMAGED
        for step, reason in failures.items():
            logger.warning(
                "checkpoint %d cannot be read (%s): moved into %s, falling back to step %d", step, reason, folder, good
            )
            if hosts.writes():
                folder.mkdir(exist_ok=True)
                names = chain([f"step_{step}"], (f"step_{step}.{number}" for number in count(1)))
                target = next(folder / name for name in names if not (folder / name).exists())
                (self._workdir / "checkpoints" / f"step_{step}").rename(target)
        if failures:
            hosts.wait("put aside")
            self._latest.reload()

    def _check_space(self, needed: int) -> None:
        free = shutil.disk_usage(self._workdir).free
        if free < needed:
            raise self._cannot_write(f"it takes {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free")

    def _guard(self, write: Callable[[], object]) -> None:
        try:
            write()
        except (jax.errors.JaxRuntimeError, TimeoutError):
            raise  # as in `_read`
        except Exception as error:  # as in `_read`
            raise self._cannot_write(reason_of(error)) from error

    def _cannot_write(self, reason: str) -> WorkdirError:
        return WorkdirError(
            f"cannot write a checkpoint into {self._workdir}: {reason}; {self.standing()}: "
            "make room or repair the disk, and run the same command to resume"
        )


class LoadedGenerators(NamedTuple):
    """The moving average of the generators' parameters and the step it was taken at."""

    step: int
    generators: Params


def load_generators(workdir: Path, which: str | int, abstract: Params) -> LoadedGenerators:
    """Return the generators of a run for inference, on the first device; the run's folder is only read.

    `which` is `best` by the validation score, or where a run has none, the latest; `latest`; or a step. WorkdirError
    where there is no such checkpoint, or it cannot be read; `abstract` are shapes and dtypes of the parameters.
    """
    place = workdir / ("best" if which == "best" else "checkpoints")
    if which == "best" and not _steps(place):
        logger.warning(
            "the run in %s has no best checkpoint, since it has no validation scores: using the latest", workdir
        )
        place = workdir / "checkpoints"
    steps = _steps(place)
    if not steps:
        raise WorkdirError(f"{workdir} has no checkpoint: give the folder of a run that has trained (--workdir)")
    step = steps[-1] if which in ("best", "latest") else which
    if step not in steps:
        raise WorkdirError(f"{workdir} has no checkpoint {which}: choose best, latest, {', '.join(map(str, steps))}")
    folder = place / f"step_{step}"

    try:
        if place.name == "best":
            generators = load_tree(folder / "generators", abstract)
        else:
            generators = load_tree(folder / "state", {"ema": abstract})["ema"]
        if sha256(generators) != json.loads((folder / "checksum" / "metadata").read_text())["ema_sha256"]:
            raise ValueError(OTHER_NUMBERS)
    except Exception as error:  # orbax and tensorstore raise errors of many kinds for damaged files
        raise WorkdirError(
            f"cannot read checkpoint {step} of {workdir}: {reason_of(error)}; choose another with --checkpoint"
        ) from None
    return LoadedGenerators(int(step), generators)


def load_tree(folder: Path, abstract: Any) -> Any:
    """Return the tree of arrays in a folder, or a part of it, for given shapes and dtypes, on the first device."""
    place = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), abstract)
    layout = ocp.checkpoint_utils.construct_restore_args(abstract)
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        return checkpointer.restore(
            folder.absolute(), args=args.PyTreeRestore(abstract, restore_args=layout, partial_restore=True)
        )


def bytes_kept(state: TrainState) -> int:
    """Return the bytes that the checkpoints of a run take on the disk at most, one that is being written included."""
    return (KEEP + 1) * _size(state) + 2 * _size(state.ema)


def _manager(folder: Path, keep: int, items: tuple[str, ...]) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        step_prefix="step",
        cleanup_tmp_directories=True,
        # Two managers may write at one time, and orbax's barriers are called by the step alone.
        multiprocessing_options=ocp.options.MultiprocessingOptions(barrier_sync_key_prefix=folder.name),
    )
    return ocp.CheckpointManager(folder.absolute(), options=options, item_names=items)


def _size(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def _steps(folder: Path) -> list[int]:
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name.removeprefix("step_")) for name in names if name.removeprefix("step_").isdigit())


def sha256(tree: Any) -> str:
    """Return a checksum of a tree's names, dtypes, shapes and bits, whatever file or device they are on."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def reason_of(error: BaseException) -> str:
    """Return the error in one line: the system's message, if there is one."""
    text = str(error)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO):
        if os.strerror(number) in text:
            return os.strerror(number)
    line = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    return textwrap.shorten(line.partition(" [")[0], 200)  # the libraries put their whole settings into brackets
