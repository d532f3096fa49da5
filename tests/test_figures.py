"""Colours by hand; the picture of samples with and without a truth."""

import numpy as np
import pytest
from matplotlib.image import imread

from munit_jax.figures import aia_colors, sample_figure


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


def test_sample_figure(tmp_path):
    rng = np.random.default_rng(0)
    row = {"euv": rng.gamma(2, 50, (16, 16)), "true": rng.normal(0, 50, (16, 16)), "label": "2011-01-01"}
    row["generated"] = rng.normal(0, 50, (4, 16, 16))
    path = tmp_path / "new" / "step.png"
    sample_figure(path, [row, {**row, "true": None}, {**row, "euv": np.zeros((16, 16))}], "0193", "title")
    picture = imread(path)
    assert picture.shape[1] > picture.shape[0] > 500
    assert picture[..., :3].std() > 0.1
