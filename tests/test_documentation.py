"""What the documentation names is there: files, headings, commands with their flags, functions, keys of configs."""

import importlib
import inspect
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from configs import aia193
from munit_jax import losses
from tests.commands import ROOT
from tests.training.test_loop import tiny_config, train_and_evaluate
from tfds_sdoml.build import parser
from tfds_sdoml.fetch.__main__ import parser as parser_of_fetch

MANUAL = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/gallery/*.md")])
EXPERIMENTS = sorted(ROOT.glob("docs/experiments/*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *MANUAL, ROOT / "tfds_sdoml" / "README.md"]  # their commands are typed
LONGEST_PAGE = 200  # lines
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)")
BLOCK = re.compile(r"^```([\w{}]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"python -m (munit_jax\.\w+|tfds_sdoml\.(?:build|fetch))(.*)|python (benchmarks/\w+\.py)(.*)")
METHOD = (ROOT / "docs" / "method.md").read_text()


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a page in a language, of none what has none."""
    return [block for name, block in BLOCK.findall(page.read_text()) if name == language]


def commands() -> list[tuple[str, list[str]]]:
    """Return (module or file, arguments) of every command in a block of a page, comments behind it taken off."""
    found = []
    for page in [*PAGES, *EXPERIMENTS]:
        for block in blocks(page, ""):
            for line in block.replace("\\\n", " ").splitlines():
                if match := COMMAND.search(line):
                    name, arguments = (match[1], match[2]) if match[1] else (match[3], match[4])
                    found.append((name, shlex.split(arguments.removesuffix("&"), comments=True)))
    return found


def anchors(page: Path) -> set[str]:
    """Return what headings of a page are linked by."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *EXPERIMENTS], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        if target.startswith("http"):
            continue
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


@pytest.mark.parametrize("page", [*PAGES, *EXPERIMENTS], ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_is_too_long(page):
    assert len(page.read_text().splitlines()) <= LONGEST_PAGE


def test_every_page_of_the_manual_is_in_its_contents():
    listed = [line for block in blocks(ROOT / "docs" / "index.md", "{toctree}") for line in block.splitlines()]
    assert {page.stem for page in MANUAL if page.parent.name == "docs"} == {
        "index",
        *(x for x in listed if x.isidentifier()),
    }


def test_there_are_commands_of_every_kind():
    names = {name for name, _ in commands()}
    assert {"tfds_sdoml.build", *(f"munit_jax.{m}" for m in ("train", "evaluate", "translate", "corona"))} <= names


@pytest.mark.parametrize(("name", "arguments"), commands(), ids=lambda x: x if isinstance(x, str) else " ".join(x))
def test_commands_have_the_flags_that_they_are_shown_with(name, arguments):
    if name.startswith("tfds_sdoml."):
        (parser if name == "tfds_sdoml.build" else parser_of_fetch)().parse_args(arguments)
        return
    if name.startswith("benchmarks/"):
        source = (ROOT / name).read_text() + (ROOT / "benchmarks" / "trainings.py").read_text()
        assert all(f'"{argument.partition("=")[0]}"' in source for argument in arguments if argument.startswith("--"))
        return
    known = set(importlib.import_module(name).FLAGS)
    for argument in arguments:
        flag, _, value = argument.removeprefix("--").partition("=")
        if flag.startswith("config."):
            assert _there(flag.removeprefix("config.")), flag
            continue
        assert flag in known, f"{name} has no --{flag}"
        if flag == "config":
            file, _, variant = value.partition(":")
            module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
            assert module.get_config(variant).steps > 0


def _there(key: str) -> bool:
    """Whether a dotted key is one of a config."""
    section = aia193.get_config()
    *sections, last = key.split(".")
    for name in sections:
        section = section[name]
    return last in section


def test_the_method_names_every_loss_term_and_its_weight():
    terms = [
        name
        for name, function in vars(losses).items()
        if not name.startswith("_") and getattr(function, "__module__", "") == losses.__name__
    ]
    assert "ensemble_crps" in terms
    assert [name for name in terms if f"`{name}`" not in METHOD and name != "discriminator_accuracy"] == []
    weights = [key for key in aia193.get_config().loss if key.endswith("_weight")]
    assert [key for key in weights if f"`{key}`" not in METHOD] == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z_]+(?:\.(?!json)[a-zA-Z_]+)+)`", METHOD))))
def test_functions_that_the_method_names_exist(name):
    if name.endswith(".py"):
        assert (ROOT / "munit_jax" / name).exists() or (ROOT / name).exists()
        return
    *modules, last = name.split(".")
    for package in ("munit_jax", "munit_jax.networks", "munit_jax.training"):
        try:
            module = importlib.import_module(".".join([package, *modules]))
        except ModuleNotFoundError:
            continue
        assert hasattr(module, last) or inspect.ismodule(importlib.import_module(f"{module.__name__}.{last}"))
        return
    pytest.fail(f"no module {'.'.join(modules)}")


@pytest.mark.pages
def test_the_tutorial_s_python_runs(small_sun, tmp_path, monkeypatch, capsys):
    """With networks that have learnt nothing, for images of the size that the tutorial has."""
    workdir = tmp_path / "runs" / "tutorial"
    changes = {"data.context": ("hale_latitude", "mu", "cycle_phase"), "steps": 1}
    train_and_evaluate(tiny_config(**changes), workdir)
    images = json.loads((workdir / "images.json").read_text())
    (workdir / "images.json").write_text(json.dumps(images | {"size": 64}))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks(ROOT / "docs" / "tutorial.md", "python"):
        exec(block, names)
    right, flux = (float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()[-2:])
    assert 0 <= right <= 1
    assert flux > 0
    assert {path.name for path in tmp_path.glob("*.png")} == {"far_side.png", "corona.png"}
    assert names["made"].shape == (16, 64, 64)
