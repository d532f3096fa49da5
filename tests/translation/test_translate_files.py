"""A folder of all kinds of files, with networks that were trained: what is written, what is refused, what is kept."""

import csv
import time

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.errors import DataError, WorkdirError
from munit_jax.instruments.interface import Preparation
from munit_jax.trained_run import TrainedRun
from munit_jax.translation.settings import Settings
from munit_jax.translation.translate_files import TABLE, jobs_of, read_ahead, translate_files
from munit_jax.translation.translation import Translation
from tests.instruments.suns import aia_header, rate, untrained_run, write, write_aia, write_euvi
from tests.tfds_sdoml.sources.fits_files import write_hmi

GOOD = ("aia.fits", "AIA20110215_0012_0171.npz", "euvi.fits", "quicklook.fits", "turned.fits.gz")
BAD = {
    "aia304.fits": "instrument",
    "cut.fits": "unreadable",
    "dark.fits": "quality",
    "hmi.fits": "instrument",
    "lost.fits": "missing blocks",
    "overexposed.fits": "saturated",
    "partial.fits": "off-centre disk",
    "sky.fits": "off-disk level",
    "text.fits": "unreadable",
}


@pytest.fixture
def mixed(tmp_path):
    folder = tmp_path / "in"
    header = aia_header(64)
    image = 2 * rate(header, (64, 64))
    write_aia(folder / "aia.fits", 64)
    write_euvi(folder / "euvi.fits", 64)
    write_aia(folder / "quicklook.fits", 64, seed=1, QUALITY=1 << 30)
    write_aia(folder / "turned.fits.gz", 96, CROTA2=30.0)
    sdoml = 4 * rate(aia_header(512, 203.3), (512, 512))
    np.savez(folder / "AIA20110215_0012_0171.npz", x=sdoml.astype(np.float32))

    write_aia(folder / "aia304.fits", 64, WAVELNTH=304)
    whole = (folder / "aia.fits").read_bytes()
    (folder / "cut.fits").write_bytes(whole[: len(whole) // 2])
    write_aia(folder / "dark.fits", 64, QUALITY=1 << 16)
    write_hmi(folder / "hmi.fits", np.random.default_rng(0).normal(0, 20, (64, 64)).astype(np.float32))
    lost = image.copy()
    lost[24:40, 24:40] = 0
    write(folder / "lost.fits", lost, header)
    write(folder / "overexposed.fits", np.minimum(200 * image, 16383), header)
    write(folder / "partial.fits", image[:48], header)
    write(folder / "sky.fits", np.random.default_rng(0).uniform(1, 2, (64, 64)), header)
    (folder / "text.fits").write_text("a letter")
    return folder


@pytest.fixture
def translation(run):
    return Translation(run, Settings(samples=3), Preparation(run.geometry))


def table_of(folder):
    with (folder / TABLE).open(newline="") as file:
        return {row["input"].rpartition("/")[2]: row for row in csv.DictReader(file)}


def test_a_mixed_folder(translation, mixed, tmp_path):
    out = tmp_path / "out"
    rows = translate_files(translation, sorted(mixed.iterdir()), out)
    table = table_of(out)
    assert len(rows) == len(table) == len(GOOD) + len(BAD)
    assert {name: row["reason"] for name, row in table.items() if row["status"] == "refused"} == BAD
    assert all(row["detail"] for row in table.values() if row["status"] == "refused")
    assert {name for name, row in table.items() if row["status"] == "written"} == set(GOOD)
    assert {path.name for path in out.iterdir()} == {TABLE, *(table[name]["output"] for name in GOOD)}
    for name in GOOD:
        with fits.open(out / table[name]["output"]) as hdus:
            mean, realisations, header = hdus[0].data, hdus["REALISATIONS"].data, hdus[0].header
            assert np.isfinite(mean).any()
            assert realisations.shape == (3, *mean.shape)
            np.testing.assert_allclose(mean, realisations.mean(axis=0), rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(hdus["STD"].data, realisations.std(axis=0), rtol=1e-3, atol=1e-4)
        assert (header["MJRUN"], header["MJSTEP"], header["MJSAMPLE"]) == ("trained_on_171", 2, 3)
        assert header["MJFILE1"] == name
        assert header["MJPARAM"] == translation.run.parameters_sha256


def test_a_second_run_does_nothing(translation, mixed, tmp_path, monkeypatch):
    out, paths = tmp_path / "out", sorted(mixed.iterdir())
    translate_files(translation, paths, out, resume=True)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*_magnetogram.fits")}
    with monkeypatch.context() as patch:
        patch.setattr(translation, "translate", None)  # nothing may be computed
        rows = translate_files(translation, paths, out, resume=True)
    assert {path.name: path.stat().st_mtime_ns for path in out.glob("*_magnetogram.fits")} == before
    assert sum(row.status == "kept" for row in rows) == len(GOOD)
    assert {row.input.rpartition("/")[2]: row.reason for row in rows if row.status == "refused"} == BAD


@pytest.mark.parametrize("change", ["input", "seed", "style", "damage"])
def test_what_changed_is_made_again(translation, tmp_path, change):
    paths = [write_aia(tmp_path / "in" / f"{k}.fits", 64, seed=k) for k in range(2)]
    out = tmp_path / "out"
    translate_files(translation, paths, out)
    settings = {"seed": Settings(samples=3, seed=1), "style": Settings(samples=3, style="mean")}.get(change)
    if settings:
        translation = Translation(translation.run, settings, translation.how)
    elif change == "input":
        paths[0].unlink()
        write_aia(paths[0], 64, seed=9)
    else:
        (out / "0_magnetogram.fits").write_bytes(b"")
    statuses = [row.status for row in translate_files(translation, paths, out, resume=True)]
    assert statuses == (["written", "written"] if settings else ["written", "kept"])


def test_batches_give_what_single_images_give(translation, tmp_path, monkeypatch):
    """Three files in batches of two: the last batch is filled up."""
    paths = [write_aia(tmp_path / "in" / f"{k}.fits", 64, seed=k) for k in range(3)]
    translate_files(translation, paths, tmp_path / "one")
    monkeypatch.setattr(translation, "batch", 2)
    translate_files(translation, paths, tmp_path / "two")
    for path in paths:
        one, two = (
            fits.getdata(tmp_path / n / f"{path.stem}_magnetogram.fits", "REALISATIONS") for n in ("one", "two")
        )
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


def test_back_to_euv(run, tmp_path):
    image = np.random.default_rng(0).normal(0, 20, (64, 64)).astype(np.float32)
    write_hmi(tmp_path / "hmi.fits", image)
    translation = Translation(run, Settings("magnetogram_to_euv", samples=2), Preparation(run.geometry))
    (row,) = translate_files(translation, [tmp_path / "hmi.fits"], tmp_path / "out")
    assert row.output == "hmi_aia0171.fits"
    with fits.open(tmp_path / "out" / row.output) as hdus:
        assert hdus[0].header["BUNIT"] == "DN/s"
        assert (hdus[0].data[np.isfinite(hdus[0].data)] >= 0).all()


@pytest.fixture
def both(monkeypatch):
    """A run of two channels whose translation to EUV is the field and its square."""

    def translate(run, images, styles, contexts, source, a_pass):
        if source == "euv":
            return images[:, None].sum(axis=-1, keepdims=True)
        return np.concatenate([images, images**2], axis=-1)[:, None]

    monkeypatch.setattr(TrainedRun, "translate", translate)
    return untrained_run(64, ("0193", "0171"))


def test_two_channels_of_one_time_make_one_magnetogram(both, tmp_path):
    translation = Translation(both, Settings(samples=1), Preparation(both.geometry))
    one = write_aia(tmp_path / "171.fits", seed=1)
    two = write_aia(tmp_path / "193.fits", seed=2, WAVELNTH=193)
    bad = write_aia(tmp_path / "later193.fits", WAVELNTH=193, T_OBS="2011-02-15T00:12:00Z")
    good = write_aia(tmp_path / "later171.fits", QUALITY=1, T_OBS="2011-02-15T00:12:00Z")
    lone = write_aia(tmp_path / "lone.fits", T_OBS="2011-02-15T12:00:00Z")
    rows = translate_files(translation, [one, good, two, bad, lone], tmp_path / "out")
    assert [(row.input.rpartition("/")[2], row.status, row.reason) for row in rows] == [
        ("193.fits", "written", ""),
        ("171.fits", "written", ""),
        ("later193.fits", "refused", "quality"),
        ("later171.fits", "refused", "quality"),
        ("lone.fits", "refused", "no companion"),
    ]
    assert rows[2].detail == "later171.fits: QUALITY = 0x00000001"
    assert set(table_of(tmp_path / "out")) == {path.name for path in (one, good, two, bad, lone)}
    with fits.open(tmp_path / "out" / "193_magnetogram.fits") as hdus:
        header = hdus[0].header
        assert np.nanmedian(hdus[0].data) == pytest.approx(300, rel=0.02)
    assert (header["MJFILE1"], header["MJFILE2"], header["MJEXPT2"]) == ("193.fits", "171.fits", 2.0)


def test_a_file_for_each_channel(both, tmp_path):
    translation = Translation(both, Settings("magnetogram_to_euv", samples=1), Preparation(both.geometry))
    write_hmi(tmp_path / "hmi.fits", np.random.default_rng(0).normal(0, 20, (64, 64)).astype(np.float32))
    (row,) = translate_files(translation, [tmp_path / "hmi.fits"], tmp_path / "out")
    assert row.output == "hmi_aia0193.fits hmi_aia0171.fits"
    field, square = (fits.getdata(tmp_path / "out" / name) for name in row.output.split())
    np.testing.assert_allclose(square, field**2, rtol=1e-3, atol=1e-2)


def test_the_style_of_a_real_magnetogram(run, tmp_path):
    field = np.random.default_rng(0).normal(0, 20, (64, 64)).astype(np.float32)
    write_hmi(tmp_path / "hmi.fits", field)
    write_hmi(tmp_path / "strong.fits", 20 * field)
    path = write_aia(tmp_path / "aia.fits", 64)
    codes = []
    for name in ("hmi", "strong"):
        settings = Settings(style=f"image:{tmp_path / name}.fits")
        translation = Translation(run, settings, Preparation(run.geometry))
        translate_files(translation, [path], tmp_path / name)
        with fits.open(tmp_path / name / "aia_magnetogram.fits") as hdus:
            assert hdus["REALISATIONS"].data.shape[0] == 1
            assert hdus[0].header["MJSTYLE"] == f"image:{name}.fits"
        codes.append(np.asarray(translation.styles))
    assert codes[0].shape == (1, 3)
    assert not np.allclose(*codes)
    with pytest.raises(DataError, match=r"style image: .*aia\.fits: instrument: it is of 0171, not of bz"):
        Translation(run, Settings(style=f"image:{path}"), Preparation(run.geometry))


def test_two_inputs_of_one_name_are_a_mistake(translation, tmp_path):
    paths = [write_aia(tmp_path / "x" / name, 64) for name in ("a.fits", "a.fts")]
    with pytest.raises(DataError, match=r"x/a\.fits and .*x/a\.fts would both be written to a_magnetogram\.fits"):
        translate_files(translation, paths, tmp_path / "out")


def test_a_folder_that_cannot_be_made(translation, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(WorkdirError, match=r"cannot write to .*out: File exists; choose another --output"):
        translate_files(translation, [write_aia(tmp_path / "a.fits", 64)], tmp_path / "out")


def test_networks_that_make_nan_are_an_error(identity, tmp_path, monkeypatch):
    run = untrained_run(64)
    translation = Translation(run, Settings(samples=1), Preparation(run.geometry))
    monkeypatch.setattr(TrainedRun, "translate", lambda *_: np.full((1, 1, 64, 64, 1), np.nan))
    with pytest.raises(DataError, match="step 7 of untrained makes values that are not finite"):
        translate_files(translation, [write_aia(tmp_path / "a.fits", 64)], tmp_path / "out")


def test_names_of_outputs(run, tmp_path):
    translation = Translation(run, Settings(samples=1), Preparation(run.geometry))
    for name in ("a.b.fits", "a.b.fits.gz", "a.b.fts", "a.b.FITS", "a.b.npz", "a.b.fits.fz", "a.b.fit.bz2"):
        (job,) = jobs_of([(tmp_path / name,)], tmp_path, translation.products)
        assert job.outputs == (tmp_path / "a.b_magnetogram.fits",)


def test_files_of_one_name_keep_their_folders(run, tmp_path):
    translation = Translation(run, Settings(samples=1), Preparation(run.geometry))
    groups = [(tmp_path / folder / name,) for folder, name in (("x/1", "a.fits"), ("x/2", "a.fits"), ("x/2", "b.fits"))]
    jobs = jobs_of(groups, tmp_path / "out", translation.products)
    assert [str(job.outputs[0].relative_to(tmp_path / "out")) for job in jobs] == [
        "1/a_magnetogram.fits",
        "2/a_magnetogram.fits",
        "b_magnetogram.fits",
    ]


def test_reading_is_one_ahead_and_no_more():
    made = []

    def items():
        for k in range(5):
            made.append(k)
            yield k

    for used in read_ahead(items()):
        time.sleep(0.02)
        assert len(made) <= used + 2
    assert made == list(range(5))


def test_an_error_in_reading_is_raised():
    def items():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(read_ahead(items()))
