"""What a run shows of itself while it trains: held-out scores beside their baselines, and pictures."""

from pathlib import Path

import numpy as np

from munit_jax.configuration import Config
from munit_jax.data.pipeline import DataSettings, Frames, format_time
from munit_jax.evaluation.held_out import (
    Scores,
    Translator,
    frame_styles,
    make_translator,
    score_baselines,
    score_generator,
    spaced,
)
from munit_jax.model.munit import DOMAINS, Architecture, Params

SAMPLE_FRAMES = 3
SAMPLE_REALISATIONS = 4


class Monitor:
    """The held-out frames of a run: scores where they have a truth, pictures in any case."""

    def __init__(self, config: Config, settings: DataSettings, architecture: Architecture):
        self.config, self.settings, self.architecture = config, settings, architecture
        self.translator: Translator = make_translator(architecture, settings.normalization)
        domains = DOMAINS if settings.paired else ("euv",)
        held_out = Frames(settings.euv, "test", domains, settings.channels, settings.data_dir)
        # A handful of frames may leave no held-out split: the pictures then show training frames, and say so.
        self.frames = held_out if len(held_out) else self._train_frames(domains)

    def _train_frames(self, domains: tuple[str, ...]) -> Frames:
        return Frames(self.settings.euv, "train", domains, self.settings.channels, self.settings.data_dir)

    @property
    def has_truth(self) -> bool:
        """Whether there are held-out frames with a simultaneous magnetogram."""
        return self.settings.paired and self.frames.split == "test"

    def scores(self, ema: Params, limit: int) -> Scores | None:
        """Return the scores of the generator on the held-out frames, None where they have no truth."""
        if not self.has_truth:
            return None
        evaluation = self.config.evaluation
        return score_generator(
            self.translator, ema, self.architecture, self.frames, limit, evaluation.styles, self.config.seed
        )

    def baselines(self) -> dict[str, Scores] | None:
        """Return the scores of the baselines on all held-out frames, None where they have no truth."""
        if not self.has_truth:
            return None
        return score_baselines(self._train_frames(("magnetogram",)), self.frames, self.config.evaluation.limit)

    def picture(self, ema: Params, path: Path, step: int) -> None:
        """Save a picture of a few frames and their realisations."""
        from munit_jax.evaluation.figures import sample_figure  # matplotlib takes a second: not before the first step

        rows = []
        for i in spaced(len(self.frames), SAMPLE_FRAMES):
            frame = self.frames[i]
            styles = frame_styles(self.architecture, self.config.seed, i, SAMPLE_REALISATIONS)
            rows.append(
                {
                    "euv": frame["euv"][..., 0],
                    "true": frame["magnetogram"][..., 0] if self.settings.paired else None,
                    "generated": np.asarray(self.translator(ema, frame["euv"], styles)),
                    "label": format_time(frame["time"])[:16],
                }
            )
        title = f"{self.frames.name}, {self.frames.split} split, step {step}"
        sample_figure(path, rows, self.settings.channels[0], title, SAMPLE_REALISATIONS)
