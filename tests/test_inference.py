"""A run's folder as inference reads it; that its translation is that of training's own evaluation."""

import json
import shutil

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from munit_jax.errors import ConfigError, WorkdirError
from munit_jax.evaluation.held_out import make_translator
from munit_jax.inference import (
    decode,
    encode,
    make_translate,
    mean_style,
    open_run,
    random_styles,
    style_of,
    together,
)
from tests.translation.suns import untrained_run


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 500, (2, 16, 16, 1)).astype(np.float32)


def test_what_a_folder_tells(run, trained):
    assert (run.name, run.step, run.channels, run.size) == ("trained_on_171", 2, ("0171",), 16)
    assert run.normalizations["euv"].limit == (9800.0,)
    assert run.architecture.recompute == "nothing"
    assert set(run.disk_percentiles) == {"0171", "0193", "bz"}
    assert 0 < run.disk_percentiles["0171"]["25"] < run.disk_percentiles["0171"]["75"]
    assert run.geometry.solar_radius == pytest.approx(203.3 / 512 * 16)
    assert run.parameters_sha256 == open_run(trained, 2).parameters_sha256
    assert run.parameters_sha256 != open_run(trained, "1").parameters_sha256


def test_the_same_translation_as_evaluation_s(run, images):
    styles = random_styles(run, 0, 3)
    expected = make_translator(run.architecture, run.normalizations)(run.generators, images[0], styles)
    translate = make_translate(run, "euv")
    np.testing.assert_allclose(translate(images[:1], styles)[0, ..., 0], expected, rtol=1e-5, atol=1e-4)


def test_many_images_and_styles_at_once_are_the_same(run, images):
    styles = random_styles(run, 0, 3)
    one_by_one = make_translate(run, "euv")
    at_once = make_translate(run, "euv", at_once=2)(images, styles)
    assert at_once.shape == (2, 3, 16, 16, 1)
    for image, translated in zip(images, at_once, strict=True):
        np.testing.assert_allclose(translated, one_by_one(image[None], styles)[0], rtol=1e-4, atol=1e-3)


def test_encode_and_decode_are_the_two_halves(run, images):
    styles = random_styles(run, 0, 2)
    content = encode(run, "euv", images)
    assert content.shape == (2, 8, 8, 4)
    together = decode(run, "magnetogram", content, styles)
    expected = make_translate(run, "euv")(images[:1], styles[:1])[0]
    np.testing.assert_allclose(together[:1], expected, rtol=1e-4, atol=1e-3)
    assert style_of(run, "magnetogram", images - 250).shape == (2, 3)


def test_styles(run):
    np.testing.assert_array_equal(random_styles(run, 1, 4), random_styles(run, 1, 4))
    assert not np.allclose(random_styles(run, 1, 4), random_styles(run, 2, 4))
    np.testing.assert_array_equal(mean_style(run), np.zeros((1, 3)))


def test_how_much_at_once(monkeypatch):
    class Device:
        platform = "cpu"

    monkeypatch.setattr(jax, "local_devices", lambda: [Device])
    assert together(untrained_run(512), 16) == (1, 1)
    Device.platform = "gpu"
    assert together(untrained_run(512), 16) == (1, 4)
    assert together(untrained_run(512), 1) == (4, 1)
    assert together(untrained_run(1024), 16) == (1, 1)
    assert together(untrained_run(256), 4) == (4, 4)


def test_a_run_in_double_precision_is_read_in_single(tmp_path, trained):
    shutil.copytree(trained, tmp_path / "run")
    config = json.loads((trained / "config.json").read_text()) | {"dtype": "float64"}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert open_run(tmp_path / "run", "latest").architecture.dtype == "float32"


@pytest.mark.parametrize(
    ("which", "options", "error", "message"),
    [
        ("latest", {"size": 15}, ConfigError, "size=15: the networks need a multiple of 2, at least 16"),
        (7, {}, WorkdirError, "no checkpoint 7"),
        ("first", {}, WorkdirError, "no checkpoint first"),
        (
            "latest",
            {"convolution": "fast"},
            ConfigError,
            "convolution must be one of auto, direct, winograd",
        ),
    ],
)
def test_what_cannot_be_is_told(trained, which, options, error, message):
    with pytest.raises(error, match=message):
        open_run(trained, which, **options)


def test_no_run(tmp_path, trained):
    with pytest.raises(WorkdirError, match=r"no run in .*: config\.json: No such file or directory; give --workdir"):
        open_run(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WorkdirError, match=r"no run in .*: config\.json: Expecting"):
        open_run(tmp_path)
    shutil.copy(trained / "config.json", tmp_path)
    with pytest.raises(WorkdirError, match=r"no run in .*: images\.json: No such file"):
        open_run(tmp_path)
    shutil.copy(trained / "images.json", tmp_path)
    with pytest.raises(WorkdirError, match="has no checkpoint"):
        open_run(tmp_path)


def test_a_config_of_another_program(tmp_path, trained):
    config = json.loads((trained / "config.json").read_text())
    config["model"]["depth"] = 3
    shutil.copy(trained / "images.json", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(ConfigDict(config).to_dict()))
    with pytest.raises(ConfigError, match="model has no setting depth"):
        open_run(tmp_path)
