"""SDOML v1: every layout, units, and what is wrong with a file."""

import gzip
import os
import pickle
import tarfile
from datetime import UTC, datetime

import numpy as np
import pytest

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.sdoml import file_name
from munit_jax.instruments.telescopes import observe, prepare
from munit_jax.sun.disk import sdoml_geometry
from tests.tfds_sdoml.sun_images import euv_image, field_image, write_npz
from tfds_sdoml.sources.npz_v1 import NpzV1

ONES = np.ones((512, 512), np.float32)
LAYOUTS = {
    "monthly tars": ("2011/AIA_0193/01/02/AIA20110102_0006_0193.npz", "2011/HMI_Bz/01/02/HMI20110102_0000_bz.npz"),
    "a folder a day": ("2011/01/02/AIA20110102_0006_0193.npz", "2011/01/02/HMI20110102_0000_bz.npz"),
    "mini set": ("2011/AIA/0193/01/02/AIA20110102_0006_0193.npz", "2011/HMI/bz/01/02/HMI20110102_0000_bz.npz"),
}
AIA, HMI = LAYOUTS["a folder a day"]


def write(folder, path, image=ONES, key="x"):
    return write_npz((folder / path).parent, (folder / path).name, image, key)


def seconds(*date):
    return datetime(*date, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
def test_layouts(tmp_path, layout, packed):
    for path in LAYOUTS[layout]:
        write(tmp_path / "in", path, 8 * ONES)
        write(tmp_path / "in", path.replace("_0193", "_0171").replace("_bz", "_bx"))
    folder = tmp_path / "in"
    if packed:
        folder = tmp_path / "tars"
        folder.mkdir()
        with tarfile.open(folder / "2011_01.tar", "w") as archive:
            archive.add(tmp_path / "in", ".")
    source = NpzV1(folder)
    for series, time, value in (("0193", seconds(2011, 1, 2, 0, 6), 2), ("bz", seconds(2011, 1, 2) - 34, 8)):
        listing = source.listing(series)
        assert listing.times.tolist() == [time]  # HMI's clock is TAI: 34 s ahead of UTC
        image = source.read(series, listing.places[0])
        assert image.dtype == np.float32
        assert (image == value).all()  # AIA: the mean of 2 x 2 pixels, of which v1 has the sum
        assert not listing.rejected


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_components_of_the_field_are_series_of_their_own(tmp_path, dtype):
    for value, name in enumerate(("bx", "by", "bz")):
        write(tmp_path, f"HMI20110102_0000_{name}.npz", np.full((512, 512), value - 1.5, dtype))
    source = NpzV1(tmp_path)
    values = [source.read(name, source.listing(name).places[0])[0, 0] for name in ("bx", "by", "bz")]
    assert values == [-1.5, -0.5, 0.5]


def test_nothing_of_a_series(tmp_path):
    write(tmp_path, AIA)
    write(tmp_path, "notes.npz")
    with pytest.raises(ValueError, match=r"no file AIAYYYYMMDD_HHMM_0304\.npz in .*there: 1 of 0193"):
        NpzV1(tmp_path).listing("0304")
    with pytest.raises(ValueError, match=r"no file HMIYYYYMMDD_HHMM_bz\.npz"):
        NpzV1(tmp_path).listing("bz")
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent"):
        NpzV1(tmp_path / "absent")


def test_a_compressed_archive_is_named(tmp_path):
    write(tmp_path / "in", AIA)
    (tmp_path / "out").mkdir()
    with tarfile.open(tmp_path / "out/2011.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "in", ".")
    with pytest.raises(ValueError, match=r"there: none\); 2011\.tar\.gz: a compressed archive .* unpack it"):
        NpzV1(tmp_path / "out").listing("0193")
    write(tmp_path / "out", AIA)
    listing = NpzV1(tmp_path / "out").listing("0193")
    assert len(listing.times) == 1
    assert [(row.place, row.reason) for row in listing.rejected] == [("2011.tar.gz", "unreadable")]


def test_a_truncated_archive_keeps_what_came_before(tmp_path):
    for minute in range(3):
        write(tmp_path / "in", f"AIA20110102_000{minute}_0193.npz", euv_image(100.0))
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for path in sorted((tmp_path / "in").iterdir()):
            archive.add(path, path.name)
    (tmp_path / "cut").mkdir()
    whole = (tmp_path / "all.tar").read_bytes()
    (tmp_path / "cut/month.tar").write_bytes(whole[: int(len(whole) * 0.6)])
    source = NpzV1(tmp_path / "cut")
    listing = source.listing("0193")
    assert len(listing.times) == 1
    assert source.read("0193", listing.places[0]).shape == (512, 512)
    (row,) = listing.rejected
    assert (row.place, row.reason) == ("month.tar", "unreadable")
    assert "cannot be read to its end" in row.detail


def test_a_date_that_does_not_exist(tmp_path):
    write(tmp_path, "AIA20111332_0006_0193.npz")
    write(tmp_path, AIA)
    listing = NpzV1(tmp_path).listing("0193")
    assert len(listing.times) == 1
    assert [(row.place, row.reason) for row in listing.rejected] == [("AIA20111332_0006_0193.npz", "no time")]


def test_bad_files(tmp_path):
    whole = write(tmp_path, "AIA20110102_0000_0171.npz", np.random.default_rng(0).normal(size=(512, 512))).read_bytes()
    source = NpzV1(tmp_path)

    def complaint(place):
        with pytest.raises(FrameError) as caught:
            source.read("0171", place)
        return caught.value

    write(tmp_path, "AIA20110102_0012_0171.npz", ONES[::2, ::2])
    assert str(complaint("AIA20110102_0012_0171.npz")) == "shape: (256, 256), expected (512, 512)"
    write(tmp_path, "AIA20110102_0018_0171.npz", key="y")
    assert str(complaint("AIA20110102_0018_0171.npz")) == "unreadable: it has no key 'x'"
    for share in (0.0, 0.001, 0.5, 0.99):
        (tmp_path / "AIA20110102_0024_0171.npz").write_bytes(whole[: int(share * len(whole))])
        assert complaint("AIA20110102_0024_0171.npz").reason == "unreadable"
    spoilt = bytearray(whole)
    spoilt[len(spoilt) // 2] ^= 255
    (tmp_path / "AIA20110102_0030_0171.npz").write_bytes(spoilt)
    assert complaint("AIA20110102_0030_0171.npz").reason == "unreadable"
    assert complaint("AIA20110102_0036_0171.npz").detail == "No such file or directory"
    np.savez(tmp_path / "AIA20110102_0042_0171.npz", x=np.array([{"a": 1}], dtype=object))
    assert complaint("AIA20110102_0042_0171.npz").reason == "unreadable"


def test_a_folder_that_may_not_be_listed_is_an_error(tmp_path, monkeypatch):
    write(tmp_path, AIA)

    def walk(top, onerror, followlinks):
        onerror(PermissionError(13, "Permission denied", f"{top}/2011"))
        return iter(())

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(PermissionError, match=r"Permission denied.*2011"):
        NpzV1(tmp_path).listing("0193")


def test_a_source_travels_without_its_lists(tmp_path):
    for minute in range(60):
        (tmp_path / f"AIA20110102_00{minute:02d}_0193.npz").touch()
    source = NpzV1(tmp_path)
    source.listing("0193")
    travelled = pickle.dumps(source)
    assert len(travelled) < 500
    assert len(pickle.loads(travelled).listing("0193").times) == 60


@pytest.mark.parametrize(
    "name", ["aia20110101_0000_0193.npz", "AIA20110101_000600_0193.npz", "AIA20110101_0000_193.npz"]
)
def test_files_whose_names_are_nearly_right_are_listed(tmp_path, name):
    for one in ("AIA20110101_0000_0193.npz", name):
        (tmp_path / one).write_bytes(b"")
    (row,) = NpzV1(tmp_path).listing("0193").rejected
    assert (row.place, row.reason) == (name, "instrument")
    assert row.detail.endswith("an npz of SDOML is called AIAYYYYMMDD_HHMM_0193.npz")


@pytest.mark.parametrize("name", ["{}.NPZ", "{}.npz.gz", "{}.zip", "{}", "2011.tar", "2011.archive", "2011.TAR"])
def test_content_says_what_a_file_is_and_the_name_when(tmp_path, name):
    """Of npz, compressed or not, and of tar under other suffixes; a folder may have a ! in its name."""
    made = write(tmp_path / "made", AIA, euv_image(100.0))
    folder = tmp_path / "in" / "new!"
    folder.mkdir(parents=True)
    path = folder / name.format(made.stem)
    if "{}" in name:
        path.write_bytes((gzip.compress if name.endswith("gz") else bytes)(made.read_bytes()))
    else:
        with tarfile.open(path, "w") as archive:
            archive.add(made, "x/AIA20110102_0006_0193")
            archive.add(made, "notes.npz")
    source = NpzV1(tmp_path / "in")
    listing = source.listing("0193")
    assert listing.times.tolist() == [seconds(2011, 1, 2, 0, 6)]
    (place,) = pickle.loads(pickle.dumps(source.listing("0193"))).places
    image = source.read("0193", place)
    np.testing.assert_allclose(image, euv_image(100.0) / 4, rtol=1e-3)
    if "{}" in name:  # translate reads it alike
        assert observe(path).series == "0193"
        np.testing.assert_allclose(prepare(observe(path), Preparation(sdoml_geometry(512))).image, image, rtol=1e-5)
    else:
        with pytest.raises(FrameError, match="unreadable: it is an archive of files: unpack it"):
            observe(path)


@pytest.mark.parametrize("name", ["notes.npz", "frame.zip", "frame", "AIA20110102.npz"])
def test_an_npz_whose_name_has_no_time_is_listed_by_all(tmp_path, name):
    write(tmp_path, AIA)
    (tmp_path / name).write_bytes((tmp_path / AIA).read_bytes())
    (row,) = NpzV1(tmp_path).listing("0193").rejected
    with pytest.raises(FrameError) as caught:
        observe(tmp_path / name)
    assert (row.place, row.reason, row.detail) == (name, caught.value.reason, caught.value.detail)


@pytest.mark.parametrize("series", ["0193", "bz"])
def test_a_limb_that_is_off_is_found_though_the_centroid_is_not(tmp_path, series):
    """By the check of `munit_jax.translate`, in all sources that have no headers."""
    image = euv_image(100.0) if series == "0193" else field_image(50.0)
    for shift, refused in ((0, False), (3, False), (10, True)):
        path = tmp_path / file_name(series, "20110102_0006")
        write(tmp_path, path.name, np.roll(image, shift, axis=0))
        if refused:
            with pytest.raises(
                FrameError, match=r"off-centre disk: its limb is .0\.00\d west and \+0\.0[45]\d north of w"
            ):
                NpzV1(tmp_path).read(series, path.name)
            with pytest.raises(FrameError, match=r"off-centre disk: its limb is"):
                prepare(observe(path), Preparation(sdoml_geometry(512)))
        else:
            NpzV1(tmp_path).read(series, path.name)
            assert len(prepare(observe(path), Preparation(sdoml_geometry(512))).warnings) == (shift > 0)
