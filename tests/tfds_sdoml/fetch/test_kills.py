"""Fetches that were killed three times end with the same bytes as one that was not, and their data build whole."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.commands import ROOT
from tests.tfds_sdoml.fetch.loopback import Jsoc, archive_of_esa, hub, loopback
from tests.tfds_sdoml.fetch.test_downloads import everything
from tests.tfds_sdoml.fetch.test_hf256 import COMMIT, REPOSITORY
from tests.tfds_sdoml.sources.fits_files import write_aia, write_hmi
from tests.tfds_sdoml.sun_images import euv_image, field_image, write_npz
from tfds_sdoml.build import main as build
from tfds_sdoml.fetch.journal import NAME
from tfds_sdoml.fetch.jsoc import EXPORTS

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


def interrupted(server, tmp_path, *flags):
    """Fetch into `whole` without and into `out` with three kills, and return the folder of the latter."""
    finish([*flags, f"--output={tmp_path / 'whole'}"])
    server.pause = 0.1
    kill_three_times([*flags, f"--output={tmp_path / 'out'}"], tmp_path / "out")
    finish([*flags, f"--output={tmp_path / 'out'}"])
    out, whole = everything(tmp_path / "out"), everything(tmp_path / "whole")
    assert {name: content for name, content in out.items() if name != EXPORTS} == {
        name: content for name, content in whole.items() if name != EXPORTS
    }
    return tmp_path / "out"


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
        folder = interrupted(server, tmp_path, "hf256", f"--endpoint={server.url}", "--parallel=2")
    what = ("sdoml/hf256", "--source=hf256", "--channels=193", "--field=bz")
    assert losses(capsys, *what, f"--manual_dir={folder}", f"--data_dir={tmp_path / 'data'}") == []


def test_version_2(s3, tmp_path, capsys):
    flags = ("--stores=s3://sdo/v2/sdomlv2.zarr,s3://sdo/v2/sdomlv2_hmi.zarr", "--channels=193", "--field=bz")
    folder = interrupted(s3, tmp_path, "sdoml_v2", *flags, "--years=2011", "--parallel=1")
    assert len(list(folder.rglob("*.npz"))) == 24
    assert losses(capsys, "sdoml/aia0193_hmi", f"--manual_dir={folder}", f"--data_dir={tmp_path / 'data'}") == []


@pytest.mark.pages
def test_jsoc(tmp_path, capsys):
    """Frames of five days, two months apart, of training, validation and test."""
    pytest.importorskip("drms", reason="the extra `download` is not installed")
    magnetograms, days = {}, [datetime(2011, 3, 15, tzinfo=UTC) + timedelta(days=61 * k) for k in range(5)]
    with loopback() as server:
        for day in days:
            name = f"/data/aia/synoptic/{day:%Y/%m/%d}/H0000/AIA{day:%Y%m%d}_0000_0193.fits"
            write_aia(tmp_path / "a.fits", euv_image(100.0), channel=193, time=f"{day:%Y-%m-%dT00:00:05Z}", exptime=1.0)
            write_hmi(tmp_path / "b.fits", field_image(10.0), time=f"{day:%Y.%m.%d}_00:00:07_TAI")
            server.files[name] = (tmp_path / "a.fits").read_bytes()
            magnetograms[f"{day:%Y.%m.%d}_00:00:00_TAI"] = (tmp_path / "b.fits").read_bytes()
            (tmp_path / "a.fits").unlink(), (tmp_path / "b.fits").unlink()
        server.services.append(Jsoc(server, magnetograms, gaps=0))
        span = ("--start=2011-03-15", "--end=2011-12-01", "--every=61d", "--first_look=0", "--parallel=1")
        what = ("--channels=193", "--field=bz", "--email=me@example.org")
        folder = interrupted(server, tmp_path, "jsoc", f"--server={server.url}", *span, *what)
    assert len(list(folder.rglob("*.fits"))) == 10
    what = ("sdoml/jsoc", "--source=fits", "--channels=193", "--field=bz")
    assert losses(capsys, *what, f"--manual_dir={folder}", f"--data_dir={tmp_path / 'data'}") == []


@pytest.mark.pages
def test_solar_orbiter(tmp_path):
    files = {
        f"solo_L2_eui-fsi174-image_202204{day:02d}T000045123_V01.fits": b"SIMPLE  = " + bytes([day]) * 10_000
        for day in range(1, 9)
    }
    with loopback() as server:
        server.services.append(archive_of_esa(files))
        server.files["/data"] = b""  # so that it pauses there
        span = ("--start=2022-04-01", "--end=2022-04-09", "--products=fsi174", "--parallel=1")
        folder = interrupted(server, tmp_path, "solar_orbiter", f"--server={server.url}", *span)
    assert len(list(folder.rglob("*.fits"))) == 8
