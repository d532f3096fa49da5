"""The command as users call it: exit codes and messages."""

import pytest
from astropy.io import fits

from munit_jax.trained_run import load_pretrained
from tests.commands import call
from tests.instruments.suns import write_aia


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "no run: give --workdir=RUN"),
        ((), "or --pretrained=NAME, weights that come with the package"),
        (("--workdir=run", "--pretrained=aia193"), "two runs: give --workdir or --pretrained"),
        (("--pretrained=aia193", "--checkpoint=best"), "--checkpoint: the weights of --pretrained are of one step"),
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


def test_weights_of_the_package_need_no_run(weights, tmp_path):
    write_aia(tmp_path / "a.fits")
    flags = ("--input=a.fits", "--output=out", "--samples=2")
    result = call("translate", tmp_path, "--pretrained=aia193", *flags)
    assert result.returncode == 0, result.stderr
    assert "pretrained/aia193, step 2, images of 16 pixels of AIA 0171" in result.stderr
    header = fits.getheader(tmp_path / "out" / "a_magnetogram.fits")
    assert (header["MJRUN"], header["MJSTEP"]) == ("pretrained/aia193", 2)
    assert header["MJPARAM"] == load_pretrained("aia193").parameters_sha256
    result = call("translate", tmp_path, "--pretrained=aia335", *flags)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(
        "error: no weights 'aia335' come with the package: choose from aia193"
    )
