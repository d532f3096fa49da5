"""`python -m tfds_sdoml.build`: what it prints, what it refuses, and that a killed build goes on."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.tfds_sdoml.sun_images import times, write_aia, write_hmi, write_npz
from tfds_sdoml.build import build, main, make_config, parse_duration, parse_names, parse_numbers, parse_path
from tfds_sdoml.preparation import only_build

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, capsys):
    """Run the command with its own data_dir; return the exit code, the printed lines and the errors."""

    def command(*arguments):
        code = main([*arguments, f"--data_dir={tmp_path / 'data'}"])
        captured = capsys.readouterr()
        errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
        return code, captured.out.splitlines(), errors

    return command


@pytest.fixture
def mistake(run):
    def command(*arguments):
        code, _, (line,) = run(*arguments)
        assert code == 2
        return line

    return command


def numbers(lines):
    """The lines of the table as {what: number}."""
    return {line[:44].strip(): int(line[44:].split()[0].replace(",", "")) for line in lines if line[44:56].strip()}


def test_the_table(tmp_path, run):
    for day in times("20110201_0000", 6, days=1):
        write_aia(tmp_path / "in", day)
        write_hmi(tmp_path / "in", day)
    write_aia(tmp_path / "in", "20110201_0012")
    (tmp_path / "in/AIA20110203_0000_0193.npz").write_bytes(b"")
    code, lines, _ = run("sdoml/aia0193_hmi", f"--manual_dir={tmp_path / 'in'}", "--limit=5")
    assert code == 0
    found = numbers(line for line in lines if "/" not in line)
    assert found == {
        "found bz": 6,
        "found 0193": 7,
        "joined": 6,
        "left out: without the other series": 1,
        "left out: thinned": 1,
        "rejected: unreadable": 1,
        "written: train": 4,
    }
    (written,) = [line for line in lines if "written: train" in line]
    files = list((tmp_path / "data/sdoml/aia0193_hmi/1.3.0").glob("*.array_record*"))
    assert int(written.split()[-2].replace(",", "")) == sum(file.stat().st_size for file in files)
    assert lines[-1].startswith("rejected frames: ")
    assert Path(lines[-1].removeprefix("rejected frames: ")).read_text().count("\n") == 2
    # Once more: nothing is made, the same is printed.
    assert run("sdoml/aia0193_hmi")[1][-3:] == lines[-3:]


def test_a_dry_run_writes_nothing(tmp_path, run):
    for day in times("20110201_0000", 6, days=1):
        write_aia(tmp_path / "in", day)
    code, lines, _ = run("aia0193", f"--manual_dir={tmp_path / 'in'}", "--dry_run", "--every=2d")
    assert code == 0
    found = numbers(lines)
    assert (found["found 0193"], found["joined"], found["left out: thinned"]) == (6, 6, 3)
    assert found["to be written: train"] == 3
    assert not (tmp_path / "data").exists()


def test_a_new_name_keeps_what_it_was_defined_with(tmp_path, run, mistake):
    write_hmi(tmp_path, "20110215_0000")
    write_aia(tmp_path, "20110215_0000", channel="0094")
    code, _, _ = run("sdoml/mine", "--channels=94", "--field=bz", "--size=128", f"--manual_dir={tmp_path}")
    assert code == 0
    assert run("sdoml/mine")[0] == 0
    assert "(size differ)" in mistake("sdoml/mine", "--channels=94", "--field=bz", f"--manual_dir={tmp_path}")
    assert "needs --channels, --field or both" in mistake("sdoml/other", "--size=128")


def test_mistakes_are_one_line(tmp_path, mistake):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "known are sdoml/synthetic_64" in mistake("sdoml/aia0999")
    assert "give their folder as --manual_dir" in mistake("sdoml/aia0193")
    assert "no folder" in mistake("sdoml/aia0193", f"--manual_dir={tmp_path / 'absent'}")
    assert "AIAYYYYMMDD_HHMM_0193.npz" in mistake("sdoml/aia0193", f"--manual_dir={empty}")
    assert "unknown channel 0999" in mistake("sdoml/aia0193", "--channels=999")
    assert "synthetic Sun has no 0094" in mistake("sdoml/synthetic_64", "--channels=94")
    write_aia(tmp_path, "20110215_0006")
    write_npz(tmp_path, "HMI20120215_0006_bz.npz", np.ones((512, 512), np.float32))
    assert "none of all series within 360 s" in mistake("sdoml/aia0193_hmi", f"--manual_dir={tmp_path}")
    assert "there: 1 of 0193, 1 of bz" in mistake("sdoml/aia0304", f"--manual_dir={tmp_path}")
    assert not list((tmp_path / "data").rglob("*.array_record*"))


@pytest.mark.parametrize(
    ("name", "source"),
    [("store.zarr/.zgroup", "zarr_v2"), ("a/aia.fits", "fits"), ("frames/20110101T0000.npz", "hf256")],
)
def test_another_layout_is_recognised(tmp_path, mistake, name, source):
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert f"looks like {source}: give --source={source}" in mistake("aia0193", f"--manual_dir={tmp_path / 'in'}")


def test_a_folder_that_may_not_be_read(tmp_path):
    # Root may read everything: the command runs as another user.
    write_aia(tmp_path / "in/2011", "20110215_0000")
    (tmp_path / "in/2011").chmod(0)
    code = (
        "import os, sys\n"
        "import tfds_sdoml.build as b\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        f"sys.exit(b.main(['aia0193', '--manual_dir={tmp_path / 'in'}', '--dry_run']))"
    )
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    (tmp_path / "in/2011").chmod(0o755)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: [Errno 13] Permission denied")
    assert "in/2011" in done.stderr


SMALL_SHARDS = (
    "import sys, tfds_sdoml.shards as s, tfds_sdoml.build as b\n"
    "s.SHARD_BYTES = 4 * 512 * 512 * 2\n"
    "sys.exit(b.main(sys.argv[1:]))"
)


@pytest.fixture(scope="module")
def many_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    days = times("20110201_0000", 200, hours=4)
    first = write_aia(folder, days[0])
    for day in days[1:]:
        shutil.copy(first, folder / f"AIA{day}_0193.npz")
    (folder / f"AIA{days[40]}_0193.npz").write_bytes(b"nothing")
    return folder


def small_shards(data_dir, many_files, **options):
    arguments = ["aia0193", f"--manual_dir={many_files}", f"--data_dir={data_dir}"]
    return subprocess.Popen(
        [sys.executable, "-c", SMALL_SHARDS, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True, **options
    )


def contents(data_dir):
    folder = data_dir / "sdoml/aia0193/1.3.0"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_a_killed_build_goes_on_and_ends_as_if_it_had_run_through(tmp_path, many_files):
    through, killed = tmp_path / "through", tmp_path / "killed"
    process = small_shards(through, many_files)
    assert process.communicate()[1]
    assert process.returncode == 0
    process = small_shards(killed, many_files)
    end = time.monotonic() + 60
    while len(list(killed.glob("sdoml/aia0193/partial-*/*.json"))) < 5 and time.monotonic() < end:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finished = len(list(killed.glob("sdoml/aia0193/partial-*/*.json")))
    assert 5 <= finished < 40
    assert not (killed / "sdoml/aia0193/1.3.0").exists()
    process = small_shards(killed, many_files)
    _, errors = process.communicate()
    assert process.returncode == 0
    assert f"resuming an earlier build: {finished} of" in errors
    assert contents(killed) == contents(through)
    assert [path.name for path in (killed / "sdoml/aia0193").iterdir() if path.name != ".lock"] == ["1.3.0"]


def test_the_home_folder_is_put_in_for_a_tilde(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for folder in ("one", "two"):
        write_aia(tmp_path / folder, "20110215_0000")
    assert main(["aia0193", "--manual_dir=~/one", "--data_dir=~/data"]) == 0
    assert (tmp_path / "data/sdoml/aia0193").is_dir()
    build("aia0193", "~/again", "~/two")
    assert (tmp_path / "again/sdoml/aia0193").is_dir()
    assert not (tmp_path / "~").exists()
    assert parse_path("~/one,s3://two,~/two") == f"{tmp_path}/one,s3://two,{tmp_path}/two"
    assert "no file" in mistake_of(
        capsys, "aia0193", "--source=fits", f"--manual_dir={tmp_path}", "--degradation_table=~/t"
    )


@pytest.mark.parametrize("flag", ["--data_dir=", "--manual_dir=", "--guard_days=nan", "--guard_days=inf"])
def test_values_that_no_flag_takes_are_refused_before_any_work(tmp_path, capsys, flag):
    write_aia(tmp_path, "20110215_0000")
    error = mistake_of(capsys, "aia0193", f"--manual_dir={tmp_path}", f"--data_dir={tmp_path / 'data'}", flag)
    assert "it is empty: give a path" in error or "give a finite number from 0 on" in error
    assert not (tmp_path / "data").exists()


def mistake_of(capsys, *arguments):
    try:
        code = main(arguments)
    except SystemExit as stop:  # argparse's own
        code = stop.code
    assert code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_full_disk_is_one_line_and_keeps_what_is_finished(tmp_path, many_files):
    # A limit on the size of files fails as a full disk does, in the middle of the second kind of shard.
    code = SMALL_SHARDS.replace(
        "sys.exit(",
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "write = s.write_records\n"
        "def limited(path, records):\n"
        "    if path.name.startswith('train-00003'):\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "    return write(path, records)\n"
        "s.write_records = limited\n"
        "sys.exit(",
    )
    arguments = ["aia0193", f"--manual_dir={many_files}", f"--data_dir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: cannot write")
    assert "train-00003" in last
    assert "what is finished is kept: correct it and give the same command again" in last
    assert "Traceback" not in done.stderr
    (partial,) = (tmp_path / "sdoml/aia0193").glob("partial-*")
    assert sorted(path.name for path in partial.iterdir()) == [
        f"train-0000{k}.{end}" for k in range(3) for end in ("array_record", "json")
    ]


def test_two_builds_of_one_dataset(tmp_path, mistake):
    write_aia(tmp_path, "20110215_0000")
    with only_build(tmp_path / "data/sdoml/aia0193"):
        assert "another build of" in mistake("aia0193", f"--manual_dir={tmp_path}")


def test_a_data_dir_that_cannot_be_written(tmp_path, capsys):
    write_aia(tmp_path, "20110215_0000")
    (tmp_path / "file").write_text("")
    assert main(["aia0193", f"--manual_dir={tmp_path}", f"--data_dir={tmp_path / 'file' / 'data'}"]) == 2
    assert "Not a directory" in capsys.readouterr().err


def test_values_of_options():
    assert parse_numbers("2010-2012,2015") == (2010, 2011, 2012, 2015)
    assert parse_names("171, 0193") == ("0171", "0193")
    assert parse_names("bx,by,bz") == ("bx", "by", "bz")
    assert parse_names("") == ()
    assert [parse_duration(text) for text in ("12min", "4h", "1 d")] == [720, 14_400, 86_400]
    for wrong in ("2012-2010", "x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="give numbers and ranges"):
            parse_numbers(wrong)
    for wrong in ("4", "0h", "1w"):
        with pytest.raises(argparse.ArgumentTypeError, match="a number and min, h or d"):
            parse_duration(wrong)


def test_a_source_brings_its_size():
    assert make_config("aia0193_hmi", {"source": "hf256"}).size == 256
    assert make_config("aia0193_hmi", {"source": "hf256", "size": 64}).size == 64
    assert make_config("synthetic_64", {"seed": 1}).size == 64
    with pytest.raises(ValueError, match="source 'synthetic' has no new datasets"):
        make_config("mine", {"channels": ("0193",), "source": "synthetic"})


def test_the_command_starts_without_jax_or_tensorflow():
    code = "import sys, tfds_sdoml.build; sys.exit(bool({'jax', 'tensorflow', 'zarr'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, env=os.environ).returncode == 0
