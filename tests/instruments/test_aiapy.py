"""The real aiapy, at its lowest declared version and the newest, computes the degradation of a table without network.

The environments that it is installed in are thrown away: it is an extra, which the tests do without.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOWEST = re.search(r'"aiapy>=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
# As SolarSoft's aia_V*_response_table.txt, of two epochs and two versions, of which the latest counts.
TABLE = """\
DATE T_START T_STOP VER_NUM WAVE_STR WAVELNTH EFF_AREA EFF_WVLN EFFA_P1 EFFA_P2 EFFA_P3
2017-12-10T05:05:15.000 2010-03-24T00:00:00.000 2011-01-01T00:00:00.000 9 171_THIN 171 9.0 171.1 0.0 0.0 0.0
2020-07-06T05:05:15.000 2010-03-24T00:00:00.000 2011-01-01T00:00:00.000 10 171_THIN 171 4.0 171.1 0.0 0.0 0.0
2020-07-06T05:05:16.000 2011-01-01T00:00:00.000 2012-01-01T00:00:00.000 10 171_THIN 171 3.0 171.1 -0.001 0.0 0.0
"""
ASK = """
import sys
from pathlib import Path
import aiapy
from munit_jax.instruments.degradation import degradation, open_table
table, other = map(Path, sys.argv[1:])
print(aiapy.__version__, degradation(table, 171, 15075))
for path, channel, day in ((table, 171, 16500), (table, 94, 15075), (other, 171, 15075)):
    try:
        print(degradation(path, channel, day))
    except ValueError as error:
        print("refused:", error)
"""


@pytest.mark.pages  # it installs the package
@pytest.mark.parametrize("wanted", [f"aiapy=={LOWEST[1]}" if LOWEST else "", "aiapy"], ids=["lowest", "newest"])
def test_the_real_package_computes_a_degradation(tmp_path, wanted):
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("needs uv on the path")
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "environment"], check=True)
    install = [uv, "pip", "install", "--no-config", "--quiet", "--python", python, wanted]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode and re.search("connect|resolve host|timed out|dns", done.stderr, re.IGNORECASE):
        pytest.skip(f"{wanted} cannot be fetched: {done.stderr.strip().splitlines()[-1].strip()}")
    assert done.returncode == 0, done.stderr
    (tmp_path / "table.txt").write_text(TABLE)
    (tmp_path / "other.txt").write_text("A B\n1 2\n")
    files = [tmp_path / "table.txt", tmp_path / "other.txt"]
    done = subprocess.run([python, "-c", ASK, *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (version, factor), *refused = (line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert wanted in ("aiapy", f"aiapy=={version}")
    # 2011-04-11 is 100.5 days into the second epoch: the ratio of the areas, times the polynomial.
    assert float(factor) == pytest.approx(3 / 4 * (1 - 0.001 * 100.5), rel=1e-6)
    assert [word for word, _ in refused] == ["refused:"] * 3, done.stdout
    assert "not a table of AIA's degradation" in refused[2][1]
