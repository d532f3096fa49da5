"""TFDS builder of EUV images and magnetograms of the Sun: the SDOML dataset, and a synthetic Sun in the same form."""

import os
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, cast

import tensorflow_datasets as tfds

from tfds_sdoml.config import SdomlConfig, registered_configs
from tfds_sdoml.examples import features
from tfds_sdoml.plan import Plan
from tfds_sdoml.preparation import describe, workers
from tfds_sdoml.shards import Job, Report, good_records, make_jobs
from tfds_sdoml.sources.opening import find_frames


class Builder(tfds.core.GeneratorBasedBuilder):
    """EUV images and magnetograms; see docs/datasets.md for the features and the conventions.

    `download_and_prepare` makes the whole dataset, as for any TFDS dataset, with a split in memory.
    `tfds_sdoml.build` makes the same examples shard by shard, for weeks of files, and resumes after it was stopped.
    """

    name = "sdoml"
    VERSION = tfds.core.Version("1.3.0")
    RELEASE_NOTES = {  # noqa: RUF012 (the base class's name and type)
        "1.0.0": "SDOML v1 files and the synthetic Sun.",
        "1.1.0": "Checks, float16, statistics; SDOML v2, FITS and 256-pixel files.",
        "1.2.0": "The synthetic Sun turns by Snodgrass's law; fingerprints.",
        "1.3.0": "FITS files of any telescope, seen from its own vantage point.",
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
        built, wanted = dict(self.info.metadata or {}).get("parameters"), self.builder_config.parameters()
        if built != wanted:
            different = sorted(key for key in wanted if (built or {}).get(key) != wanted[key])
            raise ValueError(
                f"{self.data_path} was built under other parameters ({', '.join(different)} differ): "
                "delete that folder to build it again, or give another data_dir or another name"
            )

    @property
    def builder_config(self) -> SdomlConfig:
        """The contents of the dataset: `channels`, `field`, `size`, `source` and the rest."""
        config = super().builder_config
        assert isinstance(config, SdomlConfig)
        return config

    @property
    def statistics(self) -> dict[str, dict[str, float]]:
        """Percentiles of each series over the disks of the train split: {"0193": {"99.9": DN/s}, "bz": ...}."""
        return dict(self.info.metadata or {}).get("statistics", {})

    @property
    def fingerprint(self) -> str:
        """Checksum of all examples by split (64 hexadecimal digits); empty where the dataset is not built."""
        return dict(self.info.metadata or {}).get("fingerprint", "")

    def _create_builder_config(self, builder_config: Any, version: Any) -> Any:
        # A registered name may be built otherwise, from another source for one; the base class allows new names only.
        if isinstance(builder_config, SdomlConfig):
            return builder_config
        return super()._create_builder_config(builder_config, version)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=features(self.builder_config),
            homepage="https://doi.org/10.3847/1538-4365/ab1005",
            metadata=tfds.core.MetadataDict(parameters=self.builder_config.parameters()),
            disable_shuffling=True,  # the examples of a split stay in the order of time
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator[Any]]:
        config = self.builder_config
        location = None if config.source == "synthetic" else os.fspath(dl_manager.manual_dir)
        source, plan = find_frames(config, location)
        jobs, reports = make_jobs(config, source, plan, Path(self.data_path)), []
        return {
            split: self._generate_examples([job for job in jobs if job.split == split], plan, reports)
            for split in plan.splits
        }

    def _generate_examples(
        self, jobs: Sequence[Job], plan: Plan, reports: list[Report]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the number and example of a split's frames; the last split's end writes the metadata of `reports`."""
        features, numbers = cast(Any, self.info.features), count()  # two observers may have a frame of one time
        with workers(jobs[0].source, sum(len(job.written) for job in jobs)) as pool:
            for job in jobs:
                reports.append(Report(job.split))
                for record in good_records(job, reports[-1], pool):
                    yield next(numbers), features.deserialize_example_np(record)
        describe(self.info, self.builder_config, plan, reports, Path(self.data_path))
