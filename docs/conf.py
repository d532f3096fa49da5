"""Sphinx configuration of the manual: `sphinx-build -W --keep-going docs docs/_build`."""

import re
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent

project = "munit_jax"
copyright = "the munit_jax developers; Apache License 2.0"
version = release = installed_version("munit-jax")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "experiments"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"munit_jax {release}"
html_copy_source = False
smartquotes = False  # two hyphens are a flag

myst_heading_anchors = 4  # links to headings work as on GitHub

autosummary_generate = True
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
napoleon_custom_sections = [("Source", "params_style")]
napoleon_use_ivar = True

LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[\w-]+)?\)")
# What reStructuredText would read as markup in a docstring: |B|, names that end in an underscore, asterisks.
MARKUP = re.compile(r"(?<!`)(\||\*|(?<=\w)_(?!\w))")


def link_files_outside(_: Sphinx, docname: str, source: list[str]) -> None:
    """Turn links to files that are no pages of the manual into downloads, so that a built copy is complete."""

    def target(match: re.Match[str]) -> str:
        path = ((HERE / docname).parent / match[1]).resolve()
        inside = path.is_relative_to(HERE) and not path.is_relative_to(HERE / "experiments")
        return match[0] if inside or not path.is_file() else f"](path:{match[1]})"

    source[0] = LINK.sub(target, source[0])


def escape_markup(_app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Keep the text of docstrings, which are plain, from being read as markup."""
    lines[:] = ["`".join(_escaped(line)) for line in lines]


def _escaped(line: str) -> list[str]:
    """Return the parts of a line between backticks, those outside of code escaped."""
    if line.lstrip().startswith(">>>"):
        return [line]
    parts = line.split("`")
    return [part if number % 2 else MARKUP.sub(r"\\\1", part) for number, part in enumerate(parts)]


def setup(app: Sphinx) -> None:
    """Connect the two changes of text."""
    app.connect("source-read", link_files_outside)
    app.connect("autodoc-process-docstring", escape_markup, priority=400)
