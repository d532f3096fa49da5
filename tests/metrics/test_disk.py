"""Sums over pixels and the scores that follow: by hand, against numpy, scipy and scikit-image, masks, additivity."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from munit_jax.metrics import disk
from munit_jax.metrics.disk import (
    ABS_B,
    ABS_T,
    FIRST_EUV,
    B,
    T,
    correlation,
    flux_sums,
    given_euv,
    in_double,
    partial_correlation,
    peak_signal_to_noise,
    pixel_sums,
    polarity_agreement,
)
from tests.metrics.conftest import field

NO_EUV = np.zeros((2, 2, 0), np.float32)
EVERYWHERE = np.ones((1, 2, 2), bool)


def square(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(2, 2)


def sums_of(b, t, masks=EVERYWHERE):
    sums = pixel_sums(b[None], abs(b)[None], t, NO_EUV, masks)
    return {name: x[0] for name, x in in_double(sums).items()}


def test_by_hand():
    """Errors 0, 2, 0, -2; covariance of (1, 2, 3, 4) and (1, 0, 3, 6) is 2.25, the variances 1.25 and 5.25."""
    sums = sums_of(square(1, 2, 3, 4), square(1, 0, 3, 6))
    assert disk.pixels(sums) == [4]
    assert disk.mean_square_error(sums) == [2]
    assert sums["absolute_error"] == [4]
    assert sums["error"] == [0]
    assert sums["near"] == [2], "within 10 % of 1 and of 3; not of 0 and 6"
    assert correlation(sums["moments"], B, T) == pytest.approx([2.25 / np.sqrt(1.25 * 5.25)])
    assert peak_signal_to_noise(sums) == pytest.approx([10 * np.log10(200**2 / 2)])


def test_signs_by_hand():
    """|B| >= 50 G in three pixels: one right, one wrong, one without a sign; >= 100 G in one."""
    sums = sums_of(square(3, 3, 0, -9), square(60, -70, 100, -20))
    assert polarity_agreement(sums, 50.0) == pytest.approx([1 / 3])
    assert polarity_agreement(sums, 100.0) == [0]
    assert polarity_agreement(sums, 10.0) == pytest.approx([1 / 2])
    with pytest.raises(ValueError, match="not in tuple"):
        polarity_agreement(sums, 7.0)


def test_unsigned_may_be_better_known_than_the_modulus():
    b, t = square(0, 0, 0, 0), square(-10, 20, -30, 40)
    sums = pixel_sums(b[None], square(10, 20, 30, 41)[None], t, NO_EUV, EVERYWHERE)
    assert np.asarray(sums["squared_unsigned_error"])[0, 0] == pytest.approx(1)
    moments = in_double(sums)["moments"][0, 0]
    assert correlation(moments, ABS_B, ABS_T) > 0.999
    assert np.isnan(correlation(moments, B, T)), "a constant has no correlation"


@pytest.mark.parametrize("level", [3.7, -0.013, 25.1])
def test_a_constant_field_has_no_correlation_however_large_the_image(level):
    """In single precision moments about 0 of 200 000 pixels would leave a variance."""
    size = 512
    true = field(0, size=size)
    mask = (np.hypot(*np.mgrid[-256:256, -256:256]) < 200)[None]
    constant = np.full((1, size, size), level, np.float32)
    sums = in_double(pixel_sums(constant, abs(constant), true, true[..., None], mask))
    moments = sums["moments"][0, 0]
    assert np.isnan(correlation(moments, B, T))
    assert np.isnan(correlation(moments, ABS_B, ABS_T))
    assert moments[0, B] == pytest.approx(level * mask.sum(), rel=1e-6)
    exact = np.corrcoef(true[mask[0]].astype(np.float64), abs(true[mask[0]]).astype(np.float64))[0, 1]
    assert correlation(moments, T, ABS_T) == pytest.approx(exact, abs=1e-5)


def test_what_is_outside_the_masks_does_not_count():
    b, t = square(1, 2, np.nan, np.inf), square(2, 1, 5, np.nan)
    mask = np.array([[[True, True], [False, False]]])
    sums = sums_of(b, t, mask)
    assert all(np.isfinite(x).all() for x in sums.values())
    assert disk.mean_square_error(sums) == [1]


def test_a_field_without_sign_leaves_nothing_but_what_is_of_its_modulus(frames):
    frame = frames[0]
    sums = frame.sums(np.full_like(frame.true, np.nan)[None], np.abs(frame.true)[None])
    assert np.isnan(disk.mean_square_error(sums)).all()
    assert np.isnan(polarity_agreement(sums, 50.0)).all()
    assert np.isnan(correlation(sums["moments"], B, T)).all()
    assert correlation(sums["moments"], ABS_B, ABS_T)[0, 0, 0] == pytest.approx(1)
    assert sums["flux_error"][0, 0] == pytest.approx(0, abs=1e-6)


def test_sums_of_strata_add_up_to_the_disk(frames):
    frame = frames[1]
    sums = frame.sums(field(7)[None])
    whole = sums["moments"][0, 0, 0]
    active_and_quiet = sums["moments"][0, 0, -2:].sum(axis=0)
    np.testing.assert_allclose(active_and_quiet, whole, rtol=1e-5)
    assert disk.pixels(sums)[0, 0, -2] == (np.abs(frame.true[frame.masks[0]]) >= 250).sum()


def test_several_frames_are_scored_as_one_picture_of_all_their_pixels(frames):
    generated = [field(10 + k) for k in range(len(frames))]
    parts = [frame.sums(b[None]) for frame, b in zip(frames, generated, strict=True)]
    total = {name: sum(part[name] for part in parts)[0, 0] for name in parts[0]}
    pairs = [(b[f.masks[0]], f.true[f.masks[0]]) for b, f in zip(generated, frames, strict=True)]
    b, t = (np.concatenate([pair[k] for pair in pairs]).astype(np.float64) for k in range(2))
    assert correlation(total["moments"], B, T)[0] == pytest.approx(np.corrcoef(b, t)[0, 1], abs=1e-6)
    assert disk.mean_square_error(total)[0] == pytest.approx(np.mean((b - t) ** 2), rel=1e-5)
    grey = [np.clip(x, -100, 100) / 200 + 0.5 for x in (t, b)]
    assert peak_signal_to_noise(total)[0] == pytest.approx(peak_signal_noise_ratio(*grey, data_range=1), rel=1e-5)


def test_partial_correlation_is_that_of_what_a_fit_leaves(frames):
    """Given both EUV channels: regress b and t on them, and correlate the residuals."""
    frame, b = frames[2], frames[2].true + field(3)
    sums = frame.sums(b[None])
    mask = frame.masks[0]
    given = np.column_stack([np.ones(mask.sum()), frame.euv[mask].astype(np.float64)])

    def left(x):
        return x - given @ np.linalg.lstsq(given, x, rcond=None)[0]

    for i, j, change in ((B, T, lambda x: x), (ABS_B, ABS_T, np.abs)):
        x, y = (left(change(field[mask].astype(np.float64))) for field in (b, frame.true))
        assert given_euv(sums, i, j)[0, 0, 0] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-5)


def test_partial_correlation_by_hand():
    """r_bt.e = (r_bt - r_be r_te) / sqrt((1 - r_be^2)(1 - r_te^2)) for one given quantity."""
    rng = np.random.default_rng(0)
    e = rng.normal(size=1000)
    b, t = e + rng.normal(size=1000), 2 * e + rng.normal(size=1000)
    members = np.stack([np.ones(1000), b, t, abs(b), abs(t), e])
    r = np.corrcoef([b, t, e])
    expected = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt((1 - r[0, 2] ** 2) * (1 - r[1, 2] ** 2))
    assert partial_correlation(members @ members.T, B, T, [FIRST_EUV]) == pytest.approx(expected)
    assert np.isnan(partial_correlation(members @ members.T, B, FIRST_EUV, [FIRST_EUV])), "fitted exactly"


def test_fluxes_by_hand():
    """Two pixels of 1e18 cm^2: |B| 30 against 40 G, net 10 against -20 G."""
    moments = np.zeros((1, 1, 1, 5, 5))
    moments[0, 0, 0, 0] = [2, 10, -20, 30, 40]
    flux = flux_sums({"moments": moments}, np.array([1e18]))
    assert flux["flux_bias"][0, 0] == pytest.approx(-0.25)
    assert flux["flux_error"][0, 0] == pytest.approx(0.25)
    assert flux["net_flux_error"][0, 0] == pytest.approx(30 / 40)
    np.testing.assert_allclose(flux["flux_moments"][0, 0, 0], [1, 30e18, 40e18, 10e18, -20e18])
