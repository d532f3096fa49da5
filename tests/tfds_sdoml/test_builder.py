"""The TFDS builder: what is in a dataset, and that it knows what it was built with."""

import csv
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from munit_jax.sun.constants import DAY
from tests.tfds_sdoml.sun_images import times, write_aia, write_hmi, write_npz
from tfds_sdoml.build import build, is_prepared, make_builder
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.preparation import prepare
from tfds_sdoml.sdoml_dataset_builder import Builder
from tfds_sdoml.synthetic_sun.observation import observe

START = int(datetime(2011, 1, 1, tzinfo=UTC).timestamp())


def small_config(**changes):
    settings = {"source": "synthetic", "channels": ("0171", "0193"), "field": ("bz",), "size": 32, "dtype": "float32"}
    settings |= {"start": START, "frames": 37, "cadence": 10 * DAY}
    return SdomlConfig(name="small", **(settings | changes))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*arguments):
        raise AssertionError(f"a connection to {arguments[1:]} was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def builder(data_dir):
    built = Builder(config=small_config(), data_dir=data_dir)
    prepare(built, None)
    return built


def counts(builder):
    return {name: info.num_examples for name, info in builder.info.splits.items()}


def test_synthetic_examples(builder):
    assert set(counts(builder)) == {"train", "validation", "test"}
    record = dict(builder.info.metadata)["build"]
    assert sum(counts(builder).values()) + record["left_out"]["in the guard gaps"] == 37
    train = builder.as_data_source(split="train")
    example = train[0]
    assert example["time"] == START + 30 * DAY  # January is within the guard of December
    with threadpool_limits(1):  # as the builder does: the last bits depend on it
        frame = observe(0, int(example["time"]), 32, ("0171", "0193"))
    np.testing.assert_array_equal(example["euv"], frame.euv)
    np.testing.assert_array_equal(example["magnetogram"], frame.magnetogram)
    np.testing.assert_array_equal(example["surface_field"], frame.surface_field.astype(np.float16))
    assert example["solar_radius"] == pytest.approx(203.3 / 16)
    assert example["centre"].tolist() == [15.5, 15.5]
    assert example["b0"] == pytest.approx(frame.geometry.b0)
    assert example["l0"] == pytest.approx(frame.geometry.l0)
    in_order = [int(train[i]["time"]) for i in range(len(train))]
    assert in_order == sorted(in_order)


def test_tfds_makes_the_same_dataset_by_itself(builder, tmp_path):
    """Example by example and bit for bit, in the same order; the metadata of our build are added to it."""
    stock = Builder(config=small_config(), data_dir=tmp_path)
    stock.download_and_prepare()
    assert counts(stock) == counts(builder)
    for split in counts(builder):
        ours, theirs = builder.as_data_source(split=split), stock.as_data_source(split=split)
        for one, other in zip(ours, theirs, strict=True):
            assert one.keys() == other.keys()
            for name, value in one.items():
                np.testing.assert_array_equal(value, other[name], err_msg=name)
                assert np.asarray(value).dtype == np.asarray(other[name]).dtype
    assert make_builder("small", tmp_path).builder_config.parameters() == small_config().parameters()


def test_a_fingerprint_is_of_the_content(builder, tmp_path):
    folder = tmp_path / "sdoml" / "small" / str(builder.version)
    shutil.copytree(builder.data_path, folder)
    copy = Builder(config=small_config(), data_dir=tmp_path)
    assert copy.fingerprint == builder.fingerprint
    other = Builder(config=small_config(seed=1), data_dir=tmp_path / "other")
    prepare(other, None)
    assert other.fingerprint != builder.fingerprint
    (record,) = folder.glob("*train.array_record*")
    with record.open("ab") as file:
        file.write(b"more")
    assert copy.fingerprint != builder.fingerprint


def test_statistics_are_those_of_train(builder):
    train = builder.as_data_source(split="train")
    disk = np.stack([train[i]["euv"][8:24, 8:24, 1] for i in range(len(train))])
    assert builder.statistics["0193"]["50"] == pytest.approx(np.median(disk), rel=0.2)
    assert set(builder.statistics) == {"bz", "0171", "0193"}
    assert make_builder("small", builder.data_path.parents[2]).statistics == builder.statistics


def test_other_parameters_are_not_reused(builder, data_dir):
    with pytest.raises(ValueError, match=r"built under other parameters \(seed differ\)"):
        Builder(config=small_config(seed=1), data_dir=data_dir)
    assert Builder(config=small_config(), data_dir=data_dir).data_path == builder.data_path


def test_a_dataset_is_opened_by_its_name_alone(builder, data_dir):
    opened = make_builder("sdoml/small", data_dir)
    assert opened.builder_config.parameters() == small_config().parameters()
    assert is_prepared("small", data_dir)
    with pytest.raises(ValueError, match=r"unknown dataset 'sdoml/other'; known are sdoml/synthetic_64.*needs --chann"):
        make_builder("sdoml/other", data_dir)


def test_a_single_domain_from_files(tmp_path):
    for month in ("02", "03", "05", "08", "11"):
        write_aia(tmp_path, f"2011{month}15_0000", 80.0)
    built = build("sdoml/aia0193", tmp_path / "data", tmp_path)
    assert counts(built) == {"train": 3, "validation": 1, "test": 1}
    example = built.as_data_source(split="train")[0]
    assert set(example) == {"euv", "time", "solar_radius", "centre", "b0", "l0", "distance"}
    assert example["euv"].dtype == np.float16
    assert np.median(example["euv"][156:356, 156:356]) == pytest.approx(80, rel=0.01)
    assert is_prepared("aia0193", tmp_path / "data")
    assert not is_prepared("aia0171", tmp_path / "data")


def test_pairs_from_files(tmp_path):
    write_aia(tmp_path, "20110215_0000")
    write_aia(tmp_path, "20110215_0018")
    write_hmi(tmp_path, "20110215_0000", 30.0)
    write_hmi(tmp_path, "20110301_0000")
    built = build("aia0193_hmi", tmp_path / "data", tmp_path)
    source = built.as_data_source(split="train")
    assert len(source) == 1
    assert list(built.info.splits) == ["train"]
    magnetogram = source[0]["magnetogram"]
    assert magnetogram.shape == (512, 512, 1)
    assert magnetogram[156:356, 156:356].astype(np.float32).std() == pytest.approx(30, rel=0.02)
    assert magnetogram[0, 0, 0] == 0


def test_several_channels_and_all_components(tmp_path):
    for k, channel in enumerate(("0094", "0211")):
        write_aia(tmp_path, "20110215_0000", 10.0 * (k + 1), channel)
    for k, component in enumerate(("bx", "by", "bz")):
        write_hmi(tmp_path, "20110215_0000", 10.0 * (k + 1), component)
    changes = {"channels": ("0211", "0094"), "field": ("bx", "by", "bz"), "size": 256}
    built = build("vector", tmp_path / "data", tmp_path, changes)
    example = built.as_data_source(split="train")[0]
    middle = slice(78, 178)
    assert np.median(example["euv"][middle, middle], axis=(0, 1)).tolist() == pytest.approx([20, 10], rel=0.02)
    # The mean over 2 x 2 pixels of noise has half its standard deviation.
    field = example["magnetogram"][middle, middle].astype(np.float32)
    assert field.std((0, 1)).tolist() == pytest.approx([5, 10, 15], rel=0.05)


def test_every_rejected_frame_is_listed_and_the_others_are_built(tmp_path):
    days = times("20110201_0000", 12, days=1)
    for day in days:
        write_aia(tmp_path, day)
    write_aia(tmp_path, days[4], 5.0)
    write_npz(tmp_path, f"AIA{days[6]}_0193.npz", np.full((512, 512), 4.0, np.float32))
    good = (tmp_path / f"AIA{days[7]}_0193.npz").read_bytes()
    (tmp_path / f"AIA{days[8]}_0193.npz").write_bytes(good[: len(good) // 2])
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / f"AIA{days[9]}_0193.npz").write_bytes(good)
    (tmp_path / "AIA20110230_0000_0193.npz").write_bytes(good)
    built = build("aia0193", tmp_path / "data", tmp_path)
    assert counts(built) == {"train": 9}
    with Path(built.data_path / "rejected.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["time"], row["place"], row["reason"]) for row in rows] == [
        ("", "AIA20110230_0000_0193.npz", "no time"),
        ("2011-02-05T00:00:00Z", "AIA20110205_0000_0193.npz", "unlike its neighbours"),
        ("2011-02-07T00:00:00Z", "AIA20110207_0000_0193.npz", "constant"),
        ("2011-02-09T00:00:00Z", "AIA20110209_0000_0193.npz", "unreadable"),
        ("2011-02-10T00:00:00Z", "copy/AIA20110210_0000_0193.npz", "duplicate"),
    ]
    assert {row["series"] for row in rows} == {"0193"}
    assert all(row["detail"] for row in rows)
    record = dict(built.info.metadata)["build"]
    assert record["found"] == {"0193": 14}
    assert sum(record["rejected"].values()) == 5


def test_a_source_with_nothing_usable_stops_with_the_reason(tmp_path):
    write_npz(tmp_path, "AIA20110215_0006_0193.npz", np.full((512, 512), np.nan, np.float32))
    with pytest.raises(
        ValueError,
        match=r"all examples of train were rejected \(1 images, listed in .*rejected\.csv\); the first: 0193, "
        r"AIA20110215_0006_0193\.npz: not finite, 262144 values",
    ):
        build("aia0193", tmp_path / "data", tmp_path)
    assert not is_prepared("aia0193", tmp_path / "data")


def test_real_files(tmp_path, shared):
    built = build("aia0171", tmp_path, shared / "data/sdoml_real")
    assert counts(built) == {"train": 5, "test": 1}
    image = built.as_data_source(split="train")[0]["euv"][..., 0].astype(np.float32)
    assert 100 < np.median(image[100:400, 100:400]) < 250  # DN/s, 2011-03-19
    assert image.max() < 5000


def test_no_tensorflow():
    code = "import sys, tfds_sdoml.build; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
