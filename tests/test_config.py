"""Configs that cannot work are refused by name, before any work is done."""

import dataclasses
import json

import pytest
from ml_collections import ConfigDict

from configs import aia193, aia193_best, aia304, hf256, multichannel, unpaired
from munit_jax.config import OF_PAIRS, parse
from munit_jax.errors import ConfigError
from munit_jax.training.objectives import Objective
from tfds_sdoml.build import config_names


@pytest.fixture
def config() -> ConfigDict:
    return aia193.get_config("poster_quickstart")


@pytest.mark.parametrize("module", [aia193, aia304])
@pytest.mark.parametrize("variant", ["", "quickstart"])
def test_our_configs_are_valid(module, variant):
    config = module.get_config(variant)
    parse(config.to_dict(), 1)
    assert parse(config.to_dict()).recipe.architecture.euv_channels == 1


def test_the_poster_s_run():
    config = aia193.get_config()
    parse(config.to_dict(), 4)
    recipe = parse(config.to_dict()).recipe
    assert (recipe.optimizer.learning_rate, recipe.optimizer.b1, recipe.optimizer.b2) == (1e-4, 0.5, 0.999)
    assert (recipe.objective.image_weight, recipe.objective.content_weight, recipe.objective.style_weight) == (10, 1, 1)
    assert recipe.objective.adversarial == "log"
    assert recipe.architecture.width == 64
    assert config.data.flip == "physical"


@pytest.mark.parametrize(("module", "channel"), [(aia193, "0193"), (aia304, "0304")])
def test_the_poster_s_size(module, channel):
    config = module.get_config("1024")
    parse(config.to_dict(), 4)
    assert parse(config.to_dict()).recipe.architecture.recompute == "all"
    assert config.data.euv == config.data.magnetogram == f"sdoml/aia{channel}_hmi_1024"
    assert config.data.euv.removeprefix("sdoml/") in config_names()


@pytest.mark.parametrize("variant", ["", "1024", "embedded"])
def test_the_best_recipe_is_valid_at_every_size(variant):
    config = aia193_best.get_config(variant)
    parse(config.to_dict(), 4)
    recipe = parse(config.to_dict()).recipe
    assert recipe.architecture.context_planes == 3
    assert recipe.objective.ensemble_weight > 0
    assert recipe.architecture.width == (16 if variant == "embedded" else 64)


def test_the_256_pixel_set_is_for_one_device():
    config = hf256.get_config()
    parse(config.to_dict(), 1)
    architecture = parse(config.to_dict()).recipe.architecture
    assert (architecture.width, architecture.context_planes, config.batch_size) == (64, 3, 4)
    assert config.data.euv == config.data.magnetogram == "sdoml/hf256"


def test_several_channels_have_a_scale_each_and_a_dataset():
    for variant in ("", "embedded"):
        config = multichannel.get_config(variant)
        parse(config.to_dict(), 4)
        assert parse(config.to_dict()).recipe.architecture.euv_channels == 3
        best = aia193_best.get_config(variant)
        assert config.data.normalization.euv.limit[1:2] == best.data.normalization.euv.limit
        assert config.data.euv.removeprefix("sdoml/") in config_names()


@pytest.mark.parametrize("module", [aia193, aia193_best, aia304, hf256, multichannel, unpaired])
def test_unknown_variant(module):
    with pytest.raises(ValueError, match="unknown variant 'fast'"):
        module.get_config("fast")


@pytest.mark.parametrize(
    ("key", "value", "devices", "message"),
    [
        ("batch_size", 6, 4, "batch_size=6 does not divide by 4 devices: set --config.batch_size to a multiple of 4"),
        ("steps", 0, 1, "steps must be at least 1, got 0"),
        ("dtype", "float16", 1, "dtype must be one of float32, bfloat16, float64, got 'float16'"),
        ("dtype", "float64", 1, "dtype=float64 needs JAX_ENABLE_X64=1 in the environment"),
        ("max_skipped_in_a_row", -1, 1, "max_skipped_in_a_row must not be negative, got -1"),
        ("style_spread", 0.0, 1, "style_spread must be above 0, got 0.0: 1.0 draws realisations as the training does"),
        ("optimizer.learning_rate", float("nan"), 1, "optimizer: learning_rate must be finite, got nan"),
        ("optimizer.clip_norm", float("inf"), 1, "optimizer: clip_norm must be finite, got inf"),
        ("data.normalization.euv.limit", (float("inf"),), 1, r"data.normalization.euv: limit must be finite"),
        ("style_spread", float("inf"), 1, "the config: style_spread must be finite, got inf"),
        ("best_by", "loss", 1, "best_by must be one of fair_crps, rmse, .*, got 'loss'"),
        ("evaluation.styles", 0, 1, "evaluation.styles must be at least 1, got 0"),
        ("data.crop", 66, 1, r"data.crop=66 is not divisible by 4 \(model.downsamplings=2\): use 64"),
        ("data.crop", 32, 1, "data.crop=32 is too small: 3 discriminator scales of 4 layers need 64 pixels"),
        ("data.flip", "east_west", 1, "data.flip must be one of none, physical.*, got 'east_west'"),
        ("data.channels", (), 1, "data.channels is empty"),
        ("data.context", ("mu", "hue"), 1, "data.context has no plane hue: choose of hale_latitude, mu, cycle_phase"),
        ("data.context", ("mu", "mu"), 1, r"data.context=\('mu', 'mu'\) has a plane twice"),
        ("data.earlier", "sdoml/archive", 1, "data.earlier=sdoml/archive serves the plane last_seen alone"),
        ("data.distortion.turn", -1.0, 1, r"data.distortion: turn must not be negative, got -1.0"),
        ("data.reversal", True, 1, "data.reversal needs the sign of the cycle: put hale_latitude into data.context"),
        ("data.channels", ("0171", "0193"), 1, "normalization.euv has 1 scales for 2 channels"),
        ("data.normalization.euv.kind", "sqrt", 1, "normalization.euv: unknown normalization 'sqrt'"),
        ("loss.adversarial", "wgan", 1, "loss.adversarial must be one of log, lsgan, hinge, got 'wgan'"),
        ("loss.style_weight", -1.0, 1, "loss.style_weight must not be negative, got -1.0"),
        ("optimizer.ema_decay", 1.0, 1, r"optimizer.ema_decay must be in \[0, 1\), got 1.0"),
        ("optimizer.b2", 1.5, 1, r"optimizer.b2 must be in \[0, 1\), got 1.5"),
        ("seed", -3, 1, "seed must not be negative, got -3"),
        ("strength_from_brightness", 1.5, 1, r"strength_from_brightness must be in \[0, 1\], got 1.5"),
        ("optimizer.warm_up", -1, 1, "optimizer: warm_up must not be negative|optimizer.warm_up must not be negative"),
        ("model.width", 0, 1, "model.width must be at least 1, got 0"),
        ("convolution", "fft", 1, "convolution must be one of auto, direct, winograd, got 'fft'"),
        ("recompute", "most", 1, "recompute must be one of nothing, activations, blocks, networks, all, got 'most'"),
    ],
)
def test_bad_values(config, key, value, devices, message):
    config.update_from_flattened_dict({key: value})
    with pytest.raises(ConfigError, match=message):
        parse(config.to_dict(), devices)


def test_one_way_to_lower_the_learning_rate(config):
    config.optimizer.update({"cosine": True, "halve_every": 10})
    with pytest.raises(
        ConfigError, match=r"optimizer\.cosine and optimizer\.halve_every=10 both lower the learning rate"
    ):
        parse(config.to_dict())
    config.optimizer.halve_every = 0
    assert parse(config.to_dict()).recipe.optimizer.steps == config.steps


def test_the_strength_is_fitted_to_pairs(config):
    config.loss.unsigned_weight = 0.0
    config.update_from_flattened_dict({"data.paired": False, "data.crop": 0, "strength_from_brightness": 0.5})
    with pytest.raises(
        ConfigError, match=r"strength_from_brightness=0\.5 is fitted to simultaneous images: set it to 0"
    ):
        parse(config.to_dict())


@pytest.mark.parametrize("image_weight", [0.0, 10.0])
def test_some_term_must_teach_to_make_magnetograms(config, image_weight):
    none = ("adversarial_weight", "content_weight", "style_weight", "cycle_weight", *OF_PAIRS)
    config.loss.update({**dict.fromkeys(none, 0.0), "image_weight": image_weight})
    with pytest.raises(ConfigError, match="no loss term teaches to make magnetograms of EUV images: set"):
        parse(config.to_dict(), 1)
    for term in none:
        config.loss[term] = 1.0
        parse(config.to_dict(), 1)
        config.loss[term] = 0.0


def test_every_weight_of_the_objective_is_a_key_of_the_config(config):
    weights = {field.name for field in dataclasses.fields(Objective) if field.name.endswith("_weight")}
    assert {key for key in config.loss if key.endswith("_weight")} == weights


@pytest.mark.parametrize("term", OF_PAIRS)
def test_paired_terms_need_pairs(config, term):
    config.loss.unsigned_weight = 0.0
    config.update_from_flattened_dict({"data.paired": False, "data.crop": 0, f"loss.{term}": 1.0})
    message = rf"loss\.{term}.* compare simultaneous images: set them to 0.0, or data.paired=True"
    with pytest.raises(ConfigError, match=message):
        parse(config.to_dict(), 1)
    config.loss[term] = 0.0
    parse(config.to_dict(), 1)


def test_the_decoders_take_the_planes_that_the_data_has(config):
    planes = ("hale_latitude", "mu", "cycle_phase")
    config.update_from_flattened_dict({"data.context": planes, "data.reversal": True, "loss.ensemble_weight": 2.0})
    parsed = parse(config.to_dict())
    assert (parsed.data.context, parsed.data.reversal) == (planes, True)
    assert parsed.recipe.architecture.context_planes == 3
    assert parsed.recipe.objective.ensemble_weight == 2.0
    again = parse(json.loads(json.dumps(parsed.source)))  # lists, as a run's folder has them
    assert (again.data, again.recipe, again.run) == (parsed.data, parsed.recipe, parsed.run)


def test_a_reversal_without_the_sign_of_the_cycle_is_refused_with_other_planes_too(config):
    config.update_from_flattened_dict({"data.context": ("mu", "cycle_phase"), "data.reversal": True})
    with pytest.raises(ConfigError, match=r"data.reversal needs the sign of the cycle"):
        parse(config.to_dict(), 1)


def test_the_source_surface_needs_the_whole_disk(config):
    config.update_from_flattened_dict({"data.crop": 64, "loss.source_surface_weight": 1.0})
    with pytest.raises(ConfigError, match=r"source_surface_weight needs the whole disk: set it to 0.0, or data.crop=0"):
        parse(config.to_dict(), 1)


@pytest.mark.parametrize("term", ["image_weight", "cycle_weight"])
def test_decoders_that_see_the_image_are_not_asked_to_reconstruct_it(config, term):
    config.loss.update({"image_weight": 0.0, "cycle_weight": 0.0})
    config.model.image_plane = True
    assert parse(config.to_dict()).recipe.architecture.image_plane
    config.loss[term] = 1.0
    with pytest.raises(ConfigError, match=r"model.image_plane shows the decoders the image that loss.image_weight and"):
        parse(config.to_dict())


def test_the_source_surface_is_weighed_in_gauss(config):
    assert parse(config.to_dict()).recipe.objective.field is None
    config.loss.source_surface_weight = 2.0
    parsed = parse(config.to_dict())
    assert parsed.recipe.objective.source_surface_weight == 2.0
    assert parsed.recipe.objective.field == parsed.data.normalization["magnetogram"]


def test_channels_follow_the_data(config):
    config.data.channels = ("0171", "0193", "0304")
    config.data.normalization.euv.scale, config.data.normalization.euv.limit = (1.0, 1.0, 1.0), (9.0, 9.0, 9.0)
    parse(config.to_dict(), 1)
    architecture = parse(config.to_dict()).recipe.architecture
    assert (architecture.channels("euv"), architecture.channels("magnetogram")) == (3, 1)


def test_a_normalization_by_name_becomes_numbers(config, small_sun):
    config.data.euv = config.data.magnetogram = "sdoml/small"
    config.data.normalization.euv.kind = "iti"
    config.data.normalization.magnetogram.kind = "dataset"
    parsed = parse(config.to_dict())
    euv, field = (parsed.data.normalization[domain] for domain in ("euv", "magnetogram"))
    assert (euv.kind, euv.limit, euv.scale) == ("asinh", (9800.0,), (49.0,))
    assert field.kind == "asinh"
    assert field.limit == (2 * small_sun.statistics["bz"]["99.99"],)
    assert parse(parsed.source).data == parsed.data, "a run keeps the numbers"
    config.data.channels = ("0094",)
    with pytest.raises(ConfigError, match=r"data.normalization.euv: the normalization 'iti' has no number for 0094"):
        parse(config.to_dict())


def test_the_best_recipe_takes_the_dataset_s_own_normalization(small_sun):
    config = aia193_best.get_config("embedded")
    config.data.euv = config.data.magnetogram = "sdoml/small"
    config.data.normalization.magnetogram.kind = "dataset"
    parsed = parse(config.to_dict())
    assert parsed.recipe.objective.ensemble_flux_weight > 0
    assert parsed.recipe.objective.field == parsed.data.normalization["magnetogram"]
    assert parsed.data.normalization["magnetogram"].limit == (2 * small_sun.statistics["bz"]["99.99"],)


@pytest.mark.parametrize(
    ("platform", "dtype", "width", "given", "expected"),
    [
        ("cpu", "float32", 64, "auto", "winograd"),
        ("gpu", "float32", 64, "auto", "direct"),
        ("cpu", "bfloat16", 64, "auto", "direct"),
        ("cpu", "float32", 8, "auto", "direct"),
        ("cpu", "float32", 64, "direct", "direct"),
        ("gpu", "float32", 64, "winograd", "winograd"),
    ],
)
def test_how_convolutions_are_computed(config, platform, dtype, width, given, expected):
    config.update_from_flattened_dict({"dtype": dtype, "model.width": width, "convolution": given})
    parsed = parse(config.to_dict(), platform=platform)
    assert parsed.recipe.architecture.convolution == expected
    assert parsed.source["convolution"] == given, "another machine may choose otherwise"


def test_winograd_needs_float32(config):
    config.update_from_flattened_dict({"dtype": "bfloat16", "convolution": "winograd"})
    with pytest.raises(ConfigError, match=r"convolution=winograd needs dtype=float32, got bfloat16: set it to direct"):
        parse(config.to_dict())


def test_numbers_stay_as_they_are(config):
    assert parse(config.to_dict()).source == json.loads(json.dumps(config.to_dict()))


@pytest.mark.parametrize(
    ("section", "key", "message"),
    [
        ("model", "width", None),  # has a default
        ("data", "crop", "data lacks crop"),
        ("evaluation", "styles", "evaluation lacks styles"),
    ],
)
def test_what_a_config_lacks_is_named(config, section, key, message):
    source = config.to_dict()
    del source[section][key]
    if message is None:
        assert parse(source).recipe.architecture.width == 64
    else:
        with pytest.raises(ConfigError, match=message):
            parse(source)
    del source[section]
    with pytest.raises(ConfigError, match=rf"the config lacks {section}: start from get_config\(\)"):
        parse(source)
