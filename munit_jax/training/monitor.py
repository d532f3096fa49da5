"""What a run shows of itself while it trains: held-out scores beside their baselines, and pictures."""

from pathlib import Path

import numpy as np

from munit_jax.configuration import Config, style_spread
from munit_jax.data.datasets import Frames, Watch, format_time, spaced
from munit_jax.data.pipeline import DataSettings, archive_of, context_of_scored
from munit_jax.networks.munit import DOMAINS, Architecture, Params
from munit_jax.training.held_out import (
    Scores,
    Translator,
    frame_styles,
    make_translator,
    score_baselines,
    score_generator,
)

SAMPLE_FRAMES = 3
SAMPLE_REALISATIONS = 4


class Monitor:
    """The held-out frames of a run: scores where they have a truth, pictures in any case.

    While a run trains it is scored on the validation split, which also tells the best checkpoint; the test split is for
    the end. A dataset of a handful of frames may lack the first or both: the test split then stands for the first, and
    training frames for both.
    """

    def __init__(self, config: Config, settings: DataSettings, architecture: Architecture, watch: Watch = iter):
        self.config, self.settings, self.architecture, self.watch = config, settings, architecture, watch
        self.translator: Translator = make_translator(architecture, settings.normalization)
        self.context = context_of_scored(settings, archive_of(settings))
        self.domains = DOMAINS if settings.paired else ("euv",)
        self.frames = self._frames("test") or self._frames("train")
        self.validation = self._frames("validation") or self.frames

    @property
    def has_truth(self) -> bool:
        """Whether there are held-out frames with a simultaneous magnetogram."""
        return self.settings.paired and self.frames.split == "test"

    def validation_scores(self, ema: Params) -> Scores:
        """Return the scores of the generator while it trains; without truth, those that need none."""
        return self._score(ema, self.validation, self.config.evaluation.limit_during_training)

    def scores(self, ema: Params) -> Scores | None:
        """Return the scores of the generator on the held-out frames, None where they have no truth."""
        return self._score(ema, self.frames, self.config.evaluation.limit) if self.has_truth else None

    def baselines(self) -> dict[str, Scores] | None:
        """Return the scores of the baselines on all held-out frames, None where they have no truth."""
        if not self.has_truth:
            return None
        euv = self.settings.normalization["euv"]
        return score_baselines(self._frames("train"), self.frames, euv, self.config.evaluation.limit, self.watch)

    def picture(self, ema: Params, path: Path, step: int) -> None:
        """Save a picture of a few frames and their realisations."""
        from munit_jax.figures import sample_figure  # matplotlib takes a second: not before the first step

        rows = []
        for i in self.watch(spaced(len(self.frames), SAMPLE_FRAMES)):
            frame = self.frames[i]
            spread = style_spread(self.config)
            styles = frame_styles(self.architecture, self.config.seed, i, SAMPLE_REALISATIONS, spread)
            rows.append(
                {
                    "euv": frame["euv"][..., 0],
                    "true": frame["magnetogram"][..., 0] if self.settings.paired else None,
                    "generated": np.asarray(self.translator(ema, frame["euv"], styles, self.context(frame))),
                    "label": format_time(frame["time"])[:16],
                }
            )
        title = f"{self.frames.name}, {self.frames.split} split, step {step}"
        sample_figure(path, rows, self.settings.channels[0], title, SAMPLE_REALISATIONS)

    def _frames(self, split: str) -> Frames:
        return Frames(self.settings.euv, split, self.domains, self.settings.channels, self.settings.data_dir)

    def _score(self, ema: Params, frames: Frames, limit: int) -> Scores:
        evaluation = self.config.evaluation
        return score_generator(
            self.translator,
            ema,
            self.architecture,
            frames,
            limit,
            evaluation.styles,
            self.config.seed,
            self.watch,
            self.context,
            style_spread(self.config),
        )
