"""SDOML v2: every trap of its stores."""

import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import fsspec
import numpy as np
import pytest

from munit_jax.instruments.errors import FrameError
from tests.tfds_sdoml.sources.zarr_store import aia_attributes, hmi_attributes, write_store
from tests.tfds_sdoml.sun_images import euv_image
from tfds_sdoml.sources import zarr_v2
from tfds_sdoml.sources.zarr_stores import file_system
from tfds_sdoml.sources.zarr_v2 import Chunk, ZarrV2

START = datetime(2011, 3, 1, tzinfo=UTC)


def hours(count, start=START):
    return [start + timedelta(hours=k) for k in range(count)]


def images(count, size=8):
    """Frame k is k everywhere."""
    return np.broadcast_to(np.arange(count, dtype=np.float32)[:, None, None], (count, size, size)).copy()


def seconds(times):
    return [int(time.timestamp()) for time in times]


@pytest.fixture
def folder(tmp_path):
    """AIA of two years and HMI of one, in two stores."""
    later = hours(3, START.replace(year=2012))
    write_store(
        str(tmp_path / "sdomlv2.zarr"),
        {
            "2011/193A": (images(7), aia_attributes(hours(7))),
            "2011/94A": (images(7), aia_attributes(hours(7))),
            "2012/193A": (images(3) + 100, aia_attributes(later)),
        },
        chunk=3,
    )
    write_store(str(tmp_path / "sdomlv2_hmi.zarr"), {"2011/Bz": (-images(4), hmi_attributes(hours(4)))})
    return tmp_path


def test_years_and_stores(folder):
    source = ZarrV2(str(folder))
    listing = source.listing("0193")
    assert listing.times.tolist() == seconds(hours(7)) + seconds(hours(3, START.replace(year=2012)))
    values = [source.read("0193", place)[0, 0] for place in listing.places]
    assert values == [0, 1, 2, 3, 4, 5, 6, 100, 101, 102]
    assert source.size == 8
    field = source.listing("bz")
    assert field.times.tolist() == [time - 34 for time in seconds(hours(4))]  # TAI
    image = source.read("bz", field.places[3])
    assert (image == -3).all()
    assert image.dtype == np.float32
    image += 1  # the caller's own
    assert (source.read("bz", field.places[3]) == -3).all()


def test_one_store_or_several_with_commas(folder):
    one, other = (str(folder / name) for name in ("sdomlv2.zarr", "sdomlv2_hmi.zarr"))
    assert len(ZarrV2(f"{one}, {other}").listing("bz").times) == 4
    with pytest.raises(ValueError, match=r"no array Bz, only 193A, 94A"):
        ZarrV2(one).listing("bz")


def test_a_year_that_is_not_there(folder):
    assert len(ZarrV2(str(folder), (2012,)).listing("0193").times) == 3
    with pytest.raises(ValueError, match=r"no year 2010, 2013 with 193A, only 2011, 2012: give --years that are there"):
        ZarrV2(str(folder), (2010, 2011, 2013)).listing("0193")


def test_a_channel_that_is_not_there(folder):
    with pytest.raises(ValueError, match=r"no array 304A, only 193A, 94A, Bz"):
        ZarrV2(str(folder)).listing("0304")


def test_a_store_without_years(tmp_path):
    times = [*hours(2), *hours(2, START.replace(year=2012))]
    write_store(str(tmp_path / "sdomlv2_hmi_small.zarr"), {"Bz": (images(4), hmi_attributes(times))}, chunk=120)
    source = ZarrV2(str(tmp_path), (2012,))
    listing = source.listing("bz")
    assert [source.read("bz", place)[0, 0] for place in listing.places] == [2, 3]
    assert len(ZarrV2(str(tmp_path)).listing("bz").times) == 4


def test_the_same_series_in_two_stores(folder):
    write_store(str(folder / "sdomlv2_small.zarr"), {"2011/193A": (images(2), aia_attributes(hours(2)))})
    with pytest.raises(ValueError, match=r"193A is there more than once \(sdomlv2.zarr/2011/193A, .*: name one store"):
        ZarrV2(str(folder)).listing("0193")
    assert len(ZarrV2(str(folder), (2012,)).listing("0193").times) == 3
    with pytest.raises(ValueError, match=r"two stores are called sdomlv2\.zarr"):
        ZarrV2(f"{folder / 'sdomlv2.zarr'},{folder / 'sdomlv2.zarr'}")


def test_frames_that_are_not_in_the_order_of_time(tmp_path):
    order = [4, 1, 3, 0, 2]
    times = [hours(5)[k] for k in order]
    write_store(str(tmp_path / "x.zarr"), {"2011/193A": (images(5), aia_attributes(times))}, chunk=2)
    source = ZarrV2(str(tmp_path))
    listing = source.listing("0193")
    assert listing.times.tolist() == seconds(times)
    assert [source.read("0193", place)[0, 0] for place in listing.places] == [0, 1, 2, 3, 4]


def test_lists_that_are_shorter_than_the_array(tmp_path):
    attributes = aia_attributes(hours(3), QUALITY=[0])
    write_store(str(tmp_path / "x.zarr"), {"2011/193A": (images(5), attributes)})
    listing = ZarrV2(str(tmp_path)).listing("0193")
    assert listing.times.tolist() == seconds(hours(3))
    assert [(row.place, row.reason, row.time) for row in listing.rejected] == [
        (f"x.zarr/2011/193A/{k}", "no time", None) for k in (3, 4)
    ]


def test_times_as_they_are_written(tmp_path):
    aia = ["2011-03-01T00:00:07.34Z", "2011-03-01T01:00:00", "2011-03-01T02:00:59.84Z", "2011-03-01T03:59:60.00Z"]
    attributes = aia_attributes(hours(6)) | {"T_OBS": [*aia, float("nan"), "yesterday"]}
    hmi = ["2011.03.01_00:00:60_TAI", "2011.03.01_01:00:00_TAI", "2011.12.31_23:59:60_TAI"]
    write_store(str(tmp_path / "x.zarr"), {"2011/193A": (images(6), attributes)})
    write_store(str(tmp_path / "y.zarr"), {"2011/Bz": (images(3), hmi_attributes(hours(3), T_OBS=hmi))})
    source = ZarrV2(str(tmp_path))
    listing = source.listing("0193")
    midnight = START.timestamp()
    assert (listing.times - midnight).tolist() == [7, 3600, 7260, 14400]
    assert [row.reason for row in listing.rejected] == ["no time", "no time"]
    assert "T_OBS = 'yesterday'" in listing.rejected[1].detail
    new_year = datetime(2012, 1, 1, tzinfo=UTC).timestamp() - 34
    assert source.listing("bz").times.tolist() == [midnight + 26, midnight + 3566, new_year]


def test_quality(tmp_path):
    flags = [0, 8, float("nan"), None, "0x00000000", "0x40000000", 1073741824, -2147483648]
    write_store(str(tmp_path / "x.zarr"), {"2011/193A": (images(8), aia_attributes(hours(8), QUALITY=flags))})
    listing = ZarrV2(str(tmp_path)).listing("0193")
    assert [int(place.rpartition("/")[2]) for place in listing.places] == [0, 2, 3, 4, 5, 6]
    assert [(row.time, row.reason, row.detail) for row in listing.rejected] == [
        (seconds(hours(8))[k], "quality", f"QUALITY = {flag}") for k, flag in ((1, "0x00000008"), (7, "0x80000000"))
    ]


@pytest.mark.parametrize("budget", [10_000, 0])
def test_chunks_are_decoded_once_while_they_are_kept(tmp_path, monkeypatch, budget):
    monkeypatch.setattr(zarr_v2, "CACHE_BYTES", budget)
    write_store(str(tmp_path / "x.zarr"), {"2011/193A": (images(9), aia_attributes(hours(9)))}, chunk=3)
    source = ZarrV2(str(tmp_path))
    reads = []

    class Counted:
        def __init__(self, array):
            self.array, self.chunks = array, array.chunks

        def __getitem__(self, which):
            reads.append(which.start)
            return self.array[which]

    counted = Counted(source._array("x.zarr/2011/193A"))
    monkeypatch.setattr(source, "_array", lambda place: counted)
    places = source.listing("0193").places
    scattered = [0, 3, 6, 1, 4, 7, 2, 5, 8]
    assert [source.read("0193", places[k])[0, 0] for k in scattered] == scattered
    assert reads == ([0, 3, 6] if budget else [0, 3, 6] * 3)


class Frames:
    """An array of zeros in chunks of two frames."""

    chunks = (2,)

    def __init__(self, failures=0):
        self.decoded, self.failures = [], failures

    def __getitem__(self, frames):
        self.decoded.append((frames.start, frames.stop))
        time.sleep(0.05)
        if len(self.decoded) <= self.failures:
            raise OSError("no such chunk")
        return np.zeros((2, 1, 1), np.float32)


def test_threads_wait_for_the_one_that_decodes():
    array, gate = Frames(), threading.Barrier(4)
    chunk = Chunk(array, 7)

    def want(_):
        gate.wait()
        return chunk.values()

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(want, range(4)))) == 4
    assert array.decoded == [(14, 16)]


def test_a_failure_to_decode_is_raised_and_not_kept():
    chunk = Chunk(Frames(failures=1), 0)
    with pytest.raises(OSError, match="no such chunk"):
        chunk.values()
    assert (chunk.values() == 0).all()


def test_the_chunk_that_was_not_used_for_longest_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(zarr_v2, "CACHE_BYTES", 2 * 8 * 8 * 4)
    write_store(str(tmp_path / "x.zarr"), {"2011/193A": (images(3), aia_attributes(hours(3)))}, chunk=1)
    source, decoded = ZarrV2(str(tmp_path)), []
    values = Chunk.values

    def counted(chunk):
        decoded.extend([] if chunk._values is not None else [chunk._number])
        return values(chunk)

    monkeypatch.setattr(Chunk, "values", counted)
    places = source.listing("0193").places
    for k in (0, 1, 0, 2, 0, 1):
        assert source.read("0193", places[k])[0, 0] == k
    assert decoded == [0, 1, 2, 1]


def test_threads(folder):
    source = ZarrV2(str(folder))
    places = source.listing("0193").places
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda place: source.read("0193", place)[0, 0], list(places) * 5))
    assert values == [0, 1, 2, 3, 4, 5, 6, 100, 101, 102] * 5


def test_a_source_travels(folder):
    source = ZarrV2(str(folder))
    place = source.listing("0193").places[4]
    source.read("0193", place)
    travelled = pickle.dumps(source)
    assert len(travelled) < 2000
    assert pickle.loads(travelled).read("0193", place)[0, 0] == 4


def test_a_url():
    write_store("memory://bucket/sdomlv2.zarr", {"2011/193A": (images(4), aia_attributes(hours(4)))}, chunk=2)
    for location in ("memory://bucket", "memory://bucket/sdomlv2.zarr"):
        source = ZarrV2(location)
        listing = source.listing("0193")
        assert listing.times.tolist() == seconds(hours(4))
        assert [source.read("0193", place)[0, 0] for place in listing.places] == [0, 1, 2, 3]


def test_the_bucket_is_read_without_a_login(monkeypatch):
    asked = []

    def url_to_fs(url, **options):
        asked.append((url, options))
        return None, url

    monkeypatch.setattr(fsspec.core, "url_to_fs", url_to_fs)
    file_system("s3://bucket/sdomlv2.zarr")
    assert asked == [("s3://bucket/sdomlv2.zarr", {"anon": True})]


def test_a_damaged_chunk_costs_its_frames_only(folder):
    (folder / "sdomlv2.zarr/2011/193A/1.0.0").write_bytes(b"nothing that Blosc knows")
    source = ZarrV2(str(folder))
    places = source.listing("0193").places
    assert source.read("0193", places[2])[0, 0] == 2
    for k in (3, 4, 5):
        with pytest.raises(FrameError, match="unreadable: "):
            source.read("0193", places[k])
    assert source.read("0193", places[6])[0, 0] == 6


def test_what_is_no_store(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent"):
        ZarrV2(str(tmp_path / "absent"))
    (tmp_path / "2011").mkdir()
    with pytest.raises(
        ValueError, match=r"no zarr store \(a folder with .zgroup, format 2\) there or below; folders: 2011"
    ):
        ZarrV2(str(tmp_path))
    (tmp_path / "2011" / "zarr.json").write_text('{"zarr_format": 3}')
    with pytest.raises(ValueError, match=r"\(a folder with .zgroup, format 2\)"):
        ZarrV2(str(tmp_path))
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(ValueError, match=r"no array 193A, Bz or the like in .*: is it SDOML v2"):
        ZarrV2(str(tmp_path))


def test_stores_are_found_at_any_depth_and_other_files_logged(folder, tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "sdomlv2.zarr").rename(tmp_path / "2011")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "2011").rename(deep / "sdomlv2")  # known by .zgroup, not by its name
    (deep / "circle").symlink_to(tmp_path / "a")
    (deep / "notes.txt").touch()
    assert len(ZarrV2(str(folder)).listing("0193").times) == 10
    assert "1 files that are none of the zarr stores: a/b/notes.txt" in caplog.text


def test_the_limb_is_checked(tmp_path):
    shifted = np.stack([euv_image(100.0, 64), np.roll(euv_image(100.0, 64), 2, axis=1)])
    write_store(str(tmp_path / "x.zarr"), {"2011/193A": (shifted, aia_attributes(hours(2)))})
    source = ZarrV2(str(tmp_path))
    good, off = source.listing("0193").places
    np.testing.assert_array_equal(source.read("0193", good), shifted[0])
    with pytest.raises(FrameError, match=r"off-centre disk: its limb is .* of where SDOML has it"):
        source.read("0193", off)


def test_metadata_that_is_missing_or_odd(folder):
    (folder / "sdomlv2_hmi.zarr/2011/Bz/.zattrs").unlink()
    with pytest.raises(ValueError, match=r"sdomlv2_hmi.zarr/2011/Bz: its .zattrs cannot be read"):
        ZarrV2(str(folder)).listing("bz")
    write_store(str(folder / "z.zarr"), {"2011/304A": (images(2, size=4), aia_attributes(hours(2)))})
    with pytest.raises(ValueError, match=r"z.zarr/2011/304A has the shape \(2, 4, 4\), expected \(frames, 8, 8\)"):
        ZarrV2(str(folder)).listing("0304")


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ValueError, match=r'needs the packages zarr and fsspec: pip install "munit-jax\[zarr\]"'):
        ZarrV2(str(tmp_path))
