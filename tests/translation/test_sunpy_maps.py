"""SunPy's maps in and out."""

import numpy as np
import pytest

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.interface import Preparation
from munit_jax.translation.settings import Settings
from munit_jax.translation.translate_files import translate_files
from munit_jax.translation.translation import Translation
from tests.instruments.suns import untrained_run, write_aia, write_euvi

sunpy_map = pytest.importorskip("sunpy.map", reason="sunpy comes with the extra solar")


@pytest.fixture
def translation(run):
    return Translation(run, Settings(samples=3), Preparation(run.geometry))


@pytest.mark.parametrize("write", [write_aia, write_euvi])
def test_a_map_and_its_file_give_one_map_and_the_command_s_file(translation, tmp_path, write):
    from munit_jax.translation.sunpy_maps import realisation_maps, translate_map

    path = write(tmp_path / "in.fits", 64)
    source = sunpy_map.Map(path)
    of_map, of_path = translate_map(translation, source), translate_map(translation, str(path))
    translate_files(translation, [path], tmp_path)
    of_file = sunpy_map.Map(tmp_path / "in_magnetogram.fits", hdus=0)
    for made in (of_map, of_path, of_file):
        assert str(made.unit) == "G"
        assert type(made) is sunpy_map.GenericMap
        np.testing.assert_allclose(made.data, of_map.data, rtol=1e-5, atol=1e-5)
        at = made.world_to_pixel(source.pixel_to_world(*source.reference_pixel))
        np.testing.assert_allclose([at.x.value, at.y.value], [p.value for p in source.reference_pixel], atol=1e-3)
    every = realisation_maps(translation, path)
    assert len(every) == 3
    np.testing.assert_allclose(np.mean([m.data for m in every], axis=0), of_map.data, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(of_map.uncertainty.array, np.std([m.data for m in every], axis=0), rtol=1e-3, atol=1e-4)


def test_sunpy_opens_every_layer_and_the_mean_first(translation, tmp_path):
    from sunpy.util.exceptions import SunpyUserWarning

    translate_files(translation, [write_aia(tmp_path / "in.fits", 64)], tmp_path)
    with pytest.warns(SunpyUserWarning, match="more than 2 dimensions"):
        mean, deviation, polarity, first = sunpy_map.Map(tmp_path / "in_magnetogram.fits")
    assert mean.meta["content"] == "SYNTHETIC MAGNETOGRAM"
    assert [m.meta["extname"] for m in (deviation, polarity, first)] == ["STD", "POLARITY", "REALISATIONS"]
    assert np.nanmin(polarity.data) >= 0.5


def test_a_map_that_cannot_be_used(identity, tmp_path):
    from munit_jax.translation.sunpy_maps import translate_map

    run = untrained_run(64)
    translation = Translation(run, Settings(), Preparation(run.geometry))
    source = sunpy_map.Map(write_aia(tmp_path / "in.fits", 64, WAVELNTH=304))
    with pytest.raises(FrameError, match="it is of 0304: the run translates 0171"):
        translate_map(translation, source)


def test_a_run_alone_translates_with_the_settings_of_the_command(run, tmp_path):
    from munit_jax.translation.sunpy_maps import realisation_maps, translate_map

    path = write_aia(tmp_path / "in.fits", 64)
    expected = translate_map(Translation(run, Settings()), path)
    np.testing.assert_array_equal(translate_map(run, path).data, expected.data)
    assert len(realisation_maps(run, path)) == 16
