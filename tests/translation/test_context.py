"""What a file conditions the networks on: where and when its own observer saw the Sun."""

from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.data.context import context_of
from munit_jax.instruments.interface import Preparation
from munit_jax.instruments.telescopes import observe
from munit_jax.sun.disk import DiskGeometry, sdoml_geometry
from munit_jax.trained_run import TrainedRun
from munit_jax.translation.settings import Settings
from munit_jax.translation.translate_files import translate_files
from munit_jax.translation.translation import Translation
from tests.instruments.suns import (
    AU,
    RSUN,
    aia_header,
    conditioned_run,
    euvi_header,
    grid_cards,
    observer_cards,
    rate,
    to_sun,
    untrained_run,
    write,
    write_aia,
)
from tests.tfds_sdoml.sources.fits_files import write_hmi

SIZE = 128
PLANES = ("hale_latitude", "mu", "cycle_phase")
TIME = 1297728001.0  # 2011-02-15 00:00:01 UTC
VIEWS: dict[str, Any] = {
    "AIA": aia_header(SIZE),
    "AIA, turned": aia_header(**grid_cards(SIZE, 50.0, AU, crpix=(60.3, 71.9), CROTA2=-155.0)),
    "AIA of cycle 25": aia_header(SIZE, T_OBS="2022-02-15T00:00:01.34Z"),
    "EUVI": euvi_header(SIZE),
    "far from the equator": euvi_header(SIZE, None, 0.3 * AU, **observer_cards(200.0, 33.0, 0.3 * AU)),
}


@pytest.fixture
def first_plane(monkeypatch):
    """Translations are the first plane of the context, as many times as there are styles."""

    def translate(run, images, styles, contexts, source, a_pass):
        return np.repeat(contexts[:, None, ..., :1], len(styles), axis=1)

    monkeypatch.setattr(TrainedRun, "translate", translate)


def asked_of(run, **settings) -> Translation:
    return Translation(run, Settings(samples=2, **settings), Preparation(run.geometry))


def context_in(translation, path) -> Any:
    """The context of a file, as it goes to the networks."""
    return translation.load([observe(path)], ((path.name, "sha"),)).context


def write_view(path, header):
    image = rate(header, (SIZE, SIZE)) * header["EXPTIME"] + header.get("BIASMEAN", 0)
    return write(path, image, header)


@pytest.mark.parametrize("name", VIEWS)
def test_hale_latitude_of_a_file_is_that_of_the_places_it_shows(first_plane, tmp_path, name):
    """Written onto the file's own grid, it is the sine of the latitude that Thompson's equations give there."""
    header = VIEWS[name]
    translation = asked_of(untrained_run(SIZE, planes=PLANES))
    (row,) = translate_files(translation, [write_view(tmp_path / "in.fits", header)], tmp_path / "out")
    assert row.status == "written", row
    made: Any = fits.getdata(tmp_path / "out" / row.output)
    sign = -1 if "cycle 25" in name else 1
    middle, reach = np.array([header["CRPIX1"] - 1, header["CRPIX2"] - 1]), 0.8 * 0.33 * SIZE
    found, expected = [], []
    for away in (0, 0.5, 1):
        for angle in np.deg2rad(np.arange(0, 360, 45)):
            x, y = (int(n) for n in np.round(middle + away * reach * np.array([np.cos(angle), np.sin(angle)])))
            found.append(made[y, x])
            expected.append(sign * np.sin(np.deg2rad(to_sun(header, x, y)[1])))
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_every_plane_is_of_the_header_s_observer_and_time(tmp_path):
    translation = asked_of(untrained_run(SIZE, planes=PLANES))
    header = aia_header(SIZE, RSUN_OBS=None, **observer_cards(80.0, 7.0, 0.9 * AU))
    seen = context_in(translation, write_view(tmp_path / "in.fits", header))
    run = translation.run.geometry
    geometry = DiskGeometry(SIZE, run.solar_radius, run.centre, 7.0, 80.0, 0.9 * AU / RSUN)
    expected, elsewhere = (context_of(PLANES, there, TIME) for there in (geometry, sdoml_geometry(SIZE, -6.8)))
    assert expected is not None
    assert elsewhere is not None
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    assert np.abs(seen - elsewhere).max() > 0.1


def test_a_magnetogram_has_a_context_too(tmp_path):
    write_hmi(tmp_path / "hmi.fits", np.random.default_rng(0).normal(0, 20, (64, 64)).astype(np.float32))
    run = untrained_run(64, planes=("mu", "hale_latitude"))
    seen = context_in(asked_of(run, direction="magnetogram_to_euv"), tmp_path / "hmi.fits")
    assert seen.shape == (64, 64, 2)
    assert seen[32, 32, 0] == pytest.approx(1, abs=0.01)


def test_a_run_without_planes_has_no_context(tmp_path):
    assert context_in(asked_of(untrained_run(SIZE)), write_view(tmp_path / "in.fits", VIEWS["AIA"])) is None


def test_images_of_one_batch_have_each_its_own_context(first_plane, tmp_path, monkeypatch):
    """Three files of three observers in batches of two, the last of which is filled up."""
    translation = asked_of(untrained_run(64, planes=PLANES))
    paths = [write_aia(tmp_path / f"{k}.fits", 64, seed=k, CRLT_OBS=b0) for k, b0 in enumerate((-7.0, 0.0, 7.0))]
    translate_files(translation, paths, tmp_path / "one")
    monkeypatch.setattr(translation, "batch", 2)
    translate_files(translation, paths, tmp_path / "two")
    middles = []
    for path in paths:
        one, two = (fits.getdata(tmp_path / n / f"{path.stem}_magnetogram.fits") for n in ("one", "two"))
        np.testing.assert_array_equal(one, two)
        middles.append(float(np.asarray(one)[31:33, 31:33].mean()))
    np.testing.assert_allclose(middles, np.sin(np.deg2rad([-7.0, 0.0, 7.0])), atol=0.02)


def test_conditioned_networks_translate_files(tmp_path):
    """With the observer elsewhere the same image becomes another magnetogram."""
    translation = asked_of(conditioned_run(PLANES))
    paths = [write_aia(tmp_path / f"{b0}.fits", 64, CRLT_OBS=float(b0)) for b0 in (-7, 7)]
    rows = translate_files(translation, paths, tmp_path / "out")
    assert [row.status for row in rows] == ["written", "written"]
    one, other = (np.asarray(fits.getdata(tmp_path / "out" / row.output, "REALISATIONS")) for row in rows)
    disk = np.isfinite(one)
    assert disk.any()
    np.testing.assert_array_equal(disk, np.isfinite(other))
    assert np.abs(one - other)[disk].max() > 1


def test_a_file_of_a_cycle_that_is_not_known_is_refused(first_plane, tmp_path):
    paths = [write_aia(tmp_path / f"{year}.fits", 64, T_OBS=f"{year}-06-01T00:00:01Z") for year in (1975, 2012, 2035)]
    rows = translate_files(asked_of(untrained_run(64, planes=PLANES)), paths, tmp_path / "out")
    assert [(row.status, row.reason) for row in rows] == [
        ("refused", "no time"),
        ("written", ""),
        ("refused", "no time"),
    ]
    assert rows[0].detail.startswith("1975-06-01: the cycles are known from 1976-03-01 to")
    assert rows[2].detail.startswith("2035-06-01: the cycles are known")


def test_without_planes_or_with_those_of_the_place_alone_the_cycle_does_not_matter(identity, tmp_path):
    path = write_aia(tmp_path / "1975.fits", 64, T_OBS="1975-06-01T00:00:01Z")
    for planes in ((), ("mu",)):
        (row,) = translate_files(asked_of(untrained_run(64, planes=planes)), [path], tmp_path / f"out{len(planes)}")
        assert (row.status, row.reason) == ("written", "")


def test_without_planes_no_more_is_asked_of_a_header_than_before(identity, tmp_path):
    """Where the observer is on the Sun's sphere is for the planes alone."""
    path = write_aia(tmp_path / "in.fits", 64, RSUN_REF="unknown")
    (row,) = translate_files(asked_of(untrained_run(64)), [path], tmp_path / "out")
    assert (row.status, row.detail) == ("written", "")
