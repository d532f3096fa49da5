"""Apache Beam makes the same dataset; skipped where the extra `tfds-cli` is not installed."""

import pytest

from tests.tfds_sdoml.sun_images import times, write_aia
from tfds_sdoml import shards
from tfds_sdoml.build import build, parse_beam_options

pytest.importorskip("apache_beam", reason='Apache Beam is an extra: pip install "munit-jax[tfds-cli]"')


@pytest.mark.filterwarnings("ignore")  # Beam's own
def test_the_same_examples_come_out(tmp_path, monkeypatch):
    days = times("20110201_0000", 12, days=1)
    for day in days:
        write_aia(tmp_path / "in", day)
    (tmp_path / f"in/AIA{days[3]}_0193.npz").write_bytes(b"")
    monkeypatch.setattr(shards, "SHARD_BYTES", 4 * 512 * 512 * 2)
    changes = {"validation_months": (), "test_months": (8,)}
    options = parse_beam_options("runner=DirectRunner,direct_num_workers=1")
    alone = build("aia0193", tmp_path / "alone", tmp_path / "in", changes)
    beam = build("aia0193", tmp_path / "beam", tmp_path / "in", changes, options)
    files = {path.name: path for path in alone.data_path.iterdir()}
    assert len([name for name in files if "array_record" in name]) == 3
    assert {path.name for path in beam.data_path.iterdir()} == set(files)
    for path in beam.data_path.iterdir():
        assert path.read_bytes() == files[path.name].read_bytes()
