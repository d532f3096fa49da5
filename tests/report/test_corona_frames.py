"""The corona over frames: what is put into which map, what the columns are."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.metrics.corona import SCORES
from munit_jax.pfss.field import open_flux, source_surface
from munit_jax.pfss.model import ModelSettings
from munit_jax.report import corona_frames
from munit_jax.report.backgrounds import Background
from munit_jax.report.corona_frames import (
    COLUMNS,
    CoronaInputs,
    corona_json,
    frame_boundaries,
    measure_coronae,
)
from munit_jax.report.kept import Kept
from munit_jax.report.settings import CoronaSettings
from munit_jax.sun.disk import mu, on_disk, sdoml_geometry

pytestmark = pytest.mark.optimized

SETTINGS = CoronaSettings(frames=0, samples=2, rows=18, lmax=8)
TRANSFORM = SETTINGS.transform
SIZE = 32
GEOMETRY = sdoml_geometry(SIZE, 0.0, 90.0)
# A dipole with its axis in the plane of the sky: the background of all tests.
DIPOLE = (10 * np.sin(np.deg2rad(TRANSFORM.grid.latitudes))[:, None] * np.ones((1, 36))).astype(np.float32)


BACKGROUND = Background("a dipole", lambda _: DIPOLE)


class Frames(list):
    """Frames in memory."""

    name, split, domains = "in memory", "test", ("euv", "magnetogram")

    def translate(self, euv, geometry, time, past, gap_days):
        """Return the true magnetogram, its negative and nothing: the EUV image is the number of its frame."""
        true = self[int(euv[0, 0, 0])]["magnetogram"][..., 0]
        return np.stack([true, -true, 0 * true])


def frame(seed: int) -> dict[str, np.ndarray]:
    """Return a frame whose magnetogram is that of the dipole, with a bipole on it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    field = 10 * (y - 15.5) / GEOMETRY.solar_radius
    for sign in (-1, 1):
        middle = rng.uniform(12, 20, 2)
        field += sign * 60 * np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / 8)
    seen = np.where(on_disk(GEOMETRY), field * np.nan_to_num(mu(GEOMETRY)), 0).astype(np.float32)
    return {
        "magnetogram": seen[..., None],
        "euv": np.full((SIZE, SIZE, 1), float(seed), np.float32),
        "time": np.int64(seed * 86400),
        "solar_radius": np.float32(GEOMETRY.solar_radius),
        "centre": np.array(GEOMETRY.centre, np.float32),
        "b0": np.float32(0),
        "l0": np.float32(90),
        "distance": np.float32(GEOMETRY.distance),
    }


def inputs(frames: Any, translate) -> CoronaInputs:
    return CoronaInputs(frames, translate, None, SETTINGS, BACKGROUND)


@pytest.fixture(scope="module")
def frames():
    return Frames(frame(seed) for seed in range(2))


@pytest.fixture(scope="module")
def measured(frames, tmp_path_factory):
    return measure_coronae(inputs(frames, frames.translate), [0, 1], [1, 0], Kept(tmp_path_factory.mktemp("kept"), {}))


def test_every_column_has_every_score(measured):
    result = corona_json(measured, SETTINGS, "a dipole")
    for insertion in ("as_is", "flux_matched"):
        assert set(result[insertion]) == set(SCORES)
        assert all(set(row) == {*COLUMNS, "spread", "defined"} for row in result[insertion].values())
    assert result["frames"] == 2
    assert (result["grid"], result["lmax"], result["rss"], result["seed_radius"]) == ([18, 36], 8, 2.5, 1.0)
    assert abs(result["self_check"]) < 0.1
    assert 0 <= result["self_checks_passed"] <= 1
    assert result["monopole_gauss"] > 0
    assert result["background"] == "a dipole"


def test_the_true_magnetogram_as_it_is_has_the_true_corona(measured):
    scores = measured["as_is"]["scores"]
    ideal = np.array([score.ideal for score in SCORES.values()])
    known = [not name.endswith(("l10_29", "l30_60")) for name in SCORES]
    np.testing.assert_allclose(scores["truth"][:, 0, known], np.broadcast_to(ideal[known], (2, sum(known))), atol=1e-3)
    np.testing.assert_allclose(scores["model"][:, 0, known], scores["truth"][:, 0, known], atol=1e-3)


def test_realisations_with_all_signs_changed_are_the_flipped_column(measured):
    for insertion in ("as_is", "flux_matched"):
        scores = measured[insertion]["scores"]
        np.testing.assert_allclose(scores["model"][:, 1], scores["flipped"][:, 0], rtol=1e-4, atol=1e-4)
        assert (scores["flipped"][:, 0, list(SCORES).index("surface_error")] > 0.1).all()


def test_open_flux_of_all_realisations(measured):
    flux = measured["open_flux"]
    assert flux["model"].shape == (2, 3)
    np.testing.assert_allclose(flux["model"][:, 0], flux["true"], rtol=1e-5)
    np.testing.assert_allclose(flux["model"][:, 2], flux["zero"], rtol=1e-5)


def test_flux_matched_keeps_the_net_flux_of_the_background(frames):
    made = np.ones((1, SIZE, SIZE), np.float32)
    boundaries = frame_boundaries(TRANSFORM, frames[0], made, DIPOLE)
    weights = np.broadcast_to(TRANSFORM.grid.solid_angles[:, None], (18, 36))
    net = [np.average(one, weights=weights) for one in (*boundaries["flux_matched"], *boundaries["as_is"])]
    np.testing.assert_allclose(net, 0, atol=1e-4)
    assert boundaries["monopole"][-1] > 0.1, "a disk of 1 G everywhere has a net flux, which was taken off"


def test_boundaries_are_the_disk_in_the_background(frames):
    made = frames.translate(frames[0]["euv"], GEOMETRY, 0, None, 0.0)
    boundaries = frame_boundaries(TRANSFORM, frames[0], made, DIPOLE, frames[1]["magnetogram"][..., 0])
    true, empty, another, flipped, mean, *realisations = boundaries["as_is"]
    np.testing.assert_allclose(mean, np.mean(realisations, axis=0), atol=1e-4)
    np.testing.assert_allclose(realisations[0], true, atol=1e-5)
    np.testing.assert_allclose(realisations[1], flipped, atol=1e-5)
    np.testing.assert_allclose(realisations[2], empty, atol=1e-5)
    far = abs((TRANSFORM.grid.longitudes - 270 + 180) % 360 - 180) < 60
    np.testing.assert_allclose(true[:, far] - empty[:, far], (true - empty)[0, far][0], atol=1e-4)
    assert abs(another - true).max() > 5


def test_the_open_flux_of_a_dipole():
    """B_r = g cos(theta): g 3 rss^-2 / (2 + rss^-3) cos(theta) at rss, whose mean modulus is half its largest value."""
    g, rss = 10.0, 2.5
    largest = g * 3 * rss**-3 / (2 + rss**-3)
    expected = 0.5 * largest * 4 * np.pi * (rss * 6.957e10) ** 2
    flux = open_flux(TRANSFORM, source_surface(TRANSFORM, jnp.asarray(DIPOLE), rss), rss)
    assert float(flux) == pytest.approx(expected, rel=5e-3)


def test_a_frame_is_translated_with_its_own_place_and_time(frames, tmp_path, monkeypatch):
    turned: Any = Frames([frames[0], frames[1] | {"b0": np.float32(5), "l0": np.float32(30)}])
    asked = []

    def translate(euv, geometry, time, past, gap_days):
        asked.append((int(euv[0, 0, 0]), geometry.b0, geometry.l0, geometry.size, time))
        return frames.translate(euv, geometry, time, past, gap_days)

    monkeypatch.setattr(corona_frames, "_measured", lambda *_: {"self_checks": np.zeros(1)})
    measure_coronae(inputs(turned, translate), [1, 0], [0, 1], Kept(tmp_path, {}))
    assert asked == [(1, 5.0, 30.0, SIZE, 86400), (0, 0.0, 90.0, SIZE, 0)]


def test_settings_refuse_what_the_grid_does_not_resolve():
    with pytest.raises(ValueError, match="lmax = 60 on 36 x 72"):
        _ = CoronaSettings(rows=36, lmax=60).transform
    with pytest.raises(ValueError, match="seeds' radius"):
        ModelSettings(rss=0.5)
