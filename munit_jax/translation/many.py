"""Many files translated: the next is read while this one is computed, and what cannot be used is named."""

import csv
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from jaxtyping import Float
from tqdm import tqdm

from munit_jax.errors import DataError, WorkdirError
from munit_jax.translation import fits_output
from munit_jax.translation.fits_output import Product
from munit_jax.translation.instruments import observe
from munit_jax.translation.joining import join
from munit_jax.translation.settings import file_sha256, series_of_inputs
from munit_jax.translation.translator import Source, Translation
from tfds_sdoml.sources.fits import SUFFIXES
from tfds_sdoml.sources.fits_headers import reason_of
from tfds_sdoml.sources.interface import FrameError

TABLE = "translated.csv"

logger = logging.getLogger(__name__)


class Row(NamedTuple):
    """What became of an input: written, kept (it was there) or refused."""

    input: str
    status: str
    output: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Job:
    """The files of one translation, a channel each, and the files that it makes, a product each."""

    paths: tuple[Path, ...]
    outputs: tuple[Path, ...]

    def rows(self, status: str, reason: str = "", detail: str = "") -> list[Row]:
        """Return a row for each file."""
        outputs = "" if reason else " ".join(path.name for path in self.outputs)
        return [Row(str(path), status, outputs, reason, detail) for path in self.paths]


# (path, product, source, realisations (n, size, size) in the geometry of the training) -> None: draws a picture
Draw = Callable[[Path, Product, Source, Float[np.ndarray, "n size size"]], None]


def translate_files(
    translation: Translation, paths: Sequence[Path], folder: Path, *, resume: bool = False, draw: Draw | None = None
) -> list[Row]:
    """Translate files into a folder; the table `translated.csv` there tells what became of each.

    Args:
        translation: the run and what is asked of it.
        paths: of the inputs.
        folder: where the outputs go; it is made.
        resume: keep outputs that were made of the same inputs, checkpoint and settings.
        draw: makes a picture of each output, beside it.

    Raises:
        DataError: two inputs whose outputs would have one name.
        WorkdirError: a folder that cannot be written.
    """
    groups, lone = join(paths, series_of_inputs(translation.run, translation.settings))
    jobs = [Job(group, outputs_of(group[0], folder, translation.products)) for group in groups]
    check_names(jobs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / TABLE).open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(Row._fields)
            rows = []
            for new in _translated(translation, jobs, resume, draw):
                table.writerows(new)
                file.flush()
                rows += new
            rest = [Row(str(path), "refused", "", reason, detail) for path, reason, detail in lone]
            table.writerows(rest)
    except OSError as error:
        raise WorkdirError(f"cannot write to {folder}: {reason_of(error)}; choose another --output") from None
    return rows + rest


def outputs_of(path: Path, folder: Path, made: Sequence[Product]) -> tuple[Path, ...]:
    """Return the outputs of an input: a.fits and a.fits.gz give a_magnetogram.fits."""
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if path.name.lower().endswith(s)), path.suffix)
    stem = path.name[: len(path.name) - len(suffix)]
    return tuple(folder / f"{stem}_{product.suffix}.fits" for product in made)


def check_names(jobs: Sequence[Job]) -> None:
    """Raise DataError where two inputs would be written to one file."""
    owner: dict[Path, Path] = {}
    for job in jobs:
        for output in job.outputs:
            if output in owner:
                raise DataError(
                    f"{owner[output]} and {job.paths[0]} would both be written to {output.name}: "
                    "translate them into two folders"
                )
            owner[output] = job.paths[0]


def _translated(translation: Translation, jobs: Sequence[Job], resume: bool, draw: Draw | None) -> Iterator[list[Row]]:
    """Yield the rows of each job, in order."""
    with tqdm(total=len(jobs), unit="image", dynamic_ncols=True) as bar:
        for batch in read_ahead(_batches(translation, jobs, resume, pictures=draw is not None)):
            sources = [(job, loaded) for job, loaded in batch if isinstance(loaded, Source)]
            images = iter(translation.translate([source for _, source in sources]) if sources else ())
            for job, loaded in batch:
                if isinstance(loaded, Source):
                    _save(translation, job, loaded, next(images), draw)
                    yield job.rows("written")
                else:
                    yield loaded
                bar.update()


def _save(
    translation: Translation, job: Job, source: Source, image: Float[np.ndarray, "n size size c"], draw: Draw | None
) -> None:
    for channel, (output, product) in enumerate(zip(job.outputs, translation.products, strict=True)):
        realisations = image[..., channel]
        fits_output.write(output, translation.hdus(source, realisations, product))
        if draw is not None:
            draw(output.with_suffix(".png"), product, source, realisations)


def _batches(
    translation: Translation, jobs: Sequence[Job], resume: bool, pictures: bool
) -> Iterator[list[tuple[Job, Source | list[Row]]]]:
    """Yield jobs with their sources, or the rows of those that need no work, as many sources as fit a batch."""
    batch: list[tuple[Job, Source | list[Row]]] = []
    for job in jobs:
        batch.append((job, _load(translation, job, resume, pictures)))
        if sum(isinstance(loaded, Source) for _, loaded in batch) == translation.batch:
            yield batch
            batch = []
    if batch:
        yield batch


def _load(translation: Translation, job: Job, resume: bool, pictures: bool) -> Source | list[Row]:
    try:
        inputs = tuple((path.name, file_sha256(path)) for path in job.paths)
        if resume and all(_is_made(path, translation.recipe(inputs), pictures) for path in job.outputs):
            return job.rows("kept")
        return translation.load([observe(path) for path in job.paths], inputs)
    except FrameError as error:
        reason, detail = error.reason, error.detail
    except (OSError, ValueError, fits.VerifyError) as error:  # what astropy makes of damaged headers
        reason, detail = "unreadable", reason_of(error)
    logger.warning("refused %s: %s: %s", ", ".join(map(str, job.paths)), reason, detail)
    return job.rows("refused", reason, detail)


def _is_made(output: Path, recipe: str, pictures: bool) -> bool:
    return fits_output.recipe_of(output) == recipe and (not pictures or output.with_suffix(".png").exists())


def read_ahead[T](items: Iterator[T]) -> Iterator[T]:
    """Yield the items, of which the next is made in a thread while this one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item  # pyright: ignore[reportReturnType]
