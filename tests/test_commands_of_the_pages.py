"""What the README and the pages of docs/ tell one to type, typed: on a desk that has what they name, and made small.

    pytest -m pages -n 2 --dist=load

takes six minutes of two cores, so it is not in the usual run.

A page's lines are typed one after the other in one folder, but for those that an earlier page has, and those that need
what no desk has: `ELSEWHERE`. Skipped where the real data are absent: their FITS files are on the desk.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from configs.aia193 import AIA_LIMIT
from tests.commands import ROOT
from tests.instruments import suns
from tests.pfss.suns import write_disk, write_synoptic
from tests.test_documentation import COMMAND, PAGES, blocks
from tests.tfds_sdoml.sun_images import write_aia, write_hmi
from tfds_sdoml.build import main as build

ELSEWHERE = {  # a part of the line: where its like is run
    "pip install": "the gate",
    "--ntasks-per-node": "nowhere: it needs SLURM",
    "HOST0": "tests/training/test_hosts.py, with two processes",
    "benchmarks/": "by hand, in hours; tests/test_documentation.py looks at the flags",
    "tfds_sdoml.fetch": "tests/tfds_sdoml/fetch, with servers on loopback",
    "hf256": "tests/tfds_sdoml/fetch/test_first_run.py",
    "--manual_dir=sdoml": "tests/tfds_sdoml/fetch/test_kills.py",
    "--manual_dir=jsoc": "tests/tfds_sdoml/fetch/test_kills.py",
    "--manual_dir=PAIRS": "docs/gallery/own_pairs.md, in Python",
    "--workdir=runs/mine": "docs/gallery/own_pairs.md, in Python",
    "--manual_dir=SOHO": "tests/test_any_telescope.py",
    "--images=": "tests/test_any_telescope.py",
    "--dataset=sdoml/soho": "tests/report/test_evaluation.py",
    "--corona_frames=20": "as the line of docs/evaluate.md, with a run of half an hour",
    "--earth": "tests/heliosphere/test_propagation.py, where HUXt is",
    "--manual_dir=...": "tests/tfds_sdoml/test_build_command.py and test_beam.py",
}
SMALL = {
    "munit_jax.train": (
        *("--config.steps=1", "--config.checkpoint_every=1", "--config.eval_every=1", "--config.data.crop=64"),
        *(f"--config.model.{name}=2" for name in ("width", "mlp_width", "discriminator_width")),
        *(f"--config.model.{name}=1" for name in ("residual_blocks", "discriminator_scales")),
        *(f"--config.evaluation.{name}=1" for name in ("limit", "limit_during_training")),
    ),
    "munit_jax.evaluate": (
        "--limit=2",
        "--samples=2",
        "--corona_frames=1",
        "--corona_samples=1",
        "--rows=24",
        "--lmax=8",
    ),
    "munit_jax.translate": ("--samples=2",),
    "munit_jax.corona": ("--rows=24", "--lmax=8"),
    "munit_jax.export": (),
    "tfds_sdoml.build": (),
    "tfds_sdoml.fetch": (),
}
OF_171 = ("--config.data.channels=('0171',)", "--config.data.normalization.euv.limit=(8600.0,)")
PAIRS = ("20120315_0000", "20120515_0000", "20121215_0000")  # of training, validation and test
PATIENCE = 900  # seconds: no page takes that long

pytestmark = pytest.mark.pages


def scripts() -> dict[str, str]:
    """Return by page its commands, a line each."""
    found, earlier = {}, set()
    for page in PAGES:
        text = "".join(blocks(page, "")).replace("\\\n", " ")
        lines = [line.partition("  #")[0].strip() for line in text.splitlines() if COMMAND.search(line)]
        new = [line for line in lines if line not in earlier and not any(words in line for words in ELSEWHERE)]
        earlier.update(new)
        if new:
            found[str(page.relative_to(ROOT))] = "\n".join(new)
    return found


def typed(line: str) -> str:
    """Return a line as this machine takes it: its interpreter, and flags that make the work small."""
    line = line.removeprefix("uv run ").replace(" uv run ", " ")
    match = COMMAND.search(line)
    assert match is not None
    small = " ".join(f'"{flag}"' for flag in SMALL[match[1]])
    command, ampersand, _ = line.partition("&")
    return f"{command.replace('python -m', f'"{sys.executable}" -m')} {small} {ampersand}".strip()


def type_in(folder: Path, script: str, data: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TFDS_DATA_DIR": str(data), "JAX_NUM_CPU_DEVICES": "1"}
    lines = "\n".join(
        ["PS4='+ \\t '", "set -ex", *map(typed, script.splitlines()), "wait ${!:-}"]
    )  # `wait` alone hides a failure
    return subprocess.run(
        ["bash", "-c", lines],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory, shared):
    """A folder with what the pages name: files, datasets in data/, and runs that have learnt nothing."""
    folder = tmp_path_factory.mktemp("desk")
    sdoml, data = folder / "FOLDER_OF_SDOML", folder / "data"
    for time in PAIRS:
        year, month, day = time[:4], time[4:6], time[6:8]
        for channel in AIA_LIMIT:
            write_aia(sdoml / year / "AIA" / channel / month / day, time, channel=channel)
        write_hmi(sdoml / year / "HMI" / "bz" / month / day, time)
    pairs = (f"aia{channel}_hmi" for channel in AIA_LIMIT)
    for name in (*pairs, "aia0171_0193_0304_hmi", "aia0171", "hmi_bz"):
        assert build([f"sdoml/{name}", f"--manual_dir={sdoml}", f"--data_dir={data}"]) == 0
    at_1024 = ("--source=npz_v1", "--size=512")  # the files of 1024 pixels are FITS
    assert build(["sdoml/aia0193_hmi_1024", *at_1024, f"--manual_dir={sdoml}", f"--data_dir={data}"]) == 0
    assert build(["sdoml/synthetic_64", "--years=2012", "--months=3,5,12", f"--data_dir={data}"]) == 0
    (folder / "FOLDER").symlink_to(sdoml)
    (folder / "fits").symlink_to(shared / "data" / "fits")
    (folder / "aia").mkdir()
    (folder / "aia" / "aia.fits").symlink_to(shared / "data" / "fits" / "aia_171_level1.fits")
    suns.write_aia(folder / "aia193.fits", WAVELNTH=193)
    (folder / "MODEL_CARD.md").write_text("# A card\n")
    for name in ("gong.fits", "hmi_mrdailysynframe_20181106.fits"):
        write_synoptic(folder / name)
    (folder / "earlier").mkdir()
    write_disk(folder / "earlier" / "magnetogram.fits", 120.0, realisations=2)
    quickstart = "python -m munit_jax.train --config=configs/aia193.py:quickstart --workdir="
    runs = [f"{quickstart}runs/aia193-quickstart", f"{quickstart}RUN_OF_171 {' '.join(f'"{x}"' for x in OF_171)}"]
    result = type_in(folder, "\n".join(runs), data)
    assert result.returncode == 0, result.stderr
    shutil.copytree(folder / "runs" / "aia193-quickstart", folder / "runs" / "another")
    return folder


def test_what_is_typed_elsewhere_is_named_in_the_pages():
    everything = "\n".join(block for page in PAGES for block in blocks(page, ""))
    assert [words for words in ELSEWHERE if words not in everything] == []


@pytest.mark.parametrize("page", scripts())
def test_the_commands_of_a_page_run(page, desk, tmp_path):
    shutil.copytree(desk, tmp_path, symlinks=True, dirs_exist_ok=True)
    script = scripts()[page]
    if "--output=magnetograms" not in script:
        (tmp_path / "earlier").rename(tmp_path / "magnetograms")
    result = type_in(tmp_path, script, tmp_path / "data")
    assert result.returncode == 0, result.stderr
