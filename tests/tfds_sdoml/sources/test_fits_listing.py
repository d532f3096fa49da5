"""FITS files in a folder: which are listed, under which time, and which are rejected."""

import gzip
import os
import pickle
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.tfds_sdoml.sources.fits_files import write, write_aia, write_hmi
from tests.tfds_sdoml.sun_images import euv_image
from tfds_sdoml.sources.fits import Fits
from tfds_sdoml.sources.hf256 import Hf256
from tfds_sdoml.sources.interface import Source
from tfds_sdoml.sources.npz_v1 import NpzV1

SIZE = 16
UNIFORM = np.full((SIZE, SIZE), 100.0, np.float32)
SUN = euv_image(100.0, 64)


def utc(*clock: int) -> int:
    return int(datetime(*clock, tzinfo=UTC).timestamp())


def test_it_is_a_source(tmp_path):
    source = Fits(tmp_path, SIZE)
    assert isinstance(source, Source)
    assert (source.size, source.spawn) == (SIZE, True)


def test_series_are_told_by_their_headers_at_any_depth(tmp_path):
    write_aia(tmp_path / "one.fits", SUN)
    write_aia(tmp_path / "x" / "y" / "two.FTS", SUN, channel=193, time="2011-03-19T10:54:01")
    write_aia(tmp_path / "x" / "three.fit", SUN, WAVELNTH=193.0, time=None, DATE_OBS="2012-01-01T00:00:59.7")
    write_hmi(tmp_path / "x" / "four.fits", UNIFORM, compressed=True)
    (tmp_path / "five.fits.gz").write_bytes(gzip.compress((tmp_path / "one.fits").read_bytes()))
    (tmp_path / "notes.txt").write_text("no image")
    source = Fits(tmp_path, 64)
    one, two, four = (source.listing(series) for series in ("0171", "0193", "bz"))
    assert one.places == ["five.fits.gz", "one.fits"]
    np.testing.assert_array_equal(one.times, 2 * [utc(2011, 3, 19, 10, 54, 1)])
    assert dict(zip(two.places, two.times, strict=True)) == {
        "x/y/two.FTS": utc(2011, 3, 19, 10, 54, 1),
        "x/three.fit": utc(2012, 1, 1, 0, 1, 0),
    }
    assert (four.places, four.times.tolist()) == (["x/four.fits"], [utc(2011, 12, 17, 5, 59, 18)])
    assert not any(listing.rejected for listing in (one, two, four))
    for series, listing in (("0171", one), ("0193", two)):
        for place in listing.places:
            np.testing.assert_allclose(source.read(series, place), SUN / 2, rtol=1e-6)


def test_links_to_files_are_followed(tmp_path):
    write_aia(tmp_path / "elsewhere" / "a.fits", UNIFORM)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link.fits").symlink_to(tmp_path / "elsewhere" / "a.fits")
    assert Fits(tmp_path / "here", SIZE).listing("0171").places == ["link.fits"]


@pytest.mark.parametrize("source", [Fits, NpzV1, Hf256])
def test_links_in_a_circle_and_twice_are_walked_once(tmp_path, caplog, source):
    """The same walk for all sources: a folder is read once, and what is passed over is logged."""
    caplog.set_level("INFO")
    folder = tmp_path / "real" / "below"
    write_aia(folder / "a.fits", UNIFORM)
    for name in ("AIA20110319_1054_0171.npz", "20110319T1054.npz"):
        np.savez(folder / name, aia171=UNIFORM)
    (folder / "circle").symlink_to(tmp_path / "real")
    (tmp_path / "a_link").symlink_to(folder)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (place,) = source(tmp_path).listing("0171").places
    assert place.startswith("real/below/")
    for link, target in ((folder / "circle", tmp_path / "real"), (tmp_path / "a_link", folder)):
        assert f"skipped {link}: it is the folder {target}, which is read already" in caplog.messages
    (line,) = [message for message in caplog.messages if "none of" in message]
    assert "broken, itself" in line


@pytest.mark.parametrize(
    ("keywords", "time"),
    [
        ({"time": "2011.12.17_05:58:10_TAI"}, utc(2011, 12, 17, 5, 57, 36)),
        ({"time": "2011.12.17_05:58:60_TAI"}, utc(2011, 12, 17, 5, 58, 26)),
        ({"time": "2016.12.31_23:59:60.4_TAI"}, utc(2016, 12, 31, 23, 59, 24)),
        ({"time": None, "DATE-OBS": "2011-12-17T05:58:10.700"}, utc(2011, 12, 17, 5, 58, 11)),
        ({"time": "MISSING", "DATE-OBS": "2011-12-17T05:58:10.4Z"}, utc(2011, 12, 17, 5, 58, 10)),
    ],
)
def test_times(tmp_path, keywords, time):
    write_hmi(tmp_path / "a.fits", UNIFORM, **keywords)
    assert Fits(tmp_path, SIZE).listing("bz").times.tolist() == [time]


@pytest.mark.parametrize("time", [None, "nan", "2011-13-01T00:00:00", "yesterday"])
def test_a_frame_without_a_time_is_rejected(tmp_path, time):
    write_aia(tmp_path / "good.fits", UNIFORM)
    write_aia(tmp_path / "bad.fits", UNIFORM, time=time)
    listing = Fits(tmp_path, SIZE).listing("0171")
    assert listing.places == ["good.fits"]
    (row,) = listing.rejected
    assert row[:4] == ("0171", None, "bad.fits", "no time")
    assert row.detail


@pytest.mark.parametrize(
    ("write_one", "series", "quality", "good"),
    [
        (write_aia, "0171", 0, True),
        (write_aia, "0171", None, True),
        (write_aia, "0171", "0x00000000", True),
        (write_aia, "0171", 1 << 30, True),  # quicklook
        (write_aia, "0171", "0x00020000", False),
        (write_aia, "0171", -2147483648, False),  # no image
        (write_aia, "0171", 0x400, False),
        (write_hmi, "bz", 0x400, True),  # lists of cosmic rays
        (write_hmi, "bz", "0x00000400", True),
        (write_hmi, "bz", 0x10400, True),  # fewer filtergrams
        (write_hmi, "bz", 0x1800, True),  # near real time
        (write_hmi, "bz", 0x2800, False),
    ],
)
def test_flagged_frames_are_rejected(tmp_path, write_one, series, quality, good):
    write_one(tmp_path / "good.fits", UNIFORM)
    write_one(tmp_path / "other.fits", UNIFORM, QUALITY=quality)
    listing = Fits(tmp_path, SIZE).listing(series)
    assert listing.places == (["good.fits", "other.fits"] if good else ["good.fits"])
    assert [row.reason for row in listing.rejected] == ([] if good else ["quality"])
    assert all(row.time == listing.times[0] and "QUALITY = 0x" in row.detail for row in listing.rejected)


def test_years_are_cut_by_time(tmp_path):
    for year in (2010, 2011, 2012):
        write_aia(tmp_path / f"{year}.fits", UNIFORM, time=f"{year}-06-01T00:00:00Z")
    assert Fits(tmp_path, SIZE, (2010, 2012)).listing("0171").places == ["2010.fits", "2012.fits"]
    with pytest.raises(ValueError, match=r"no usable FITS file of 0171 in the years 2015 in .* there are: 3 of 0171"):
        Fits(tmp_path, SIZE, (2015,)).listing("0171")


def test_files_that_cannot_be_read_are_reported_once(tmp_path):
    write_aia(tmp_path / "good.fits", UNIFORM)
    write_aia(tmp_path / "good193.fits", UNIFORM, channel=193)
    whole = (tmp_path / "good.fits").read_bytes()
    (tmp_path / "cut.fits").write_bytes(whole[:1000])
    (tmp_path / "empty.fits").write_bytes(b"")
    (tmp_path / "gone.fits").symlink_to(tmp_path / "nowhere")
    (tmp_path / "page.fits").write_text("<html>404</html>")
    (tmp_path / "cut.fits.gz").write_bytes(gzip.compress(whole)[:200])
    write(tmp_path / "cube.fits", np.zeros((2, 2, 2)), {})
    source = Fits(tmp_path, SIZE)
    rejected = source.listing("0193").rejected
    assert {row[:4] for row in rejected} == {
        ("?", None, name, "unreadable")
        for name in ("cut.fits", "empty.fits", "gone.fits", "page.fits", "cut.fits.gz", "cube.fits")
    }
    assert all(row.detail for row in rejected)
    assert not source.listing("0171").rejected
    assert source.listing("0193").rejected == rejected


def test_other_images_are_listed_with_the_reason(tmp_path, caplog):
    caplog.set_level("INFO")
    write_aia(tmp_path / "a.fits", UNIFORM)
    write_aia(tmp_path / "secchi.fits", UNIFORM, TELESCOP="STEREO", INSTRUME="SECCHI")
    write_aia(tmp_path / "unknown.fits", UNIFORM, channel=5000)
    write_hmi(tmp_path / "continuum.fits", UNIFORM, CONTENT="CONTINUUM INTENSITY", BUNIT="DN/s")
    write_hmi(tmp_path / "map.fits", UNIFORM, CTYPE1="CRLN-CEA")
    write_aia(tmp_path / "euvi.fits", UNIFORM, DETECTOR="EUVI", TELESCOP="STEREO", INSTRUME="SECCHI")
    (tmp_path / ".notes").write_text("no image")
    source = Fits(tmp_path, SIZE)
    rejected = {row.place: row for row in source.listing("0171").rejected}
    assert set(rejected) == {f"{name}.fits" for name in ("secchi", "unknown", "continuum", "map", "euvi")}
    # EUVI is not at the Earth, and its header does not say where.
    assert rejected["euvi.fits"][-2:] == ("unreadable", "the header has no DSUN_OBS: the observer cannot be known")
    del rejected["euvi.fits"]
    assert {(row.series, row.reason) for row in rejected.values()} == {("?", "instrument")}
    assert f"skipped in {tmp_path}: 1 files that are none of the FITS files: .notes" in caplog.messages
    with pytest.raises(ValueError, match=r"no usable FITS file of bz in .* there are: 2 of 0171, 4 of another kind"):
        source.listing("bz")


def test_errors_of_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere: give the folder that holds the FITS files"):
        Fits(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no FITS file in .* or below it"):
        Fits(tmp_path).listing("0171")
    write_aia(tmp_path / "a.fits", UNIFORM, QUALITY=1)
    with pytest.raises(ValueError, match=r"of 0171, 1 rejected: quality\); give the folder that holds them, or leave"):
        Fits(tmp_path).listing("0171")
    for component in ("bx", "by"):
        with pytest.raises(ValueError, match=f"no {component} in FITS magnetograms: .* line-of-sight component only"):
            Fits(tmp_path).listing(component)


def test_a_folder_that_must_not_be_read_is_not_passed_over(tmp_path, monkeypatch):
    write_aia(tmp_path / "a.fits", UNIFORM)
    (tmp_path / "secret").mkdir()
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(PermissionError, match="secret"):
        Fits(tmp_path).listing("0171")


def test_it_can_be_pickled_and_the_lists_stay_behind(tmp_path):
    write_aia(tmp_path / "a.fits", SUN)
    source = Fits(tmp_path, 64, (2011,))
    place = source.listing("0171").places[0]
    copy = pickle.loads(pickle.dumps(source))
    assert "_found" not in vars(copy)
    np.testing.assert_array_equal(copy.read("0171", place), source.read("0171", place))
    assert copy.listing("0171").places == [place]
