"""The 256-pixel set from a Hub on loopback, with the real client."""

import numpy as np
import pytest

from tests.tfds_sdoml.fetch.loopback import hub, loopback
from tests.tfds_sdoml.fetch.test_downloads import everything
from tests.tfds_sdoml.sources.test_hf256 import write
from tfds_sdoml.fetch.__main__ import main
from tfds_sdoml.sources.hf256 import Hf256

pytest.importorskip("huggingface_hub", reason="the extra `download` is not installed")

REPOSITORY, COMMIT = "Emulated-Inc/sci-sdo-virtual-magnetogram", "a" * 40
TIMES = [f"2011{month:02d}{day:02d}T{hour}" for month in (3, 6) for day in (1, 2) for hour in ("0000", "1200")]
QUICK = ("--first_wait=0.001", "--tries=4")


@pytest.fixture
def frames(tmp_path):
    (tmp_path / "set").mkdir()
    content = {f"frames/{time}.npz": write(tmp_path / "set", f"{time}.npz").read_bytes() for time in TIMES}
    return content | {"frames/20120101T0000.npz": content[f"frames/{TIMES[0]}.npz"], "README.md": b"# A set"}


@pytest.fixture
def server(frames):
    with loopback() as server:
        server.services.append(hub(server, REPOSITORY, COMMIT, frames))
        yield server


def fetch(server, tmp_path, *flags):
    return main(["hf256", f"--output={tmp_path / 'out'}", f"--endpoint={server.url}", *QUICK, *flags])


def place(time):
    return f"/cdn/{COMMIT}/frames/{time}.npz"


def test_the_whole_set(server, frames, tmp_path, capsys):
    assert fetch(server, tmp_path) == 0
    assert "9 files" in capsys.readouterr().out
    made = everything(tmp_path / "out")
    assert {name: made[name] for name in frames if name in made} == {
        name: content for name, content in frames.items() if name != "README.md"
    }
    assert made["revision.txt"] == f"{COMMIT}\n".encode()
    source = Hf256(tmp_path / "out")
    assert len(source.listing("bz").times) == 9
    assert (source.read("bz", source.listing("bz").places[0]) == np.float32(4)).all()


def test_years_and_cadence(server, tmp_path, capsys):
    assert fetch(server, tmp_path, "--years=2011", "--every=24h") == 0
    assert sorted(path.stem for path in tmp_path.glob("out/frames/*.npz")) == TIMES[::2]
    assert fetch(server, tmp_path, "--years=2015") == 2
    assert "has 9 frames at revision aaa" in capsys.readouterr().err


def test_a_dry_run_tells_the_bytes_that_are_read(server, tmp_path, capsys):
    assert fetch(server, tmp_path, "--dry_run") == 0
    text = capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    server.sent.clear()
    assert fetch(server, tmp_path) == 0
    read = sum(server.sent.values())
    assert f"to be read: 9 pieces, {read / 1e6:,.1f} MB" in text


def test_faults_that_pass(server, frames, tmp_path):
    for time, faults in zip(TIMES, ([429], [503, 503], ["cut"], ["short"], ["cut", "short", 500]), strict=False):
        server.faults[place(time)] = list(faults)
    assert fetch(server, tmp_path) == 0
    assert everything(tmp_path / "out")[f"frames/{TIMES[3]}.npz"] == frames[f"frames/{TIMES[3]}.npz"]


def test_faults_that_stay(server, tmp_path, capsys):
    server.faults[place(TIMES[0])] = [403]
    server.faults[place(TIMES[1])] = ["page"]
    server.faults[place(TIMES[2])] = ["short"] * 4
    server.files[place(TIMES[3])] = server.files[place(TIMES[3])][:-1] + b"x"  # changed since it was listed
    assert fetch(server, tmp_path) == 1
    assert "not had: 4, see failed.csv" in capsys.readouterr().out
    reasons = (tmp_path / "out/failed.csv").read_text()
    for words in ("answered 403: Access denied", "but Access denied", "bytes came", "damaged, or has changed"):
        assert words in reasons
    assert len(list(tmp_path.glob("out/frames/*"))) == 5


def test_a_file_outside_of_lfs_has_its_sum_too(server, frames, tmp_path):
    server.services[:] = [hub(server, REPOSITORY, COMMIT, frames, large=False)]
    server.files[place(TIMES[3])] = server.files[place(TIMES[3])][:-1] + b"x"
    assert fetch(server, tmp_path) == 1
    assert len(list(tmp_path.glob("out/frames/*"))) == 8


def test_the_revision_stays(server, frames, tmp_path, capsys):
    """That of the first time goes on, whatever the set has become since."""
    assert fetch(server, tmp_path, "--years=2011") == 0
    later, earlier = hub(server, REPOSITORY, "b" * 40, {}), server.services[0]
    server.services[:] = [later, earlier]
    assert fetch(server, tmp_path) == 0
    assert len(list(tmp_path.glob("out/frames/*"))) == 9
    assert fetch(server, tmp_path / "new") == 2
    assert f"has 0 frames at revision {'b' * 40}" in capsys.readouterr().err
    server.services[:] = [hub(server, REPOSITORY, "b" * 40, frames), earlier]
    assert fetch(server, tmp_path, f"--revision={'b' * 40}") == 2
    assert f"has files of revision {COMMIT}, not {'b' * 40}" in capsys.readouterr().err


def test_what_the_hub_does_not_have(server, tmp_path, capsys):
    assert fetch(server, tmp_path, "--repository=A/b") == 2
    assert "error: the Hub: " in capsys.readouterr().err
    assert fetch(server, tmp_path, "--revision=c") == 2
    assert "error: the Hub: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
