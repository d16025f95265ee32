"""Tables as text: every form holds the same cells, and Markdown lines up."""

import re

import pytest

from models import table_output
from models.table_output import Grid

GRID = Grid(["model", "R@1 (%)"], [["BL2_SC", "13.67"], ["a & b", "–"]], "Rates ≤ 5 & up")


def test_markdown_lines_up_as_plain_text():
    caption, empty, *lines, note = table_output.markdown([GRID], "Of 5 pieces.").splitlines()
    assert (caption, empty, note) == ("Rates ≤ 5 & up", "", "Of 5 pieces.")
    assert lines == [
        "| model  | R@1 (%) |",
        "| ------ | ------: |",
        "| BL2_SC |   13.67 |",
        "| a & b  |       – |",
        "",
    ]


def test_markdown_breaks_a_long_note_as_a_terminal_would():
    text = table_output.markdown([GRID], "word " * 60)
    assert max(map(len, text.splitlines())) <= 100
    assert text.count("word") == 60


def test_page_has_the_cells_and_escapes_them():
    page = table_output.page("A & B", [GRID], "n < 5")
    assert "<title>A &amp; B</title>" in page
    assert "<p>Rates ≤ 5 &amp; up</p>" in page
    assert re.findall("<td>(.*?)</td>", page) == ["BL2_SC", "13.67", "a &amp; b", "–"]
    assert "<p>n &lt; 5</p>" in page


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 %", r"50 \%"),
        ("a_b & c#$", r"a\_b \& c\#\$"),
        ("{x}~^", r"\{x\}\textasciitilde{}\textasciicircum{}"),
        ("\\", r"\textbackslash{}"),
        ("1–2 ≤ ρ → x", r"1--2 $\leq$ $\rho$ $\to$ x"),
        ("> 3", "$>$ 3"),
    ],
)
def test_escape(text, expected):
    assert table_output.escape(text) == expected


def test_latex_is_a_tabular_for_each_table():
    text = table_output.latex([GRID, Grid(["", "x", "y"], [["z", "1", "2"]])], "all of it")
    assert text.startswith("% all of it\n% Rates")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert r"\begin{tabular}{lr}" in text
    assert r"\begin{tabular}{lrr}" in text
    assert "\n" + r"model & R@1 (\%) \\" + "\n" + r"\midrule" in text
    assert r"a \& b & -- \\" in text


def test_write_makes_a_file_for_each_form(tmp_path):
    table_output.write(tmp_path / "new" / "a.b+c", {".md": "ρ\n", ".tex": "x"})
    assert (tmp_path / "new" / "a.b+c.md").read_text(encoding="utf-8") == "ρ\n"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.b+c.md", "a.b+c.tex"]
