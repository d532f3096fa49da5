"""The pages of docs/gallery, from top to bottom, each in an empty folder: what they make and print.

    pytest -m pages tests/test_gallery.py

takes two and a half minutes of CPU time.
"""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from tests.commands import ROOT
from tests.test_documentation import blocks

GALLERY = ROOT / "docs" / "gallery"
LARGEST = 150_000  # bytes of a figure
EARTH = "## To the Earth"  # the section that needs HUXt


@pytest.fixture
def page(request, tmp_path, monkeypatch, capsys):
    """Run a page in an empty folder and return its names; everything that it shows as printed has been printed."""
    import jax

    monkeypatch.chdir(tmp_path)
    path, names = GALLERY / request.param, {}
    with jax.debug_key_reuse(False):  # the training's step has its own tests
        for block in blocks(path, "python"):
            exec(block, names)
    printed = set(map(_words, capsys.readouterr().out.splitlines()))
    assert _shown(path) <= printed
    return names


def _shown(path: Path) -> set[str]:
    """Return the lines that a page shows as printed; without HUXt those before the wind at the Earth."""
    lines = [line for block in blocks(path, "text") for line in block.splitlines()]
    if find_spec("huxt") is None:
        last = path.read_text().partition(EARTH)[0]
        lines = [line for line in lines if line in last]
    return set(map(_words, lines))


def _words(line: str) -> str:
    """Return a line with # for each number, which differ a little between CPUs."""
    return " ".join(re.sub(r"-?\d[\d,.]*", "#", line).split())


def _made(page: str) -> set[str]:
    return set(re.findall(r'savefig\("(.*?)"', (GALLERY / page).read_text()))


@pytest.mark.parametrize("page", sorted(GALLERY.glob("*.md")), ids=lambda page: page.stem)
def test_figures_are_there_and_small(page):
    shown = set(re.findall(r"^!\[.*\]\((.*)\)$", page.read_text(), re.MULTILINE))
    assert _made(page.name) <= shown
    assert [name for name in shown if (GALLERY / name).stat().st_size > LARGEST] == []


@pytest.mark.pages
@pytest.mark.optimized
@pytest.mark.parametrize("page", ["far_side.md"], indirect=True)
def test_a_far_side_is_translated_and_put_into_a_map(page: dict[str, Any]):
    assert page["row"].status == "written"
    assert all(Path(name).exists() for name in _made("far_side.md"))
    with fits.open("magnetograms/euvi195_magnetogram.fits") as layers:
        assert layers["REALISATIONS"].data.shape == (16, 128, 128)
        assert layers[0].header["CRLN_OBS"] == pytest.approx(page["far"].geometry.l0)
    strong, right = page["strong"], page["right"]
    assert right[strong].mean() > 0.85
    assert right[strong & page["sure"]].mean() > right[strong].mean()
    inside, truth = page["inside"], page["truth"]
    old, new = (np.corrcoef(page[name][inside], truth[inside])[0, 1] for name in ("old", "new"))
    assert new > old + 0.2
    outside = page["weight"] == 0
    assert np.ptp((page["new"] - page["old"])[outside]) < 0.5, "only the monopole changes there"


@pytest.mark.pages
@pytest.mark.optimized
@pytest.mark.parametrize("page", ["corona_error.md"], indirect=True)
def test_an_error_of_the_far_side_becomes_one_of_the_wind(page: dict[str, Any]):
    assert Path("corona_error.png").exists()
    assert np.abs(page["coronae"]["self_check"]).max() < 0.01
    surfaces, speeds, area = (page[name] for name in ("surfaces", "speeds", "area"))
    wrong = [area[surface * surfaces[0] < 0].sum() for surface in surfaces]
    assert wrong[0] == 0
    assert 0.05 < wrong[1] < wrong[2] < 0.5, "flipped signs are worse than none"
    errors = [np.sqrt((area * (speed - speeds[0]) ** 2).sum()) for speed in speeds]
    assert errors[0] == 0
    assert all(30 < error < 250 for error in errors[1:])
    assert Path("corona_error_earth.png").exists() == (find_spec("huxt") is not None)


@pytest.mark.pages
@pytest.mark.optimized
@pytest.mark.parametrize("page", ["own_pairs.md"], indirect=True)
def test_pairs_become_a_dataset_a_training_and_scores(page: dict[str, Any]):
    splits = {name: info.num_examples for name, info in page["builder"].info.splits.items()}
    assert splits == {"train": 27, "validation": 5, "test": 10}
    held_out, baselines = page["summary"]["held_out"], page["summary"]["baselines"]
    assert held_out["their_mean"]["correlation"] > baselines["hale"]["correlation"]
    assert page["metrics"]["run"]["frames"] == 10
    assert Path("runs/mine/evaluation/report.html").exists()
    assert Path("own_pairs.png").exists()
    true, inside = page["true"][:, page["inside"]].ravel(), page["inside"]
    before, after = (np.corrcoef(page["made"][name][:, inside].ravel(), true)[0, 1] for name in ("before", "after"))
    assert after > before + 0.03
