"""The four commands of docs/real_data.md, typed in order: from an empty folder to a report."""

import os
import subprocess

import pytest

from tests.commands import ROOT
from tests.test_commands_of_the_pages import typed
from tests.test_documentation import blocks
from tests.tfds_sdoml.fetch.loopback import hub, loopback
from tests.tfds_sdoml.fetch.test_hf256 import COMMIT, REPOSITORY
from tests.tfds_sdoml.fetch.test_kills import write_set

PAGE = ROOT / "docs" / "real_data.md"
PATIENCE = 600  # seconds, for all four


def four_commands() -> list[str]:
    return blocks(PAGE, "")[0].splitlines()


def test_there_are_four_in_this_order():
    modules = [line.split()[2] for line in four_commands()]
    assert modules == ["tfds_sdoml.fetch", "tfds_sdoml.build", "munit_jax.train", "munit_jax.evaluate"]
    config = (ROOT / "configs" / "hf256.py").read_text()
    assert [line for line in four_commands() if line not in config] == []


@pytest.mark.pages
def test_they_end_in_a_report(tmp_path):
    (tmp_path / "empty").mkdir()
    with loopback() as server:
        server.services.append(hub(server, REPOSITORY, COMMIT, write_set(tmp_path, (12, 15))))
        environment = os.environ | {
            "HF_ENDPOINT": server.url,
            "PYTHONPATH": str(ROOT),
            "TFDS_DATA_DIR": str(tmp_path / "data"),
            "JAX_NUM_CPU_DEVICES": "1",
        }
        result = subprocess.run(
            ["bash", "-c", "\n".join(["set -ex", *map(typed, four_commands())])],
            cwd=tmp_path / "empty",
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "empty/runs/hf256").is_dir()
    assert list((tmp_path / "empty/runs/hf256").rglob("report.html"))
