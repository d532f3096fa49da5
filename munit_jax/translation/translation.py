"""A run applied to images of an instrument: prepared images in, realisations and their FITS files out."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax
import numpy as np
from astropy.io import fits
from jaxtyping import Float

from munit_jax.data.context import LAST_SEEN
from munit_jax.errors import ConfigError, DataError
from munit_jax.instruments.aia import AIA
from munit_jax.instruments.calibration import quartiles
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import time_of
from munit_jax.instruments.interface import Card, Observation, Preparation, Prepared
from munit_jax.instruments.registration import SolarDisk
from munit_jax.instruments.telescopes import prepare
from munit_jax.instruments.view import heliographic_view, view_cards
from munit_jax.trained_run import TrainedRun
from munit_jax.translation import fits_output
from munit_jax.translation.fits_output import Product, product_of
from munit_jax.translation.settings import (
    IMAGE,
    Settings,
    check_trained,
    file_sha256,
    past_of,
    preparation,
    series_of,
    styles,
)

UNLIKE = 3.0  # times brighter or darker than the run's images; from one cycle's minimum to its maximum it is 2

Inputs = Sequence[tuple[str, str]]  # name and checksum of each file


@dataclass(frozen=True)
class Source:
    """The prepared images of one time in DN/s or gauss, and what their output takes over.

    The view (see `view_cards`), the disk and the shape of the grid are those of the first file; treatments are cards
    that say how each file was calibrated.
    """

    image: Float[np.ndarray, "size size c"]
    context: Float[np.ndarray, "size size k"] | None
    view: fits.Header
    disk: SolarDisk
    shape: tuple[int, int]
    inputs: Inputs
    treatments: tuple[tuple[Card, ...], ...]
    warnings: tuple[str, ...] = ()


class Translation:
    """A run with settings, compiled once: `load` images, `translate` them, make `hdus` of the realisations.

    Each input needs an image of every one of `series`, in this order, and gives `products`; `batch` sources are
    translated in one pass. Images are prepared as `how` says, by default as `preparation(run)`.

    Raises:
        ConfigError: settings that the run was not trained for.
        DataError: a file of the settings that cannot be used.
    """

    def __init__(self, run: TrainedRun, settings: Settings, how: Preparation | None = None):
        self.run, self.settings, self.how = run, settings, how or preparation(run)
        check_trained(run, settings)
        if settings.last_seen and LAST_SEEN not in run.config.data.context:
            raise ConfigError(f"last_seen: {run.name} was trained without: leave it out")
        self.past = past_of(settings.last_seen, self.how) if settings.last_seen else None
        self.past_files: Inputs = tuple((path.name, file_sha256(path)) for path in settings.last_seen)
        self.styles = styles(run, settings, self.how)
        self.series = series_of(run, settings.source)
        self.products = tuple(map(product_of, series_of(run, settings.target)))
        self.batch, self.a_pass = run.batch_and_pass(len(self.styles))

    @classmethod
    def of(cls, translation: "Translation | TrainedRun") -> "Translation":
        """Return a translation as it is, and of a run the one with the default settings."""
        return cls(translation, Settings()) if isinstance(translation, TrainedRun) else translation

    def fingerprint(self, inputs: Inputs) -> str:
        """Return a checksum of all that an output depends on."""
        settings = asdict(self.settings)
        del settings["last_seen"]  # `past` has the files' names and checksums
        table, strength = self.how.degradation_table, self.run.translator.strength
        everything: dict[str, Any] = {
            "parameters": self.run.parameters_sha256,
            "config": self.run.config_sha256,
            "strength": strength and asdict(strength),
            "size": self.run.size,
            "settings": settings,
            "styles": jax.device_get(self.styles).tolist(),
            "references": list(self.how.references),
            "degradation": table and file_sha256(table),
            "scale_to": self.how.scale_to,
            "inputs": list(inputs),
            "past": list(self.past_files),
        }
        return hashlib.sha256(json.dumps(everything).encode()).hexdigest()

    def load(self, seen: Sequence[Observation], inputs: Inputs) -> Source:
        """Prepare the images of one time; FrameError for one that cannot be used."""
        prepared = []
        for observation, series in zip(seen, self.series, strict=True):
            try:
                if observation.series != series:
                    raise FrameError("instrument", f"it is of {observation.series}: the run translates {series}")
                prepared.append(self._as_in_training(observation, prepare(observation, self.how)))
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
            warnings=tuple(warning for p in prepared for warning in p.warnings),
        )

    def _as_in_training(self, seen: Observation, prepared: Prepared) -> Prepared:
        """Refuse an EUV image that is much brighter or darker than the run's own; with `force` warn of it.

        AIA's counts as it is before its brightness is corrected: a larger loss of sensitivity needs a decision.
        """
        levels = self.run.disk_percentiles.get(seen.series)
        if levels is None or seen.series == "bz":
            return prepared
        gain = dict(card[:2] for card in prepared.treatment).get("MJGAIN", 1.0) if seen.telescope is AIA else 1.0
        own, theirs = (
            (np.array(quartiles(prepared.image)) / gain).tolist(),
            tuple(levels[name] for name in ("25", "50", "75")),
        )
        factor = float(np.median(np.array(own) / np.array(theirs)))
        if 1 / UNLIKE <= factor <= UNLIKE:
            return prepared
        what = (
            f"the quartiles of its disk are {own[0]:.3g}, {own[1]:.3g}, {own[2]:.3g} DN/s, {factor:.2g} times those of "
            f"the run's images ({theirs[0]:.3g}, {theirs[1]:.3g}, {theirs[2]:.3g})"
        )
        if not self.settings.force:
            raise FrameError(
                "unlike the training",
                f"{what}: are its unit, its exposure and the loss of sensitivity (--degradation_table) right? --force "
                "translates it nevertheless",
            )
        return replace(prepared, warnings=(*prepared.warnings, what))

    def _context(self, view: fits.Header, header: fits.Header) -> Float[np.ndarray, "size size k"] | None:
        """Return the context of an image; without planes the observer and the time need not be in the header."""
        if not self.run.config.data.context:
            return None
        geometry = heliographic_view(view, self.run.geometry)
        try:
            return self.run.context(geometry, float(time_of(header)), self.past)
        except ValueError as error:
            raise FrameError("no time", str(error)) from None

    def translate(self, sources: Sequence[Source]) -> Float[np.ndarray, "b n size size c"]:
        """Return the realisations (DN/s or gauss) of at most `batch` sources; DataError where they are not finite."""
        padded = [*sources, *[sources[-1]] * (self.batch - len(sources))]  # another shape would be compiled again
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
        grid = self.run.geometry, source.disk, source.shape
        on_grid = fits_output.on_input_grid(realisations, *grid, field=product.field)
        return fits_output.as_hdus(on_grid, product, source.view, self._provenance(source))

    def _provenance(self, source: Source) -> list[Card]:
        """Return the cards that say how an output was made."""
        run, settings, image = self.run, self.settings, self.settings.style_image
        cards: list[Card] = [
            ("MJRUN", run.name, "training run, or weights of the package"),
            ("MJSTEP", run.step, "training step of the checkpoint"),
            ("MJSIZE", run.size, "[pixel] across the networks' images"),
            ("MJDIRECT", settings.direction, ""),
            ("MJSTYLE", settings.style if image is None else IMAGE + image.name, "where the styles come from"),
            ("MJSAMPLE", len(self.styles), "realisations"),
            ("MJSEED", settings.seed, "of the random styles"),
            ("MJSCALTO", self.how.scale_to, "scale of the magnetograms that were given"),
            ("MJSTRENG", run.config.run.strength_from_brightness, "exponent of the strength from the brightness"),
            ("MJPARAM", run.parameters_sha256, ""),
            ("MJCONFIG", run.config_sha256, ""),
            (fits_output.FINGERPRINT, self.fingerprint(source.inputs), ""),
            ("JAXVERS", jax.__version__, ""),
        ]
        cards += [(f"MJWARN{number}", warning[:60], "") for number, warning in enumerate(source.warnings, 1)]
        for number, (name, checksum) in enumerate(self.past_files, 1):
            cards += [(f"MJPAST{number}", name, "earlier magnetogram"), (f"MJPASH{number}", checksum, "")]
        for number, ((name, checksum), treatment) in enumerate(zip(source.inputs, source.treatments, strict=True), 1):
            cards += [(f"MJFILE{number}", name, "input"), (f"MJINSH{number}", checksum, "")]
            cards += [(f"{key}{number}", value, comment) for key, value, comment in treatment]
        return cards
