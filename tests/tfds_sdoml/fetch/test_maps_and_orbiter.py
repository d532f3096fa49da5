"""Synoptic maps by date, and Solar Orbiter's archive, on loopback."""

import pytest

from tests.tfds_sdoml.fetch.loopback import archive_of_esa, index_page, loopback
from tfds_sdoml.fetch.__main__ import main

QUICK = ("--first_wait=0.001", "--tries=3")
MAP = b"\x1f\x8b a map"


@pytest.fixture
def server():
    with loopback() as server:
        yield server


def fetch(server, route, folder, *flags):
    return main([route, f"--output={folder}", f"--server={server.url}", *QUICK, *flags])


def test_gong_s_map_of_the_nearest_hour(server, tmp_path):
    for clock in ("t0004c2216_123", "t1204c2216_117", "t2304c2216_111"):
        server.files[f"/201903/mrzqs190310/mrzqs190310{clock}.fits.gz"] = MAP + clock.encode()
    index_page(server, "/201903/mrzqs190310/")
    assert fetch(server, "gong", tmp_path, "--date=2019-03-10T13:00") == 0
    assert [path.name for path in tmp_path.glob("*.gz")] == ["mrzqs190310t1204c2216_117.fits.gz"]


def test_adapt_s_maps_at_fixed_longitudes(server, tmp_path):
    for kind, clock in (("40311", "202001010000"), ("41311", "202001010200"), ("40311", "202001010400")):
        server.files[f"/2020/adapt{kind}_03k012_{clock}_i00005600n1.fts.gz"] = MAP
    index_page(server, "/2020/")
    assert fetch(server, "adapt", tmp_path, "--date=2020-01-01T01:59") == 0
    assert [path.name for path in tmp_path.glob("*.gz")] == ["adapt40311_03k012_202001010000_i00005600n1.fts.gz"]


def test_hmi_s_map_of_a_rotation(server, tmp_path, capsys):
    server.files["/hmi.Synoptic_Mr_small.2210.fits"] = b"SIMPLE  = a map"
    assert fetch(server, "hmi_synoptic", tmp_path, "--date=2018-11-06") == 0
    assert [path.name for path in tmp_path.glob("*.fits")] == ["hmi.Synoptic_Mr_small.2210.fits"]
    assert fetch(server, "hmi_synoptic", tmp_path / "b", "--date=2019-11-06") == 2
    assert "hmi.Synoptic_Mr_small.2223.fits: not there (404)" in capsys.readouterr().err


def test_no_map_there(server, tmp_path, capsys):
    assert fetch(server, "gong", tmp_path, "--date=2019-03-10") == 2
    assert "mrzqs190310/: not there (404)" in capsys.readouterr().err
    server.files["/201903/mrzqs190310/readme.txt"] = b""
    index_page(server, "/201903/mrzqs190310/")
    assert fetch(server, "gong", tmp_path, "--date=2019-03-10") == 2
    assert "no map there" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        fetch(server, "gong", tmp_path, "--date=tomorrow")


@pytest.fixture
def orbiter(server):
    files = {}
    for product in ("eui-fsi174-image", "phi-fdt-blos"):
        for stamp in ("20220401T000045123", "20220401T120045123", "20220402T000045123", "20220403T000045123"):
            name = f"solo_L2_{product}_{stamp}_V01.fits"
            files[name] = b"SIMPLE  = " + name.encode()
    server.services.append(archive_of_esa(files))
    return server


def test_products_of_a_span_of_time(orbiter, tmp_path, capsys):
    flags = ("--start=2022-04-01", "--end=2022-04-03", "--products=fsi174,phi_fdt")
    assert fetch(orbiter, "solar_orbiter", tmp_path, *flags) == 0
    assert sorted(path.name for path in tmp_path.glob("fsi174/*")) == [
        "solo_L2_eui-fsi174-image_20220401T000045123_V01.fits",
        "solo_L2_eui-fsi174-image_20220402T000045123_V01.fits",
    ]
    assert len(list(tmp_path.glob("phi_fdt/*"))) == 2
    assert fetch(orbiter, "solar_orbiter", tmp_path, *flags, "--every=6h") == 0
    assert len(list(tmp_path.glob("fsi174/*"))) == 3


def test_faults_of_the_archive(orbiter, tmp_path, capsys):
    flags = ("--start=2022-04-01", "--end=2022-04-02", "--products=fsi174", "--every=12h")
    orbiter.faults["/data"] = ["short", "cut", 503]
    assert fetch(orbiter, "solar_orbiter", tmp_path, *flags, "--parallel=1", "--tries=5") == 0
    orbiter.faults["/tap/sync"] = ["page"]
    assert fetch(orbiter, "solar_orbiter", tmp_path, *flags) == 2
    assert "no table came" in capsys.readouterr().err
    assert fetch(orbiter, "solar_orbiter", tmp_path, *flags, "--products=fsi304") == 2
    assert "the archive has no fsi304 from 2022-04-01" in capsys.readouterr().err
    assert fetch(orbiter, "solar_orbiter", tmp_path, *flags, "--products=hri") == 2
    assert "unknown product hri: known are fsi174, fsi304, phi_fdt" in capsys.readouterr().err
