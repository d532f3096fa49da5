"""The command as users call it: exit codes and messages."""

import pytest

from tests.commands import call
from tests.instruments.suns import write_aia


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "no run: give --workdir=RUN"),
        (("--workdir=run",), "no output: give --output=FOLDER"),
        (("--workdir=run", "--output=out"), "no input: give --input='FOLDER/*.fits'"),
        (("--workdir=run", "--output=out", "--input=*.fits"), "no file matches --input='*.fits'"),
        (("--samples=few",), "--samples=few: invalid literal for int()"),
        (("--direction=back",), "should be one of <euv_to_magnetogram|magnetogram_to_euv>"),
        (("--png=big",), "value should be one of <map|grid|true|false>"),
        (("--png", "grid"), "unexpected arguments grid"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(flags, message, tmp_path):
    result = call("translate", tmp_path, *flags)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())


def test_exit_code_1_where_some_inputs_are_refused_and_0_where_none(trained, tmp_path):
    write_aia(tmp_path / "a.fits")
    (tmp_path / "b.fits").write_text("a letter")
    flags = (f"--workdir={trained}", "--output=out", "--samples=2", "--resume", "--png")
    result = call("translate", tmp_path, *flags, "--input=*.fits")
    assert result.returncode == 1, result.stderr
    assert "refused b.fits: unreadable: no FITS file: it does not begin with SIMPLE" in result.stderr
    assert "1 written, 0 kept, 1 refused: see out/translated.csv" in result.stderr
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"a_magnetogram.fits", "a_magnetogram.png", "translated.csv"}
    result = call("translate", tmp_path, *flags, "--input=a.fits", "--input=a*")
    assert result.returncode == 0, result.stderr
    assert "0 written, 1 kept, 0 refused" in result.stderr
