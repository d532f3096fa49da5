"""A strict session: four CPU devices, rank promotion and key reuse raise, warnings are errors (pyproject.toml).

What a test needs of JAX or TFDS it imports where it needs it: pytest reads this file in every process that it starts.
"""

import gc
import hashlib
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock
from platformdirs import user_cache_path

# Real solar data and the reference's numbers lie beside the project, not in it.
SHARED = Path(os.environ.get("MUNIT_SHARED", Path(__file__).parents[1].parent / "shared"))
CACHE = user_cache_path("munit_jax-tests")


def processor() -> str:
    """Return a name for this kind of processor: what was compiled for one may use instructions that another lacks."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    features = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()[:16]


# What is compiled is kept from one session to the next. JAX's own key of a program has its text, its options and the
# version of the compiler. These variables are read when JAX is imported, here and in the processes that tests start.
COMPILED = CACHE / "compiled" / processor()
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(COMPILED)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_NUM_CPU_DEVICES"] = "4"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ["JAX_DEBUG_KEY_REUSE"] = "True"
os.environ["MPLCONFIGDIR"] = str(CACHE / "matplotlib")  # it takes seconds to look for the fonts


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="Run the tests marked slow too.")


def pytest_configure(config: pytest.Config) -> None:
    """Remove what was compiled a month ago."""
    if not hasattr(config, "workerinput"):
        for path in COMPILED.glob("*"):
            if path.stat().st_mtime < time.time() - 30 * 86400:
                path.unlink()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for; the longest files come first.

    A worker that began with a long file last would end alone.
    """
    if not config.option.markexpr:
        left_out = {"pages"} if config.getoption("--slow") else {"slow", "pages"}
        groups = {True: [], False: []}
        for item in items:
            groups[any(mark.name in left_out for mark in item.iter_markers())].append(item)
        config.hook.pytest_deselected(items=groups[True])
        items[:] = groups[False]
    items.sort(key=lambda item: item.path.parent.name != "training")


def pytest_collection_finish() -> None:
    """Collect garbage seldom: tracing makes millions of objects, and there are as many that stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Compile without optimisation: most tests' time goes into compiling small programs, not into running them."""
    import jax

    jax.config.update("jax_disable_most_optimizations", item.get_closest_marker("optimized") is None)


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


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Return a folder that is made by the first test of the session that asks for it, in whichever process."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # of all workers

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        with FileLock(place / f"{name}.lock"):
            if not (place / name).exists():
                make(place / f"{name}.partial")
                (place / f"{name}.partial").rename(place / name)
        return place / name

    return folder


@pytest.fixture(scope="session")
def small_sun_builder(made_once):
    """The synthetic Sun in 16 pixels, a frame every ten days of 2011 and 2012."""
    from tfds_sdoml.config import SdomlConfig
    from tfds_sdoml.preparation import prepare
    from tfds_sdoml.sdoml_dataset_builder import Builder

    config = SdomlConfig(
        name="small",
        source="synthetic",
        channels=("0171", "0193"),
        field=("bz",),
        size=16,
        dtype="float32",
        start=int(datetime(2011, 1, 1, tzinfo=UTC).timestamp()),
        frames=73,
        cadence=10 * 86400,
    )
    folder = made_once("datasets", lambda path: prepare(Builder(config=config, data_dir=path), None))
    return Builder(config=config, data_dir=folder)


@pytest.fixture
def small_sun(small_sun_builder, monkeypatch):
    """`sdoml/small` is the small synthetic Sun wherever it is opened; other names are as ever.

    Random keys are not checked for reuse in what reads it: that takes a third of the time of a whole run, and the step
    has its own tests.
    """
    import jax

    from munit_jax.data import datasets

    opened = datasets.open_dataset

    def open_dataset(name, data_dir):
        return small_sun_builder if name == "sdoml/small" else opened(name, data_dir)

    monkeypatch.setattr(datasets, "open_dataset", open_dataset)
    with jax.debug_key_reuse(False):
        yield small_sun_builder


@pytest.fixture
def trained(small_sun, made_once):
    """The folder of a run on AIA 171 of the small synthetic Sun, trained once, without discriminators: it is quick."""
    from tests.training.test_loop import tiny_config, train_and_evaluate

    changes = {"data.channels": ("0171",), "loss.adversarial_weight": 0.0, "steps": 2, "checkpoint_every": 1}
    changes["strength_from_brightness"] = 0.5
    return made_once("trained_on_171", lambda workdir: train_and_evaluate(tiny_config(**changes), workdir))


@pytest.fixture
def run(trained):
    """That run, ready to translate."""
    from munit_jax.trained_run import open_run

    return open_run(trained, "latest")


@pytest.fixture
def weights(trained, made_once, monkeypatch):
    """The folder of `aia193`, made of that run, which is all that comes with the package."""
    from munit_jax import pretrained
    from munit_jax.export import export

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "CARD.md").write_text("# What it is\n")
        export(trained, "latest", folder / "CARD.md", folder / "aia193")

    monkeypatch.setattr(pretrained, "FOLDER", made_once("pretrained", make))
    return pretrained.FOLDER / "aia193"
