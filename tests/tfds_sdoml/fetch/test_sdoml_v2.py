"""SDOML v2 from a bucket on loopback, with the real client, to files that a build reads."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from munit_jax.instruments.sdoml import named, time_in_name
from munit_jax.sun.ephemeris import seconds_from_tai
from tests.tfds_sdoml.fetch.conftest import EUV, FIELD, MONTHS
from tests.tfds_sdoml.fetch.test_downloads import everything
from tests.tfds_sdoml.sources.zarr_store import aia_attributes, write_store
from tfds_sdoml.fetch.__main__ import main
from tfds_sdoml.fetch.sdoml_v2 import v1_path
from tfds_sdoml.sources.npz_v1 import NpzV1

pytest.importorskip("s3fs", reason="the extra `download` is not installed")

NOON = datetime(2011, 3, 1, 12, tzinfo=UTC)
QUICK = ("--first_wait=0.001", "--tries=3", "--channels=193", "--field=bz", "--years=2011", "--every=24h")


def fetch(tmp_path, *flags):
    stores = "--stores=s3://sdo/v2/sdomlv2.zarr,s3://sdo/v2/sdomlv2_hmi.zarr"
    return main(["sdoml_v2", stores, f"--output={tmp_path / 'out'}", *QUICK, *flags])


def chunk(number, name="sdomlv2.zarr/2011/193A"):
    return f"/sdo/v2/{name}/{number}.0.0"


def test_frames_become_files_of_version_1(s3, tmp_path):
    assert fetch(tmp_path) == 0
    source = NpzV1(tmp_path / "out")
    euv, field = source.listing("0193"), source.listing("bz")
    assert euv.places[0] == "2011/03/15/AIA20110315_0000_0193.npz"
    assert field.places[0] == "2011/03/15/HMI20110315_0001_bz.npz"  # 41 s, to the nearest minute
    assert len(euv.times) == len(field.times) == 4
    order = {month: k for k, month in enumerate(reversed(MONTHS))}
    for k, month in enumerate(MONTHS):
        gain = np.float32(1 + 0.01 * np.float32(3 * order[month]))
        assert np.array_equal(source.read("0193", euv.places[k]), EUV * gain)
        assert np.array_equal(source.read("bz", field.places[k]), FIELD * gain)


def test_only_the_chunks_that_are_needed_are_read(s3, tmp_path, capsys):
    assert fetch(tmp_path, "--months=3", "--dry_run") == 0
    text = capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    s3.sent.clear()
    assert fetch(tmp_path, "--months=3") == 0
    chunks = {path: count for path, count in s3.sent.items() if path.endswith(".0.0")}
    assert set(chunks) == {chunk(3), chunk(3, "sdomlv2_hmi.zarr/2011/Bz")}
    assert sum(chunks.values()) == len(s3.files[chunk(3)]) + len(s3.files[chunk(3, "sdomlv2_hmi.zarr/2011/Bz")])
    assert f"to be read: 2 pieces, {sum(chunks.values()) / 1e6:,.1f} MB" in text
    assert sum(s3.sent.values()) < 1.05 * sum(chunks.values())  # with metadata


def test_faults_that_pass(s3, tmp_path):
    assert fetch(tmp_path / "whole") == 0
    s3.faults[chunk(0)] = [503]
    s3.faults[chunk(1)] = ["cut"]
    s3.faults[chunk(2)] = ["short"]
    assert fetch(tmp_path) == 0
    assert everything(tmp_path / "out") == everything(tmp_path / "whole/out")


def test_faults_that_stay(s3, tmp_path, capsys):
    """One is refused, one is damaged since it was listed, one is damaged in the bucket; the others are had."""
    assert fetch(tmp_path / "whole") == 0
    whole = everything(tmp_path / "whole/out")
    s3.files[chunk(2)] = s3.files[chunk(2)][:-9]
    s3.faults[chunk(0)] = [403] * 9
    s3.faults[chunk(1)] = ["short"] * 9
    assert fetch(tmp_path) == 1
    assert "not had: 3, see failed.csv" in capsys.readouterr().out
    reasons = (tmp_path / "out/failed.csv").read_text()
    for words in ("bytes came", "cannot be decoded", "0.0,"):
        assert words in reasons
    made = everything(tmp_path / "out")
    assert {name for name in made if name.endswith("npz")} == {name for name in whole if "npz" in name} - {
        f"2011/{month:02d}/15/AIA2011{month:02d}15_0000_0193.npz" for month in (12, 8, 5)
    }
    s3.faults.clear()


def test_what_cannot_be_asked_for(s3, stores, tmp_path, capsys):
    assert main(["sdoml_v2", f"--stores={stores}", f"--output={tmp_path}"]) == 2
    assert "give --channels, --field or both" in capsys.readouterr().err
    assert fetch(tmp_path, "--years=2012") == 2
    assert "no year 2012" in capsys.readouterr().err
    assert fetch(tmp_path, "--stores=s3://sdo/v3") == 2
    assert "no folder s3://sdo/v3" in capsys.readouterr().err
    write_store(str(tmp_path / "small.zarr"), {"2011/193A": (np.ones((1, 8, 8), np.float32), aia_attributes([NOON]))})
    assert main(["sdoml_v2", f"--stores={tmp_path}", f"--output={tmp_path}", "--channels=193"]) == 2
    assert "images of 8 pixels, where SDOML v1 files have 512" in capsys.readouterr().err


@pytest.mark.parametrize("series", ["0193", "bz"])
def test_times_in_names_are_within_half_a_minute(series):
    for seconds in range(0, 3600, 97):
        time = seconds_from_tai(datetime(2012, 6, 30, 23, 40, tzinfo=UTC)) + seconds  # over a leap second
        match = named(Path(v1_path(series, time)).name)
        assert match is not None
        assert abs(time_in_name(match) - time) <= 31
