"""Translate many files: the next is read while one is computed, and a table lists the result of each."""

import csv
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched, chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from jaxtyping import Float
from tqdm import tqdm

from munit_jax.errors import DataError, WorkdirError
from munit_jax.files import write_fits
from munit_jax.instruments.errors import FrameError, reason_of
from munit_jax.instruments.reading import stem
from munit_jax.instruments.telescopes import observe
from munit_jax.trained_run import TrainedRun
from munit_jax.translation import fits_output
from munit_jax.translation.fits_output import Product
from munit_jax.translation.joining import join
from munit_jax.translation.settings import file_sha256
from munit_jax.translation.translation import Source, Translation

TABLE = "translated.csv"

logger = logging.getLogger(__name__)


class Row(NamedTuple):
    """The result of an input: `written`, `kept` (an output of an earlier run) or `refused`.

    `reason` and `detail` say why it was refused, or have the warning (`warning`).
    """

    input: str
    status: str
    output: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Job:
    """The files of one translation, a channel each, and its outputs, a product each."""

    paths: tuple[Path, ...]
    outputs: tuple[Path, ...]

    def rows(self, status: str, folder: Path, warnings: Sequence[str] = ()) -> list[Row]:
        """Return a row for each file of a job that has its outputs, which are in or below a folder."""
        outputs = " ".join(str(output.relative_to(folder)) for output in self.outputs)
        reason, detail = "warning" if warnings else "", "; ".join(warnings)
        return [Row(str(path), status, outputs, reason, detail) for path in self.paths]


# (path, product, source, realisations (n, size, size) in the geometry of the training) -> None: draws a picture
Draw = Callable[[Path, Product, Source, Float[np.ndarray, "n size size"]], None]


def translate_files(
    translation: Translation | TrainedRun,
    paths: Sequence[Path],
    folder: Path,
    *,
    resume: bool = False,
    draw: Draw | None = None,
) -> list[Row]:
    """Translate files into a folder, which is made, and return the rows of its table of results, `translated.csv`.

        >>> run = munit_jax.load_pretrained("aia193")
        >>> (row,) = munit_jax.translate_files(run, [Path("aia.fits")], Path("magnetograms"))
        >>> row.status, row.output
        ('written', 'aia_magnetogram.fits')

    A run translates with the default `Settings`; give others as `Translation(run, Settings(samples=64))`. With
    `resume`, outputs that were made of the same inputs, checkpoint and settings are kept.

    Raises:
        DataError: two inputs whose outputs would have one name.
        WorkdirError: a folder that cannot be written.
    """
    translation = Translation.of(translation)
    groups, refused = join(paths, translation.series)
    jobs = jobs_of(groups, folder, translation.products)
    rows = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / TABLE).open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(Row._fields)
            alone = [_refused([path], error) for path, error in refused]
            for new in chain(_translated(translation, jobs, folder, resume, draw), alone):
                table.writerows(new)
                file.flush()
                rows += new
    except OSError as error:
        raise WorkdirError(f"cannot write to {folder}: {reason_of(error)}; choose another --output") from None
    return rows


def jobs_of(groups: Sequence[tuple[Path, ...]], folder: Path, made: Sequence[Product]) -> list[Job]:
    """Return the jobs of inputs: a.fits and a.fits.gz give a_magnetogram.fits.

    Files of one name in several folders, as archives deliver them, keep their folders below the output. DataError for
    two inputs of one folder whose outputs would have one name.
    """
    owners: dict[str, list[Path]] = {}
    for first, *_ in groups:
        owners.setdefault(stem(first.name), []).append(first)
    jobs, taken = [], {}
    for paths in groups:
        first, place = paths[0], folder
        if len(alike := owners[stem(first.name)]) > 1:
            common = os.path.commonpath([path.parent.absolute() for path in alike])
            place = folder / first.parent.absolute().relative_to(common)
        outputs = tuple(place / f"{stem(first.name)}_{product.suffix}.fits" for product in made)
        for output in outputs:
            if output in taken:
                both = f"{taken[output]} and {first}"
                raise DataError(f"{both} would both be written to {output.name}: translate them into two folders")
            taken[output] = first
        jobs.append(Job(paths, outputs))
    return jobs


def _refused(paths: Sequence[Path], error: FrameError) -> list[Row]:
    logger.warning("refused %s: %s: %s", ", ".join(map(str, paths)), error.reason, error.detail)
    return [Row(str(path), "refused", "", error.reason, error.detail) for path in paths]


def _translated(
    translation: Translation, jobs: Sequence[Job], folder: Path, resume: bool, draw: Draw | None
) -> Iterator[list[Row]]:
    """Yield the rows of each job, in order."""
    loaded = (
        [(job, _load(translation, job, folder, resume, pictures=draw is not None)) for job in batch]
        for batch in batched(jobs, translation.batch)
    )
    with tqdm(total=len(jobs), unit="image", dynamic_ncols=True) as bar:
        for batch in read_ahead(loaded):
            sources = [source for _, source in batch if isinstance(source, Source)]
            images = iter(translation.translate(sources) if sources else ())
            for job, source in batch:
                if isinstance(source, Source):
                    _save(translation, job, source, next(images), draw)
                    for warning in source.warnings:
                        logger.warning("%s: %s", job.paths[0], warning)
                    yield job.rows("written", folder, source.warnings)
                else:
                    yield source
                bar.update()


def _load(translation: Translation, job: Job, folder: Path, resume: bool, pictures: bool) -> Source | list[Row]:
    """Return the source of a job, or the rows of one whose outputs are kept or whose files are refused."""
    try:
        inputs = tuple((path.name, file_sha256(path)) for path in job.paths)
        if resume and all(
            fits_output.fingerprint_of(output) == translation.fingerprint(inputs)
            and (output.with_suffix(".png").exists() or not pictures)
            for output in job.outputs
        ):
            return job.rows("kept", folder)
        return translation.load([observe(path) for path in job.paths], inputs)
    except FrameError as error:
        return _refused(job.paths, error)
    except (OSError, ValueError, fits.VerifyError) as error:  # astropy raises these for damaged headers
        return _refused(job.paths, FrameError("unreadable", reason_of(error)))


def _save(
    translation: Translation, job: Job, source: Source, image: Float[np.ndarray, "n size size c"], draw: Draw | None
) -> None:
    for channel, (output, product) in enumerate(zip(job.outputs, translation.products, strict=True)):
        output.parent.mkdir(parents=True, exist_ok=True)
        realisations = image[..., channel]
        write_fits(output, translation.hdus(source, realisations, product))
        if draw is not None:
            draw(output.with_suffix(".png"), product, source, realisations)


def read_ahead[T](items: Iterator[T]) -> Iterator[T]:
    """Yield the items, of which the next is made in a thread while this one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item  # pyright: ignore[reportReturnType]
