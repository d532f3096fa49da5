"""Magnetograms from EUV images of the Sun by multimodal image-to-image translation (MUNIT)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from munit_jax import losses, pfss
    from munit_jax.trained_run import load_pretrained, open_run
    from munit_jax.translation.translate_files import translate_files
    from munit_jax.translator import Translator

__version__ = "0.1.0"
__all__ = ["Translator", "load_pretrained", "losses", "open_run", "pfss", "translate_files"]

_HOMES = {
    "Translator": "translator",
    "load_pretrained": "trained_run",
    "open_run": "trained_run",
    "translate_files": "translation.translate_files",
}


def __getattr__(name: str) -> Any:
    """Import what is public when it is first used: importing JAX takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"munit_jax.{_HOMES.get(name, name)}")
    return getattr(module, name) if name in _HOMES else module


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
