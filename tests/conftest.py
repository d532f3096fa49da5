"""A strict session: four CPU devices, rank promotion and key reuse raise, warnings are errors (pyproject.toml)."""

import os
from pathlib import Path

# The tests' time goes into compiling small programs, not into running them. Read by JAX when it is imported.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)

# Real solar data and the reference's numbers lie beside the project, not in it.
SHARED = Path(os.environ.get("MUNIT_SHARED", Path(__file__).parents[1].parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data and the parity file; a test that needs it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no folder {SHARED} (set MUNIT_SHARED)")
    return SHARED
