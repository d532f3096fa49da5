"""A folder is filled with whole files only, in any order, stopped anywhere."""

import json
import os

import pytest
from filelock import FileLock

from tfds_sdoml.fetch import downloads
from tfds_sdoml.fetch.downloads import Piece, Route, duration, estimate, evenly, fetch
from tfds_sdoml.fetch.journal import NAME, Journal
from tfds_sdoml.fetch.patience import MissingError, RefusedError


class Source:
    """Pieces 0, 1, ... of 1000 bytes; `wrong` raise an error."""

    def __init__(self, count, wrong=None, announced=True, version=""):
        self.wrong, self.read_so_far, self.version = wrong or {}, [], version
        size = 1000 if announced else None
        pieces = [Piece(f"s/{k}", (f"{k % 3}/{k}.npz",), size, version) for k in range(count)]
        self.route = Route(count, pieces, self.read)

    def read(self, piece):
        self.read_so_far.append(piece.source)
        if piece.source in self.wrong:
            raise self.wrong[piece.source]
        return (piece.source + self.version).encode().ljust(1000, b".")


def everything(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_folder_is_filled(tmp_path):
    source = Source(20)
    outcome, lines = fetch(source.route, tmp_path, parallel=4)
    assert (outcome.failed, outcome.missing) == ({}, {})
    assert sorted(source.read_so_far) == sorted(f"s/{k}" for k in range(20))
    assert (tmp_path / "1/7.npz").read_bytes() == b"s/7".ljust(1000, b".")
    rows = [json.loads(line) for line in (tmp_path / NAME).read_text().splitlines()]
    assert [row["file"] for row in rows] == sorted(f"{k % 3}/{k}.npz" for k in range(20))
    assert "20 files, 0.0 MB" in lines[0]
    assert not list(tmp_path.rglob("*.partial"))


def test_nothing_is_read_twice(tmp_path):
    fetch(Source(20).route, tmp_path)
    before, again = everything(tmp_path), Source(20)
    _, lines = fetch(again.route, tmp_path)
    assert again.read_so_far == []
    assert everything(tmp_path) == before
    assert lines[0].startswith("fetched 0.0 MB")


@pytest.mark.parametrize("harm", ["removed", "cut", "changed", "no line", "half a line"])
def test_what_is_not_whole_is_fetched_again(tmp_path, harm):
    fetch(Source(5).route, tmp_path)
    before, file, journal = everything(tmp_path), tmp_path / "0/3.npz", tmp_path / NAME
    lines = journal.read_text().splitlines(keepends=True)
    if harm == "removed":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:10])
    elif harm == "changed":
        file.write_bytes(b"x" * 1000)
    else:
        k = next(k for k, line in enumerate(lines) if "0/3.npz" in line)
        last = lines.pop(k)
        journal.write_text("".join(lines) + (last[:20] if harm == "half a line" else ""))
    again = Source(5)
    fetch(again.route, tmp_path)
    assert again.read_so_far == ["s/3"]
    assert everything(tmp_path) == before


def test_a_line_after_half_a_line_is_not_lost(tmp_path):
    fetch(Source(2).route, tmp_path)
    with (tmp_path / NAME).open("a") as file:
        file.write('{"file": "0/')  # a kill cut it
    journal = Journal(tmp_path)
    journal.keep("new.npz", b"x", "s/new", "")
    assert set(Journal(tmp_path).files) == {"0/0.npz", "1/1.npz", "new.npz"}


def test_a_source_that_changed_is_fetched_again(tmp_path):
    fetch(Source(4, version="a").route, tmp_path)
    again = Source(4, version="b")
    fetch(again.route, tmp_path)
    assert len(again.read_so_far) == 4
    assert (tmp_path / "1/1.npz").read_bytes().startswith(b"s/1b")


def test_what_cannot_be_had_is_named(tmp_path):
    wrong = {"s/3": RefusedError("s/3: answered 403"), "s/5": MissingError("s/5: not there")}
    outcome, lines = fetch(Source(20, wrong).route, tmp_path)
    assert (set(outcome.failed), set(outcome.missing)) == ({"s/3"}, {"s/5"})
    rows = (tmp_path / "failed.csv").read_text().splitlines()
    assert rows == ["source,reason", "s/3,s/3: answered 403", "s/5,s/5: not there"]
    assert lines[1] == "not on the server: 1, see failed.csv"
    assert lines[2].startswith("not had: 1, see failed.csv; the same command retries them")
    again = Source(20)
    fetch(again.route, tmp_path)
    assert sorted(again.read_so_far) == ["s/3", "s/5"]
    assert not (tmp_path / "failed.csv").exists()


def test_a_server_that_refuses_all_is_not_asked_for_all(tmp_path):
    source = Source(100, {f"s/{k}": RefusedError("answered 403") for k in range(100)})
    with pytest.raises(RefusedError, match="none of the first 4 could be had: answered 403"):
        fetch(source.route, tmp_path, parallel=4)
    assert len(source.read_so_far) == 4
    fetch(Source(50).route, tmp_path)  # nor where some are there
    with pytest.raises(RefusedError, match="none of the first 4"):
        fetch(source.route, tmp_path, parallel=4)


def test_gaps_that_are_left_are_no_error(tmp_path):
    for _ in range(2):
        outcome, _ = fetch(Source(9, {"s/3": MissingError("s/3: not there")}).route, tmp_path)
        assert set(outcome.missing) == {"s/3"}


def test_a_dry_run_writes_nothing_and_tells_the_bytes(tmp_path):
    for announced in (True, False):
        source = Source(40, announced=announced)
        _, lines = fetch(source.route, tmp_path / "none", parallel=4, dry_run=True)
        assert len(source.read_so_far) == 4
        assert lines[0] == "40 frames in 40 pieces, 0 of which are there already"
        assert lines[1].startswith("to be read: 40 pieces, 0.0 MB, ")
        assert lines[1].endswith("MB/s (measured on 4 of them)")
    assert not (tmp_path / "none").exists()
    fetch(Source(10).route, tmp_path / "some")
    _, lines = fetch(Source(40).route, tmp_path / "some", dry_run=True)
    assert lines[0].endswith("10 of which are there already")
    assert lines[1].startswith("to be read: 30 pieces")


def test_an_estimate():
    pieces = [Piece("a", ("a",), 300), Piece("b", ("b",), None), Piece("c", ("c",), 100)]
    measured = estimate(pieces, {"a": 320, "c": 80}, 2.0)
    assert measured.size == 320 + 200 + 80  # b is taken to have the mean of the others
    kinds = [Piece("a", ("x/a",)), Piece("b", ("x/b",)), Piece("c", ("y/c",))]
    assert estimate(kinds, {"a": 10, "c": 1000}, 1.0).size == 10 + 10 + 1000  # and there of those of its folder
    assert measured.seconds == 600 / (400 / 2)
    assumed = estimate([Piece("a", ("a",), 50_000_000)], {}, 0.0)
    assert assumed.text == "to be read: 1 pieces, 50.0 MB, 10.0 s at 5.0 MB/s (an assumption)"
    assert [duration(s) for s in (3.0, 90.0, 7200.0, 200_000.0)] == ["3.0 s", "1.5 min", "2.0 h", "2.3 days"]
    assert evenly("abcdefgh", 4) == ["a", "c", "e", "g"]
    assert evenly("ab", 4) == ["a", "b"]


def test_a_full_disk(tmp_path):
    """The file that is being written is one that has no room; what was written before stays."""
    (tmp_path / "0").mkdir()
    (tmp_path / "0/9.npz.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"no space left for .*0/9\.npz: make room, and give the same command again"):
        fetch(Source(20).route, tmp_path, parallel=1)
    assert not os.path.lexists(tmp_path / "0/9.npz.partial")
    assert not (tmp_path / "0/9.npz").exists()
    kept = set(Journal(tmp_path).files)
    again = Source(20)
    fetch(again.route, tmp_path)
    assert len(again.read_so_far) == 20 - len(kept)
    fetch(Source(20).route, tmp_path / "other")
    whole = everything(tmp_path / "other")
    assert {name: content for name, content in everything(tmp_path).items() if not name.startswith("other")} == whole


def test_two_fetches_of_one_folder(tmp_path):
    with FileLock(tmp_path / ".fetch.lock"), pytest.raises(ValueError, match="another fetch is at work"):
        fetch(Source(1).route, tmp_path)
    assert downloads.FAILED == "failed.csv"
