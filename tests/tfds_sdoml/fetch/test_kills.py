"""Fetches that were killed three times end with the same bytes as one that was not, and their data build whole."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.commands import ROOT
from tests.tfds_sdoml.fetch.loopback import hub, loopback
from tests.tfds_sdoml.fetch.test_downloads import everything
from tests.tfds_sdoml.fetch.test_hf256 import COMMIT, REPOSITORY
from tests.tfds_sdoml.sun_images import euv_image, field_image, write_npz
from tfds_sdoml.build import main as build
from tfds_sdoml.fetch.journal import NAME

pytestmark = pytest.mark.slow
PATIENCE = 120  # seconds until a fetch has to have come on


def write_set(folder, days=(3, 12, 15, 18, 21)):
    """Frames of the 256-pixel set that look like the Sun, in months of training, validation and test."""
    euv, field = euv_image(100.0, 256).astype(np.float16), field_image(10.0, 256).astype(np.float16)
    content = {}
    for month in ("03", "05", "08", "12"):
        for day in days:
            name = f"2011{month}{day:02d}T0000.npz"
            write_npz(folder, name, euv)
            np.savez_compressed(folder / name, aia193=euv, bz=field)
            content[f"frames/{name}"] = (folder / name).read_bytes()
    return content


def start(flags):
    command = [sys.executable, "-m", "tfds_sdoml.fetch", *flags]
    return subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(flags):
    process = start(flags)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out


def lines_of(folder):
    return len((folder / NAME).read_bytes().split()) if (folder / NAME).exists() else 0


def kill_three_times(flags, folder):
    for _ in range(3):
        before, process, begin = lines_of(folder), start(flags), time.monotonic()
        while lines_of(folder) == before:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() - begin < PATIENCE
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL


def losses(capsys, *flags):
    """Return the lines of a build that tell of frames that are not in it."""
    capsys.readouterr()
    assert build(list(flags)) == 0
    out = capsys.readouterr().out
    assert "written: train" in out
    return [line for line in out.splitlines() if line.startswith(("left out", "rejected: "))]


def test_the_256_pixel_set(tmp_path, capsys):
    with loopback() as server:
        server.services.append(hub(server, REPOSITORY, COMMIT, write_set(tmp_path)))
        flags = ("hf256", f"--endpoint={server.url}", "--parallel=2")
        finish([*flags, f"--output={tmp_path / 'whole'}"])
        server.pause = 0.05
        kill_three_times([*flags, f"--output={tmp_path / 'out'}"], tmp_path / "out")
        finish([*flags, f"--output={tmp_path / 'out'}"])
    assert everything(tmp_path / "out") == everything(tmp_path / "whole")
    what = ("sdoml/hf256", "--source=hf256", "--channels=193", "--field=bz")
    assert losses(capsys, *what, f"--manual_dir={tmp_path / 'out'}", f"--data_dir={tmp_path / 'data'}") == []


def test_version_2(s3, tmp_path, capsys):
    flags = ("sdoml_v2", "--stores=s3://sdo/v2/sdomlv2.zarr,s3://sdo/v2/sdomlv2_hmi.zarr", "--channels=193")
    flags = (*flags, "--field=bz", "--years=2011", "--parallel=1")
    finish([*flags, f"--output={tmp_path / 'whole'}"])
    s3.pause = 0.1
    kill_three_times([*flags, f"--output={tmp_path / 'out'}"], tmp_path / "out")
    finish([*flags, f"--output={tmp_path / 'out'}"])
    assert everything(tmp_path / "out") == everything(tmp_path / "whole")
    assert len(list(tmp_path.glob("out/**/*.npz"))) == 24
    assert (
        losses(capsys, "sdoml/aia0193_hmi", f"--manual_dir={tmp_path / 'out'}", f"--data_dir={tmp_path / 'data'}") == []
    )
