"""TFDS builder of EUV images and magnetograms of the Sun: the SDOML dataset, and a synthetic Sun in the same form."""

import os
import shutil
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from tfds_sdoml.config import SdomlConfig, registered_configs
from tfds_sdoml.examples import features
from tfds_sdoml.preparation import (
    REJECTED_FILE,
    all_rejected,
    build_record,
    find_frames,
    make_shards,
    move_shards,
    only_build,
    partial_folder,
    remove_leftovers,
    statistics,
    write_rejected,
)
from tfds_sdoml.shards import make_jobs


class Builder(tfds.core.GeneratorBasedBuilder):
    """EUV images and magnetograms; see README.md for the features and the conventions.

    Preparation is our own: TFDS's starts from zero when it was stopped, and this one is made for weeks of files. What
    comes out is a TFDS dataset like any other.
    """

    name = "sdoml"
    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {  # noqa: RUF012 (the base class's name and type)
        "1.0.0": "SDOML v1 files and the synthetic Sun.",
        "1.1.0": "Checks, float16, statistics; SDOML v2, FITS and 256-pixel files.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put SDOML v1 files (AIAYYYYMMDD_HHMM_0193.npz, HMIYYYYMMDD_HHMM_bz.npz) anywhere below the folder that is "
        "given as --manual_dir. They are described at https://doi.org/10.3847/1538-4365/ab1005."
    )
    BUILDER_CONFIGS = registered_configs()

    def __init__(self, **kwargs: Any):
        """Make a builder; the arguments are those of the base class.

        Raises:
            ValueError: data of this name and version are there, but were built under other parameters.
        """
        kwargs.setdefault("file_format", "array_record")  # the format that is read and written without TensorFlow
        super().__init__(**kwargs)
        held, wanted = dict(self.info.metadata or {}).get("parameters"), self.builder_config.parameters()
        if held != wanted:
            different = sorted(key for key in wanted if (held or {}).get(key) != wanted[key])
            raise ValueError(
                f"{self.data_path} was built under other parameters ({', '.join(different)} differ): "
                "delete that folder to build it anew, or give another data_dir or another name"
            )

    @property
    def builder_config(self) -> SdomlConfig:
        """What the dataset holds: `channels`, `field`, `size`, `source` and the rest."""
        config = super().builder_config
        assert isinstance(config, SdomlConfig)
        return config

    @property
    def statistics(self) -> dict[str, dict[str, float]]:
        """Percentiles of each series over the disks of the train split, `{"0193": {"99.9": DN/s}, "bz": ...}`."""
        return dict(self.info.metadata or {}).get("statistics", {})

    def _create_builder_config(self, builder_config: Any, version: Any) -> Any:
        # A registered name may be built otherwise, from another source for one; the base class allows new names only.
        if isinstance(builder_config, SdomlConfig):
            return builder_config
        return super()._create_builder_config(builder_config, version)

    def _log_download_bytes(self) -> None:
        """Nothing is downloaded, and the size is not known: the base class would print so."""

    _log_download_done = _log_download_bytes

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=features(self.builder_config),
            homepage="https://doi.org/10.3847/1538-4365/ab1005",
            metadata=tfds.core.MetadataDict(parameters=self.builder_config.parameters()),
            disable_shuffling=True,  # the examples of a split stay in the order of time
        )

    def _download_and_prepare(
        self,
        dl_manager: tfds.download.DownloadManager,
        download_config: tfds.download.DownloadConfig,
    ) -> None:
        """Make the dataset in the unfinished folder that TFDS has opened for it, and tell TFDS what is in it.

        Raises:
            OSError, ValueError: see `find_frames`, `only_build`, `make_shard`.
        """
        config = self.builder_config
        folder, incomplete = Path(self.data_path).parent, Path(self.data_path)
        source, plan = find_frames(config, location(download_config))
        with only_build(folder):
            partial = partial_folder(folder, config, plan, str(self.version))
            remove_leftovers(folder, partial, incomplete)
            partial.mkdir(exist_ok=True)
            jobs = make_jobs(config, source, plan, partial)
            reports = make_shards(config, jobs, beam_options(download_config))
            rejected = all_rejected(plan, reports)
            if not any(report.examples for report in reports if report.split == "train"):
                raise ValueError(nothing_left(config, folder, rejected))
            self._assemble(incomplete, jobs, reports)
            write_rejected(incomplete / REJECTED_FILE, rejected)
            metadata = self.info.metadata
            assert isinstance(metadata, dict)
            metadata |= {
                "statistics": statistics(config, reports),
                "build": build_record(plan, reports, rejected),
            }
            shutil.rmtree(partial)

    def _assemble(self, folder: Path, jobs: list[Any], reports: list[Any]) -> None:
        by_split = move_shards(jobs, reports, folder, "sdoml-{split}.array_record-{number:05d}-of-{count:05d}")
        self.info.set_splits(
            tfds.core.SplitDict(
                [
                    tfds.core.SplitInfo(
                        name=split,
                        shard_lengths=[report.examples for report in made],
                        num_bytes=sum(report.size for report in made),
                        filename_template=self._get_filename_template(split),
                    )
                    for split, made in by_split.items()
                ]
            )
        )

    def _split_generators(self, dl_manager: Any) -> Any:
        raise NotImplementedError("the builder prepares its shards itself")

    def _generate_examples(self) -> Any:
        raise NotImplementedError("the builder prepares its shards itself")


def location(download_config: tfds.download.DownloadConfig) -> str | None:
    """Return where the files of the source are: a folder, or what else the source understands."""
    return None if download_config.manual_dir is None else os.fspath(download_config.manual_dir)


def beam_options(download_config: tfds.download.DownloadConfig) -> Any:
    """Return the options for Apache Beam if it was asked for, else None."""
    return download_config.beam_options


def nothing_left(config: SdomlConfig, folder: Path, rejected: list[Any]) -> str:
    """Return what to tell when every example of train was rejected, and keep the list of them beside."""
    path = folder / REJECTED_FILE
    write_rejected(path, rejected)
    first = rejected[0]
    return (
        f"sdoml/{config.name}: all examples of train were rejected ({len(rejected):,} images, listed in {path}); the "
        f"first: {first.series}, {first.place}: {first.reason}, {first.detail}"
    )
