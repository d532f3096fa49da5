"""The command as a user meets it: one line and exit code 2 for every mistake, no traceback."""

from pathlib import Path

import pytest

from munit_jax.train import default_workdir, summary_table
from tests.commands import ROOT, call

QUICKSTART = "--config=configs/aia193.py:quickstart"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "no config: give --config=configs/aia193.py:quickstart"),
        (("--config=configs/none.py",), "No such file or directory: 'configs/none.py'"),
        (
            ("--config=configs/aia193.py:fast",),
            "unknown variant 'fast' of configs/aia193.py: choose 1024, quickstart, poster_quickstart or none",
        ),
        ((QUICKSTART, "--config.datta.crop=64"), "unknown config key: datta; did you mean data?"),
        ((QUICKSTART, "--config.optimizer.clipnorm=3"), "unknown config key: clipnorm; did you mean clip_norm?"),
        ((QUICKSTART, "--config.nothing.x=3"), "unknown config key: nothing"),
        ((QUICKSTART, "--config.steps=many"), "--config.steps=many: invalid literal for int()"),
        ((QUICKSTART, "--wrokdir=x"), "Unknown command line flag 'wrokdir'. Did you mean: workdir ?"),
        ((QUICKSTART, "again"), "unexpected arguments again"),
        (
            ("--config=configs/aia193.py",),
            "sdoml/aia0193_hmi is not prepared: build it with `python -m tfds_sdoml.build",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(flags, message, tmp_path):
    config = [f"--config.data.data_dir={tmp_path}"] if flags == ("--config=configs/aia193.py",) else []
    result = call("train", ROOT, *flags, *config, f"--workdir={tmp_path / 'run'}")
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "run" / "config.json").exists()


def test_our_configs_are_found_from_any_folder_and_those_that_lie_there_come_first(tmp_path):
    away = call("train", tmp_path, "--config=configs/aia193.py", f"--config.data.data_dir={tmp_path}")
    assert "sdoml/aia0193_hmi is not prepared" in away.stderr
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "aia193.py").write_text("def get_config(variant=''):\n    raise ValueError('mine')\n")
    assert "error: mine" in call("train", tmp_path, "--config=configs/aia193.py").stderr
    separate = call("train", tmp_path, "--config", "configs/aia304.py:fast")
    assert "unknown variant 'fast' of configs/aia304.py" in separate.stderr


def test_default_workdir():
    assert default_workdir("configs/aia193.py:quickstart") == Path("runs/aia193-quickstart")
    assert default_workdir("configs/aia304.py") == Path("runs/aia304")


def test_the_table_at_the_end():
    scores = {"rmse": 12.345, "fair_crps": 5.0, "correlation": None, "abs_correlation": 0.5, "polarity_50": 0.9}
    better = {**scores, "abs_correlation": 0.75, "correlation": 0.25, "polarity_50": 0.88}
    held_out = {"realisations": scores, "their_mean": better}
    table = summary_table({"held_out": held_out, "baselines": {"euv_proxy": scores, "hale": scores}}).splitlines()
    assert table[0].split() == ["held-out", "realisations", "their_mean", "euv_proxy", "hale"]
    assert table[1].split() == ["RMSE", "(G)", *["12.345"] * 4]
    assert table[3].split() == ["correlation", "-", "0.250", "-", "-"]
    assert table[-1] == (
        "The mean of the realisations is ahead of the EUV proxy (0.750 against 0.500) in |B|, ahead of Hale's law "
        "(0.250 against 0.000) in the signed field and behind Hale's law (0.880 against 0.900) in the signs."
    )
    assert "no simultaneous magnetograms" in summary_table({"held_out": None, "baselines": None})
