"""Detect discriminator and style collapse."""

import logging
from collections.abc import Mapping

from munit_jax.networks.munit import DOMAINS

logger = logging.getLogger(__name__)

MEMORY = 0.99  # of the running mean of a discriminator's accuracy: some hundred steps
STEPS_BEFORE_JUDGING = 300
WON = 0.99  # accuracy
# Realisations that differ by less than this share of their strength count as equal.
COLLAPSED_SPREAD = 0.01


class Health:
    """Checks a run's scalars and warns once of a problem, and again only after it has gone."""

    def __init__(self):
        self._steps = 0
        self._accuracy = dict.fromkeys(DOMAINS, 0.5)  # running means
        self._undecided = dict.fromkeys(DOMAINS, 0)  # steps in a row
        self._ill: set[str] = set()

    def watch_step(self, step: int, scalars: Mapping[str, float]) -> None:
        """Check the scalars of an applied step for a discriminator that is right about every patch, or about half."""
        self._steps += 1
        for domain in DOMAINS:
            now = scalars.get(f"discriminator_accuracy_{domain}")
            if now is None:  # trained without discriminators
                continue
            mean = self._accuracy[domain] = MEMORY * self._accuracy[domain] + (1 - MEMORY) * now
            self._undecided[domain] = self._undecided[domain] + 1 if now == 0.5 else 0
            self._tell(
                f"discriminator collapse ({domain})",
                self._steps >= STEPS_BEFORE_JUDGING and mean > WON,
                f"at step {step} it classifies {100 * mean:.1f} % of the patches correctly, so the generator "
                "learns nothing: lower optimizer.discriminator_learning_rate, or set "
                "model.discriminator_spectral_norm=True",
            )
            self._tell(
                f"discriminator collapse ({domain}), constant",
                self._undecided[domain] >= STEPS_BEFORE_JUDGING,
                f"for {self._undecided[domain]} steps up to {step} it has given every patch the same answer, and the "
                "generator learns nothing from it: lower optimizer.discriminator_learning_rate",
            )

    def watch_scores(self, step: int, scores: Mapping[str, float]) -> None:
        """Check held-out scores for styles that make no difference; a non-finite field has none."""
        if "spread" not in scores:
            return
        spread, rms = scores["spread"], scores["rms"]
        self._tell(
            "style collapse",
            spread < COLLAPSED_SPREAD * rms,
            f"at step {step} the realisations of a frame differ by {spread:.3g} G in a field of {rms:.3g} G: they say "
            "nothing about its uncertainty; raise loss.style_weight",
        )

    def _tell(self, name: str, ill: bool, message: str) -> None:
        if ill and name not in self._ill:
            logger.warning("%s: %s", name, message)
        (self._ill.add if ill else self._ill.discard)(name)
