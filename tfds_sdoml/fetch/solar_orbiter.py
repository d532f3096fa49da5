"""Full-disk images and magnetograms of Solar Orbiter from ESA's archive (SOAR): EUI's FSI and PHI's FDT."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import numpy as np

from tfds_sdoml.fetch.downloads import Piece, Route
from tfds_sdoml.fetch.patience import PassingError, RefusedError
from tfds_sdoml.fetch.web import FITS, GZIP, Web
from tfds_sdoml.plan import every

ARCHIVE = "http://soar.esac.esa.int/soar-sl-tap"
PRODUCTS = {"fsi174": "eui-fsi174-image", "fsi304": "eui-fsi304-image", "phi_fdt": "phi-fdt-blos"}


def solar_orbiter(
    products: tuple[str, ...], start: datetime, end: datetime, cadence: int, web: Web, address: str | None = None
) -> Route:
    """Return the route to level 2 files that begin in a span of time, by the archive's table access (TAP, ADQL).

    Args:
        products: of `PRODUCTS`.
        start: UTC, the first time that is in the span.
        end: UTC, the first that is not.
        cadence: the first file of each product in each such interval of seconds; 0 for all.
        web: the client.
        address: of the archive; None for ESA's.

    Raises:
        ValueError: an unknown product, or no file.
        RefusedError: as `Web.get`, or no table came.
    """
    if wrong := [name for name in products if name not in PRODUCTS]:
        raise ValueError(f"unknown product {', '.join(wrong)}: known are {', '.join(PRODUCTS)}")
    archive = (address or ARCHIVE).rstrip("/")
    pieces, sizes = [], {}
    for product in products:
        rows = table(
            archive,
            f"SELECT * FROM v_sc_data_item WHERE descriptor='{PRODUCTS[product]}' AND level='L2' AND "
            f"begin_time>='{start:%Y-%m-%dT%H:%M:%S}' AND begin_time<'{end:%Y-%m-%dT%H:%M:%S}'",
            web,
        )
        rows.sort(key=lambda row: (row["begin_time"], row["filename"]))
        for row in rows if cadence == 0 else [rows[k] for k in every(times_of(rows), cadence)]:
            url = f"{archive}/data?retrieval_type=LAST_PRODUCT&product_type=SCIENCE&data_item_id={row['data_item_id']}"
            sizes[url] = int(row["filesize"])
            pieces.append(Piece(url, (f"{product}/{row['filename']}",), sizes[url]))
    if not pieces:
        raise ValueError(
            f"the archive has no {', '.join(products)} from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
        )

    def read(piece: Piece) -> bytes:
        def check(content: bytes) -> None:
            if len(content) != sizes[piece.source]:
                raise PassingError(f"{piece.source}: {len(content)} bytes came, {sizes[piece.source]} are listed")

        return web.get(piece.source, (FITS, GZIP), check)

    return Route(len(pieces), pieces, read)


def table(archive: str, query: str, web: Web) -> list[dict[str, Any]]:
    """Return the rows of a query; RefusedError for an answer that is no table."""
    answer = web.get(f"{archive}/tap/sync?REQUEST=doQuery&LANG=ADQL&FORMAT=json&QUERY={quote(query)}")
    try:
        content = json.loads(answer)
        names = [column["name"] for column in content["metadata"]]
        return [dict(zip(names, row, strict=True)) for row in content["data"]]
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"{archive}: no table came: {answer[:80]!r}") from error


def times_of(rows: list[dict[str, Any]]) -> np.ndarray:
    """Return when the files of a table begin, in seconds since 1970."""
    times = [datetime.fromisoformat(row["begin_time"].strip()).replace(tzinfo=UTC).timestamp() for row in rows]
    return np.array(times, np.int64)
