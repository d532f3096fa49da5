"""Weights that come with the package, a folder each; `python -m munit_jax.export` makes them from a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from munit_jax.errors import WorkdirError

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Return the names of the weights that come with the package."""
    return sorted(path.parent.name for path in FOLDER.glob("*/config.json"))


def folder_of(name: str) -> Path:
    """Return the folder of some weights; WorkdirError if there are none of that name."""
    if name not in (known := names()):
        raise WorkdirError(
            f"no weights {name!r} come with the package: choose from {', '.join(known) or 'none'}, or train a run "
            "(python -m munit_jax.train) and open its folder (--workdir, munit_jax.open_run)"
        )
    return FOLDER / name


def with_folder(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a config whose `start_from` is a folder where it was `pretrained/NAME`; WorkdirError as `folder_of`.

    A folder of that path comes first.
    """
    start_from = Path(config.get("start_from") or "")
    if start_from.parent != Path("pretrained") or start_from.exists():
        return config
    return {**config, "start_from": str(folder_of(start_from.name))}
