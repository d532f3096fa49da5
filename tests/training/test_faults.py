"""Runs that are killed, signalled, starved and doubled, as processes: all come to the same end, bit for bit."""

import json
import os
import random
import signal
import time

import pytest

from tests.training.commands import Command, saved_steps, summary

STEPS = 160
LONG = (f"--config.steps={STEPS}", "--config.eval_every=40", "--config.checkpoint_every=4")
SHORT = ("--config.steps=12", "--config.eval_every=6", "--config.checkpoint_every=3")
KILLS = 20


@pytest.fixture(scope="module")
def start(small_sun_builder, tmp_path_factory):
    """Start a command in a folder of this module, where compiled programs are kept from one to the next."""
    folder = tmp_path_factory.mktemp("faults")

    def start(name: str, *flags: str, **more) -> Command:
        return Command(folder / name, small_sun_builder._data_dir_root, *flags, **more)

    return start


@pytest.fixture(scope="module")
def short_sha(start):
    """The checksum that SHORT ends with when nothing happens."""
    command = start("short", *SHORT)
    assert command.end() == 0, command.said()
    return summary(command.workdir)["params_sha256"]


def lines(command: Command, name: str) -> list[dict]:
    """The lines of a run's file, but for how fast it was."""
    read = [json.loads(line) for line in (command.workdir / name).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "images_per_second"} for line in read]


def test_killed_twenty_times_a_run_ends_as_if_it_had_not_been(start):
    """Half of the times in the middle of a save; never is a step lost that was saved."""
    undisturbed = start("undisturbed", *LONG)
    assert undisturbed.end() == 0, undisturbed.said()
    rng, killed_in_saves, saved = random.Random(0), 0, 0
    for kill in range(KILLS):
        command = start("killed", *LONG)
        folder = command.workdir / "checkpoints"

        def saving(folder=folder) -> bool:
            return any(name.endswith("-tmp") for name in os.listdir(folder)) if folder.is_dir() else False

        if kill % 4 == 0:  # anywhere from the start on
            time.sleep(rng.uniform(0, 4))
        else:
            command.until(lambda command=command, saved=saved: max(saved_steps(command.workdir), default=0) > saved)
            if kill % 4 == 1:
                time.sleep(rng.uniform(0, 1))
            else:
                command.until(saving)
                time.sleep(rng.uniform(0, 0.05))
        killed_in_saves += saving()
        command.kill()
        assert command.process.exitcode == -signal.SIGKILL, "the run has too few steps to be killed so often"
        if saved and "going on from step " in command.said():
            assert int(command.said().split("going on from step ")[1].split()[0]) == saved
        saved = max(saved_steps(command.workdir), default=0)
    last = start("killed", *LONG)
    assert last.end() == 0, last.said()
    assert f"going on from step {saved} of the run" in last.said()
    assert killed_in_saves >= KILLS // 4, "too few kills fell into a save to prove anything"
    ends = [summary(run.workdir) for run in (last, undisturbed)]
    for key in ("steps", "params_sha256", "held_out", "baselines"):
        assert ends[0][key] == ends[1][key]
    for name in ("scores.jsonl", "metrics.jsonl"):
        assert lines(last, name) == lines(undisturbed, name)
    assert not list((last.workdir / "checkpoints").glob("*tmp")), "what killed saves left behind is removed"


def test_ctrl_c_and_sigterm_end_a_step_save_and_say_how_to_go_on(start, short_sha):
    for number, enough in ((signal.SIGINT, 2), (signal.SIGTERM, 5)):
        command = start("signalled", *SHORT)
        command.until(lambda command=command, enough=enough: command.steps_logged() >= enough)
        command.send(number)
        assert command.end(within=30) == 0, command.said()
        assert "of 12: run the same command to go on" in command.said()
        assert not (command.workdir / "summary.json").exists()
        last = command.said().split("stopped at step ")[1].split()[0]
        assert saved_steps(command.workdir)[-1] == int(last)
    command = start("signalled", *SHORT)
    assert command.end() == 0
    assert summary(command.workdir)["params_sha256"] == short_sha


def test_a_second_run_in_a_folder_is_refused_and_a_dead_one_is_not_in_the_way(start, short_sha):
    first = start("doubled", *SHORT, "--config.steps=100000")
    first.until(lambda: first.steps_logged() >= 2)
    second = start("doubled", *SHORT, log=first.log.with_suffix(".second"))
    assert second.end() == 2
    assert f"another run is at work in {first.workdir} (process {first.process.pid} on " in second.said()
    assert "Traceback" not in second.said()
    first.kill()
    third = start("doubled", *SHORT)
    third.until(lambda: "compiling" in third.said() or third.steps_logged() >= 12)
    assert third.end() == 0, third.said()


def test_a_disk_that_fills_up_leaves_the_last_good_checkpoint(start, short_sha):
    """Files larger than a limit cannot be written, as on a full disk."""
    command = start("full", *SHORT, "--config.steps=3")
    assert command.end() == 0
    assert saved_steps(command.workdir) == [3]
    command = start("full", *SHORT, file_limit=20_000)
    assert command.end() == 2, command.said()
    time.sleep(0.5)  # for what it said to arrive
    # Which of the run's files comes first is left to chance.
    assert f"error: cannot write {'a checkpoint ' if 'a checkpoint' in command.said() else ''}into" in command.said()
    assert "File too large" in command.said()
    assert "run the same command to go on" in command.said()
    assert saved_steps(command.workdir) == [3]
    command = start("full", *SHORT)
    assert command.end() == 0, command.said()
    assert summary(command.workdir)["params_sha256"] == short_sha
