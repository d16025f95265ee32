"""What a run ends with on the console: its numbers and where everything lies, in ten lines."""

from pathlib import Path

from models.reporting.headlines import (
    FOLLOWING,
    RETRIEVAL,
    Headline,
    headlines,
    named,
    pieces,
)

TASKS = {FOLLOWING: "score following", RETRIEVAL: "retrieval"}


def summary(results: Path) -> None:
    """Print the best numbers of a run, and where report, figures, tables and data lie.

    Args:
        results: Folder of the results.

    Raises:
        ValueError: If no run has written into the folder.
    """
    for line in lines(results):
        print(line)


def lines(results: Path) -> list[str]:
    """The lines of a summary, at most ten."""
    found = [line for headline in headlines(results) for line in _headline(headline)]
    if counted := pieces(results):
        held = ", ".join(f"{name} {number:,}" for name, number in counted.items())
        found.append(_row("pieces", held))
    if not found:
        raise ValueError(f"{results}: no results of a run; name the folder that a run has written, "
                         "for instance results")  # fmt: skip
    places = {
        "report": results / "report.html",
        "figures": results / "figures",
        "tables": results / "tables",
        "data": results / "data",
    }
    found += [
        _row(name, f"{path}{'/' * path.is_dir()}") for name, path in places.items() if path.exists()
    ]
    return found


def _headline(headline: Headline) -> list[str]:
    (metric, (ours, paper, _)) = next(iter(headline.numbers.items()))
    beside = f"; the paper, on its data, {paper}" if paper else ""
    metric = metric.rpartition("(")[2].rstrip(")")  # top-1, of "exact bucket (top-1)"
    first = _row(TASKS[headline.task], f"{metric}: {named(headline.network)} {ours}{beside}")
    remark = headline.remark()
    return [first, _row("", remark)] if remark else [first]


def _row(name: str, text: str) -> str:
    return f"{name:<16} {text}"
