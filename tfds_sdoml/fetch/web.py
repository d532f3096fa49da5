"""Files over HTTP, whole or not at all."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from tfds_sdoml.fetch.patience import MissingError, PassingError, Patience, RefusedError

TIMEOUT = (20.0, 120.0)  # seconds to connect, and without a byte
BUSY = (408, 425, 429, 500, 502, 503, 504)
GONE = (404, 410)
LONGEST_WAIT = 600.0  # seconds, of what a server asks for
SHOWN = 80  # characters of a page that came instead of a file

FITS, GZIP, NPZ = b"SIMPLE", b"\x1f\x8b", b"PK"


class Web:
    """A client that keeps its connections; safe from several threads.

    Args:
        patience: with busy servers and cut connections.
        parallel: connections kept open.
    """

    def __init__(self, patience: Patience, parallel: int):
        self.patience, self.session = patience, requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=parallel))

    def get(self, url: str, begins: tuple[bytes, ...] = (), check: Callable[[bytes], None] | None = None) -> bytes:
        """Return the bytes of a file as the server has them, not decompressed.

        Args:
            url: where.
            begins: what such a file may begin with; anything is right if empty.
            check: raises PassingError for bytes that are not the right ones.

        Raises:
            MissingError: the server has no such file.
            RefusedError: it refuses, sends something else, or has failed too often.
        """
        return self.patience.persist(lambda: self._get_once(url, begins, check))

    def text(self, url: str) -> str:
        """Return a page as text; raises as `get`."""
        return self.get(url).decode("utf-8", "replace")

    def _get_once(self, url: str, begins: tuple[bytes, ...], check: Callable[[bytes], None] | None) -> bytes:
        try:
            # Some servers call a .gz file a compressed encoding of another: taken as it is, its size is the listed one.
            with self.session.get(url, timeout=TIMEOUT, stream=True, headers={"Accept-Encoding": "identity"}) as answer:
                content = answer.raw.read(decode_content=False)
        except requests.exceptions.InvalidURL as error:
            raise RefusedError(f"{url}: {error}") from error
        except (requests.RequestException, HTTPError, OSError) as error:
            raise PassingError(f"{url}: the connection failed: {type(error).__name__}") from error
        if answer.status_code in BUSY:
            raise PassingError(f"{url}: the server answered {answer.status_code}", asked_wait(answer))
        if answer.status_code in GONE:
            raise MissingError(f"{url}: not there ({answer.status_code})")
        if not answer.ok:
            raise RefusedError(f"{url}: the server answered {answer.status_code}: {beginning(content)}")
        if begins and not content.startswith(begins):
            raise RefusedError(f"{url}: no such file, but {beginning(content) or 'nothing'} came")
        if check is not None:
            check(content)
        return content


def files_of(page: str) -> list[str]:
    """Return the names of the files that a server's index page of a folder links to."""
    return sorted(set(re.findall(r'href="([^"?/]+)"', page, re.IGNORECASE)))


def asked_wait(answer: Any) -> float:
    """Return the seconds that an answer asks to wait for; 0 if it does not say."""
    with suppress(ValueError):
        return min(LONGEST_WAIT, max(0.0, float(answer.headers.get("Retry-After", 0))))
    return 0.0


def beginning(content: bytes) -> str:
    """Return the first words of what came, without the tags of HTML."""
    text = re.sub(r"<[^>]*>|[^\x20-\x7e]", " ", content[:2000].decode("latin-1"))
    return " ".join(text.split())[:SHOWN]
