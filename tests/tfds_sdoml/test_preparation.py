"""Workers of a build do not outlive it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BUILD = """
import os, time
from types import SimpleNamespace
from tfds_sdoml.preparation import workers
if __name__ == "__main__":
    os.cpu_count = lambda: 2
    with workers(SimpleNamespace(spawn=True), 1000) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")  # where there is one: a zombie waits for nobody here
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_workers_end_with_a_build_that_is_killed(tmp_path):
    script = tmp_path / "build.py"
    script.write_text(BUILD)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as build:
        assert build.stdout is not None
        worker = int(build.stdout.readline())
        assert alive(worker)
        build.kill()
    end = time.monotonic() + 10
    while alive(worker) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(worker)
