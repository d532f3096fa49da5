"""The 256-pixel set: one file a time, all series in it."""

from datetime import UTC, datetime

import numpy as np
import pytest

from munit_jax.instruments.errors import FrameError
from tests.tfds_sdoml.sun_images import euv_image, field_image
from tfds_sdoml.sources.hf256 import Hf256

KEYS = ("aia94", "aia193", "aia1700", "bz")


def write(folder, name, keys=KEYS, size=256):
    (folder / "frames").mkdir(exist_ok=True)
    arrays = {key: np.full((size, size), k + 1, np.float16) for k, key in enumerate(keys)}
    np.savez_compressed(folder / "frames" / name, **arrays)
    return folder / "frames" / name


def complaint(source, place, series="0094"):
    with pytest.raises(FrameError) as caught:
        source.read(series, place)
    return str(caught.value)


def test_series_and_times(tmp_path):
    write(tmp_path, "20110101T1200.npz")
    write(tmp_path, "20101231T2359.npz")
    (tmp_path / "frames/readme.npz").touch()
    source = Hf256(tmp_path)
    for k, series in enumerate(("0094", "0193", "1700", "bz")):
        listing = source.listing(series)
        assert listing.times.tolist() == [
            datetime(2010, 12, 31, 23, 59, tzinfo=UTC).timestamp(),
            datetime(2011, 1, 1, 12, tzinfo=UTC).timestamp(),
        ]
        image = source.read(series, listing.places[1])
        assert image.dtype == np.float32
        assert (image == k + 1).all()


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent"):
        Hf256(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"no file YYYYMMDDTHHMM\.npz in"):
        Hf256(tmp_path).listing("bz")
    write(tmp_path, "20110101T1200.npz")
    with pytest.raises(ValueError, match="have no aia304, only aia94, aia193, aia1700, bz"):
        Hf256(tmp_path).listing("0304")
    with pytest.raises(ValueError, match="have no bx"):
        Hf256(tmp_path).listing("bx")


def test_bad_files(tmp_path):
    whole = write(tmp_path, "20110101T1200.npz")
    (tmp_path / "frames/20110101T0000.npz").write_bytes(whole.read_bytes()[:300])
    write(tmp_path, "20110102T0000.npz", keys=("bz",))
    write(tmp_path, "20110102T1200.npz", size=128)
    write(tmp_path, "20111301T1200.npz")
    source = Hf256(tmp_path)
    listing = source.listing("0094")  # the first file cannot be read: the second says which keys there are
    assert len(listing.times) == 4
    assert [(row.place, row.reason) for row in listing.rejected] == [("frames/20111301T1200.npz", "no time")]
    assert complaint(source, "frames/20110101T0000.npz").startswith("unreadable: ")
    assert complaint(source, "frames/20110102T0000.npz") == "unreadable: it has no key 'aia94'"
    assert complaint(source, "frames/20110102T1200.npz") == "shape: (128, 128), expected (256, 256)"
    assert complaint(source, "frames/20990101T0000.npz") == "unreadable: No such file or directory"


def test_content_says_what_a_file_is_and_the_name_when(tmp_path):
    (tmp_path / "20110101T1200.dat").write_bytes(write(tmp_path, "20110102T1200.npz").read_bytes())
    (tmp_path / "other.npz").write_bytes(b"")
    source = Hf256(tmp_path)
    listing = source.listing("bz")
    assert listing.places == ["20110101T1200.dat", "frames/20110102T1200.npz"]
    assert (source.read("bz", listing.places[0]) == 4).all()
    assert [(row.place, row.detail) for row in listing.rejected] == [
        ("other.npz", "a file of this set is called YYYYMMDDTHHMM.npz")
    ]


def test_the_limb_is_checked(tmp_path):
    (tmp_path / "frames").mkdir()
    off = {"aia193": np.roll(euv_image(100.0, 256), 5, axis=1), "bz": np.roll(field_image(50.0, 256), 5, axis=1)}
    np.savez(tmp_path / "frames/20110101T1200.npz", **off)
    for series in ("0193", "bz"):
        assert "its limb is +0.0" in complaint(Hf256(tmp_path), "frames/20110101T1200.npz", series)


def test_no_file_can_be_read(tmp_path):
    (tmp_path / "20110101T0000.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"none of the 1 files YYYYMMDDTHHMM\.npz in .* can be read"):
        Hf256(tmp_path).listing("bz")
