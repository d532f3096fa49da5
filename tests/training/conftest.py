"""Networks of a size that compiles quickly, and one global batch."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from munit_jax import figures
from munit_jax.networks.munit import DOMAINS
from munit_jax.training.objectives import Objective
from munit_jax.training.state import OptimizerSettings
from munit_jax.training.step import Recipe
from tests.architectures import TINY


@pytest.fixture
def blank_pictures(monkeypatch):
    """Runs with blank pictures."""
    monkeypatch.setattr(figures, "frames_figure", lambda *_: Figure(figsize=(1, 1)))


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    objective = Objective(adversarial="lsgan", cycle_weight=10.0, paired_weight=1.0, unsigned_weight=1.0)
    # The discriminators move so far in a step that the generators' gradient shows which of them it is taken through.
    settings = OptimizerSettings(discriminator_learning_rate=0.1, weight_decay=1e-4, clip_norm=50.0)
    return Recipe(TINY, objective, settings)


@pytest.fixture(scope="session")
def images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {domain: rng.uniform(-1, 1, (4, 16, 16, 1)).astype(np.float32) for domain in DOMAINS}


@pytest.fixture(scope="session")
def conditioned(recipe) -> Recipe:
    """The same with decoders that are conditioned on three planes, and the ensemble term."""
    return dataclasses.replace(
        recipe,
        architecture=dataclasses.replace(TINY, context_planes=3),
        objective=dataclasses.replace(recipe.objective, ensemble_weight=3.0),
    )


@pytest.fixture(scope="session")
def contexts() -> dict[str, np.ndarray]:
    """Planes of that batch, others in each domain."""
    rng = np.random.default_rng(1)
    return {domain: rng.uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32) for domain in DOMAINS}
