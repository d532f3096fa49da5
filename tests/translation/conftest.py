import jax.numpy as jnp
import pytest

from munit_jax.trained_run import TrainedRun


@pytest.fixture
def identity(monkeypatch):
    """Translations are the inputs themselves: DN/s become as many gauss, with every style the same."""

    def translate(run, images, styles, contexts, source, a_pass):
        return jnp.repeat(jnp.asarray(images[:, None, ..., :1]), len(styles), axis=1)

    monkeypatch.setattr(TrainedRun, "translate", translate)
