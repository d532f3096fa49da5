"""The command as users call it: exit codes and messages, and the table that it ends with."""

import pytest

from munit_jax.report.results import SHOWN, SHOWN_COLUMNS, metrics_table
from tests.commands import call


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "no run: give --workdir=RUN"),
        (("--workdir=run",), "no run in run: config.json: No such file or directory"),
        (("--workdir=run", "--samples=1"), "samples=1: give at least 2"),
        (("--split=night",), "should be one of <test|validation|train>"),
        (("--workdir=run", "--corona", "--rows=20"), "lmax = 60 on 20 x 40 cells"),
        (
            ("--workdir=run", "--corona", "--rss=0.9"),
            "the seeds' radius must be 1 or more and below the source surface's",
        ),
        (("--workdir=run", "--corona", "--background=*.fits"), "no file matches --background='*.fits'"),
        (("--workdir=run", "--images=*.fits"), "no file matches --images='*.fits'"),
        (("--workdir=run", "--earth"), "--earth needs the wind of coronae: give --corona too"),
        (("--workdir=run", "--show=noon"), "show='noon': give a time such as 2012-11-03T12:00"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(flags, message, tmp_path):
    result = call("evaluate", tmp_path, *flags)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())


def test_table():
    row = dict.fromkeys(SHOWN_COLUMNS, 1.5) | {"euv_proxy": None}
    lines = metrics_table({name: {"disk": row} for name in SHOWN}).splitlines()
    assert lines[0].split() == ["on", "the", "disk", *SHOWN_COLUMNS]
    assert lines[1].split() == ["rmse", *["1.500"] * 5, "-", "1.500"]
    assert len(lines) == 1 + len(SHOWN)
    compared = metrics_table({name: {"disk": row | {"compared": 2.0}} for name in SHOWN}).splitlines()
    assert compared[1].split()[-1] == "2.000"
