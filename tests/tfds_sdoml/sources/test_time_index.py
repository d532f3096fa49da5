"""The times of SDOML v2 are read out of its attributes once, and again when these have changed."""

import json
import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.tfds_sdoml.sources.zarr_store import aia_attributes, write_store
from tfds_sdoml.sources.zarr_stores import ArrayPlace
from tfds_sdoml.sources.zarr_v2 import ZarrV2

START = datetime(2011, 3, 1, tzinfo=UTC)
TIMES = [START + timedelta(hours=k) for k in (2, 0, 3, 1)]
FLAGS = [0, 0, 8, 0]


def write(url, times=TIMES):
    """Five frames of one value each; the last has no time, the third a bad quality."""
    images = np.broadcast_to(np.arange(5, dtype=np.float32)[:, None, None], (5, 8, 8)).copy()
    write_store(url, {"2011/193A": (images, aia_attributes(times, QUALITY=FLAGS))})


@pytest.fixture
def reads(monkeypatch):
    """The attribute files that were read."""
    files, read_json = [], ArrayPlace.read_json

    def counted(array, name):
        files.extend([array.text] if name == ".zattrs" else [])
        return read_json(array, name)

    monkeypatch.setattr(ArrayPlace, "read_json", counted)
    return files


def listed(url, index_folder):
    listing = ZarrV2(url, index_folder=index_folder).listing("0193")
    return [listing.times.tolist(), listing.places, listing.rejected]


@pytest.mark.parametrize("kind", ["disk", "bucket"])
def test_a_second_build_does_not_read_the_attributes(tmp_path, reads, kind):
    url = str(tmp_path / "x.zarr") if kind == "disk" else "memory://kept/x.zarr"
    write(url)
    first = listed(url, tmp_path / "index")
    assert first == listed(url, None)
    assert [(row.reason, row.place) for row in first[2]] == [
        ("quality", "x.zarr/2011/193A/2"),
        ("no time", "x.zarr/2011/193A/4"),
    ]
    reads.clear()
    assert listed(url, tmp_path / "index") == first
    assert not reads


def test_a_store_that_changed_is_read_again(tmp_path, reads):
    url = str(tmp_path / "x.zarr")
    write(url)
    first = listed(url, tmp_path / "index")
    attributes = tmp_path / "x.zarr/2011/193A/.zattrs"
    moved = aia_attributes([time + timedelta(days=1) for time in TIMES], QUALITY=FLAGS)
    attributes.write_text(json.dumps(moved))
    os.utime(attributes, (0, 1e9))  # the clock of a file system may be coarse
    again = listed(url, tmp_path / "index")
    assert again[0] == [time + 86400 for time in first[0]]
    assert reads == ["x.zarr/2011/193A"] * 2


@pytest.mark.parametrize("damage", ["", "{}", '{"key": 1}', "[1]"])
def test_a_damaged_index_is_made_again(tmp_path, reads, damage):
    url = str(tmp_path / "x.zarr")
    write(url)
    first = listed(url, tmp_path / "index")
    (file,) = (tmp_path / "index").iterdir()
    whole = file.read_text()
    file.write_text(damage)
    assert listed(url, tmp_path / "index") == first
    assert len(reads) == 2
    assert file.read_text() == whole


def test_without_a_place_for_the_index_the_build_goes_on(tmp_path, caplog):
    url = str(tmp_path / "x.zarr")
    write(url)
    (tmp_path / "file").write_text("")
    with caplog.at_level("INFO"):
        assert listed(url, tmp_path / "file/index") == listed(url, None)
    assert "are not cached for the next build: " in caplog.text
