import pytest

from munit_jax.metrics.table import number_text, score_table


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (-2.0, "-2.000"), (14.249, "14.25"), (0.0, "0"), (3.2e-5, "3.2e-05"), (None, "-")]
    + [(float(name), "-") for name in ("nan", "inf")],
)
def test_numbers(value, text):
    assert number_text(value) == text


def test_a_row_for_each_score_and_a_column_for_each_magnetogram():
    columns = {"model": {"rmse": 12.345, "correlation": 0.5, "more": 1.0}, "zero": {"rmse": 13.0, "correlation": None}}
    table = score_table("held-out", ("rmse", "correlation"), columns).splitlines()
    assert [line.split() for line in table] == [
        ["held-out", "model", "zero"],
        ["rmse", "12.35", "13"],
        ["correlation", "0.500", "-"],
    ]
    assert len({len(line) for line in table}) == 1
