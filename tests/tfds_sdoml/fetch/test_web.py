"""Files over HTTP: whole, or a reason."""

import time

import pytest

from tests.tfds_sdoml.fetch.loopback import loopback
from tfds_sdoml.fetch.patience import MissingError, PassingError, Patience, RefusedError
from tfds_sdoml.fetch.web import FITS, LONGEST_WAIT, Web, asked_wait, beginning

CONTENT = b"SIMPLE  =                    T" + bytes(range(256)) * 40


@pytest.fixture
def server():
    with loopback() as server:
        server.files["/a.fits"] = CONTENT
        yield server


@pytest.fixture
def web():
    with Web(Patience(tries=4, first_wait=0.001), 2).session as session:
        web = Web(Patience(tries=4, first_wait=0.001), 2)
        web.session = session
        yield web


@pytest.mark.parametrize("faults", [[503], [429, 500, 504], ["cut"], ["cut", 503, "cut"]])
def test_what_passes_is_tried_again(server, web, faults):
    server.faults["/a.fits"] = list(faults)
    assert web.get(f"{server.url}/a.fits", (FITS,)) == CONTENT
    assert server.asked["/a.fits"] == len(faults) + 1


def test_patience_ends(server, web):
    server.faults["/a.fits"] = [503] * 4
    with pytest.raises(RefusedError, match=r"a\.fits: the server answered 503 \(4 tries\)"):
        web.get(f"{server.url}/a.fits")
    server.faults["/a.fits"] = ["cut"] * 4
    with pytest.raises(RefusedError, match="the connection failed"):
        web.get(f"{server.url}/a.fits")


def test_what_does_not_pass_is_asked_for_once(server, web):
    for fault, message in ((403, "answered 403: Access denied Please log in"), ("page", "but Access denied .* came")):
        server.asked.clear()
        server.faults["/a.fits"] = [fault]
        with pytest.raises(RefusedError, match=message):
            web.get(f"{server.url}/a.fits", (FITS,))
        assert server.asked["/a.fits"] == 1
    with pytest.raises(MissingError, match=r"b\.fits: not there \(404\)"):
        web.get(f"{server.url}/b.fits")


def test_no_server(web):
    with pytest.raises(RefusedError, match="the connection failed: ConnectionError"):
        web.get("http://127.0.0.1:1/a.fits")


def test_a_check_of_the_content(server, web):
    def check(content):
        if len(content) != len(CONTENT):
            raise PassingError(f"{len(content)} bytes")

    server.faults["/a.fits"] = ["short"]
    assert web.get(f"{server.url}/a.fits", (), check) == CONTENT
    server.faults["/a.fits"] = ["short"] * 4
    with pytest.raises(RefusedError, match=f"{len(CONTENT) // 2} bytes"):
        web.get(f"{server.url}/a.fits", (), check)


def test_a_server_says_how_long_to_wait(server, web, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", lambda seconds: waits.append(seconds) if seconds else None)
    server.faults["/a.fits"], server.headers = [429], {"Retry-After": "7"}
    web.get(f"{server.url}/a.fits")
    assert waits == [7.0]

    class Late:
        headers = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}  # noqa: RUF012

    assert asked_wait(Late) == 0.0
    Late.headers = {"Retry-After": "1e9"}
    assert asked_wait(Late) == LONGEST_WAIT


def test_waits_double(monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)

    def fail():
        raise PassingError("no", wait=1.5)

    with pytest.raises(RefusedError):
        Patience(tries=5, first_wait=0.5).persist(fail)
    assert waits == [1.5, 1.5, 2.0, 4.0]


def test_the_words_of_a_page():
    assert beginning(b"<html><b>No</b>\n\n entry\x00</html>") == "No entry"
    assert len(beginning(b"x" * 500)) == 80
