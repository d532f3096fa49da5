"""JSOC on loopback, with the real client for its exports."""

from datetime import UTC, datetime

import pytest

from tests.tfds_sdoml.fetch.loopback import Jsoc, loopback
from tests.tfds_sdoml.fetch.test_downloads import everything
from tfds_sdoml.fetch.__main__ import main
from tfds_sdoml.fetch.jsoc import query_of, steps, years

pytest.importorskip("drms", reason="the extra `download` is not installed")

AIA = b"SIMPLE  = AIA".ljust(2880)
FIELD = b"SIMPLE  = HMI".ljust(1_500_000)
QUICK = ("--first_wait=0.001", "--tries=3", "--first_look=0", "--start=2011-12-30", "--end=2012-01-03", "--every=24h")
TIMES = [f"{day}_00:00:00_TAI" for day in ("2011.12.30", "2011.12.31", "2012.01.01", "2012.01.02")]


@pytest.fixture
def server():
    with loopback() as server:
        for year, month, day in ((2011, 12, 30), (2011, 12, 31), (2012, 1, 2)):  # there is a gap
            for channel in ("0171", "0193"):
                server.files[image(year, month, day, channel)] = AIA + channel.encode()
        yield server


def image(year, month, day, channel):
    date = f"{year}{month:02d}{day:02d}"
    return f"/data/aia/synoptic/{year}/{month:02d}/{day:02d}/H0000/AIA{date}_0000_{channel}.fits"


def fetch(server, folder, *flags):
    return main(["jsoc", f"--output={folder}", f"--server={server.url}", *QUICK, *flags])


def test_aia_has_gaps(server, tmp_path, capsys):
    assert fetch(server, tmp_path, "--channels=171,193") == 0
    assert "not on the server: 2, see failed.csv" in capsys.readouterr().out
    assert len(list(tmp_path.glob("aia_0171/*/*.fits"))) == 3
    assert (tmp_path / "aia_0193/2012/AIA20120102_0000_0193.fits").read_bytes() == AIA + b"0193"


def test_hmi_is_exported_a_year_at_a_time(server, tmp_path, capsys):
    service = Jsoc(server, {time: FIELD + time.encode() for time in TIMES})
    server.services.append(service)
    assert fetch(server, tmp_path / "a", "--field=bz", "--email=me@example.org") == 0
    assert [query for query, _ in service.exports.values()] == [
        "hmi.M_720s[2011.12.30_00:00:00_TAI-2011.12.31_00:00:00_TAI@86400s]{magnetogram}",
        "hmi.M_720s[2012.01.01_00:00:00_TAI-2012.01.02_00:00:00_TAI@86400s]{magnetogram}",
    ]
    files = sorted(path.name for path in tmp_path.glob("a/hmi/*.fits"))
    assert files[0] == "hmi.M_720s.20111230_000000_TAI.magnetogram.fits"
    assert len(files) == 4
    assert fetch(server, tmp_path / "a", "--field=bz", "--email=me@example.org") == 0
    assert len(service.exports) == 2  # the same exports are looked up again
    service.exports.clear()  # JSOC keeps them for some days
    before = everything(tmp_path / "a/hmi")
    server.sent.clear()
    assert fetch(server, tmp_path / "a", "--field=bz", "--email=me@example.org") == 0
    assert len(service.exports) == 2
    assert everything(tmp_path / "a/hmi") == before
    assert not server.sent  # new exports of records that are there already
    assert fetch(server, tmp_path / "a", "--field=bz", "--dry_run") == 0
    assert "4 of which are there already" in capsys.readouterr().out


def test_a_dry_run_exports_nothing_and_tells_the_bytes(server, tmp_path, capsys):
    service = Jsoc(server, dict.fromkeys(TIMES, FIELD))
    server.services.append(service)
    flags = ("--channels=193", "--field=bz", "--email=me@example.org")
    assert fetch(server, tmp_path / "a", *flags, "--dry_run") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("to be read"))
    assert service.exports == {}
    assert not (tmp_path / "a").exists()
    server.sent.clear()
    assert fetch(server, tmp_path / "a", *flags) == 0
    assert line.startswith("to be read: 8 pieces, ")
    assert sum(server.sent.values()) / 1e6 == pytest.approx(float(line.split()[5]), rel=0.02)
    assert len(list(tmp_path.glob("a/hmi/*.fits"))) == 4


def test_faults(server, tmp_path, capsys):
    service = Jsoc(server, dict.fromkeys(TIMES[:2], FIELD))
    server.services.append(service)
    server.faults["/cgi-bin/ajax/jsoc_fetch"] = [503, "page"]
    server.faults[image(2011, 12, 30, "0193")] = ["cut", 429]
    server.faults[image(2011, 12, 31, "0193")] = ["page"]
    flags = ("--channels=193", "--field=bz", "--email=me@example.org", "--end=2012-01-01")
    assert fetch(server, tmp_path, *flags) == 1
    assert "no such file, but Access denied" in (tmp_path / "failed.csv").read_text()
    assert fetch(server, tmp_path, *flags) == 0
    assert len(list(tmp_path.rglob("*.fits"))) == 4


def test_what_jsoc_does_not_take(server, tmp_path, capsys):
    server.services.append(Jsoc(server, {}))
    for flags, words in (
        ((), "give --channels, --field=bz"),
        (("--field=bx",), "give --channels, --field=bz"),
        (("--field=bz",), "register at JSOC, and give --email"),
        (("--field=bz", "--email=me"), "Email address is not registered"),
        (("--field=bz", "--every=5min"), "every 300 s"),
        (("--channels=94",), "none of the first 4 could be had"),
    ):
        assert fetch(server, tmp_path / "a", *flags) == 2
        assert words in capsys.readouterr().err


def test_ranges():
    first, end = datetime(2010, 12, 31, 12, tzinfo=UTC), datetime(2011, 1, 2, 12, tzinfo=UTC)
    times = list(steps(first, end, 43200))
    assert len(times) == 4
    assert [(a.day, b.day) for a, b in years(times)] == [(31, 31), (1, 2)]
    assert query_of(times[0], times[-1], 720).startswith(
        "hmi.M_720s[2010.12.31_12:00:00_TAI-2011.01.02_00:00:00_TAI@720s]"
    )
