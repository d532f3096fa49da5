import socket
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tfds_sdoml.build import build, config_names, is_prepared, main
from tfds_sdoml.ephemeris import DAY
from tfds_sdoml.sdoml_dataset_builder import Builder, SdomlConfig
from tfds_sdoml.synthetic import observe

START = int(datetime(2011, 1, 1, tzinfo=UTC).timestamp())


def small_config(**changes):
    settings = {"source": "synthetic", "channels": ("0171", "0193"), "magnetogram": True, "size": 32}
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
    built.download_and_prepare()
    return built


def write(folder, name, value=8.0):
    image = np.full((512, 512), value, np.float32)
    np.savez_compressed(folder / name, x=image)


def test_registered_names():
    assert config_names() == [
        *(f"synthetic_{size}" for size in (64, 128, 256, 512)),
        *("aia0171", "aia0193", "aia0304", "hmi_bz"),
        *("aia0171_hmi", "aia0193_hmi", "aia0304_hmi", "aia0171_0193_0304_hmi"),
    ]


def test_synthetic_examples(builder):
    counts = {name: info.num_examples for name, info in builder.info.splits.items()}
    assert set(counts) == {"train", "validation", "test"}
    assert sum(counts.values()) < 37  # the rest is in the guard gaps
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
    times = [int(train[i]["time"]) for i in range(len(train))]
    assert times == sorted(times)


def test_other_parameters_are_not_reused(builder, data_dir):
    with pytest.raises(ValueError, match=r"built under other parameters \(seed differ\)"):
        Builder(config=small_config(seed=1), data_dir=data_dir)
    assert Builder(config=small_config(), data_dir=data_dir).data_path == builder.data_path


def test_a_single_domain_from_files(tmp_path):
    for month in ("02", "03", "05", "08", "11"):
        write(tmp_path, f"AIA2011{month}15_0000_0193.npz")
    built = build("sdoml/aia0193", tmp_path / "data", tmp_path)
    assert {name: info.num_examples for name, info in built.info.splits.items()} == {
        "train": 3,
        "validation": 1,
        "test": 1,
    }
    example = built.as_data_source(split="train")[0]
    assert set(example) == {"euv", "time", "solar_radius", "centre", "b0", "l0", "distance"}
    assert (example["euv"] == 2).all()
    assert built.builder_config.channels == ("0193",)
    assert is_prepared("aia0193", tmp_path / "data")
    assert not is_prepared("aia0171", tmp_path / "data")


def test_pairs_from_files(tmp_path):
    write(tmp_path, "AIA20110215_0000_0193.npz")
    write(tmp_path, "AIA20110215_0018_0193.npz")
    write(tmp_path, "HMI20110215_0000_bz.npz", -30.0)
    write(tmp_path, "HMI20110301_0000_bz.npz")
    built = build("aia0193_hmi", tmp_path / "data", tmp_path)
    source = built.as_data_source(split="train")
    assert len(source) == 1
    assert list(built.info.splits) == ["train"]
    assert source[0]["magnetogram"].shape == (512, 512, 1)
    assert (source[0]["magnetogram"] == -30).all()


def test_no_frame_left_for_train(tmp_path):
    write(tmp_path, "AIA20111115_0000_0193.npz")
    with pytest.raises(ValueError, match=r"none of the 1 frames is left for train.*test months \(11, 12\)"):
        build("aia0193", tmp_path / "data", tmp_path)


def test_mistakes_give_one_line_and_exit_code_2(tmp_path, capsys):
    def message(*arguments):
        assert main([*arguments, f"--data_dir={tmp_path / 'data'}"]) == 2
        output = capsys.readouterr().err.splitlines()
        (line,) = [line for line in output if line.startswith("error: ")]
        return line

    assert "known are sdoml/synthetic_64" in message("sdoml/aia0999")
    assert "give their folder as --manual_dir" in message("sdoml/aia0193")
    assert "no folder" in message("sdoml/aia0193", f"--manual_dir={tmp_path / 'absent'}")
    assert "AIAYYYYMMDD_HHMM_0193.npz" in message("sdoml/aia0193", f"--manual_dir={tmp_path}")
    write(tmp_path, "AIA20110215_0006_0193.npz", np.nan)
    line = message("sdoml/aia0193", f"--manual_dir={tmp_path}")
    assert "AIA20110215_0006_0193.npz: 262144 values are not finite, the first at (row, column) = (0, 0)" in line
    write(tmp_path, "HMI20120215_0006_bz.npz")
    assert "no frames lie within 360 s" in message("sdoml/aia0193_hmi", f"--manual_dir={tmp_path}")
    assert not list((tmp_path / "data").rglob("*.array_record*"))


def test_the_command_prints_a_table(tmp_path, capsys):
    write(tmp_path, "HMI20110215_0006_bz.npz")
    assert main(["sdoml/hmi_bz", f"--data_dir={tmp_path / 'data'}", f"--manual_dir={tmp_path}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:2] == ["train", "1"] for line in lines)


def test_real_files(tmp_path, shared):
    built = build("aia0171", tmp_path, shared / "data/sdoml_real")
    assert built.info.splits["train"].num_examples == 5
    image = built.as_data_source(split="train")[0]["euv"][..., 0]
    assert 100 < np.median(image[100:400, 100:400]) < 250  # DN/s, 2011-03-19
    assert image.max() < 5000


def test_no_tensorflow():
    code = "import sys, tfds_sdoml.build; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
