"""Weights that come with the package: a run's in half precision, read back as the run; and those that are there."""

import json
import shutil
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from munit_jax import pretrained
from munit_jax.data.context import past_from
from munit_jax.errors import ConfigError, WorkdirError
from munit_jax.networks.munit import init_generators, translate
from munit_jax.sun.constants import DAY
from munit_jax.trained_run import load_pretrained
from munit_jax.training import packaged
from munit_jax.training.objectives import Objective
from munit_jax.training.workdir import generators_of
from munit_jax.translation.settings import Settings
from munit_jax.translation.translation import Translation
from tests.architectures import TINY
from tests.commands import call
from tests.instruments.suns import untrained_run
from tests.training.test_loop import tiny_config

SECTIONS = ("What it is", "Training data and credits", "Skill on real pairs", "Do not use it for")
LARGEST = 3_000_000  # bytes
TIME = 1.37e9  # in 2013
ONE_TERM = Objective(
    adversarial_weight=0.0, image_weight=0.0, content_weight=0.0, style_weight=0.0, ensemble_weight=1.0
)


def test_they_translate_as_their_run_does(run, weights):
    loaded, images = load_pretrained(), np.full((1, 16, 16, 1), 150.0, np.float32)
    expected, made = (np.asarray(x.translate(images, run.random_styles(0, 3))) for x in (run, loaded))
    assert np.abs(made - expected).max() < 0.01 * np.abs(expected).max()
    assert (loaded.name, loaded.step, loaded.size) == ("pretrained/aia193", run.step, run.size)
    assert loaded.disk_percentiles == run.disk_percentiles
    assert loaded.parameters_sha256 == load_pretrained("aia193").parameters_sha256 != run.parameters_sha256
    assert {x.dtype for x in jax.tree.leaves(loaded.generators)} == {np.dtype(np.float32)}
    with pytest.raises(ConfigError, match="size=15: the networks need a multiple of 2"):
        load_pretrained(size=15)


def test_a_folder_has_no_path_of_the_machine_that_trained(weights, trained):
    assert {path.name for path in weights.iterdir()} == {
        "config.json",
        "images.json",
        "strength.json",
        packaged.WEIGHTS,
        "MODEL_CARD.md",
    }
    theirs, config = (json.loads((folder / "config.json").read_text()) for folder in (trained, weights))
    assert config["data"]["data_dir"] is None
    assert config["model"] == theirs["model"]


def test_one_term_trains_an_encoder_and_a_decoder(tmp_path):
    generators = init_generators(TINY, 0)
    used = ONE_TERM.used_of(generators)
    assert {x: set(networks) for x, networks in used.items()} == {"euv": {"content"}, "magnetogram": {"decoder"}}
    packaged.write_generators(tmp_path, 7, used)
    step, read = packaged.read_generators(tmp_path, ONE_TERM.used_of(jax.eval_shape(lambda: generators)))
    assert step == 7
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-7), read, used)
    everything = Objective().used_of(generators)
    assert set(flatten_dict(everything)) == set(flatten_dict(generators))


def test_planes_that_are_new_begin_without_effect(tmp_path):
    few, more = (replace(TINY, context_planes=count) for count in (1, 4))
    theirs, random = init_generators(few, 0), init_generators(more, 1)
    packaged.write_generators(tmp_path, 7, ONE_TERM.used_of(theirs))
    config = json.loads(tiny_config(**{"data.context": ("mu",)}).to_json())
    (tmp_path / "config.json").write_text(json.dumps(config))

    def begun(*planes: str, **model: bool):
        ours = config | {"data": config["data"] | {"context": planes}, "model": config["model"] | model}
        return generators_of(str(tmp_path), more, ours, random)

    rng = np.random.default_rng(0)
    image, planes = (jnp.asarray(rng.normal(size=(1, 16, 16, n)), jnp.float32) for n in (1, 4))
    style = jnp.ones((1, TINY.style_size))
    expected = translate(few, theirs, "euv", image, style, planes[..., :1])
    grown = begun("mu", "last_seen")
    made = translate(more, grown, "euv", image, style, planes)
    np.testing.assert_allclose(made, expected, atol=5e-3)  # they were kept in half precision
    other = translate(more, random, "euv", image, style, planes)
    assert np.abs(made - other).max() > 0.05
    for order, image_plane in ((("last_seen", "mu"), False), (("mu", "last_seen"), True)):
        with pytest.raises(ConfigError, match=r"have other shapes: set .*data\.context=\['mu'\]"):
            begun(*order, image_plane=image_plane)


def test_a_training_begins_with_them(tmp_path):
    theirs, random = (init_generators(TINY, seed) for seed in (0, 1))
    packaged.write_generators(tmp_path, 7, ONE_TERM.used_of(theirs))
    config = json.loads(tiny_config().to_json())
    older = {key: value for key, value in config["model"].items() if key != "image_plane"}
    (tmp_path / "config.json").write_text(json.dumps(config | {"model": older}))
    begun = flatten_dict(generators_of(str(tmp_path), TINY, config, random))
    taken = flatten_dict(ONE_TERM.used_of(theirs))
    assert set(begun) == set(flatten_dict(random))
    for name, expected in flatten_dict(random).items():
        np.testing.assert_allclose(begun[name], taken.get(name, expected), rtol=1e-3, atol=1e-7)
    config["model"]["image_plane"] = True
    with pytest.raises(ConfigError, match=r"have other shapes: set model\.image_plane=False, or start"):
        generators_of(str(tmp_path), TINY, config, random)


def test_a_config_names_them(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = {"start_from": "pretrained/aia193", "steps": 2}
    assert pretrained.with_folder(named) == {"start_from": str(weights), "steps": 2}
    for other in ({"start_from": None}, {"start_from": "runs/aia193"}, {}):
        assert pretrained.with_folder(other) == other
    with pytest.raises(WorkdirError, match="no weights 'mine' come with the package: choose from aia193"):
        pretrained.with_folder({"start_from": "pretrained/mine"})
    (tmp_path / "pretrained" / "mine").mkdir(parents=True)
    assert pretrained.with_folder({"start_from": "pretrained/mine"}) == {"start_from": "pretrained/mine"}


def test_what_they_were_not_trained_for_is_refused():
    run = untrained_run(objective=ONE_TERM)
    with pytest.raises(ConfigError, match="direction=magnetogram_to_euv: untrained was not trained to make euv images"):
        run.translate(np.zeros((1, 16, 16, 1)), run.mean_style(), source="magnetogram")


def test_weights_beyond_half_precision_are_refused(tmp_path):
    with pytest.raises(WorkdirError, match="weights beyond the range of float16 in euv/bias"):
        packaged.write_generators(tmp_path, 7, {"euv": {"bias": np.array([1e5], np.float32)}})
    assert not list(tmp_path.iterdir())


def test_other_names_are_told_those_there_are(weights, monkeypatch, tmp_path):
    with pytest.raises(
        WorkdirError, match=r"no weights '\.\./a' come with the package: choose from aia193, or train a run"
    ):
        load_pretrained("../a")
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    with pytest.raises(WorkdirError, match="choose from none"):
        load_pretrained()


@pytest.fixture
def damaged(weights, tmp_path, monkeypatch):
    """A copy of the folder, to be damaged."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    return shutil.copytree(weights, tmp_path / "aia193")


def test_damage_is_one_line(damaged):
    file, begin = damaged / packaged.WEIGHTS, r"cannot read .*aia193/generators\.npz: "
    whole = file.read_bytes()
    for content in (whole[:-200], whole[:1000] + bytes(2000) + whole[3000:], b"", b"a letter"):
        file.write_bytes(content)
        with pytest.raises(WorkdirError, match=begin + ".*install munit_jax again"):
            load_pretrained()
    file.unlink()
    with pytest.raises(WorkdirError, match=begin + ".*No such file"):
        load_pretrained()
    packaged.write_generators(damaged, 7, {"euv": {"bias": np.zeros(3)}})
    with pytest.raises(WorkdirError, match=begin + r"its arrays are not those of its config\.json"):
        load_pretrained()
    (damaged / "images.json").unlink()
    with pytest.raises(WorkdirError, match=r"images\.json: No such file or directory; install munit_jax again"):
        load_pretrained()


def test_the_command_makes_the_folder_whole_or_not_at_all(trained, weights, tmp_path):
    flags = (f"--workdir={trained}", "--checkpoint=latest", "--card=CARD.md", "--output=made")
    for some, message in (
        (flags[:3], "give --workdir=RUN, --card=MODEL_CARD.md and --output=FOLDER"),
        (flags, "no model card CARD.md: write one"),
    ):
        result = call("export", tmp_path, *some)
        assert (result.returncode, result.stderr.startswith(f"error: {message}")) == (2, True), result.stderr
    assert not list(tmp_path.iterdir())
    (tmp_path / "CARD.md").write_text("# A card")
    result = call("export", tmp_path, *flags)
    assert result.returncode == 0, result.stderr
    assert "trained_on_171, step 2: 0.0" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"CARD.md", "made"}
    assert (tmp_path / "made" / packaged.WEIGHTS).read_bytes() == (weights / packaged.WEIGHTS).read_bytes()
    assert call("export", tmp_path, *flags).stderr == "error: made is there: remove it, or choose another --output\n"


@pytest.mark.parametrize("name", pretrained.names())
def test_what_comes_with_the_package(name):
    folder = pretrained.FOLDER / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST
    card = (folder / "MODEL_CARD.md").read_text().splitlines()
    assert [section for section in SECTIONS if f"## {section}" not in card] == []
    run = load_pretrained(name)
    image = np.full((1, run.size, run.size, len(run.channels)), 60.0, np.float32)  # DN/s
    planes = run.context(run.geometry, TIME)
    made = run.translate(image, run.random_styles(0, 2), None if planes is None else planes[None])
    assert np.isfinite(made).all()
    Translation(run, Settings())


def test_the_weights_follow_what_was_seen_before():
    """Two bright spots in the south, where 27 days before a bipole was seen, by Hale's law and against it."""
    run = load_pretrained("aia193")
    north, west = np.mgrid[: run.size, : run.size] - (run.size - 1) / 2
    eastern, western = (np.exp(-((west - at) ** 2 + (north + 8) ** 2) / 12.5) for at in (-3.5, 3.5))
    image, bipole = 120 + 900 * (eastern + western), western - eastern

    def made(sign: float) -> float:
        """Return the strength of the bipole in the mean, in gauss."""
        before = sign * 60 * bipole.astype(np.float32), run.geometry, TIME - 27 * DAY
        planes = run.context(run.geometry, TIME, past_from([before[2]], lambda _: before))
        assert planes is not None
        magnetograms = run.translate(image[None, ..., None].astype(np.float32), run.random_styles(0, 16), planes[None])
        return float((np.asarray(magnetograms)[0, ..., 0].mean(axis=0) * bipole).sum() / (bipole**2).sum())

    assert made(1.0) > 10
    assert made(-1.0) < -10
