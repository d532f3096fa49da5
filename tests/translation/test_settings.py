"""What a translation is asked for."""

from dataclasses import replace

import pytest

from munit_jax.errors import ConfigError, DataError
from munit_jax.instruments.calibration import BUILT_IN
from munit_jax.instruments.interface import Preparation
from munit_jax.training.objectives import Objective
from munit_jax.translation.settings import Settings, check_trained, reference_of, styles
from munit_jax.translation.translation import Translation
from tests.instruments.suns import untrained_run, write_aia, write_euvi

RUN = untrained_run(64, ("0193", "0171"))
HOW = Preparation(RUN.geometry)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"direction": "back"}, "direction must be one of euv_to_magnetogram, magnetogram_to_euv, got 'back'"),
        ({"style": "wild"}, "style must be random, mean or image:FILE, got 'wild'"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
    ],
)
def test_mistakes(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Settings(**wrong)


def test_what_goes_in_and_what_comes_out():
    there, back = Settings(), Settings("magnetogram_to_euv")
    for settings, series, suffixes in (
        (there, ("0193", "0171"), ["magnetogram"]),
        (back, ("bz",), ["aia0193", "aia0171"]),
    ):
        translation = Translation(RUN, settings, HOW)
        assert translation.series == series
        assert [product.suffix for product in translation.products] == suffixes


def test_one_file_has_no_style_of_two_channels():
    with pytest.raises(ConfigError, match="the run has 2 channels, but one file has the style of one"):
        styles(RUN, Settings("magnetogram_to_euv", style="image:a.fits"), HOW)


@pytest.mark.parametrize(
    ("weights", "asked", "message"),
    [
        (
            {},
            {"direction": "magnetogram_to_euv"},
            "direction=magnetogram_to_euv: untrained was not trained to make euv images",
        ),
        ({}, {"style": "image:a.fits"}, "style=image:a.fits: untrained was trained with random styles alone"),
        ({}, {}, None),
        ({"style_weight": 1.0}, {"direction": "magnetogram_to_euv", "style": "image:a.fits"}, None),
        ({"image_weight": 1.0}, {"style": "image:a.fits"}, None),
        ({"image_weight": 1.0}, {"direction": "magnetogram_to_euv"}, "not trained to make euv images"),
        ({"paired_weight": 1.0}, {"direction": "magnetogram_to_euv", "style": "image:a.fits"}, None),
    ],
)
def test_what_was_not_learnt_is_refused(weights, asked, message):
    """A run may have been trained in one direction alone, with random styles alone."""
    none = dict.fromkeys(("adversarial_weight", "image_weight", "content_weight", "style_weight"), 0.0)
    run = untrained_run(objective=Objective(**none | {"ensemble_weight": 1.0} | weights))
    if message is None:
        check_trained(run, Settings(**asked))
    else:
        with pytest.raises(ConfigError, match=message):
            check_trained(run, Settings(**asked))


def test_a_fingerprint_is_of_all_that_an_output_depends_on():
    inputs = (("a.fits", "1"), ("b.fits", "2"))

    def made(settings=None, how=HOW, inputs=inputs, run=RUN):
        return Translation(run, settings or Settings(), how).fingerprint(inputs)

    others = [
        made(Settings(seed=1)),
        made(Settings(samples=3)),
        made(Settings(style="mean")),
        made(how=Preparation(RUN.geometry, BUILT_IN)),
        made(inputs=inputs[::-1]),
        made(run=untrained_run(128, ("0193", "0171"))),
        made(run=replace(RUN, parameters_sha256="q" * 64)),
    ]
    assert made() == made()
    assert len({made(), *others}) == len(others) + 1


def test_a_reference_is_an_image_of_aia(tmp_path):
    reference = reference_of(write_aia(tmp_path / "a.fits"), HOW)
    assert (reference.series, reference.time, reference.name) == ("0171", 1297728001, "a.fits")
    assert reference.quartiles[1] == pytest.approx(150, rel=0.02)
    with pytest.raises(DataError, match=r"^calibrate_to: .*b\.fits: instrument: it is of EUVI: give images of AIA"):
        reference_of(write_euvi(tmp_path / "b.fits"), HOW)
