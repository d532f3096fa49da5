"""Imports run one way: a room may use the rooms that stand below it, and none above."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "munit_jax"

# From the ground up; rooms on one level do not use each other.
LEVELS = (
    {"errors", "sun", "losses"},
    {"data", "networks", "command_line", "pfss"},
    {"metrics"},
    {"figures"},
    {"training", "configuration"},
    {"inference"},
    {"translation"},
    {"report"},
    {"train", "evaluate", "translate", "corona", "replay"},
)
# `configuration` makes the settings of the training, which reads it; `pfss` reads magnetograms of the disk.
TOGETHER = {("training", "configuration"), ("configuration", "training"), ("pfss", "translation")}


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "munit_jax" and len(parts) > 1 else None


def imported(path: Path) -> set[str]:
    """Return the rooms of the package that a file imports from, wherever in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"munit_jax.{a.name}" for a in node.names] if node.module == "munit_jax" else [node.module]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {room for module in modules if (room := room_of(module)) and not room.startswith("__")}
    return rooms


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    level = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in level, f"{own} has no level: put it into LEVELS"
    wrong = {
        room for room in imported(path) if room != own and (own, room) not in TOGETHER and level[room] >= level[own]
    }
    assert not wrong, f"{own} uses {', '.join(sorted(wrong))}, which stand above or beside it"


def test_datasets_stand_on_the_physics_alone():
    rooms = set().union(*map(imported, (PACKAGE.parent / "tfds_sdoml").rglob("*.py")))
    assert rooms == {"sun"}


def test_a_wrong_import_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("from munit_jax import losses\nimport munit_jax.data.pipeline\n")
    assert imported(tmp_path / "a.py") == {"losses", "data"}
