"""Several processes on one machine as one run: the same numbers, one end for all, and no waiting for the dead."""

import json
import signal
import socket
import time

import jax
import numpy as np
import pytest
from filelock import FileLock

from munit_jax.config import parse
from munit_jax.training.checkpoints import load_tree
from munit_jax.training.state import init_state, make_optimizers
from munit_jax.training.workdir import LOCK
from tests.training.commands import ONE_TERM, Command, config_of, saved_steps

pytestmark = pytest.mark.slow

FIVE = ("--config.steps=5", "--config.batch_size=4", "--config.eval_every=5", "--config.checkpoint_every=5")
ENDLESS = ("--config.steps=1000000", "--config.batch_size=4", "--config.eval_every=1000000")
ENDLESS = (*ENDLESS, "--config.checkpoint_every=1000000", *ONE_TERM)


def environment(devices: int) -> dict[str, str]:
    return {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_ENABLE_X64": "1"}


@pytest.fixture(scope="module")
def start(small_sun_builder, tmp_path_factory):
    """Start a run of so many processes with so many devices each, in double precision."""
    folder = tmp_path_factory.mktemp("hosts")

    def start(name: str, hosts: int, devices: int, *flags: str) -> list[Command]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        together = ("--distributed", f"--coordinator_address=127.0.0.1:{port}", f"--num_processes={hosts}")
        return [
            Command(
                folder / name,
                small_sun_builder._data_dir_root,
                "--config.dtype=float64",
                *flags,
                *((*together, f"--process_id={host}") if hosts > 1 else ()),
                environment=environment(devices),
                log=folder / f"{name}-{host}.log",
            )
            for host in range(hosts)
        ]

    return start


def parameters(command: Command, step: int):
    """The parameters that a run has saved, in double precision."""
    with jax.enable_x64(True):
        recipe = parse(config_of(command.workdir)).recipe
        abstract = jax.eval_shape(lambda: init_state(recipe.architecture, make_optimizers(recipe.optimizer), 0))
        state = load_tree(command.workdir / "checkpoints" / f"step_{step}" / "state", abstract)
        return jax.device_get({"g": state.generators, "d": state.discriminators, "ema": state.ema})


def assert_close(tree, other) -> None:
    """Within 1e-5 of the largest entry of each array."""
    for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(tree), jax.tree.leaves(other), strict=True):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max(), rtol=0, err_msg=str(path))


def test_two_hosts_with_two_devices_equal_one_with_four_and_one_with_one(start):
    runs = {}
    for hosts, devices in ((2, 2), (1, 4), (1, 1)):
        commands = start(f"{hosts}x{devices}", hosts, devices, *FIVE)
        for command in commands:
            assert command.end() == 0, command.said()
        runs[hosts, devices] = commands[0]
    two, four, one = (parameters(run, 5) for run in runs.values())
    assert_close(two, one)
    assert_close(four, one)
    losses = [json.loads((run.workdir / "metrics.jsonl").read_text().splitlines()[-1]) for run in runs.values()]
    assert losses[0]["generator_total"] == pytest.approx(losses[2]["generator_total"], rel=1e-9)
    assert (runs[2, 2].workdir / "summary.json").exists()
    (session,) = (json.loads(line) for line in (runs[2, 2].workdir / "sessions.jsonl").read_text().splitlines())
    assert (session["hosts"], session["devices"]) == (2, 4)


@pytest.mark.parametrize("dying", [0, 1])
def test_the_death_of_one_host_ends_the_other(start, dying):
    """Of the first, whom the others report to, or of another."""
    pair = start(f"death-{dying}", 2, 1, *ENDLESS)
    victim, survivor = pair[dying], pair[1 - dying]
    survivor.until(lambda: survivor.steps_logged() >= 3)
    begin = time.monotonic()
    victim.kill()
    assert survivor.end(within=60) not in (0, None)
    assert time.monotonic() - begin < 60


def test_one_host_asked_to_stop_stops_both_at_the_same_step(start):
    first, second = start("stopped", 2, 1, *ENDLESS)
    first.until(lambda: first.steps_logged() >= 3)
    second.send(signal.SIGTERM)
    ends = [command.end(within=60) for command in (first, second)]
    assert ends == [0, 0], first.said() + second.said()
    steps = [int(command.said().split("stopped at step ")[1].split()[0]) for command in (first, second)]
    assert steps[0] == steps[1] == saved_steps(first.workdir)[-1]
    assert "has died" not in first.said() + second.said()

    # On one device alone the run goes on to where one that never had another comes to.
    end = steps[0] + 3
    to_the_end = (f"--config.steps={end}", "--config.batch_size=4", "--config.eval_every=1000000", *ONE_TERM)
    (alone,) = start("stopped", 1, 1, *to_the_end)
    (never,) = start("never", 1, 1, *to_the_end)
    assert [alone.end(), never.end()] == [0, 0], alone.said() + never.said()
    assert f"resuming from step {steps[0]} " in alone.said()
    assert "devices 2 then, 1 now" in alone.said()
    assert_close(parameters(alone, end), parameters(never, end))


def test_a_mistake_of_one_host_ends_the_other(start, tmp_path):
    """The first finds the folder taken: the second must not wait for it."""
    workdir = tmp_path / "taken"
    workdir.mkdir()
    with FileLock(workdir / LOCK):
        first, second = start("mistake", 2, 1, *FIVE, f"--workdir={workdir}")
        ends = [command.end(within=60) for command in (first, second)]
    assert ends[0] == 2
    assert "another run is at work" in first.said()
    assert ends[1] not in (0, None)
