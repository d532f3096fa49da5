"""Fetch real data into a folder; it says beforehand how many frames and bytes, and goes on where it was stopped.

    python -m tfds_sdoml.fetch hf256 --output=hf256 --dry_run
    python -m tfds_sdoml.fetch sdoml_v2 --years=2011-2013 --every=24h --channels=193 --field=bz --output=FOLDER

Every file is written whole or not at all, and stands in fetched.jsonl with its checksum; what could not be had is in
failed.csv with the reason, and the exit code is then 1. See docs/real_data.md.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tfds_sdoml.build import (
    INTERRUPTED,
    USAGE_ERROR,
    add_selection,
    make_config,
    parse_duration,
    parse_numbers,
    parse_path,
)
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.fetch import hf256
from tfds_sdoml.fetch.downloads import Route, fetch
from tfds_sdoml.fetch.patience import Patience, RefusedError
from tfds_sdoml.fetch.sdoml_v2 import STORES, sdoml_v2
from tfds_sdoml.fetch.web import Web

NOT_HAD = 1  # exit code where some pieces could not be had


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line: a command for each route."""
    result = argparse.ArgumentParser(
        prog="python -m tfds_sdoml.fetch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    routes = result.add_subparsers(dest="route", required=True)

    def route(name: str, find: Callable[[argparse.Namespace], Route], about: str) -> argparse.ArgumentParser:
        one = routes.add_parser(name, help=about, description=about, argument_default=argparse.SUPPRESS)
        one.set_defaults(find=find)
        one.add_argument("--output", type=parse_path, required=True, help="folder of the files, made if need be")
        one.add_argument("--dry_run", action="store_true", default=False, help="tell frames, bytes and time; no file")
        one.add_argument("--parallel", type=parse_count, default=8, help="pieces at a time (default: 8)")
        one.add_argument("--tries", type=parse_count, default=7, help="of each piece (default: 7)")
        one.add_argument("--first_wait", type=float, default=1.0, help=argparse.SUPPRESS)  # seconds, then doubled
        return one

    v2 = route("sdoml_v2", find_v2, "SDOML v2 from its public bucket, as SDOML v1 files for tfds_sdoml.build")
    v2.add_argument("--stores", type=parse_path, default=STORES, help="URLs or folders, with commas between")
    add_selection(v2.add_argument_group("which frames, as tfds_sdoml.build takes them"))
    small = route("hf256", find_hf256, "the set of 5000 frames of 256 pixels from Hugging Face")
    small.add_argument("--endpoint", default=None, help="address of the Hub (default: HF_ENDPOINT, or the public one)")
    small.add_argument("--repository", default=hf256.REPOSITORY, help=f"OWNER/NAME (default: {hf256.REPOSITORY})")
    small.add_argument("--revision", default=None, help="commit (default: that of the folder, or today's)")
    small.add_argument("--years", type=parse_numbers, default=(), help="such as 2011-2013")
    small.add_argument("--every", type=parse_duration, default=0, help="one frame in each such interval, such as 24h")
    return result


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
        raise ValueError("nothing is asked for: give --channels, --field or both")
    config = make_config("fetched", {"source": "zarr_v2", **changes})
    return sdoml_v2(config, options.stores, patience_of(options))


def find_hf256(options: argparse.Namespace) -> Route:
    """Return the route that the options of `hf256` describe; raises as `hf256.hf256`."""
    web, folder = Web(patience_of(options), options.parallel), Path(options.output)
    which = (options.repository, options.revision, options.years, options.every)
    route = hf256.hf256(*which, folder, web, options.endpoint)
    if not options.dry_run:
        hf256.pin(folder, route)
    return route


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("tfds_sdoml").setLevel(logging.INFO)
    try:
        outcome, lines = fetch(options.find(options), Path(options.output), options.parallel, options.dry_run)
    except (ValueError, OSError, RefusedError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command goes on from here\n")
        return INTERRUPTED
    sys.stdout.write("\n".join(lines) + "\n")
    return NOT_HAD if outcome.failed else 0


def command() -> None:
    """Run the command and exit."""
    sys.exit(main())


if __name__ == "__main__":
    command()
