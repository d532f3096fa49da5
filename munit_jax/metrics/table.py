"""Scores as text, in the commands' tables and in the report."""

import math
from collections.abc import Iterable, Mapping


def plain(name: str) -> str:
    """Return the name of a score, a column or a part as text."""
    return name.replace("_", " ")


def number_text(value: float | None) -> str:
    """Return a score with three decimals, or four significant digits; a dash where it is not defined."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.3f}" if 0.001 <= abs(value) < 10 else f"{value:.4g}"


def score_table(title: str, names: Iterable[str], columns: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return scores as a table of text.

    Args:
        title: above the names of the scores.
        names: of the scores, a row each.
        columns: the scores by their name, of the model and each baseline.
    """
    rows = {name: [number_text(scores[name]) for scores in columns.values()] for name in names}
    return "\n".join(
        f"{name:<20}" + "".join(f"{cell:>13}" for cell in cells) for name, cells in {title: columns, **rows}.items()
    )
