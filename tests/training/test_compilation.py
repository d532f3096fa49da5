"""The step is compiled once, for one shape, with a word on what it took."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.training.parallel import compile_step


def test_the_compiled_step_takes_one_shape(caplog):
    traces = []

    def step(state, batch):
        traces.append(1)
        return state + batch.sum(), {"sum": batch.sum()}

    state, batch = jnp.zeros(()), jnp.ones((2, 3))
    with caplog.at_level("INFO"):
        compiled = compile_step(jax.jit(step), state, batch)
    for _ in range(3):
        state, metrics = compiled(state, batch)
    assert (float(state), float(metrics["sum"])) == (18.0, 6.0)
    assert len(traces) == 1
    first, second, third = (record.message for record in caplog.records)
    assert first == "compiling the training step"
    assert second.startswith("the training step: traced in ")
    assert third == "memory a device: 0.00 GB, 0.00 of it within a step only"
    with pytest.raises(TypeError, match=r"compiled with float32.2,3. and called with float32.3,3."):
        compiled(state, np.ones((3, 3), np.float32))
