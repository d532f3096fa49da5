"""The page: what is text stays text, tables and pictures are whole."""

import base64

from matplotlib.figure import Figure

from munit_jax.report.html import Cell, Section, bullets, folded, page, paragraph, picture, table


def test_text_is_not_taken_for_html():
    text = "<b> & |B| >= 50"
    for made in (paragraph(text), bullets([text]), folded(text, text), table([text], [[Cell(text, "best")]])):
        assert "<b>" not in made
        assert "&lt;b&gt; &amp; |B| &gt;= 50" in made
    assert "<title>&lt;b&gt;" in page("<b>", "", [Section("<i>", "")])


def test_table_has_a_row_a_row_and_its_styles():
    made = table(["a", "b"], [["1", Cell("2", "best")], [Cell("3"), Cell("4", "behind")]])
    assert made.count("<tr>") == 3
    assert '<td>1</td><td class="best">2</td>' in made
    assert '<td class="behind">4</td>' in made


def test_sections_are_linked():
    made = page("title", "", [Section("one", "<p>1</p>"), Section("two", "<p>2</p>")])
    assert '<a href="#s1">two</a>' in made
    assert '<h2 id="s1">two</h2><p>2</p>' in made


def test_a_picture_is_a_png_in_the_page():
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    made = picture(figure, "a line")
    data = made.split("base64,")[1].split('"')[0]
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert "<figcaption>a line</figcaption>" in made
