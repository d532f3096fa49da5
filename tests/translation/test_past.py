"""Earlier magnetograms from files: which one a time has, what is refused, and what comes of them."""

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.data.context import SPACING_DAYS
from munit_jax.errors import ConfigError, DataError
from munit_jax.instruments.interface import Preparation
from munit_jax.sun.constants import DAY
from munit_jax.translation.settings import Settings, past_of
from munit_jax.translation.translate_files import translate_files
from munit_jax.translation.translation import Translation
from tests.instruments.suns import conditioned_run, untrained_run, write_aia
from tests.tfds_sdoml.sources.fits_files import write_hmi

NOW = 1297728001.0  # 2011-02-15 00:00:01 UTC, as `write_aia` has it
PLANES = ("mu", "last_seen")


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """Magnetograms of 10, 17 and 24 days before, of 10, 17 and 24 gauss all over the disk."""
    folder = tmp_path_factory.mktemp("past")
    paths = []
    for days in (10, 17, 24):
        time = np.datetime64(int(NOW) - days * DAY, "s").item().strftime("%Y-%m-%dT%H:%M:%SZ")
        field = np.full((64, 64), days, np.float32)
        field[20, 20] = -days  # a Sun of one polarity alone is refused
        write_hmi(folder / f"{days}.fits", field, time=time)
        paths.append(folder / f"{days}.fits")
    return tuple(paths)


def test_a_time_has_the_latest_magnetogram_of_the_quarter_of_a_rotation_before(days):
    run = untrained_run(64, planes=PLANES)
    past = past_of(days, Preparation(run.geometry))
    for asked, expected in ((10, 10), (10.5, 17), (16.5, 17), (17.5, 24), (24 - SPACING_DAYS + 0.1, 24), (4, 10)):
        field, geometry, time = past(NOW - asked * DAY)  # pyright: ignore[reportGeneralTypeIssues]
        assert field[32, 32] == pytest.approx(expected)
        assert time == pytest.approx(NOW - expected * DAY, abs=1)
        assert geometry.solar_radius == run.geometry.solar_radius
    assert past(NOW - (10 - SPACING_DAYS - 0.1) * DAY) is None, "too long ago"
    assert past(NOW - 24.5 * DAY) is None, "never one of later"


def test_only_magnetograms_tell_of_the_past(tmp_path):
    path = write_aia(tmp_path / "aia.fits", 64)
    with pytest.raises(DataError, match=r"last_seen: .*aia.fits: .*it is of 0171, not of bz"):
        past_of([path], Preparation(untrained_run(64).geometry))


def test_a_run_that_was_trained_without_takes_none(days):
    run = untrained_run(64, planes=("mu",))
    with pytest.raises(ConfigError, match="last_seen: untrained was trained without: leave it out"):
        Translation(run, Settings(samples=2, last_seen=days), Preparation(run.geometry))


def test_what_was_seen_before_changes_the_magnetogram_and_its_fingerprint(days, tmp_path):
    run = conditioned_run(PLANES)
    path = write_aia(tmp_path / "in.fits", 64)
    made, fingerprints = [], []
    for name, last_seen in (("without", ()), ("with", days)):
        translation = Translation(run, Settings(samples=2, last_seen=last_seen), Preparation(run.geometry))
        (row,) = translate_files(translation, [path], tmp_path / name)
        assert row.status == "written"
        made.append(np.asarray(fits.getdata(tmp_path / name / row.output, "REALISATIONS")))
        fingerprints.append(translation.fingerprint((("in.fits", "sha"),)))
    disk = np.isfinite(made[0])
    assert np.abs(made[0] - made[1])[disk].max() > 0.1
    assert fingerprints[0] != fingerprints[1]
    header = fits.getheader(tmp_path / "with" / "in_magnetogram.fits")
    assert [header[f"MJPAST{k}"] for k in (1, 2, 3)] == ["10.fits", "17.fits", "24.fits"]
    assert "MJPAST1" not in fits.getheader(tmp_path / "without" / "in_magnetogram.fits")
