"""A run read from its folder translates as the evaluation within its training did, with its context."""

import json
import shutil
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.data.context import context_of
from munit_jax.data.normalization import denormalize, normalize
from munit_jax.errors import ConfigError, WorkdirError
from munit_jax.networks.munit import decode, encode_content
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.trained_run import open_run
from munit_jax.translator import Translator
from tests.instruments.suns import conditioned_run, untrained_run


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 500, (2, 16, 16, 1)).astype(np.float32)


def test_what_a_folder_tells(run, trained):
    assert (run.name, run.step, run.channels, run.size) == ("trained_on_171", 2, ("0171",), 16)
    assert run.translator.euv.limit == (9800.0,)
    assert run.architecture.recompute == "nothing"
    assert set(run.disk_percentiles) == {"0171", "0193", "bz"}
    assert 0 < run.disk_percentiles["0171"]["25"] < run.disk_percentiles["0171"]["75"]
    assert run.geometry.solar_radius == pytest.approx(203.3 / 512 * 16)
    assert run.parameters_sha256 == open_run(trained, 2).parameters_sha256
    assert run.parameters_sha256 != open_run(trained, "1").parameters_sha256


def test_many_images_and_styles_at_once_are_the_same(run, images):
    styles = run.random_styles(0, 3)
    at_once = run.translate(images, styles, a_pass=2)
    assert at_once.shape == (2, 3, 16, 16, 1)
    for image, translated in zip(images, at_once, strict=True):
        np.testing.assert_allclose(translated, run.translate(image[None], styles)[0], rtol=1e-4, atol=1e-3)


def test_a_translation_is_the_networks_in_physical_units_with_the_strength_of_the_brightness(run, images):
    styles = run.random_styles(0, 2)
    a, scales = run.architecture, run.config.data.normalization
    content = encode_content(a, run.generators, "euv", normalize(scales["euv"], jnp.asarray(images)))
    made = denormalize(scales["magnetogram"], decode(a, run.generators, "magnetogram", content, styles))
    strength, every = run.translator.strength, run.translate(images, styles)
    assert strength.exponent == 0.5
    for k, one in enumerate(made):
        np.testing.assert_allclose(strength.applied(one[None], images[k])[0], every[k, k], rtol=1e-4, atol=1e-3)
    assert run.translator.style_of(run.generators, "magnetogram", images - 250).shape == (2, 3)


def test_a_translation_is_compiled_once_a_shape(run, trained, images):
    styles = run.random_styles(0, 2)
    before = Translator.translate._cache_size()
    for one in (run, open_run(trained, "1"), run):
        one.translate(images, styles, source="magnetogram")
    assert Translator.translate._cache_size() == before + 1


PLANES = ("hale_latitude", "mu")
TIMES = (1.3e9, 1.6e9)  # in cycles 24 and 25


@pytest.fixture(scope="module")
def conditioned():
    return conditioned_run(PLANES)


@pytest.fixture(scope="module")
def contexts(conditioned):
    """The contexts of two images, seen from the south in cycle 24 and from the north in 25."""
    return np.stack(
        [conditioned.context(sdoml_geometry(16, b0), time) for b0, time in zip((-7.0, 7.0), TIMES, strict=True)]
    )


def test_a_run_knows_the_context_of_its_images(run, conditioned):
    assert (run.config.data.context, conditioned.config.data.context) == ((), PLANES)
    geometry = sdoml_geometry(16, 5.0)
    assert run.context(geometry, 0.0) is None, "nothing is asked of the time"
    np.testing.assert_array_equal(conditioned.context(geometry, TIMES[0]), context_of(PLANES, geometry, TIMES[0]))
    assert conditioned.context(geometry, TIMES[0]).shape == (16, 16, 2)
    with pytest.raises(ValueError, match="1970-01-01: the cycles are known from"):
        conditioned.context(geometry, 0.0)


@pytest.mark.parametrize("source", ["euv", "magnetogram"])
def test_images_with_their_contexts_at_once_are_the_same_as_one_by_one(conditioned, contexts, images, source):
    styles = conditioned.random_styles(0, 2)
    expected = [
        conditioned.translate(image[None], styles, planes[None], source)[0]
        for image, planes in zip(images, contexts, strict=True)
    ]
    at_once = conditioned.translate(images, styles, contexts, source, a_pass=2)
    np.testing.assert_allclose(at_once, np.stack(expected), rtol=1e-4, atol=1e-3)
    swapped = conditioned.translate(images[:1], styles, contexts[1:], source)
    assert np.abs(swapped[0] - expected[0]).max() > 1e-3, "the context matters"


def test_a_translation_has_the_context_of_its_image(conditioned, contexts, images):
    styles, a, scales = conditioned.random_styles(0, 2), conditioned.architecture, conditioned.config.data.normalization
    content = encode_content(a, conditioned.generators, "euv", normalize(scales["euv"], jnp.asarray(images)))
    decoded = decode(a, conditioned.generators, "magnetogram", content, styles, jnp.asarray(contexts))
    every = conditioned.translate(images, styles, contexts)
    made = denormalize(scales["magnetogram"], decoded)
    np.testing.assert_allclose(made, np.stack([every[0, 0], every[1, 1]]), rtol=1e-4, atol=1e-3)


def test_a_context_is_given_where_and_only_where_it_is_taken(run, conditioned, contexts, images):
    with pytest.raises(ValueError, match="the decoders take a context of 2 planes, got 0"):
        conditioned.translate(images[:1], conditioned.random_styles(0, 1), None)
    with pytest.raises(ValueError, match="the decoders take a context of 0 planes, got 2"):
        run.translate(images[:1], run.random_styles(0, 1), contexts[:1])


def test_styles(run):
    np.testing.assert_array_equal(run.random_styles(1, 4), run.random_styles(1, 4))
    assert not np.allclose(run.random_styles(1, 4), run.random_styles(2, 4))
    np.testing.assert_array_equal(run.mean_style(), np.zeros((1, 3)))


def test_styles_are_spread_as_the_run_says(run):
    config = replace(run.config, run=replace(run.config.run, style_spread=1.5))
    wide = replace(run, config=config).random_styles(1, 4)
    np.testing.assert_allclose(wide, 1.5 * run.random_styles(1, 4), rtol=1e-6)


def test_how_much_at_once(monkeypatch):
    class Device:
        platform = "cpu"

    monkeypatch.setattr(jax, "local_devices", lambda: [Device])
    assert untrained_run(512).batch_and_pass(16) == (1, 1)
    Device.platform = "gpu"
    assert untrained_run(512).batch_and_pass(16) == (1, 4)
    assert untrained_run(512).batch_and_pass(1) == (4, 1)
    assert untrained_run(1024).batch_and_pass(16) == (1, 1)
    assert untrained_run(256).batch_and_pass(4) == (4, 4)


def test_a_run_in_double_precision_is_read_in_single(tmp_path, trained):
    shutil.copytree(trained, tmp_path / "run")
    config = json.loads((trained / "config.json").read_text()) | {"dtype": "float64"}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert open_run(tmp_path / "run", "latest").architecture.dtype == "float32"


@pytest.mark.parametrize(
    ("which", "options", "error", "message"),
    [
        ("latest", {"size": 15}, ConfigError, "size=15: the networks need a multiple of 2, at least 16"),
        ("latest", {"size": 0}, ConfigError, "size=0: the networks need a multiple of 2, at least 16"),
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
def test_what_cannot_be_is_conditioned(trained, which, options, error, message):
    with pytest.raises(error, match=message):
        open_run(trained, which, **options)


def test_no_run(tmp_path, trained):
    with pytest.raises(WorkdirError, match=r"no run in .*: config\.json: No such file or directory; give --workdir"):
        open_run(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WorkdirError, match=r"no run in .*: config\.json: Expecting"):
        open_run(tmp_path)
    (tmp_path / "config.json").write_text("null")
    with pytest.raises(WorkdirError, match=r"no run in .*: config\.json: no JSON object"):
        open_run(tmp_path)
    shutil.copy(trained / "config.json", tmp_path)
    with pytest.raises(WorkdirError, match=r"no run in .*: images\.json: No such file"):
        open_run(tmp_path)
    for name in ("images.json", "strength.json"):
        shutil.copy(trained / name, tmp_path)
    with pytest.raises(WorkdirError, match="has no checkpoint"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"strength\.json: No such file or directory; give --workdir"),
        ("{}", r"strength\.json: it lacks 'offset'; give --workdir"),
        ('{"offset": 1, "weights": ["many"]}', r"strength\.json: could not convert .*many"),
        ('{"offset": 1, "weights": [1, 2]}', r"strength\.json: 2 weights, expected 17"),
    ],
)
def test_a_strength_that_cannot_be_read(tmp_path, trained, content, message):
    for name in ("config.json", "images.json"):
        shutil.copy(trained / name, tmp_path)
    if content is not None:
        (tmp_path / "strength.json").write_text(content)
    with pytest.raises(WorkdirError, match=message):
        open_run(tmp_path)


def test_a_config_of_another_program(tmp_path, trained):
    config = json.loads((trained / "config.json").read_text())
    config["model"]["depth"] = 3
    shutil.copy(trained / "images.json", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="model has no setting depth"):
        open_run(tmp_path)
