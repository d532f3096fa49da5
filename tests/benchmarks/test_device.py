"""The check of a device: its rows, and itself with small sizes on the CPU."""

import argparse
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.device import rows, table_row
from benchmarks.device_rows import Row, difference, measure
from tests.commands import ROOT


def options(**changes):
    values = {"sizes": [128, 256, 512, 1024], "inference_size": 512, "realisations": [1, 16], "magnetograms": 64}
    values["train_precisions"] = ["bfloat16", "float32"]
    return argparse.Namespace(**{**values, "peer_python": None, **changes})


def test_the_rows_come_in_the_order_of_their_worth():
    alone = rows(options())
    assert [row.precision for row in alone[:3]] == ["float32", "tf32", "bfloat16"]
    assert [(row.what, row.size) for row in alone[3:7]] == [("train", size) for size in (128, 256, 512, 1024)]
    assert [(row.what, row.count) for row in alone[7:10]] == [("translate", 1), ("translate", 16), ("pfss", 64)]
    assert [(row.what, row.size, row.precision) for row in alone[10:]] == [
        ("train", 256, "bfloat16"),
        ("train", 256, "float32"),
    ]
    both = rows(options(peer_python="python"))
    assert [row.who for row in both if row.what == "train"][:4] == ["ours", "peer"] * 2
    assert len(both) == len(alone) + 4 + 2


def test_the_difference_of_trees():
    tree = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}  # norm 5
    assert difference(tree, tree) == 0
    assert difference({"a": np.array([3.0, 1.0]), "b": np.array([[4.0]])}, tree) == pytest.approx(0.2)


def test_a_row_of_the_table_says_what_failed():
    row = Row("ours", "train", 128, "tf32", 1)
    assert table_row(row, {"failed": "not measured: no time left"}).endswith(
        "tf32         1  not measured: no time left"
    )
    answer = {"seconds": 0.5, "images_per_second": 2.0, "memory_gb": None, "share_of_peak": 0.25, "compile_seconds": 9}
    assert table_row(row, answer).split()[5:] == ["0.5000", "2.00", "-", "25%", "9.0"]
    wrong = {"output_error": 0.5, "gradient_error": 1e-3, "agrees": False}
    assert table_row(row._replace(what="precision"), wrong).endswith("output 5.0e-01, gradient 1.0e-03: DIFFERS")


def test_open_flux_of_a_batch_is_timed():
    answer = measure(Row("ours", "pfss", 12, "float32", 3), 8)
    assert answer["images_per_second"] == pytest.approx(3 / answer["seconds"])


@pytest.mark.pages
def test_all_of_it_on_the_cpu(tmp_path):
    flags = ("--sizes=64", "--width=4", "--inference_size=64", "--realisations=1,2", "--magnetograms=2", "--minutes=12")
    flags = (*flags, "--train_precisions=")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "device.py"), *flags, f"--output={tmp_path / 'device.json'}"],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "device.json").read_text())
    assert [row for row in results if "failed" in row] == []
    by = {(row["what"], row["precision"], row["count"]): row for row in results}
    assert all(by["precision", kind, 1]["agrees"] for kind in ("float32", "tf32", "bfloat16"))
    assert by["precision", "bfloat16", 1]["output_error"] > by["precision", "float32", 1]["output_error"]
    assert 0 < by["train", "tf32", 1]["share_of_peak"] < 2
    assert len(done.stdout.splitlines()) == 2 + len(results) + 1
