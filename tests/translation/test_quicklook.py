"""Pictures of translations."""

import numpy as np
import pytest
from matplotlib.image import imread

from munit_jax.instruments.interface import Preparation
from munit_jax.sun.disk import sdoml_geometry
from munit_jax.translation.quicklook import field_range, make_draw
from munit_jax.translation.settings import Settings
from munit_jax.translation.translate_files import translate_files
from munit_jax.translation.translation import Translation
from tests.instruments.suns import untrained_run, write_aia
from tests.tfds_sdoml.sources.fits_files import write_hmi


@pytest.mark.parametrize("direction", ["euv_to_magnetogram", "magnetogram_to_euv"])
@pytest.mark.parametrize(("picture", "samples"), [("map", 2), ("grid", 8), ("grid", 20)])
def test_a_picture_beside_each_output(identity, tmp_path, direction, picture, samples):
    run = untrained_run(64)
    translation = Translation(run, Settings(direction, samples=samples), Preparation(run.geometry))
    path = write_aia(tmp_path / "in.fits", 64)
    if direction == "magnetogram_to_euv":
        path.unlink()
        write_hmi(path, np.random.default_rng(0).normal(0, 20, (64, 64)).astype(np.float32))
    (row,) = translate_files(translation, [path], tmp_path, draw=make_draw(picture, translation))
    drawn = imread((tmp_path / row.output).with_suffix(".png"))
    assert drawn.std() > 0.05


def test_a_picture_that_is_missing_is_drawn_when_a_run_goes_on(identity, tmp_path):
    run = untrained_run(64)
    translation = Translation(run, Settings(samples=1), Preparation(run.geometry))
    path, draw = write_aia(tmp_path / "in.fits", 64), make_draw("map", translation)
    statuses = [
        translate_files(translation, [path], tmp_path / "out", resume=True, draw=d)[0].status
        for d in (None, draw, draw)
    ]
    assert statuses == ["written", "written", "kept"]


def test_weak_fields_are_drawn_in_a_smaller_range():
    geometry = sdoml_geometry(64)
    assert field_range(np.full((1, 64, 64), 40.0), geometry) == 40
    assert field_range(np.full((1, 64, 64), -1e3), geometry) == 150
    assert field_range(np.zeros((1, 64, 64)), geometry) == 5
