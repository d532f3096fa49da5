"""AIA's synoptic images (1024 pixels, level 1.5) and HMI's 720 s magnetograms from JSOC, as FITS files."""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tfds_sdoml.fetch.downloads import Piece, Route
from tfds_sdoml.fetch.patience import PassingError, RefusedError
from tfds_sdoml.fetch.web import FITS, Web

logger = logging.getLogger(__name__)

SERVER = "http://jsoc.stanford.edu"
SERIES, SEGMENT, CADENCE = "hmi.M_720s", "magnetogram", 720
EXPORTS = "exports.json"  # in the folder: requests that JSOC has made files for, kept there for some days
PAUSE = 10.0  # seconds between two checks whether an export is ready
SIZE = "*size*"  # what JSOC calls the bytes of a record


def jsoc(
    span: tuple[datetime, datetime],
    cadence: int,
    channels: tuple[str, ...],
    field: tuple[str, ...],
    email: str | None,
    folder: Path,
    web: Web,
    dry_run: bool,
    address: str | None = None,
    pause: float = PAUSE,
) -> Route:
    """Return the route to AIA's images and HMI's magnetograms at a cadence.

    HMI's need an export, one a year of data with one range and one cadence, which JSOC makes while this waits; a dry
    run asks for the sizes alone. A magnetogram without a file is logged.

    Args:
        span: first time, and the first that is not wanted; UTC for AIA, taken as TAI for HMI.
        cadence: seconds.
        channels: of AIA.
        field: `bz`, the line-of-sight field, or nothing.
        email: registered at JSOC, for exports.
        folder: where exports are recorded, to resume with.
        web: the client of the files.
        dry_run: no export is asked for.
        address: of JSOC; None for the public one.
        pause: seconds.

    Raises:
        ValueError: no package drms, no email, a cadence or a component that JSOC does not have.
        RefusedError: JSOC refuses, or fails too often.
    """
    server = (address or SERVER).rstrip("/")
    if field not in ((), ("bz",)) or not (channels or field):
        raise ValueError("give --channels, --field=bz (JSOC's line-of-sight field) or both")
    if cadence % (CADENCE if field else 120):
        raise ValueError(f"every {cadence} s: AIA's synoptic images come every 2 min, HMI's {SERIES} every 12")
    times = list(steps(*span, cadence))
    pieces = [
        Piece(f"{server}/data/aia/synoptic/{time:%Y/%m/%d/H%H00}/{name}", (f"aia_{channel}/{time:%Y}/{name}",))
        for time in times
        for channel in channels
        for name in (f"AIA{time:%Y%m%d_%H%M}_{channel}.fits",)
    ]
    urls: dict[str, str] = {}  # of exported records: another export has them elsewhere

    def read(piece: Piece) -> bytes:
        return web.get(urls.get(piece.source, piece.source), (FITS,))

    if not field:
        return Route(len(times), pieces, read)
    if email is None and not dry_run:
        raise ValueError("HMI's magnetograms are exported to registered users: register at JSOC, and give --email")
    export = Export(server, email, folder, web, pause)
    queries = [query_of(first, last, cadence) for first, last in years(times)]
    for query in queries:
        if dry_run:
            pieces += export.sizes(query)
        else:
            files = export.files(query)
            pieces += [Piece(record, (f"hmi/{name}",)) for record, name, _ in files]
            urls |= {record: url for record, _, url in files}
    return Route(len(times), pieces, read)


def steps(first: datetime, end: datetime, cadence: int) -> Iterator[datetime]:
    """Yield times from the first to before the end."""
    while first < end:
        yield first
        first += timedelta(seconds=cadence)


def years(times: list[datetime]) -> list[tuple[datetime, datetime]]:
    """Return the first and the last of some times in each year."""
    by_year: dict[int, list[datetime]] = {}
    for time in times:
        by_year.setdefault(time.year, []).append(time)
    return [(group[0], group[-1]) for group in by_year.values()]


def query_of(first: datetime, last: datetime, cadence: int) -> str:
    """Return JSOC's name for the magnetograms from a time to another at a cadence."""
    clock = "%Y.%m.%d_%H:%M:%S_TAI"
    return f"{SERIES}[{first:{clock}}-{last:{clock}}@{cadence}s]{{{SEGMENT}}}"


def file_name(time: str) -> str:
    """Return the name that an export is asked to give the magnetogram of a T_REC."""
    return f"{SERIES}.{time.replace('.', '').replace(':', '')}.{SEGMENT}.fits"


class Export:
    """JSOC's exports through its client, drms; raises as `jsoc`."""

    def __init__(self, server: str, email: str | None, folder: Path, web: Web, pause: float):
        try:
            import drms
        except ImportError:
            raise ValueError('HMI from JSOC needs drms: pip install "munit-jax[download]"') from None
        config = drms.config.ServerConfig(
            name="JSOC",
            cgi_baseurl=f"{server}/cgi-bin/ajax/",
            cgi_jsoc_info="jsoc_info",
            cgi_jsoc_fetch="jsoc_fetch",
            http_download_baseurl=f"{server}/",
        )
        self.client: Any = drms.Client(config)  # pyright: ignore[reportArgumentType] (it takes both)
        self.email, self.web, self.pause = email, web, pause
        self.kept = folder / EXPORTS

    def sizes(self, query: str) -> list[Piece]:
        """Return the magnetograms with their sizes, which cannot be read yet."""
        records = self._ask(lambda: self.client.query(query, key=f"T_REC,{SIZE}", convert_numeric=False))
        times, sizes = (records[name].tolist() for name in ("T_REC", SIZE))
        return [
            Piece(f"{SERIES}[{time}]", (f"hmi/{file_name(time)}",), int(float(size)), readable=False)
            for time, size in zip(times, sizes, strict=True)
        ]

    def files(self, query: str) -> list[tuple[str, str, str]]:
        """Return the record, name and address of each magnetogram once JSOC has made their files."""
        kept = json.loads(self.kept.read_text()) if self.kept.exists() else {}
        request = self._ask(lambda: self._request(query, kept))
        if kept.get(query) != request.id:
            self._keep(kept | {query: request.id})
        logger.info("waiting for JSOC's export %s", request.id)
        self._ask(lambda: request.wait(sleep=self.pause))
        urls = self._ask(lambda: request.urls)
        if lost := len(request.data) - len(urls):
            logger.warning("%d magnetograms of JSOC's export %s have no file", lost, request.id)
        return list(zip(urls.record, urls.filename, urls.url, strict=True))

    def _request(self, query: str, kept: Mapping[str, str]) -> Any:
        if query in kept:
            request = self.client.export_from_id(kept[query])
            if not request.has_failed(skip_update=True):
                return request
            logger.info("JSOC no longer has export %s: it is requested again", kept[query])
        name = f"{SERIES}.{{T_REC:A}}.{{segment}}"
        request = self.client.export(query, method="url", protocol="fits", filenamefmt=name, email=self.email)
        if request.has_failed(skip_update=True):
            request.wait()  # raises what JSOC said
        return request

    def _keep(self, requests: Mapping[str, str]) -> None:
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        partial = self.kept.with_suffix(".partial")
        partial.write_text(json.dumps(requests, indent=2) + "\n")
        partial.replace(self.kept)

    def _ask(self, question: Any) -> Any:
        """Return JSOC's answer, asked again while it fails; RefusedError for what it refuses."""
        import drms

        def once() -> Any:
            try:
                return question()
            except (drms.DrmsExportError, drms.DrmsQueryError) as error:
                raise RefusedError(f"JSOC: {error}") from error
            except (OSError, ValueError) as error:  # of the connection, or a page instead of JSON
                raise PassingError(f"JSOC: {error}") from error

        return self.web.patience.persist(once)
