"""Colours by hand; the picture of frames with and without a truth."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from munit_jax.figures import FrameImages, aia_colors, frames_figure
from munit_jax.sun.disk import sdoml_geometry


@pytest.mark.parametrize(
    ("channel", "middle"), [("0171", (185, 128, 0)), ("0193", (181, 128, 64)), ("0304", (185, 15, 0))]
)
def test_aia_colors(channel, middle):
    """At 128 of 255: red temperature r0 = 128 * 255 / 176, g0 = (128 - 120) * 255 / 135; root 181, square 64."""
    colors = aia_colors(channel)
    np.testing.assert_allclose(np.array(colors(128)[:3]) * 255, middle, atol=1)
    assert colors(0)[:3] == (0, 0, 0)
    assert colors(255)[:3] == (1, 1, 1)
    assert aia_colors("1700")(128)[0] == aia_colors("1700")(128)[2], "grey without a table"


@pytest.mark.parametrize("realisations", [2, 6])
def test_frames_figure(tmp_path, realisations):
    rng = np.random.default_rng(0)
    euv, true = rng.gamma(2, 50, (16, 16)), rng.normal(0, 50, (16, 16))
    frame = FrameImages("2011-01-01", euv, true, rng.normal(0, 50, (realisations, 16, 16)), sdoml_geometry(16))
    rows = [frame, replace(frame, true=None), replace(frame, euv=np.zeros((16, 16)))]
    figure = frames_figure(rows, "0193", "title")
    figure.savefig(tmp_path / "step.png", dpi=110)
    picture = imread(tmp_path / "step.png")
    assert picture.shape[1] > picture.shape[0] > 500
    assert picture[..., :3].std() > 0.1
