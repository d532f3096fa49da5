"""Training commands in processes of their own, to be killed, signalled and starved.

A fork server that has imported everything hands them out, so that each starts at once. What it runs is the command,
from its flags to its exit code, with stderr in a file.
"""

import atexit
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TINY = (
    "--config=configs/aia193.py:poster_quickstart",
    "--config.data.euv=sdoml/small",
    "--config.data.magnetogram=sdoml/small",
    *(f"--config.model.{name}=2" for name in ("width", "discriminator_width", "discriminator_layers")),
    *(f"--config.model.{name}=1" for name in ("downsamplings", "residual_blocks", "discriminator_scales")),
    *("--config.model.style_size=3", "--config.model.mlp_width=4"),
    *("--config.evaluation.styles=2", "--config.evaluation.limit=3", "--config.evaluation.limit_during_training=2"),
)
# One term alone, of the simultaneous magnetogram: a start takes half the time where the networks do not matter.
ONE_TERM = tuple(f"--config.loss.{name}_weight=0.0" for name in ("adversarial", "image", "content", "style"))
PATIENCE = 180  # seconds: nothing here takes that long

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(
    [__name__, "munit_jax.train", "munit_jax.training.loop", "munit_jax.figures", "configs.aia193"]
)


def _run(flags: Sequence[str], log: Path, environment: Mapping[str, str], file_limit: int | None) -> None:
    from munit_jax import command_line, train

    with log.open("ab") as file:
        if file_limit is None:
            os.dup2(file.fileno(), 2)
        else:  # through another process, which may write as much as it likes
            copy = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file)
            assert copy.stdin is not None
            os.dup2(copy.stdin.fileno(), 2)
            copy.stdin.close()
    os.environ.update(environment)
    os.chdir(ROOT)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    import jax

    # JAX has read the environment when it was imported, in the server; a user's session is not as strict as the tests'.
    jax.config.update("jax_num_cpu_devices", int(environment.get("JAX_NUM_CPU_DEVICES", "1")))
    jax.config.update("jax_enable_x64", environment.get("JAX_ENABLE_X64") == "1")
    jax.config.update("jax_debug_key_reuse", False)
    jax.config.update("jax_numpy_rank_promotion", "allow")
    sys.argv = ["munit_jax.train", *flags]
    try:
        command_line.run(train.main, train.FLAGS)
    finally:
        atexit._run_exitfuncs()  # which processes of this kind do not do by themselves


class Command:
    """A running command."""

    def __init__(
        self,
        workdir: Path,
        data_dir: Path,
        *flags: str,
        environment: Mapping[str, str] | None = None,
        file_limit: int | None = None,
        log: Path | None = None,
    ):
        self.workdir = workdir
        self.log = log or workdir.with_suffix(".log")
        self.log.write_bytes(b"")
        flags = (*TINY, f"--config.data.data_dir={data_dir}", f"--workdir={workdir}", *flags)
        self.process = server.Process(target=_run, args=(flags, self.log, environment or {}, file_limit))
        self.process.start()

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it as a power cut does, if it has not ended by itself."""
        self.process.kill()
        self.process.join(PATIENCE)

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until the condition holds, or the command has ended."""
        deadline = time.monotonic() + PATIENCE
        while self.process.is_alive() and not condition():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.002)

    def until_said(self, words: str) -> None:
        """Wait until the log has the words: what comes by way of another process may be late."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.said():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def end(self, within: float = PATIENCE) -> int:
        """Wait for the end and return the exit code."""
        self.process.join(within)
        assert self.process.exitcode is not None, f"not ended after {within} s: {self.said()}"
        return self.process.exitcode

    def said(self) -> str:
        """Return what it has said so far, without the bars."""
        return self.log.read_text(errors="replace")

    def steps_logged(self) -> int:
        """Return how many steps the run's metrics have."""
        path = self.workdir / "metrics.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0


def saved_steps(workdir: Path) -> list[int]:
    """Return the steps of the whole checkpoints in a run's folder."""
    folder = workdir / "checkpoints"
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name.removeprefix("step_")) for name in names if name.removeprefix("step_").isdigit())


def summary(workdir: Path) -> dict[str, Any]:
    """Return a finished run's summary."""
    return json.loads((workdir / "summary.json").read_text())


def config_of(workdir: Path) -> dict[str, Any]:
    """Return the config of a run."""
    return json.loads((workdir / "config.json").read_text())
