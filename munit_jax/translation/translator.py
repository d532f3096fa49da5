"""A run put to work: images of an instrument in, realisations and their FITS files out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.data.context import LAST_SEEN
from munit_jax.errors import ConfigError, DataError
from munit_jax.networks.munit import StyleCode
from munit_jax.trained_run import TrainedRun
from munit_jax.translation import fits_output
from munit_jax.translation.fits_output import Product
from munit_jax.translation.instruments import Card, Observation, Preparation, prepare
from munit_jax.translation.past import past_of
from munit_jax.translation.settings import (
    Inputs,
    Settings,
    check_taught,
    file_sha256,
    products,
    provenance,
    recipe,
    series_of_inputs,
    styles,
)
from munit_jax.translation.view import heliographic_view, view_cards
from tfds_sdoml.sources.fits_headers import time_of
from tfds_sdoml.sources.interface import FrameError
from tfds_sdoml.sources.reprojection import SolarDisk


@dataclass(frozen=True)
class Source:
    """What is translated, ready for the networks, and all that its output takes over.

    Attributes:
        image: (size, size, channels) in DN/s or gauss.
        context: of the image, where the run takes one.
        view: see `view_cards`; of the first file, as the disk and the shape of its grid.
        inputs: names and checksums of the files.
        treatments: what was done to each.
        recipe: what the output will be known by.
    """

    image: Float[np.ndarray, "size size c"]
    context: Float[np.ndarray, "size size k"] | None
    view: fits.Header
    disk: SolarDisk
    shape: tuple[int, int]
    inputs: Inputs
    treatments: tuple[tuple[Card, ...], ...]
    recipe: str


class Translation:
    """A run and what is asked of it, compiled once: `load` inputs, `translate` them, make `hdus` of what comes."""

    def __init__(self, run: TrainedRun, settings: Settings, how: Preparation):
        self.run, self.settings, self.how = run, settings, how
        check_taught(run, settings)
        if settings.last_seen and LAST_SEEN not in run.planes:
            raise ConfigError(f"last_seen: {run.name} was trained without: leave it out")
        self.past = past_of(settings.last_seen, how) if settings.last_seen else None
        self.past_files: Inputs = tuple((path.name, file_sha256(path)) for path in settings.last_seen)
        self.styles: StyleCode = styles(run, settings, how)
        self.batch, self.a_pass = run.batch_and_pass(len(self.styles))
        self.products = products(run, settings)

    def recipe(self, inputs: Inputs) -> str:
        """Return the checksum of all that an output depends on."""
        return recipe(self.run, self.settings, self.how, self.styles, inputs, self.past_files)

    def load(self, seen: Sequence[Observation], inputs: Inputs) -> Source:
        """Prepare the images of one time.

        Raises:
            FrameError: one that cannot be used.
        """
        prepared = []
        for observation, series in zip(seen, series_of_inputs(self.run, self.settings), strict=True):
            try:
                if observation.series != series:
                    raise FrameError("instrument", f"it is of {observation.series}: the run translates {series}")
                prepared.append(prepare(observation, self.how))
            except FrameError as error:
                if len(seen) == 1:
                    raise
                raise FrameError(error.reason, f"{observation.name}: {error.detail}") from error
        first = seen[0]
        view = view_cards(first.header)
        return Source(
            image=np.stack([p.image for p in prepared], axis=-1),
            context=self._context(view, first.header),
            view=view,
            disk=first.disk,
            shape=(first.image.shape[0], first.image.shape[1]),
            inputs=inputs,
            treatments=tuple(p.treatment for p in prepared),
            recipe=self.recipe(inputs),
        )

    def _context(self, view: fits.Header, header: fits.Header) -> Float[np.ndarray, "size size k"] | None:
        """Return the context of an image; a run that takes none asks no more of the header than its view does."""
        if not self.run.planes:
            return None
        geometry = heliographic_view(view, self.run.geometry)
        try:
            return self.run.context(geometry, float(time_of(header)), self.past)
        except ValueError as error:
            raise FrameError("no time", str(error)) from None

    def translate(self, sources: Sequence[Source]) -> Float[np.ndarray, "b n size size c"]:
        """Return the realisations of at most `batch` sources, DN/s or gauss, in the geometry of the training.

        Raises:
            DataError: values that are not finite.
        """
        padded = [*sources, *[sources[-1]] * (self.batch - len(sources))]  # one shape: another would be compiled anew
        contexts = [source.context for source in padded if source.context is not None]
        images = np.stack([source.image for source in padded])
        planes = np.stack(contexts) if contexts else None
        every = self.run.translate(images, self.styles, planes, self.settings.source, self.a_pass)
        translated = np.asarray(every)[: len(sources)]
        if not np.isfinite(translated).all():
            raise DataError(
                f"step {self.run.step} of {self.run.name} makes values that are not finite: see --checkpoint"
            )
        return translated

    def hdus(self, source: Source, realisations: Float[np.ndarray, "n size size"], product: Product) -> fits.HDUList:
        """Return a product of a source as FITS."""
        made_of = source.inputs, source.treatments, source.recipe
        cards = provenance(self.run, self.settings, *made_of, self.styles, self.past_files)
        on_grid = fits_output.on_input_grid(
            realisations, self.run.geometry, source.disk, source.shape, field=product.field
        )
        return fits_output.as_hdus(on_grid, product, source.view, cards)
