"""Build a dataset of simultaneous EUV images and magnetograms, or of one of both; without TensorFlow.

    python -m tfds_sdoml.build sdoml/aia0193_hmi --manual_dir=FOLDER_OF_SDOML --dry_run
    python -m tfds_sdoml.build sdoml/mine --channels=0171,0193 --field=bz --every=4h --manual_dir=FOLDER_OF_SDOML
    python -m tfds_sdoml.build sdoml/synthetic_64

Frames are checked, joined by time and split without leaks; rejected frames are listed in rejected.csv with the
reason. The same command resumes a stopped build. See docs/datasets.md.
"""

import argparse
import dataclasses
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import tensorflow_datasets as tfds
from tensorflow_datasets.core import constants

from tfds_sdoml.config import NATURAL_SIZE, ScaleName, SdomlConfig, SourceName, Split, StoredType
from tfds_sdoml.plan import Plan, summary
from tfds_sdoml.preparation import REJECTED_FILE, prepare
from tfds_sdoml.sdoml_dataset_builder import Builder
from tfds_sdoml.shards import example_bytes
from tfds_sdoml.sources.opening import find_frames

USAGE_ERROR = 2  # exit code for a mistake of the user's
INTERRUPTED = 130  # exit code of a shell command that Ctrl-C stopped
SECONDS = {"min": 60, "h": 3600, "d": 86400}

Folder = str | os.PathLike[str]


def config_names() -> list[str]:
    """Return the names of all registered datasets, without `sdoml/`."""
    return list(Builder.builder_configs)


def prepared_config(name: str, data_dir: Folder | None) -> SdomlConfig | None:
    """Return the configuration that a dataset was built with, None if it is not; raises as its `from_parameters`."""
    config, place = name.removeprefix("sdoml/"), Path(constants.DATA_DIR if data_dir is None else data_dir)
    folder = place.expanduser() / Builder.name / config / str(Builder.VERSION)
    if not (folder / "dataset_info.json").is_file():
        return None
    metadata = tfds.core.MetadataDict()
    metadata.load_metadata(folder)
    return SdomlConfig.from_parameters(config, metadata.get("parameters", {}))


def make_config(name: str, changes: Mapping[str, Any]) -> SdomlConfig:
    """Return the configuration of a dataset, registered or new, with changed fields of `SdomlConfig`.

    Raises:
        ValueError: a name that is not registered without the changes that would define it, or values that cannot be.
    """
    short, source = name.removeprefix("sdoml/"), changes.get("source")
    if source in NATURAL_SIZE:
        changes = {"size": NATURAL_SIZE[source], **changes}
    registered: Any = Builder.builder_configs.get(short)
    if registered is not None:
        return dataclasses.replace(registered, **changes)
    if not re.fullmatch(r"\w+", short) or not ("channels" in changes or "field" in changes):
        raise ValueError(
            f"unknown dataset {name!r}; known are {', '.join('sdoml/' + known for known in config_names())}; a new "
            "name, of letters, digits and _, needs --channels, --field or both"
        )
    if source not in (None, *NATURAL_SIZE):
        raise ValueError(f"source {source!r} has no new datasets: choose one of {', '.join(NATURAL_SIZE)}")
    return SdomlConfig(name=short, **{"source": "npz_v1", "size": NATURAL_SIZE["npz_v1"], **changes})


def make_builder(name: str, data_dir: Folder | None, changes: Mapping[str, Any] | None = None) -> Builder:
    """Return the builder of a dataset, as it was built if nothing is to be changed; raises ValueError as `build`."""
    config = None if changes else prepared_config(name, data_dir)
    place = None if data_dir is None else os.path.expanduser(data_dir)
    return Builder(config=config or make_config(name, changes or {}), data_dir=place)


def is_prepared(name: str, data_dir: Folder | None) -> bool:
    """Return whether a dataset of this name is built in `data_dir`; raises as `make_builder`."""
    return make_builder(name, data_dir).data_path.exists()


def build(
    name: str,
    data_dir: Folder | None = None,
    manual_dir: Folder | None = None,
    changes: Mapping[str, Any] | None = None,
    beam_options: Any = None,
) -> Builder:
    """Return the builder of a dataset, built first if it is not there yet; shows its progress.

    The same call resumes a stopped build.

    Args:
        name: `sdoml/aia0193` or `aia0193`.
        data_dir: where datasets are kept; None for TFDS's own place (~/tensorflow_datasets).
        manual_dir: folder of the files of a real source; for zarr_v2 also a URL, or stores with commas between.
        changes: fields of `SdomlConfig` that differ from the registered dataset, or define a new one.
        beam_options: pipeline options to build with Apache Beam; None for this process.

    Raises:
        ValueError: an unknown name, other parameters, or a source with nothing usable.
        OSError: no `manual_dir` for a real source, none that can be read, a `data_dir` that cannot be written.
    """
    builder = make_builder(name, data_dir, changes)
    if not builder.data_path.exists():
        prepare(builder, None if manual_dir is None else os.fspath(manual_dir), beam_options)
    return builder


def plan_lines(config: SdomlConfig, plan: Plan) -> list[str]:
    """Return the plan of a build: found, joined, left out, rejected so far, and the examples of each split."""
    size = example_bytes(config)
    return count_lines(summary(plan, plan.rejected)) + [
        f"{'to be written: ' + split:<44}{len(frames):>12,}{len(frames) * size / 1e9:>10.2f} GB before compression"
        for split, frames in plan.splits.items()
    ]


def built_lines(builder: Builder) -> list[str]:
    """Return a build's result: found, joined, left out, rejected by reason, and each split's examples and bytes."""
    lines = [
        f"{'written: ' + name:<44}{info.num_examples:>12,}{info.num_bytes:>18,} bytes"
        for name, info in builder.info.splits.items()
    ]
    places = [f"{builder.data_path}", f"rejected frames: {builder.data_path / REJECTED_FILE}"]
    return [*count_lines(dict(builder.info.metadata or {})["build"]), *lines, *places]


def count_lines(counts: Mapping[str, Any]) -> list[str]:
    """Return the lines of a `summary`, which may have `clipped_pixels` too."""
    rows = [
        *((f"found {series}", count) for series, count in counts["found"].items()),
        ("joined", counts["joined"]),
        *((f"left out: {cause}", count) for cause, count in counts["left_out"].items()),
        *((f"rejected: {reason}", count) for reason, count in counts["rejected"].items()),
        ("pixels clipped to float16", counts.get("clipped_pixels", 0)),
    ]
    return [f"{what:<44}{count:>12,}" for what, count in rows if count]


def parse_numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of `2010-2012` or `2010,2012,2014-2016`; an argparse error for anything else."""
    numbers = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if not match or int(match[1]) > int(match[2] or match[1]):
            raise argparse.ArgumentTypeError(f"{text!r}: give numbers and ranges, such as 2010-2012 or 5,11-12")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(sorted(set(numbers)))


def parse_names(text: str) -> tuple[str, ...]:
    """Return the names of `0171,0193`; AIA's channels may come without leading zeros (171)."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    return tuple(name.zfill(4) if name.isdigit() else name for name in names)


def parse_duration(text: str) -> int:
    """Return the seconds of `12min`, `4h` or `1d`; an argparse error for anything else."""
    match = re.fullmatch(r"\s*(\d+)\s*(min|h|d)\s*", text)
    if not match or int(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number and min, h or d, such as 4h")
    return int(match[1]) * SECONDS[match[2]]


def parse_path(text: str) -> str:
    """Return a path, or several with commas between, the user's folder put in for `~`; an argparse error for none."""
    if not text:
        raise argparse.ArgumentTypeError(
            "it is empty: give a path (is a variable of the shell unset?), or leave it out"
        )
    return ",".join(map(os.path.expanduser, text.split(",")))


def add_selection(data: Any) -> None:
    """Add the options that say which frames are used to a parser or a group of its options."""
    data.add_argument("--channels", type=parse_names, help="AIA channels, such as 0171,0193; empty for none")
    data.add_argument("--field", type=parse_names, help="components of the field: bz, or bx,by,bz; empty for none")
    data.add_argument("--years", type=parse_numbers, help="such as 2011-2013")
    data.add_argument("--months", type=parse_numbers, help="such as 1-4,9")
    data.add_argument("--every", type=parse_duration, help="one frame in each such interval, such as 4h")
    data.add_argument("--limit", type=int, help="number of frames, taken evenly from all")
    data.add_argument("--tolerance", type=int, help="of the join by time, in seconds")
    data.add_argument("--split", choices=get_args(Split), help="poster: the shuffle of 2010-2012, which leaks")
    data.add_argument("--test_months", type=parse_numbers, help="calendar months, such as 11-12")
    data.add_argument("--validation_months", type=parse_numbers, help="calendar months, such as 5")
    data.add_argument("--guard_days", type=float, help="days left empty around those months")
    data.add_argument("--seed", type=int, help="of the poster's shuffle and of the synthetic Sun")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; options that were not given are not in its result."""
    result = argparse.ArgumentParser(
        prog="python -m tfds_sdoml.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    result.add_argument(
        "name", help="sdoml/NAME; a new name needs --channels, --field or both; known: " + ", ".join(config_names())
    )
    result.add_argument(
        "--data_dir", type=parse_path, help="folder of the datasets (default: TFDS's own, ~/tensorflow_datasets)"
    )
    result.add_argument(
        "--manual_dir",
        type=parse_path,
        help="folder of the source's files; zarr_v2: also a URL, or several stores with commas between",
    )
    result.add_argument("--dry_run", action="store_true", help="list what would be built, from the list of files")
    result.add_argument(
        "--beam_pipeline_options", help="build with Apache Beam, such as runner=DirectRunner,direct_num_workers=4"
    )
    data = result.add_argument_group(
        "contents of the dataset (default: as registered; of a new name all frames of npz_v1 files)"
    )
    data.add_argument("--source", choices=get_args(SourceName), help="kind of the files")
    data.add_argument("--size", type=int, help="pixels; smaller images are means over blocks (FITS: resampled)")
    data.add_argument("--dtype", choices=get_args(StoredType), help="how images are stored")
    data.add_argument("--vantage_tolerance", type=float, help="degrees between the observers of a join, for FITS files")
    data.add_argument("--scale_to", choices=get_args(ScaleName), help="bring magnetograms of FITS files to HMI's scale")
    data.add_argument(
        "--degradation_table", type=parse_path, help="file of AIA's degradation, for FITS files (needs aiapy)"
    )
    add_selection(data)
    return result


def parse_beam_options(text: str) -> Any:
    """Return Apache Beam's pipeline options of `name=value,name=value`.

    Raises:
        ValueError: Apache Beam is not installed.
    """
    try:
        from apache_beam.options.pipeline_options import PipelineOptions  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError('Apache Beam is not installed: pip install "munit-jax[tfds-cli]"') from None
    return PipelineOptions([f"--{option}" for option in text.split(",")])


def run(options: dict[str, Any]) -> list[str]:
    """Do what the options of the command line say and return the lines to be printed; raises as `build`."""
    name, data_dir, manual_dir = (options.pop(key, None) for key in ("name", "data_dir", "manual_dir"))
    dry_run, beam_text = options.pop("dry_run", False), options.pop("beam_pipeline_options", None)
    if dry_run:
        config = make_config(name, options)
        return plan_lines(config, find_frames(config, manual_dir)[1])
    beam_options = None if beam_text is None else parse_beam_options(beam_text)
    return built_lines(build(name, data_dir, manual_dir, options, beam_options))


def exit_code(work: Callable[[], tuple[int, list[str]]], mistakes: tuple[type[Exception], ...]) -> int:
    """Do the work of a command and print its lines; return its exit code, USAGE_ERROR for one of the mistakes."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("tfds_sdoml").setLevel(logging.INFO)
    try:
        code, lines = work()
    except mistakes as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command resumes here\n")
        return INTERRUPTED
    sys.stdout.write("\n".join(lines) + "\n")
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = vars(parser().parse_args(arguments))
    return exit_code(lambda: (0, run(options)), (ValueError, OSError))


if __name__ == "__main__":
    sys.exit(main())
