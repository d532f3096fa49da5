"""What `import munit_jax` offers: few names, imported when they are used, each with an example that runs."""

import doctest
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import munit_jax
from munit_jax.data.normalization import Normalization
from munit_jax.networks.munit import Architecture, init_generators
from tests.instruments.suns import write_aia


@pytest.mark.parametrize("name", munit_jax.__all__)
def test_the_example_of_a_name_runs(name, trained, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_aia(tmp_path / "aia.fits")
    names = {
        "munit_jax": munit_jax,
        "jax": jax,
        "Path": Path,
        "np": np,
        "Architecture": Architecture,
        "Normalization": Normalization,
        "init_generators": init_generators,
        "workdir": trained,
        "euv": np.full((1, 16, 16, 1), 150.0, np.float32),
    }
    thing = getattr(munit_jax, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(thing, name, module=False, globs=names)
    assert example.examples
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL).run(example)
    assert (results.failed, results.attempted) == (0, len(example.examples))


def test_jax_is_imported_when_it_is_needed():
    code = "import sys, munit_jax; assert 'jax' not in sys.modules, 'imported'; print(*dir(munit_jax))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(munit_jax.__all__) < set(result.stdout.split())
    with pytest.raises(AttributeError, match="module 'munit_jax' has no attribute 'translat'"):
        _ = munit_jax.translat
