"""Write text of others into Markdown so that it stays text.

Composers, licences, piece ids and reasons come from users' files and may hold anything: HTML,
links, images, pipes, line breaks, control characters, a megabyte of letters.
"""

import re
import unicodedata
from collections.abc import Iterable
from numbers import Integral

LENGTH = 200  # characters of one text that a page shows

# What starts something in Markdown, HTML or the mathematics of some viewers. As an entity it is
# shown as it is and starts nothing, in a table as elsewhere.
_SPECIAL = {ord(sign): f"&#{ord(sign)};" for sign in "\\`*[]|~$<>"} | {ord("&"): "&amp;"}
_UNDERSCORES = re.compile(r"_+")
_ADDRESS = re.compile(r"://|(?<![A-Za-z0-9])www\.|@", re.IGNORECASE)  # viewers make links of them


def plain(text: str) -> str:
    """One line of at most LENGTH printable characters.

    Control characters, line breaks and marks that change the direction of writing become spaces.
    """
    start = text[: 4 * LENGTH]
    visible = "".join(sign if unicodedata.category(sign)[0] not in "CZ" else " " for sign in start)
    line = " ".join(visible.split())
    cut = len(line) > LENGTH or len(text) > len(start)
    return line[: LENGTH - 1] + "…" if cut else line


def _entities(match: re.Match) -> str:
    return "".join(f"&#{ord(sign)};" for sign in match[0])


def _underscores(match: re.Match) -> str:
    """Underscores within a word are safe, and common in ids."""
    before = match.string[match.start() - 1 : match.start()]
    after = match.string[match.end() : match.end() + 1]
    return match[0] if before.isalnum() and after.isalnum() else _entities(match)


def escape(text: str) -> str:
    """Text as Markdown that shows it, on one line and cut to LENGTH characters."""
    safe = _UNDERSCORES.sub(_underscores, plain(text).translate(_SPECIAL))
    return _ADDRESS.sub(lambda match: _entities(match), safe)


def _cell(value: object) -> str:
    if isinstance(value, Integral):
        return f"{value:,}"
    return f"{value:,.1f}" if isinstance(value, float) else escape(str(value))


def table(head: Iterable[str], rows: Iterable[tuple]) -> str:
    """A table; text is escaped, numbers have commas and fractions one digit."""
    head = list(head)
    lines = [[_cell(value) for value in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
