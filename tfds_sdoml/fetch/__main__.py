"""Fetch real data into a folder; it prints the number of frames and bytes first, and resumes where it was stopped.

    python -m tfds_sdoml.fetch hf256 --output=hf256 --dry_run
    python -m tfds_sdoml.fetch sdoml_v2 --years=2011-2013 --every=24h --channels=193 --field=bz --output=FOLDER

Every file is written whole or not at all, and is listed in fetched.jsonl with its checksum; failures are in
failed.csv with the reason, and the exit code is then 1. See docs/real_data.md.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tfds_sdoml.build import (
    add_selection,
    exit_code,
    make_config,
    parse_duration,
    parse_names,
    parse_numbers,
    parse_path,
)
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.fetch import hf256, jsoc
from tfds_sdoml.fetch.downloads import Route, fetch
from tfds_sdoml.fetch.patience import Patience, RefusedError
from tfds_sdoml.fetch.sdoml_v2 import STORES, sdoml_v2
from tfds_sdoml.fetch.solar_orbiter import PRODUCTS, solar_orbiter
from tfds_sdoml.fetch.synoptic import ADAPT, GONG, hmi_map, nearest_map
from tfds_sdoml.fetch.web import Web

SYNOPTIC = {
    "gong": "the GONG map of the hour nearest to a date",
    "hmi_synoptic": "the HMI map of a date's Carrington rotation",
    "adapt": "the ADAPT maps nearest to a date",
}
NOT_HAD = 1  # exit code where some pieces failed


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line: a command for each route."""
    result = argparse.ArgumentParser(
        prog="python -m tfds_sdoml.fetch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    routes = result.add_subparsers(dest="route", required=True)

    def route(name: str, find: Callable[[argparse.Namespace], Route], about: str) -> argparse.ArgumentParser:
        one = routes.add_parser(name, help=about, description=about, argument_default=argparse.SUPPRESS)
        one.set_defaults(find=find)
        one.add_argument("--output", type=parse_path, required=True, help="folder of the files, created if missing")
        one.add_argument("--dry_run", action="store_true", default=False, help="only print frames, bytes and time")
        one.add_argument("--parallel", type=parse_count, default=8, help="pieces at a time (default: 8)")
        one.add_argument("--tries", type=parse_count, default=7, help="of each piece (default: 7)")
        one.add_argument("--first_wait", type=float, default=1.0, help=argparse.SUPPRESS)  # seconds, then doubled
        return one

    v2 = route("sdoml_v2", find_v2, "SDOML v2 from its public bucket, as SDOML v1 files for tfds_sdoml.build")
    v2.add_argument("--stores", type=parse_path, default=STORES, help="URLs or folders, with commas between")
    add_selection(v2.add_argument_group("which frames, as tfds_sdoml.build takes them"))
    small = route("hf256", find_hf256, "the set of some 4900 frames of 256 pixels from Hugging Face")
    small.add_argument("--endpoint", default=None, help="address of the Hub (default: HF_ENDPOINT, or the public one)")
    small.add_argument("--repository", default=hf256.REPOSITORY, help=f"OWNER/NAME (default: {hf256.REPOSITORY})")
    small.add_argument("--revision", default=None, help="commit (default: that of the folder, or today's)")
    small.add_argument("--years", type=parse_numbers, default=(), help="such as 2011-2013")
    small.add_argument("--every", type=parse_duration, default=0, help="one frame in each such interval, such as 24h")
    sdo = route("jsoc", find_jsoc, "AIA synoptic images (1024 pixels) and HMI M_720s from JSOC, as FITS files")
    add_span(sdo)
    sdo.add_argument("--channels", type=parse_names, default=(), help="AIA channels, such as 171,193")
    sdo.add_argument("--field", type=parse_names, default=(), help="bz, the line-of-sight field of HMI")
    sdo.add_argument("--email", default=None, help="that you have registered at JSOC, for exports of HMI")
    sdo.add_argument("--first_look", type=float, default=jsoc.PAUSE, help=argparse.SUPPRESS)  # seconds, at an export
    orbiter = route("solar_orbiter", find_orbiter, "FSI images and PHI-FDT magnetograms from Solar Orbiter's archive")
    add_span(orbiter)
    orbiter.add_argument("--products", type=parse_names, required=True, help="of " + ", ".join(PRODUCTS))
    for name, about in SYNOPTIC.items():
        one = route(name, find_synoptic, f"{about} for munit_jax.corona")
        one.add_argument("--date", type=parse_time, required=True, help="such as 2018-11-06 or 2018-11-06T12:00, UTC")
    for one in (sdo, orbiter, *(routes.choices[name] for name in SYNOPTIC)):
        one.add_argument("--server", default=None, help=argparse.SUPPRESS)  # address of another one
    return result


def add_span(one: argparse.ArgumentParser) -> None:
    """Add the options of a span of time."""
    one.add_argument("--start", type=parse_time, required=True, help="such as 2011-01-01 or 2011-01-01T12:00, UTC")
    one.add_argument("--end", type=parse_time, required=True, help="the first time that is not wanted")
    one.add_argument("--every", type=parse_duration, default=86400, help="one in each such interval (default: 1d)")


def parse_time(text: str) -> datetime:
    """Return a time, UTC; an argparse error for anything else."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give a time, such as 2011-01-01 or 2011-01-01T12:00") from None


def parse_count(text: str) -> int:
    """Return a number from 1 on; an argparse error for anything else."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number from 1 on")
    return int(text)


def patience_of(options: argparse.Namespace) -> Patience:
    """Return how long a command waits for a server."""
    return Patience(options.tries, options.first_wait)


def find_v2(options: argparse.Namespace) -> Route:
    """Return the route that the options of `sdoml_v2` describe; raises as `sdoml_v2`."""
    known = {field.name for field in fields(SdomlConfig)}
    changes: dict[str, Any] = {name: value for name, value in vars(options).items() if name in known}
    if not changes.get("channels") and not changes.get("field"):
        raise ValueError("nothing is requested: give --channels, --field or both")
    config = make_config("fetched", {"source": "zarr_v2", **changes})
    return sdoml_v2(config, options.stores, patience_of(options))


def find_hf256(options: argparse.Namespace) -> Route:
    """Return the route that the options of `hf256` describe; raises as `hf256.hf256`."""
    web, folder = web_of(options), Path(options.output)
    which = (options.repository, options.revision, options.years, options.every)
    route = hf256.hf256(*which, folder, web, options.endpoint)
    if not options.dry_run:
        hf256.pin(folder, route)
    return route


def web_of(options: argparse.Namespace) -> Web:
    """Return the client that the options describe."""
    return Web(patience_of(options), options.parallel)


def find_jsoc(options: argparse.Namespace) -> Route:
    """Return the route that the options of `jsoc` describe; raises as `jsoc.jsoc`."""
    return jsoc.jsoc(
        (options.start, options.end),
        options.every,
        options.channels,
        options.field,
        options.email,
        Path(options.output),
        web_of(options),
        options.dry_run,
        options.server,
        options.first_look,
    )


def find_orbiter(options: argparse.Namespace) -> Route:
    """Return the route that the options of `solar_orbiter` describe; raises as `solar_orbiter`."""
    return solar_orbiter(options.products, options.start, options.end, options.every, web_of(options), options.server)


def find_synoptic(options: argparse.Namespace) -> Route:
    """Return the route to a synoptic map; raises as `synoptic.nearest_map`."""
    if options.route == "hmi_synoptic":
        return hmi_map(options.date, web_of(options), options.server)
    return nearest_map(GONG if options.route == "gong" else ADAPT, options.date, web_of(options), options.server)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parser().parse_args(arguments)

    def work() -> tuple[int, list[str]]:
        outcome, lines = fetch(options.find(options), Path(options.output), options.parallel, options.dry_run)
        return (NOT_HAD if outcome.failed else 0), lines

    return exit_code(work, (ValueError, OSError, RefusedError))


def command() -> None:
    """Run the command and exit."""
    sys.exit(main())


if __name__ == "__main__":
    command()
