"""From the files of SOHO, and of Solar Orbiter far from the Earth, to a dataset, a training and its evaluation.

The headers are real, with the geometry, the time and the observer of what the synthetic Sun shows.
"""

import csv
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.data.datasets import Frames, geometry_of
from munit_jax.instruments.registration import block_mean
from munit_jax.instruments.telescopes import observe as observed
from munit_jax.sun.constants import AU, SOLAR_RADIUS
from munit_jax.sun.disk import on_disk, sdoml_geometry
from munit_jax.sun.ephemeris import earth_view
from munit_jax.translation.settings import Settings
from munit_jax.translation.translation import Translation
from tests.commands import ROOT, call
from tests.instruments.suns import conditioned_run
from tests.training.commands import TINY
from tfds_sdoml.build import build
from tfds_sdoml.synthetic_sun.observation import observe

SIZE, FILE_SIZE = 64, 128  # pixels
MONTHS = (1, 2, 3, 5, 11)  # of which May validates and November tests
TRUTH_LATER = 1800  # seconds from the image to its magnetogram, of the files that are evaluated


def utc(year, month, day, hour=0):
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def written(path, pattern, image, cards):
    """Write an image with the header of a real file, its other cards replaced."""
    with fits.open(pattern) as units:
        header = next(unit.header for unit in units if unit.header.get("NAXIS") == 2).copy()
    for key in ("NAXIS1", "NAXIS2", "BITPIX", "BZERO", "BSCALE", "BLANK"):
        header.remove(key, ignore_missing=True)
    header.update(cards)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(image.astype(np.float32), header).writeto(path)


def cards_of(geometry, distance):
    """The grid and the observer of a picture that is north up."""
    arcsec = float(np.rad2deg(np.arcsin(SOLAR_RADIUS / distance))) * 3600
    middle = (geometry.size + 1) / 2
    upright = {"PC1_1": 1.0, "PC1_2": 0.0, "PC2_1": 0.0, "PC2_2": 1.0, "CROTA": 0.0, "CROTA2": 0.0}
    return upright | {
        **{f"CRPIX{axis}": middle for axis in (1, 2)},
        **{f"CRVAL{axis}": 0.0 for axis in (1, 2)},
        **{f"CDELT{axis}": arcsec / geometry.solar_radius for axis in (1, 2)},
        **dict.fromkeys(("RSUN_OBS", "RSUN_ARC"), arcsec),
        "RSUN_REF": SOLAR_RADIUS,
        "DSUN_OBS": distance,
        "CRLN_OBS": geometry.l0,
        "CRLT_OBS": geometry.b0,
        "SOLAR_B0": geometry.b0,
        "HGLT_OBS": geometry.b0,
    }


def iso(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000")


def write_soho(folder, instruments, time, later=0):
    """An image of EIT 195, level 1, and a magnetogram of MDI."""
    seen, after = (observe(3, t, FILE_SIZE, ("0193",)) for t in (time, time + later))
    distance = 0.99 * AU * seen.geometry.distance * SOLAR_RADIUS / AU
    dates = {key: iso(time) for key in ("DATE-OBS", "DATE-BEG", "DATE-AVG")}
    eit = instruments / "eit195_L1" / "synthetic_195_bin8.fits"
    written(folder / f"eit{time}.fits", eit, 0.03 * seen.euv[..., 0], cards_of(seen.geometry, distance) | dates)
    tai = datetime.fromtimestamp(time + later + 32, UTC).strftime("%Y.%m.%d_%H:%M:%S.000_TAI")
    mdi = instruments / "mdi_fd_M_96m" / "real_2010_bin8.fits"
    field = after.magnetogram[..., 0] / 0.701
    written(
        folder / f"mdi{time}.fits",
        mdi,
        field,
        cards_of(after.geometry, distance) | {"T_OBS": tai, "DATE-OBS": iso(time + later)},
    )


def write_solar_orbiter(folder, instruments, time, later=0):
    """An image of FSI 174, level 2, and a magnetogram of PHI-FDT, 120 degrees west of the Earth at 0.4 AU."""
    seen, after = (observe(3, t, FILE_SIZE, ("0171",), west=120.0) for t in (time, time + later))
    for name, pattern, frame, image, moment in (
        ("fsi", "eui_fsi174_L2/synthetic_bin8.fits", seen, 0.5 * seen.euv[..., 0], time),
        ("phi", "phi_fdt_blos/synthetic_L2_bin8.fits", after, after.magnetogram[..., 0], time + later),
    ):
        dates = {key: iso(moment) for key in ("DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END")}
        cards = cards_of(frame.geometry, 0.4 * AU) | dates | {"HGLN_OBS": 120.0}
        written(folder / f"{name}{time}.fits", instruments / pattern, image, cards)


@pytest.mark.slow
def test_levels_0_and_1_give_the_same_magnetogram(shared):
    translation = Translation(conditioned_run(("hale_latitude", "mu"), 64), Settings(samples=1))
    files = (
        "euvi171_L0/real_A_20090615_128px.fts",
        "euvi171_L1/computed_dn_128px.fts",
        "euvi171_L1/computed_photons_128px.fts",
    )
    zero, *ones = (
        translation.translate([translation.load([observed(shared / "data" / "instruments" / name)], [])])[0, 0, ..., 0]
        for name in files
    )
    inside = on_disk(sdoml_geometry(64))
    for one in ones:
        assert np.corrcoef(zero[inside], one[inside])[0, 1] > 0.999


@pytest.mark.pages
@pytest.mark.optimized
@pytest.mark.parametrize(
    ("write", "channel", "year", "west", "names"),
    [
        (write_soho, "0193", 2001, 0.0, ("eit*.fits", "mdi*.fits")),
        (write_solar_orbiter, "0171", 2023, 120.0, ("fsi*.fits", "phi*.fits")),
    ],
    ids=["EIT and MDI", "FSI and PHI"],
)
def test_a_dataset_a_training_and_an_evaluation(tmp_path, shared, write, channel, year, west, names):
    instruments = shared / "data" / "instruments"
    times = [utc(year, month, day) for month in MONTHS for day in (5, 20)]
    for time in times:
        write(tmp_path / "files", instruments, time)
    changes = {
        "source": "fits",
        "channels": (channel,),
        "field": ("bz",),
        "size": SIZE,
        "guard_days": 0,
        "scale_to": "hmi",
        "dtype": "float32",
    }
    built = build("sdoml/far", tmp_path / "data", tmp_path / "files", changes)
    assert {name: info.num_examples for name, info in built.info.splits.items()} == {
        "train": 6,
        "validation": 2,
        "test": 2,
    }
    frame = Frames("sdoml/far", "test", ("euv", "magnetogram"), (channel,), str(tmp_path / "data"))[0]
    geometry, truth = geometry_of(frame), observe(3, int(frame["time"]), FILE_SIZE, (channel,), west=west)
    assert (geometry.b0, geometry.l0) == pytest.approx((truth.geometry.b0, truth.geometry.l0), abs=0.1)
    from_earth = (geometry.l0 - earth_view(int(frame["time"]))[1] + 180) % 360 - 180
    assert from_earth == pytest.approx(west, abs=0.1)
    field, expected = frame["magnetogram"][..., 0], block_mean(truth.magnetogram[..., 0], FILE_SIZE // SIZE)
    inside = on_disk(sdoml_geometry(SIZE), 0.95)
    # Brought from MDI's scale back to HMI's; PHI has none, and keeps its own.
    np.testing.assert_allclose(field[inside], expected[inside], atol=0.01 * np.abs(expected).max())

    tiny = [flag for flag in TINY if "sdoml/small" not in flag]
    flags = (
        "--config.data.euv=sdoml/far",
        "--config.data.magnetogram=sdoml/far",
        f"--config.data.channels=('{channel}',)",
    )
    result = call(
        "train",
        ROOT,
        *tiny,
        *flags,
        f"--config.data.data_dir={tmp_path / 'data'}",
        f"--workdir={tmp_path / 'run'}",
        "--config.steps=20",
        "--config.batch_size=4",
    )
    assert result.returncode == 0, result.stderr

    for time in (utc(year, 6, 1), utc(year, 6, 17)):
        write(tmp_path / "others", instruments, time, TRUTH_LATER)
    images, magnetograms = (
        f"--{flag}={tmp_path / 'others' / name}" for flag, name in zip(("images", "truth"), names, strict=True)
    )
    result = call(
        "evaluate", tmp_path, f"--workdir={tmp_path / 'run'}", images, magnetograms, "--samples=2", "--scale_to=hmi"
    )
    assert result.returncode == 0, result.stderr
    assert "0.50 hours and" in result.stderr
    metrics = json.loads((tmp_path / "run" / "evaluation" / "metrics.json").read_text())
    assert metrics["run"]["frames"] == metrics["run"]["pairs"]["count"] == 2
    assert metrics["run"]["pairs"]["most_hours"] == 0.5
    assert metrics["abs_correlation"]["disk"]["euv_proxy"] > 0.3, "the proxy is that of the run's training split"
    assert metrics["rmse"]["disk"]["hale"] is not None
    assert "2 pairs out of 2 images and 2 magnetograms" in (tmp_path / "run" / "evaluation" / "report.html").read_text()
    with (tmp_path / "run" / "evaluation" / "pairs.csv").open() as file:
        assert [float(row["hours"]) for row in csv.DictReader(file)] == [-0.5, -0.5]
