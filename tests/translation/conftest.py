import jax.numpy as jnp
import pytest

from munit_jax.inference import open_run
from munit_jax.training.loop import train_and_evaluate
from munit_jax.translation import translator
from tests.training.test_loop import tiny_config


@pytest.fixture
def identity(monkeypatch):
    """Translations are the inputs themselves: DN/s become as many gauss, with every style the same."""

    def make_translate(run, source, at_once):
        return lambda images, styles: jnp.repeat(jnp.asarray(images[:, None, ..., :1]), len(styles), axis=1)

    monkeypatch.setattr(translator, "make_translate", make_translate)


@pytest.fixture
def trained(small_sun, tmp_path_factory):
    """The folder of a run on AIA 171 of the small synthetic Sun, trained once."""
    workdir = tmp_path_factory.getbasetemp() / "trained_on_171"
    if not workdir.exists():
        changes = {"data.channels": ("0171",), "steps": 2, "checkpoint_every": 1}
        train_and_evaluate(tiny_config(**changes), workdir)
    return workdir


@pytest.fixture
def run(trained):
    return open_run(trained, "latest", size=16)
