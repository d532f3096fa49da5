"""A run's folder as inference reads it; that its translation is that of training's own evaluation, with its context."""

import json
import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from munit_jax.data.context import context_of
from munit_jax.errors import ConfigError, WorkdirError
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
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.training.held_out import make_translator
from tests.translation.suns import told_run, untrained_run


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
    expected = make_translator(run.architecture, run.normalizations)(run.generators, images[0], styles, None)
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


PLANES = ("hale_latitude", "mu")
TIMES = (1.3e9, 1.6e9)  # in cycles 24 and 25


@pytest.fixture(scope="module")
def told():
    return told_run(PLANES)


@pytest.fixture(scope="module")
def contexts(told):
    """The contexts of two images, seen from the south in cycle 24 and from the north in 25."""
    return np.stack([told.context(sdoml_geometry(16, b0), time) for b0, time in zip((-7.0, 7.0), TIMES, strict=True)])


def test_a_run_knows_the_context_of_its_images(run, told):
    assert (run.planes, told.planes) == ((), PLANES)
    geometry = sdoml_geometry(16, 5.0)
    assert run.context(geometry, 0.0) is None, "nothing is asked of the time"
    np.testing.assert_array_equal(told.context(geometry, TIMES[0]), context_of(PLANES, geometry, TIMES[0]))
    assert told.context(geometry, TIMES[0]).shape == (16, 16, 2)
    with pytest.raises(ValueError, match="1970-01-01: the cycles are known from"):
        told.context(geometry, 0.0)


@pytest.mark.parametrize("source", ["euv", "magnetogram"])
def test_images_with_their_contexts_at_once_are_the_same_as_one_by_one(told, contexts, images, source):
    styles = random_styles(told, 0, 2)
    one_by_one = make_translate(told, source)
    expected = [
        one_by_one(image[None], styles, planes[None])[0] for image, planes in zip(images, contexts, strict=True)
    ]
    at_once = make_translate(told, source, at_once=2)(images, styles, contexts)
    np.testing.assert_allclose(at_once, np.stack(expected), rtol=1e-4, atol=1e-3)
    swapped = one_by_one(images[:1], styles, contexts[1:])
    assert np.abs(swapped[0] - expected[0]).max() > 1e-3, "the context matters"


def test_encode_and_decode_are_the_two_halves_with_a_context_too(told, contexts, images):
    styles = random_styles(told, 0, 2)
    made = decode(told, "magnetogram", encode(told, "euv", images), styles, contexts)
    every = make_translate(told, "euv")(images, styles, contexts)
    np.testing.assert_allclose(made, np.stack([every[0, 0], every[1, 1]]), rtol=1e-4, atol=1e-3)


def test_evaluation_s_translation_has_the_same_context(told, contexts, images):
    image, styles = images[0], random_styles(told, 0, 2)
    expected = make_translator(told.architecture, told.normalizations)(told.generators, image, styles, contexts[0])
    made = make_translate(told, "euv")(image[None], styles, contexts[:1])
    np.testing.assert_allclose(made[0, ..., 0], expected, rtol=1e-4, atol=1e-3)


def test_a_context_is_given_where_and_only_where_it_is_taken(run, told, contexts, images):
    with pytest.raises(ValueError, match="the decoders take a context of 2 planes, got 0"):
        make_translate(told, "euv")(images[:1], random_styles(told, 0, 1), None)
    with pytest.raises(ValueError, match="the decoders take a context of 0 planes, got 2"):
        make_translate(run, "euv")(images[:1], random_styles(run, 0, 1), contexts[:1])


def test_a_run_of_before_there_were_planes_takes_none(tmp_path, trained, run, images):
    shutil.copytree(trained, tmp_path / "run")
    config = json.loads((trained / "config.json").read_text())
    for section, key in (("data", "context"), ("data", "reversal"), ("loss", "ensemble_weight")):
        del config[section][key]
    del config["style_spread"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    old = open_run(tmp_path / "run", "latest")
    assert (old.planes, old.architecture) == ((), run.architecture)
    styles = random_styles(run, 0, 1)
    made, expected = (make_translate(one, "euv")(images[:1], styles, None) for one in (old, run))
    np.testing.assert_array_equal(made, expected)


def test_styles(run):
    np.testing.assert_array_equal(random_styles(run, 1, 4), random_styles(run, 1, 4))
    assert not np.allclose(random_styles(run, 1, 4), random_styles(run, 2, 4))
    np.testing.assert_array_equal(mean_style(run), np.zeros((1, 3)))


def test_styles_are_spread_as_the_run_says(run):
    config = run.config.copy_and_resolve_references()
    config.style_spread = 1.5
    wide = random_styles(replace(run, config=config), 1, 4)
    np.testing.assert_allclose(wide, 1.5 * random_styles(run, 1, 4), rtol=1e-6)


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
