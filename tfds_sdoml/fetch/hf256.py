"""The 256-pixel set `sci-sdo-virtual-magnetogram` from the Hugging Face Hub, at one revision."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tfds_sdoml.fetch.downloads import Piece, Route
from tfds_sdoml.fetch.patience import PassingError, Patience, RefusedError
from tfds_sdoml.fetch.web import BUSY, NPZ, Web
from tfds_sdoml.plan import every
from tfds_sdoml.sources.hf256 import NAME, time_in

REPOSITORY = "Emulated-Inc/sci-sdo-virtual-magnetogram"
PINNED = "revision.txt"  # in the folder: the commit from which all its files are


def hf256(
    repository: str,
    revision: str | None,
    years: tuple[int, ...],
    cadence: int,
    folder: Path,
    web: Web,
    endpoint: str | None = None,
) -> Route:
    """Return the route to the set's files.

    Args:
        repository: OWNER/NAME of the set.
        revision: commit or branch; None for the one that the folder was begun with, or today's.
        years: all if empty.
        cadence: one frame in each such interval of seconds; 0 for all.
        folder: where the files go.
        web: the client of the files.
        endpoint: address of the Hub; None for HF_ENDPOINT or the public one.

    Raises:
        ValueError: no package huggingface_hub, or no frame of those years.
        RefusedError: the Hub has no such set or revision, or cannot be reached.
    """
    try:
        from huggingface_hub import HfApi, hf_hub_url
    except ImportError:
        raise ValueError('hf256 needs huggingface_hub: pip install "munit-jax[download]"') from None
    api, pinned = HfApi(endpoint), folder / PINNED
    if revision is None:
        revision = pinned.read_text().strip() if pinned.exists() else "main"
    commit = asked(web.patience, lambda: api.dataset_info(repository, revision=revision).sha)
    files = asked(
        web.patience,
        lambda: [
            file
            for file in api.list_repo_tree(repository, recursive=True, revision=commit, repo_type="dataset")
            if NAME.fullmatch(PurePosixPath(file.path).stem)
        ],
    )
    chosen = thinned(sorted(files, key=lambda file: time_in(file.path)), years, cadence)
    if not chosen:
        raise ValueError(f"{repository} has {len(files):,} frames at revision {commit}, none of them in {years}")
    checks = {}
    pieces = []
    for file in chosen:
        url = hf_hub_url(repository, file.path, repo_type="dataset", revision=commit, endpoint=endpoint)
        version = file.lfs.sha256 if file.lfs else file.blob_id
        pieces.append(Piece(url, (file.path,), file.size, version))
        checks[url] = same_content(url, file.size, version)
    return Route(len(pieces), pieces, lambda piece: web.get(piece.source, (NPZ,), checks[piece.source]))


def pin(folder: Path, route: Route) -> None:
    """Write the commit of a route into its folder, so that the same command continues with it.

    Raises:
        ValueError: the folder was begun with another one.
    """
    commit = route.pieces[0].source.split("/resolve/")[1].split("/")[0]
    path = folder / PINNED
    if path.exists() and (kept := path.read_text().strip()) != commit:
        raise ValueError(f"{folder} has files of revision {kept}, not {commit}: give another --output, or --revision")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{commit}\n")


def asked[T](patience: Patience, question: Callable[[], T]) -> T:
    """Return what the Hub answers, retried while it is busy; RefusedError for a missing set or revision."""
    from huggingface_hub.errors import HfHubHTTPError

    def once() -> T:
        try:
            return question()
        except Exception as error:  # of the Hub, or of the HTTP client below, which changes with its version
            message = f"the Hub: {(str(error) or type(error).__name__).splitlines()[0]}"
            if isinstance(error, HfHubHTTPError) and error.response.status_code not in BUSY:
                raise RefusedError(message) from error
            raise PassingError(message) from error

    return patience.persist(once)


def thinned(files: list[Any], years: tuple[int, ...], cadence: int) -> list[Any]:
    """Return the files of some years (all if empty), the first in each interval of `cadence` seconds (all if 0)."""
    times = np.array([time_in(file.path) for file in files], np.int64)
    inside = [k for k in range(len(files)) if not years or datetime.fromtimestamp(times[k], UTC).year in years]
    return [files[inside[k]] for k in every(times[inside], cadence)] if inside else []


def same_content(url: str, size: int, version: str) -> Callable[[bytes], None]:
    """Return a check that bytes are those that the Hub lists: their size, and their SHA-256 or git's SHA-1."""

    def check(content: bytes) -> None:
        if len(content) != size:
            raise PassingError(f"{url}: {len(content)} bytes came, {size} are listed")
        if len(version) == 64:
            found = hashlib.sha256(content).hexdigest()
        else:
            found = hashlib.sha1(f"blob {size}\0".encode() + content).hexdigest()
        if found != version:
            raise PassingError(f"{url}: its checksum is not the listed one: it was damaged, or has changed")

    return check
