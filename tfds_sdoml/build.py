"""Build a dataset without TensorFlow: `python -m tfds_sdoml.build sdoml/synthetic_64 --data_dir=...`."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from tfds_sdoml.sdoml_dataset_builder import Builder

USAGE_ERROR = 2  # exit code for a mistake of the user's


def config_names() -> list[str]:
    """Return the names of all registered datasets, without `sdoml/`."""
    return list(Builder.builder_configs)


def make_builder(name: str, data_dir: str | os.PathLike[str] | None = None) -> Builder:
    """Return the builder of a dataset (`sdoml/aia0193` or `aia0193`); nothing is built.

    Raises:
        ValueError: an unknown name, or data that were built under other parameters.
    """
    config = name.removeprefix("sdoml/")
    if config not in config_names():
        raise ValueError(
            f"unknown dataset {name!r}; known are {', '.join('sdoml/' + known for known in config_names())}"
        )
    return Builder(config=config, data_dir=data_dir)


def is_prepared(name: str, data_dir: str | os.PathLike[str] | None = None) -> bool:
    """Return whether a dataset of this name is built in `data_dir`; raises as `make_builder`."""
    return make_builder(name, data_dir).data_path.exists()


def build(
    name: str, data_dir: str | os.PathLike[str] | None = None, manual_dir: str | os.PathLike[str] | None = None
) -> Builder:
    """Return the builder of a dataset, built first if it is not there yet; shows its progress.

    Args:
        name: `sdoml/aia0193` or `aia0193`.
        data_dir: where datasets are kept; None for TFDS's own place (~/tensorflow_datasets).
        manual_dir: folder of the files of a real source.

    Raises:
        ValueError: an unknown name, other parameters, or a file with wrong contents.
        FileNotFoundError: no `manual_dir` for a real source, or no files in it.
    """
    builder = make_builder(name, data_dir)
    if builder.data_path.exists():
        return builder
    if builder.builder_config.source != "synthetic":
        if manual_dir is None:
            raise FileNotFoundError(
                f"sdoml/{builder.builder_config.name} is made from files: give their folder as --manual_dir"
            )
        if not Path(manual_dir).is_dir():
            raise FileNotFoundError(f"no folder {manual_dir}: give the folder of the SDOML v1 files as --manual_dir")
    tfds.disable_progress_bar()  # the builder shows one with the total
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=None if manual_dir is None else os.fspath(manual_dir), try_download_gcs=False
        )
    )
    return builder


def table(builder: Builder) -> str:
    """Return the examples and bytes of each split, one a line."""
    rows = [("split", "examples", "bytes")]
    rows += [(name, f"{info.num_examples:,}", f"{info.num_bytes:,}") for name, info in builder.info.splits.items()]
    return "\n".join(f"{name:<12}{examples:>10}{size:>18}" for name, examples, size in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tfds_sdoml.build", description="Build a dataset.")
    parser.add_argument("name", help="sdoml/NAME, one of: " + ", ".join(config_names()))
    parser.add_argument("--data_dir", help="where datasets are kept (default: TFDS's own, ~/tensorflow_datasets)")
    parser.add_argument("--manual_dir", help="folder of the files of a real source")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("tfds_sdoml").setLevel(logging.INFO)
    try:
        builder = build(options.name, options.data_dir, options.manual_dir)
    except (ValueError, FileNotFoundError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return USAGE_ERROR
    sys.stdout.write(f"{table(builder)}\n{builder.data_path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
