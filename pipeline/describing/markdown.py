"""Tables in Markdown, as the card of a data set has them."""

from collections.abc import Iterable
from numbers import Integral


def table(head: Iterable[str], rows: Iterable[tuple]) -> str:
    """A table in Markdown; numbers with commas, fractions with one digit."""

    def cell(value) -> str:
        if isinstance(value, Integral):
            return f"{value:,}"
        return f"{value:,.1f}" if isinstance(value, float) else str(value).replace("|", "\\|")

    head = list(head)
    lines = [head, ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
