"""What a run shows of itself while it trains: validation scores and pictures; at its end, test scores and baselines."""

from pathlib import Path

import numpy as np

from munit_jax.data.datasets import Frames, Watch, format_time, geometry_of, spaced
from munit_jax.data.pipeline import archive_of, context_of_scored
from munit_jax.networks.munit import DOMAINS, Params
from munit_jax.training.held_out import (
    WITHOUT_TRUTH,
    Scores,
    frame_styles,
    score_baselines,
    score_generator,
    translate_frame,
)
from munit_jax.training.settings import RunConfig
from munit_jax.translator import Translator

SAMPLE_FRAMES = 3
SAMPLE_REALISATIONS = 4


class Monitor:
    """The held-out frames of a run.

    The validation split is scored while the run trains and chooses the best checkpoint; the test split is read once,
    at the end. Where a dataset has no validation split, training frames are drawn and watched for collapse, and no
    checkpoint is the best.
    """

    def __init__(self, config: RunConfig, watch: Watch = iter):
        self.run, self.data, self.watch = config.run, config.data, watch
        self.translator = Translator(config.recipe.architecture, **config.data.normalization)
        self.context = context_of_scored(self.data, archive_of(self.data))
        self.domains = DOMAINS if self.data.paired else ("euv",)
        self.test = self._frames("test")
        self.watched = self._frames("validation") or self._frames("train")

    @property
    def size(self) -> int:
        """Width and height of the frames in pixels."""
        return self.watched.size

    def validation_scores(self, generators: Params) -> Scores:
        """Return the scores while the run trains; of frames that are not held-out, those that need no truth."""
        scores = self._score(generators, self.watched, self.run.evaluation.limit_during_training)
        if self.watched.split == "validation":
            return scores
        return {name: scores[name] for name in WITHOUT_TRUTH}

    def test_scores(self, generators: Params) -> Scores | None:
        """Return the scores on the test split, None where it has no magnetograms."""
        return self._score(generators, self.test, self.run.evaluation.limit) if self._has_truth else None

    def baselines(self) -> dict[str, Scores] | None:
        """Return the scores of the baselines on the test split, None where it has no magnetograms."""
        if not self._has_truth:
            return None
        euv = self.data.normalization["euv"]
        return score_baselines(self._frames("train"), self.test, euv, self.run.evaluation.limit, self.watch)

    def picture(self, generators: Params, path: Path, step: int) -> None:
        """Save a picture of a few frames and their realisations."""
        from munit_jax.figures import FrameImages, frames_figure  # matplotlib takes a second: not before the first step

        rows = []
        for i in self.watch(spaced(len(self.watched), SAMPLE_FRAMES)):
            frame = self.watched[i]
            spread = self.run.style_spread
            styles = frame_styles(self.translator.architecture, self.run.seed, i, SAMPLE_REALISATIONS, spread)
            generated = translate_frame(self.translator, generators, frame, styles, self.context(frame))
            true = frame["magnetogram"][..., 0] if self.data.paired else None
            label, geometry = format_time(frame["time"])[:16], geometry_of(frame)
            rows.append(FrameImages(label, frame["euv"][..., 0], true, np.asarray(generated), geometry))
        title = f"{self.watched.name}, {self.watched.split} split, step {step}"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames_figure(rows, self.data.channels[0], title).savefig(path, dpi=110)

    @property
    def _has_truth(self) -> bool:
        return self.data.paired and len(self.test) > 0

    def _frames(self, split: str) -> Frames:
        return Frames(self.data.euv, split, self.domains, self.data.channels, self.data.data_dir)

    def _score(self, generators: Params, frames: Frames, limit: int) -> Scores:
        run = self.run
        return score_generator(
            self.translator,
            generators,
            frames,
            limit,
            run.evaluation.styles,
            run.seed,
            self.watch,
            self.context,
            run.style_spread,
        )
