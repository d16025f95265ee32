"""A folder of pages that any web server can show: pieces to see and hear, and the report."""

import contextlib
import html
import io
import os
import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
from tqdm import tqdm

from models.reporting.headlines import headlines
from models.reporting.summary import TASKS
from pipeline.describing import inspect, last_run
from pipeline.reading.pieces import printable
from pipeline.replacing import replacing, require_writable

PIECES = 3  # of each collection
LONGEST_S = 240  # of music: longer pieces make pages of many megabytes
HEAD = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Partimento: a gallery</title>
<style>
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 1rem; }
ul { list-style: none; padding: 0; display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
li a { display: block; border: 1px solid #ccc; border-radius: .5rem; padding: .75rem 1rem;
  color: inherit; text-decoration: none; overflow-wrap: anywhere; height: 100%; }
li a:hover { background: #f6f6f4; } .pale { color: #666; font-size: .9rem; display: block; }
</style>
<h1>Scores that sound, note by note</h1>
<p>Every notehead knows the note that it sounds: click on one, and the piece plays from there.</p>
"""


def gallery(results: Path, out: Path, follow: list[Path] | None = None) -> None:
    """Write a folder of static pages: some pieces of each collection, and the report of the run.

    Args:
        results: Folder of the results of a finished run.
        out: The folder; it must not exist, or be empty.
        follow: Further pages, such as `partimento follow` writes, which are copied.

    Raises:
        FileExistsError: If there is something in `out`; it stays as it is.
        FileNotFoundError: If a further page does not exist.
        ValueError: If no piece of the run can be shown, `out` is a file, or two of the further
            pages have one name.
    """
    require_writable(out / "index.html")
    follow = follow or []
    _check(follow)
    shown = {path.parent: chosen(path.parent) for path in _collections(results)}
    if not any(shown.values()):
        raise ValueError(f"{results}/data: no piece to show; let the data half of a run finish")
    with replacing(out) as temporary:
        (temporary / "pieces").mkdir(parents=True)
        parts = [
            (f"Pieces of {data.name}", [_written(row, data, temporary) for row in
                                        tqdm(rows, desc=data.name, unit="page", disable=None)])
            for data, rows in shown.items()
        ]  # fmt: skip
        parts.append(("Recordings followed", [_copied(page, temporary) for page in follow]))
        if (results / "report.html").is_file():
            shutil.copy(results / "report.html", temporary / "report.html")
            best = "; ".join(
                f"{TASKS[head.task]}: {next(iter(head.numbers.values()))[0]}"
                for head in headlines(results)
            )
            parts.append(("The run", [("report.html", "Tables, figures and data sets", best)]))
        (temporary / "index.html").write_text(HEAD + "".join(map(_part, parts)) + "</html>\n")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(
        f"{printable(str(out))}/index.html: {size / 1e6:.1f} MB; any web server can show the folder"
    )


def _check(pages: list[Path]) -> None:
    """Raise an error if one of the pages to copy does not exist, or has the name of another."""
    names: set[str] = set()
    for page in pages:
        if not page.is_file():
            raise FileNotFoundError(f"{page}: no such page; `partimento follow` writes them")
        if page.name in names:
            raise ValueError(f"{page}: another page has this name already; rename one of them")
        names.add(page.name)


def _collections(results: Path) -> list[Path]:
    return sorted((results / "data").glob("*/pieces"))


def chosen(data: Path) -> list[dict]:
    """Some pieces of a collection that are not long, of as many composers as there are.

    Args:
        data: Folder of the collection's data.

    Returns:
        piece_id, composer, title and number of notes of each.
    """
    found = []
    for path in last_run.files(data, "pieces"):
        engraved = data / "engraved" / path.name
        if not engraved.is_file():
            continue
        columns = ["piece_id", "composer", "title", "reason"]
        about = {row["piece_id"]: row for row in pq.read_table(path, columns=columns).to_pylist()}
        for row in pq.read_table(engraved, columns=["piece_id", "notes", "reason"]).to_pylist():
            if row["reason"] is None and row["notes"]:
                found.append(about[row["piece_id"]] | {"notes": row["notes"]})
    lengths = _lengths(data)
    short = [row for row in found if lengths.get(row["piece_id"], 0) <= LONGEST_S]
    turn: Counter = Counter()  # of each composer one piece, then of each another
    for row in short:
        row["turn"] = turn[row["composer"]]
        turn[row["composer"]] += 1
    return sorted(short, key=lambda row: row["turn"])[:PIECES]


def _lengths(data: Path) -> dict[str, float]:
    """Seconds of each piece at tempo ratio 1."""
    longest: dict[str, float] = {}
    for path in last_run.files(data, "notes"):
        notes = pq.read_table(path, columns=["piece_id", "onset_s"])
        ends = notes.group_by("piece_id").aggregate([("onset_s", "max")]).to_pylist()
        longest |= {row["piece_id"]: row["onset_s_max"] for row in ends}
    return longest


def _written(row: dict, data: Path, folder: Path) -> tuple[str, str, str]:
    """Write the page of a piece; gives its name, its title, and what else is known."""
    name = f"pieces/{data.name}-{row['piece_id'].replace('/', '__')}.html"
    with contextlib.redirect_stdout(io.StringIO()):  # it tells the size of the page
        inspect.inspect(row["piece_id"], data=data, out=folder / name)
    known = [row["composer"] or "", f"{row['notes']:,} notes"]
    return name, row["title"] or row["piece_id"], ", ".join(filter(None, known))


def _copied(page: Path, folder: Path) -> tuple[str, str, str]:
    target = folder / "followed" / page.name
    target.parent.mkdir(exist_ok=True)
    shutil.copy(page, target)
    return f"followed/{page.name}", printable(page.stem), "a recording along its score"


def _part(part: tuple[str, list[tuple[str, str, str]]]) -> str:
    """A heading and the pages below it; nothing if there are none."""
    title, entries = part
    if not entries:
        return ""
    items = "".join(
        f'<li><a href="{quote(os.fsencode(name))}">{html.escape(text)}'
        f'<span class="pale">{html.escape(about)}</span></a></li>\n'
        for name, text, about in entries
    )
    return f"<h2>{html.escape(title)}</h2>\n<ul>\n{items}</ul>\n"
