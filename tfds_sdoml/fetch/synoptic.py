"""Synoptic maps by date for `munit_jax.corona`: GONG's hourly ones, HMI's of a Carrington rotation, ADAPT's."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from munit_jax.sun.ephemeris import carrington_rotation
from tfds_sdoml.fetch.downloads import Piece, Route
from tfds_sdoml.fetch.patience import MissingError
from tfds_sdoml.fetch.web import FITS, GZIP, Web, files_of


class Archive(NamedTuple):
    """Where maps are: the address, the folder of a date, and the time in a file's name with its strptime form."""

    address: str
    folder: str
    file: re.Pattern[str]
    clock: str


GONG = Archive("https://gong2.nso.edu/oQR/zqs", "%Y%m/mrzqs%y%m%d", re.compile(r"mrzqs(\d{6}t\d{4})c.*"), "%y%m%dt%H%M")
# Of the kinds of ADAPT maps those at fixed Carrington longitudes, of any magnetograph.
ADAPT = Archive(
    "https://gong.nso.edu/adapt/maps/gong", "%Y", re.compile(r"adapt40\d{3}_\w+?_(\d{12})_.*"), "%Y%m%d%H%M"
)
HMI = "http://jsoc.stanford.edu/data/hmi/synoptic"


def nearest_map(archive: Archive, date: datetime, web: Web, address: str | None = None) -> Route:
    """Return the route to the map of an archive nearest to a date, of those in the folder of that date.

    Raises:
        MissingError: no map in the folder, or no folder.
        RefusedError: as `Web.get`.
    """
    folder = f"{(address or archive.address).rstrip('/')}/{date:{archive.folder}}"
    clock: Callable[[str], datetime] = lambda text: datetime.strptime(text, archive.clock)  # noqa: E731
    names = {name: match for name in files_of(web.text(f"{folder}/")) if (match := archive.file.fullmatch(name))}
    if not names:
        raise MissingError(f"{folder}: no map there")
    best = min(names, key=lambda name: (abs(clock(names[name][1]) - date.replace(tzinfo=None)), name))
    return one_file(f"{folder}/{best}", best, web)


def hmi_map(date: datetime, web: Web, address: str | None = None) -> Route:
    """Return the route to HMI's map of 720 x 360 of the Carrington rotation in which a date (UTC) lies."""
    name = f"hmi.Synoptic_Mr_small.{int(carrington_rotation(int(date.timestamp())))}.fits"
    return one_file(f"{(address or HMI).rstrip('/')}/{name}", name, web)


def one_file(url: str, name: str, web: Web) -> Route:
    """Return the route to one FITS file, compressed or not."""
    return Route(1, [Piece(url, (name,))], lambda piece: web.get(piece.source, (FITS, GZIP)))
