"""A shard is whole or not there, is the same however frames are cut into shards, and reports what it left out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordReader

from munit_jax.instruments.errors import FrameError
from tests.tfds_sdoml.sun_images import euv_image
from tfds_sdoml import shards
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.examples import features, load
from tfds_sdoml.plan import Frame, Plan
from tfds_sdoml.shards import Report, finished_report, in_order, make_jobs, make_shard, write_records
from tfds_sdoml.sources.interface import Rejection

HOUR = 3600
CONFIG = SdomlConfig(name="shards", source="npz_v1", channels=("0193",), size=32)


@dataclass
class Suns:
    """A source whose places are the levels of uniform disks, or reasons why there is none."""

    size: int = 32
    spawn: bool = False
    read_count: int = 0

    def listing(self, series):
        raise AssertionError("not needed")

    def read(self, series, place):
        self.read_count += 1
        if place.startswith("bad"):
            raise FrameError("unreadable", place)
        return euv_image(float(place), self.size)


def plan_of(levels, split="train"):
    frames = [Frame(i * HOUR, (level,)) for i, level in enumerate(levels)]
    return Plan({split: frames}, {"0193": len(frames)}, {}, len(frames), [])


def make_all(levels, folder, monkeypatch, frames_a_shard, pool=None, config=CONFIG):
    monkeypatch.setattr(shards, "SHARD_BYTES", frames_a_shard * shards.example_bytes(config))
    folder.mkdir(exist_ok=True)
    jobs = make_jobs(config, Suns(), plan_of(levels), folder)
    return jobs, [make_shard(job, pool) for job in jobs]


def records(jobs):
    found = []
    for job in jobs:
        if job.record_file.exists():
            reader = ArrayRecordReader(str(job.record_file))
            found += reader.read_all()
            reader.close()
    return found


LEVELS = ["100"] * 8 + ["bad 1", "300", "100", "bad 2", "101", "102", "20"] + ["103"] * 8


def test_the_cut_into_shards_does_not_matter(tmp_path, monkeypatch):
    whole, (report,) = make_all(LEVELS, tmp_path / "whole", monkeypatch, 100)
    with ThreadPoolExecutor(2) as pool:
        cut, reports = make_all(LEVELS, tmp_path / "cut", monkeypatch, 4, pool)
    assert len(cut) == 6
    assert sum(r.examples for r in reports) == report.examples == len(LEVELS) - 4
    assert [row for r in reports for row in sorted(r.rejected)] == sorted(report.rejected, key=lambda row: row.time)
    assert sorted((row.place, row.reason) for row in report.rejected) == [
        ("20", "unlike its neighbours"),
        ("300", "unlike its neighbours"),
        ("bad 1", "unreadable"),
        ("bad 2", "unreadable"),
    ]
    assert records(cut) == records(whole)
    np.testing.assert_array_equal(sum(r.counts for r in reports), report.counts)
    assert sum(r.digest for r in reports) % 2**256 == report.digest
    assert report.counts.sum() > 0


def test_neighbours_that_cannot_be_used_are_replaced_by_farther_ones(tmp_path, monkeypatch):
    """A frame between two days without a good one is compared with those beyond."""
    levels = ["100"] * 12 + ["bad"] * 24 + ["300"] + ["bad"] * 24 + ["100"] * 12
    for frames_a_shard in (100, 5):
        _, reports = make_all(levels, tmp_path / str(frames_a_shard), monkeypatch, frames_a_shard)
        rejected = [(row.place, row.reason) for r in reports for row in r.rejected if row.place != "bad"]
        assert rejected == [("300", "unlike its neighbours")]


def test_the_same_shard_has_the_same_bytes(tmp_path, monkeypatch):
    one, _ = make_all(LEVELS, tmp_path / "one", monkeypatch, 4)
    with ThreadPoolExecutor(3) as pool:
        other, _ = make_all(LEVELS, tmp_path / "other", monkeypatch, 4, pool)
    for a, b in zip(one, other, strict=True):
        assert a.record_file.read_bytes() == b.record_file.read_bytes()
        assert a.report_file.read_bytes() == b.report_file.read_bytes()


def test_a_finished_shard_is_not_made_again(tmp_path, monkeypatch):
    jobs, reports = make_all(LEVELS[:8], tmp_path / "x", monkeypatch, 4)
    source = jobs[0].source
    assert isinstance(source, Suns)
    before = source.read_count
    seen = []
    assert make_shard(jobs[0], advance=seen.append).examples == reports[0].examples
    assert source.read_count == before
    assert sum(seen) == 4
    jobs[1].record_file.unlink()  # a report without its file is not trusted
    assert finished_report(jobs[1]) is None
    assert make_shard(jobs[1]).examples == 4
    assert source.read_count > before


def test_progress_counts_every_frame_once(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 4 * shards.example_bytes(CONFIG))
    seen = []
    for job in make_jobs(CONFIG, Suns(), plan_of(LEVELS), tmp_path):
        make_shard(job, advance=seen.append)
    assert sum(seen) == len(LEVELS)


def test_a_shard_of_bad_frames_has_a_report_and_no_file(tmp_path, monkeypatch):
    jobs, (report,) = make_all(["bad"] * 3, tmp_path / "x", monkeypatch, 10)
    assert (report.examples, report.size, len(report.rejected)) == (0, 0, 3)
    assert not jobs[0].record_file.exists()
    again = finished_report(jobs[0])
    assert again is not None
    assert again.rejected == report.rejected


def test_report_round_trip():
    row = Rejection("0193", 5, 'a, "b".npz', "quality", "QUALITY = 8")
    report = Report("train", np.arange(6).reshape(2, 3), 3, 1000, 4, 2**255 + 1, [row, row._replace(time=None)])
    again = Report.from_json(report.to_json())
    np.testing.assert_array_equal(again.counts, report.counts)
    assert again.rejected == report.rejected
    assert (again.split, again.examples, again.size, again.clipped, again.digest) == ("train", 3, 1000, 4, 2**255 + 1)


def test_values_beyond_float16_are_clipped_and_counted():
    class Bright(Suns):
        def read(self, series, place):
            image = super().read(series, place)
            image[16, 15:17] = 70_000.0
            return image

    result = load(CONFIG, Bright(), Frame(0, ("100",)), wanted=True)
    assert result.clipped == 2
    example = features(CONFIG).deserialize_example_np(result.record)
    assert example["euv"].dtype == np.float16
    assert example["euv"][16, 16, 0] == np.finfo(np.float16).max
    assert example["euv"][5, 16, 0] == np.float16(euv_image(100.0, 32)[5, 16])


def test_smaller_images_are_means_over_blocks():
    small = SdomlConfig(name="small", source="npz_v1", channels=("0193",), size=16, dtype="float32")
    result = load(small, Suns(), Frame(0, ("100",)), wanted=True)
    example = features(small).deserialize_example_np(result.record)
    expected = euv_image(100.0, 32).reshape(16, 2, 16, 2).mean((1, 3))
    np.testing.assert_allclose(example["euv"][..., 0], expected, rtol=1e-6)
    assert example["solar_radius"] == pytest.approx(203.3 / 32)
    assert example["centre"].tolist() == [7.5, 7.5]


def test_results_come_in_order_and_an_error_stops_the_rest():
    with ThreadPoolExecutor(2) as pool:
        assert list(in_order(pool, [lambda i=i: i for i in range(50)])) == list(range(50))
        done = []

        def fail():
            raise ValueError("this one")

        with pytest.raises(ValueError, match="this one"):
            list(in_order(pool, [fail, *(lambda i=i: done.append(i) for i in range(1000))]))
    assert len(done) < 100


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match=r"cannot write .*absent/train\.array_record"):
        write_records(tmp_path / "absent/train.array_record", [b"x"])


def test_a_writer_that_is_interrupted_leaves_nothing(tmp_path):
    def interrupted():
        yield b"x"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path / "train.array_record", interrupted())
    assert not list(tmp_path.iterdir())


def test_records_come_back(tmp_path):
    path = tmp_path / "train.array_record"
    assert write_records(path, [b"one", b"two"]) == path.stat().st_size
    assert list(tmp_path.iterdir()) == [path]
    reader = ArrayRecordReader(str(path))
    assert reader.read_all() == [b"one", b"two"]
    reader.close()
