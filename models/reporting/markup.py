"""The Markdown of our own tables and cards as HTML.

What comes from users' files is escaped there as entities (pipeline/describing/markdown.py), which
HTML shows as text, too. Angle brackets are escaped here: nothing can become a tag.
"""

import re
from itertools import zip_longest
from pathlib import Path

CAPTIONS = Path(__file__).parents[2] / "rules/captions"
_NUMBER = re.compile(r"^[-–−<>≤≥\d.,%\s\[\]]+$")


def body(text: str) -> str:
    """A card without its front matter."""
    return text.split("---\n", 2)[2] if text.startswith("---\n") else text


def blocks(text: str) -> list[str]:
    """The tables of a text, each with the line above it that is its caption, and its notes."""
    found: list[str] = []
    for block in re.split(r"\n\n+", text.strip()):
        if found and block.startswith("|") and "|" not in found[-1]:
            found[-1] += f"\n\n{block}"
        else:
            found.append(block)
    return found


def html(text: str) -> str:
    """Headings, paragraphs, quotes, tables and code as HTML."""
    parts, lines = [], text.splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith("```"):
            end = lines.index("```") if "```" in lines else len(lines)
            parts.append(f"<pre>{_escaped(chr(10).join(lines[:end]))}</pre>")
            lines = lines[end + 1 :]
        elif match := re.match(r"(#+) (.*)", line):
            level = min(len(match[1]) + 2, 6)  # below those of the page
            parts.append(f"<h{level}>{_inline(match[2])}</h{level}>")
        elif line.startswith("|"):
            block = [line, *_while(lines, lambda line: line.startswith("|"))]
            parts.append(_table(block))
        elif line.startswith(">"):
            block = [line, *_while(lines, lambda line: line.startswith(">"))]
            said = [part.lstrip("> ") for part in block]
            parts += [f'<p class="warning">{_inline(part)}</p>' for part in said if part]
        elif line.strip():
            block = [line, *_while(lines, lambda line: line.strip() and line[0] not in "|#>`")]
            parts.append(f"<p>{_inline(' '.join(block))}</p>")
    return "\n".join(parts)


def _while(lines: list[str], condition) -> list[str]:
    taken = []
    while lines and condition(lines[0]):
        taken.append(lines.pop(0))
    return taken


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", _escaped(text))
    return re.sub(r"(?<!\w)\*([^*]+)\*(?!\w)", r"<em>\1</em>", text)


def _table(block: list[str]) -> str:
    """A table that scrolls by itself where it is too wide."""
    head, _, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")]
                      for line in block)  # fmt: skip
    top = "".join(
        f"<th{' class=n' * all(not cell or _NUMBER.match(cell) for cell in column)}>"
        f"{_inline(name)}</th>"
        for name, *column in zip_longest(head, *rows, fillvalue="")
    )
    lines = []
    for row in rows:
        cells = [f"<td{' class=n' * bool(_NUMBER.match(cell))}>{_inline(cell)}</td>"
                 for cell in row]  # fmt: skip
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="table"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def caption(name: str) -> str:
    """The caption of a figure or table, of rules/captions; empty if there is none."""
    path = CAPTIONS / f"{name}.rst"
    text = path.read_text() if path.is_file() else ""
    return _inline(re.sub(r"\\(.)", r"\1", " ".join(text.split())))
