"""Tables as Markdown that also lines up as plain text, as LaTeX, and as an HTML page."""

import html
import textwrap
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline.replacing import replacing

MISSING = "–"
LINE = 100  # letters in a line of a note, as in a terminal
PAGE_HEAD = """<!DOCTYPE html>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 1.5em; }}
table {{ border-collapse: collapse; margin-bottom: 1.5em; }}
th, td {{ padding: 0.25em 0.8em; text-align: right; border-bottom: 1px solid #ddd; }}
th:first-child, td:first-child {{ text-align: left; }}
</style>"""
LATEX = {
    "\\": r"\textbackslash{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "<": "$<$",
    ">": "$>$",
    "≤": r"$\leq$",
    "ρ": r"$\rho$",
    "→": r"$\to$",
}


class Grid(NamedTuple):
    """One table, its cells ready to print. The first column is set left, all others right."""

    header: list[str]
    rows: list[list[str]]
    caption: str = ""  # a line above it


def write(out_stem: Path | str, forms: dict[str, str]) -> None:
    """Write each text of `forms` (suffix: text) to `<out_stem><suffix>`."""
    for suffix, text in forms.items():
        with replacing(f"{out_stem}{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")


def markdown(grids: list[Grid], note: str) -> str:
    """The tables one below the other, then the note; columns line up as plain text, too."""
    blocks = [
        f"{grid.caption}\n\n{_pipes(grid)}" if grid.caption else _pipes(grid) for grid in grids
    ]
    return "\n".join([*blocks, f"{textwrap.fill(note, LINE)}\n"])


def _pipes(grid: Grid) -> str:
    columns = zip(grid.header, *grid.rows, strict=True)
    widths = [max(len(cell) for cell in column) for column in columns]

    def line(cells: list[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(grid.header), line(rule), *(line(row) for row in grid.rows), ""])


def page(title: str, grids: list[Grid], note: str) -> str:
    """The same as a page of its own, for the workflow's report."""
    parts = [PAGE_HEAD.format(title=html.escape(title))]
    for grid in grids:
        if grid.caption:
            parts.append(f"<p>{html.escape(grid.caption)}</p>")
        parts.append(pd.DataFrame(grid.rows, columns=grid.header).to_html(index=False, border=0))
    return "\n".join([*parts, f"<p>{html.escape(note)}</p>", ""])


def escape(text: str) -> str:
    """Text as LaTeX sets it."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def tabular(columns: str, heads: list[list[str]], rows: list[list[str]], comment: str) -> str:
    """One `tabular` (package booktabs) below its comment; all cells are LaTeX already."""
    return "\n".join(
        [
            f"% {comment}".rstrip(),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            *(_latex_row(cells) for cells in heads),
            r"\midrule",
            *(_latex_row(cells) for cells in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def latex(grids: list[Grid], note: str) -> str:
    """The tables as one `tabular` each, their captions and the note as comments."""
    blocks = [
        tabular(
            "l" + "r" * (len(grid.header) - 1),
            [[escape(cell) for cell in grid.header]],
            [[escape(cell) for cell in row] for row in grid.rows],
            grid.caption,
        )
        for grid in grids
    ]
    return "\n".join([f"% {note}", *blocks])


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
