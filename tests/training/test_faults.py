"""Runs that are killed, signalled, starved and doubled, as processes: all come to the same end, bit for bit."""

import json
import os
import random
import signal
import time

import pytest

from tests.training.commands import ONE_TERM, Command, saved_steps, summary

pytestmark = pytest.mark.slow

STEPS = 60
LONG = (f"--config.steps={STEPS}", "--config.eval_every=30", "--config.checkpoint_every=4")
LONG = (*LONG, *ONE_TERM)
ENDLESS = "--config.steps=1000000"
KILLS = 20


@pytest.fixture(scope="module")
def start(small_sun_builder, tmp_path_factory):
    """Start a command in a folder of this module, where compiled programs are kept from one to the next."""
    folder = tmp_path_factory.mktemp("faults")

    def start(name: str, *flags: str, **more) -> Command:
        return Command(folder / name, small_sun_builder._data_dir_root, *LONG, *flags, **more)

    return start


@pytest.fixture(scope="module")
def undisturbed(start):
    """The run to whose end all others must come."""
    command = start("undisturbed")
    assert command.end() == 0, command.said()
    return command


def lines(command: Command, name: str) -> list[dict]:
    """The lines of a run's file, but for how fast it was."""
    read = [json.loads(line) for line in (command.workdir / name).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "images_per_second"} for line in read]


def assert_same_end(command: Command, undisturbed: Command) -> None:
    """The same parameters bit for bit, scores and scalars, and nothing left over."""
    assert command.end() == 0, command.said()
    ends = [summary(run.workdir) for run in (command, undisturbed)]
    for key in ("steps", "params_sha256", "held_out", "baselines"):
        assert ends[0][key] == ends[1][key]
    for name in ("scores.jsonl", "metrics.jsonl"):
        assert lines(command, name) == lines(undisturbed, name)
    for folder in ("checkpoints", "best"):
        left = [sorted(os.listdir(run.workdir / folder)) for run in (command, undisturbed)]
        assert left[0] == left[1]


def test_killed_twenty_times_a_run_ends_as_if_it_had_not_been(start, undisturbed):
    """Half of the times in the middle of a save; never is a step lost that was saved."""
    rng, kills, killed_in_saves, saved, run = random.Random(0), 0, 0, 0, 0
    while kills < KILLS:
        command = start(f"killed-{run}")
        folder = command.workdir / "checkpoints"

        def saving(folder=folder) -> bool:
            return any(name.endswith("-tmp") for name in os.listdir(folder)) if folder.is_dir() else False

        if kills % 4 == 0:  # anywhere from the start on
            time.sleep(rng.uniform(0, 4))
        else:
            command.until(lambda command=command, saved=saved: max(saved_steps(command.workdir), default=0) > saved)
            if kills % 4 == 1:
                time.sleep(rng.uniform(0, 1))
            else:
                command.until(saving)
        in_a_save = saving()
        command.kill()
        if command.process.exitcode != -signal.SIGKILL:  # it was quicker: the kills go on with another
            assert_same_end(command, undisturbed)
            saved, run = 0, run + 1
            continue
        kills, killed_in_saves = kills + 1, killed_in_saves + in_a_save
        if saved and "resuming from step " in command.said():
            assert int(command.said().split("resuming from step ")[1].split()[0]) == saved
        saved = max(saved_steps(command.workdir), default=0)
    assert killed_in_saves >= KILLS // 4, "too few kills fell into a save to prove anything"
    last = start(f"killed-{run}")
    assert_same_end(last, undisturbed)
    assert f"resuming from step {saved} of the run" in last.said()


def test_ctrl_c_and_sigterm_end_a_step_save_and_say_how_to_go_on(start, undisturbed):
    """While it compiles, and after some steps; the last command goes on to the end."""
    for number, moment in ((signal.SIGINT, 0), (signal.SIGTERM, 10)):
        command = start("signalled")
        command.until_said("compiling the training step")
        command.until(lambda command=command, moment=moment: command.steps_logged() >= moment)
        command.send(number)
        assert command.end(within=30) == 0, command.said()
        assert f"of {STEPS}: run the same command to resume" in command.said()
        assert not (command.workdir / "summary.json").exists()
        last = int(command.said().split("stopped at step ")[1].split()[0])
        assert last >= moment
        assert max(saved_steps(command.workdir), default=0) == last
    assert_same_end(start("signalled"), undisturbed)


def test_a_second_run_in_a_folder_is_refused_and_a_dead_one_is_not_in_the_way(start):
    first = start("doubled", ENDLESS)
    first.until(lambda: saved_steps(first.workdir))
    second = start("doubled", ENDLESS, log=first.log.with_suffix(".second"))
    assert second.end() == 2
    assert f"another run is at work in {first.workdir} (process {first.process.pid} on " in second.said()
    assert "Traceback" not in second.said()
    first.kill()
    third = start("doubled", ENDLESS)
    third.until_said("resuming from step ")
    third.kill()


def test_a_disk_that_fills_up_leaves_the_last_good_checkpoint(start):
    """Files larger than a limit cannot be written, as on a full disk."""
    command = start("full", "--config.steps=4", "--config.eval_every=1000")
    assert command.end() == 0
    command = start("full", "--config.eval_every=1000", file_limit=20_000)
    assert command.end() == 2, command.said()
    command.until_said("run the same command to resume")
    assert "error: cannot write a checkpoint into" in command.said()
    assert "File too large; the checkpoint of step 4 is kept: make room or repair the disk" in command.said()
    assert saved_steps(command.workdir) == [4]
    command = start("full", "--config.steps=8", "--config.eval_every=1000")
    assert command.end() == 0, command.said()
    assert saved_steps(command.workdir) == [4, 8]
