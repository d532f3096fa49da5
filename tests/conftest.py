"""A strict session: four CPU devices, rank promotion and key reuse raise, warnings are errors (pyproject.toml)."""

import os
from datetime import UTC, datetime
from pathlib import Path

# The tests' time goes into compiling small programs, not into running them. Read by JAX when it is imported.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

import jax
import pytest

from munit_jax.data import pipeline
from tfds_sdoml.config import SdomlConfig
from tfds_sdoml.sdoml_dataset_builder import Builder

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)

# Real solar data and the reference's numbers lie beside the project, not in it.
SHARED = Path(os.environ.get("MUNIT_SHARED", Path(__file__).parents[1].parent / "shared"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of training come first: a worker that began with their long files last would end alone."""
    items.sort(key=lambda item: item.path.parent.name != "training")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data and the parity file; a test that needs it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED} (set MUNIT_SHARED)")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def _empty_cache(tmp_path_factory):
    """What the commands keep for the user from one start to the next begins empty."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(tmp_path_factory):
    """Many tests train the same tiny networks: what took long to compile is kept from one to the next."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@pytest.fixture(scope="session")
def small_sun_builder(tmp_path_factory):
    """The synthetic Sun in 16 pixels, a frame every ten days of 2011 and 2012."""
    start = int(datetime(2011, 1, 1, tzinfo=UTC).timestamp())
    config = SdomlConfig(
        name="small",
        source="synthetic",
        channels=("0171", "0193"),
        field=("bz",),
        size=16,
        dtype="float32",
        start=start,
        frames=73,
        cadence=10 * 86400,
    )
    builder = Builder(config=config, data_dir=tmp_path_factory.mktemp("datasets"))
    builder.download_and_prepare()
    return builder


@pytest.fixture
def small_sun(small_sun_builder, monkeypatch):
    """`sdoml/small` is the small synthetic Sun wherever the pipeline opens it; other names are as ever."""
    opened = pipeline.open_dataset

    def open_dataset(name, data_dir):
        return small_sun_builder if name == "sdoml/small" else opened(name, data_dir)

    monkeypatch.setattr(pipeline, "open_dataset", open_dataset)
    return small_sun_builder


@pytest.fixture
def trained(small_sun, tmp_path_factory):
    """The folder of a run on AIA 171 of the small synthetic Sun, trained once, without discriminators: it is quick."""
    from munit_jax.training.loop import train_and_evaluate
    from tests.training.test_loop import tiny_config

    workdir = tmp_path_factory.getbasetemp() / "trained_on_171"
    if not workdir.exists():
        changes = {"data.channels": ("0171",), "loss.adversarial_weight": 0.0, "steps": 2, "checkpoint_every": 1}
        train_and_evaluate(tiny_config(**changes), workdir)
    return workdir


@pytest.fixture
def run(trained):
    """That run, ready to translate."""
    from munit_jax.inference import open_run

    return open_run(trained, "latest")
