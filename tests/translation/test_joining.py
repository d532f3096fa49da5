"""Which files of several channels belong together."""

import pytest

from munit_jax.translation.joining import join
from tests.instruments.suns import write_aia, write_euvi


@pytest.fixture
def folder(tmp_path):
    def aia(name, channel, clock):
        write_aia(tmp_path / name, 16, WAVELNTH=channel, T_OBS=f"2011-02-15T{clock}Z")

    def euvi(name, channel, clock):
        write_euvi(tmp_path / name, 16, WAVELNTH=channel, **{"DATE-OBS": f"2011-02-15T{clock}"})

    aia("1.fits", 171, "00:00:00")
    aia("2.fits", 193, "00:00:07")
    aia("3.fits", 193, "00:12:07")
    aia("4.fits", 171, "00:12:00")
    euvi("5.fits", 171, "00:00:01")
    euvi("6.fits", 195, "00:05:30")
    aia("7.fits", 171, "03:00:00")
    aia("8.fits", 304, "00:00:00")
    (tmp_path / "9.fits").write_bytes(b"broken")
    return tmp_path


def test_one_channel_is_not_looked_at(tmp_path):
    paths = [tmp_path / "b.fits", tmp_path / "a.fits"]
    assert join(paths, ("0171",)) == ([(paths[0],), (paths[1],)], [])


def test_images_of_one_time_and_observer_are_joined_and_the_others_named(folder):
    groups, refused = join(sorted(folder.iterdir()), ("0193", "0171"))
    assert [[path.name for path in group] for group in groups] == [
        ["2.fits", "1.fits"],
        ["3.fits", "4.fits"],
        ["6.fits", "5.fits"],
    ]
    assert [(path.name, error.reason) for path, error in refused] == [
        ("7.fits", "no companion"),
        ("8.fits", "instrument"),
        ("9.fits", "unreadable"),
    ]
    assert refused[0][1].detail == "no image of 0193 within 360 s that is not another's"
    assert refused[1][1].detail == "it is of 0304: the run translates 0193, 0171"
