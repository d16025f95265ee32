"""Write the data-set card: what a collection holds, what was left out at each stage, and why."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipeline import tables
from pipeline.constants import EXCERPT_FRAMES, FRAMES_AFTER_ONSET
from pipeline.describing import counts, croissant
from pipeline.describing.markdown import escape, plain, table
from pipeline.reading import catalogue

TOP = 10  # composers and licences that are named, the others are only counted
HUGGING_FACE = {"valid": "validation"}  # its name of a split, if it differs from ours
ROWS = {  # of a split: key of the counts -> what the card calls it
    "pieces": "pieces",
    "composers": "composers",
    "images": "images",  # pages or staves, as the layout says
    "systems": "systems",
    "noteheads": "noteheads",
    "notes": "notes that sound",
    "aligned": "aligned pairs of note and notehead",
    "hours": "hours of music at tempo ratio 1",
    "performances": "performances",
    "hours_played": "hours of audio, all performances",
    "onsets": "onsets, all performances",
    "examples": "examples",
}
MEANING = {field.name: field.metadata[b"description"].decode() for field in tables.ENGRAVED}
CHECKS = [name for name in counts.ENGRAVED if name not in ROWS]

EXAMPLES = f"""An onset is an example if its excerpt ({EXCERPT_FRAMES} frames, the last
{FRAMES_AFTER_ONSET} of them after the onset) lies within the recording and within this pass over
its staff, and if it is the last onset in the excerpt. The others stay in the shards with the
reason."""
COMPLAINTS = """LilyPond complained of some pieces and engraved them all the same; what it did not
understand may be missing. In others something was mended. Each complaint stands in the column
`warnings` of the table `engraved`."""


def _counted(title: str, number: str, counter: Counter) -> str:
    """A section with a table of what was counted, most first; empty if nothing was."""
    return f"\n{table((title, number), counter.most_common())}\n" if counter else ""


def _named(title: str, splits: list[str], by: counts.By) -> str:
    """A table of the TOP names over all splits, with the number of names in each split."""
    total = sum((by[split] for split in splits), Counter())
    rows = [
        (name or "not stated", *(by[split][name] for split in splits))
        for name, _ in total.most_common(TOP)
    ]
    number = (f"number of {title}s", *(len(by[split]) for split in splits))
    return table((f"pieces by {title}", *splits), [*rows, number])


def _checks(splits: list[str], numbers: counts.By) -> str:
    """A table of what engraving counted to check itself; empty if it did not."""
    rows = [
        (f"{name}: {MEANING[name]}", *(numbers[split][name] for split in splits))
        for name in CHECKS
        if any(name in numbers[split] for split in splits)
    ]
    return f"\n{table(('checks of engraving', *splits), rows)}\n" if rows else ""


def _check_failures(name: str, selected: dict, failed: dict, max_failures: float) -> None:
    """Raise ValueError if no piece was kept or too many of those kept failed later."""
    kept = sum(reason is None for reason in selected.values())
    if not kept:
        raise ValueError(f"{name}: no piece was kept; the reasons: {_listed(selected.values())}")
    if len(failed) > max_failures * kept:
        raise ValueError(
            f"{name}: {len(failed)} of {kept} pieces failed, more than max_failures "
            f"({max_failures:.0%}) allows; the reasons: {_listed(failed.values())}"
        )


def _listed(reasons: Iterable[str | None]) -> str:
    """The five most frequent kinds of reasons, for a message."""
    counted = Counter(counts.kind(reason) for reason in reasons if reason)
    return "; ".join(f"{plain(reason)} ({number})" for reason, number in counted.most_common(5))


def _front(name: str, splits: list[str]) -> str:
    """Front matter for Hugging Face: which files belong to which split."""
    files = [
        {"split": HUGGING_FACE.get(split, split), "path": f"shards/{split}/*.parquet"}
        for split in splits
    ]
    front = {
        "pretty_name": f"Partimento {plain(name)}",
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return f"---\n{json.dumps(front, indent=1, ensure_ascii=False)}\n---"


def card(
    pieces: list[Path],
    engraved: list[Path],
    notes: list[Path],
    performances: list[Path],
    shards: list[Path],
    layout: str,
    max_failures: float,
    name: str,
    out: Path,
    croissant_out: Path,
    beside: Path | None = None,
) -> None:
    """Write the card of a data set (Markdown) and its Croissant description (JSON).

    What users' files say (composers, licences, piece ids, reasons) is escaped, so that it is shown
    as text and is no HTML or Markdown.

    Args:
        pieces: Tables of pieces.
        engraved: Tables of what was engraved.
        notes: Tables of notes.
        performances: Tables of performances.
        shards: Shards.
        layout: What an image shows: staves or pages.
        max_failures: Fraction of the selected pieces that may fail later.
        name: Name of the collection.
        out: The card.
        croissant_out: The Croissant description.
        beside: A Markdown file that is appended to the card, for instance the counts of others.

    Raises:
        ValueError: No piece was kept, or more than `max_failures` of them failed later.
    """
    selected = counts.reasons(pieces, tables.PIECES)
    later = [
        *counts.reasons(engraved, tables.ENGRAVED).items(),
        *counts.reasons(performances, tables.PERFORMANCES).items(),
    ]
    failed = {piece_id: reason for piece_id, reason in later if reason}
    _check_failures(name, selected, failed, max_failures)

    split_of = counts.splits(shards, tables.SHARDS)
    splits = [split for split in catalogue.SPLITS if split in split_of.values()]
    scores = counts.scores(split_of, pieces, engraved, notes)
    played, no_example = counts.performances(split_of, performances, shards)
    counted = ROWS | {"images": layout}
    if layout != "staves":  # only the excerpts of staves are chosen while sharding
        del counted["examples"]
    numbers = [
        (called, *((scores.numbers[split] | played[split])[key] for split in splits))
        for key, called in counted.items()
    ]
    left_out = Counter(counts.kind(reason) for reason in selected.values() if reason)
    reasons = Counter(counts.kind(reason) for reason in failed.values())
    unlinked = sum((scores.unlinked[split] for split in splits), Counter())
    by_people = counts.played_by_people(performances)
    complaints = sum((scores.complaints[split] for split in splits), Counter())

    text = f"""{_front(name, splits)}
# {escape(name)}: aligned audio and sheet images

One row of a shard is a performance: a piece, a sound font, a tempo ratio (2 is twice as fast).
Units and meanings stand in the metadata of each Parquet column, and in `croissant.json`.

{table(("", *splits), numbers)}

{_named("licence", splits, scores.licences)}

{_named("composer", splits, scores.composers)}
{_checks(splits, scores.numbers)}
## What was left out

Each piece was checked while it was engraved; one that failed a check is left out with its reason.
{_counted("pieces left out in selection", "number", left_out)}\
{_counted("pieces that failed later", "number", reasons)}\
{_counted("notes without a notehead", "number", unlinked)}\
{_counted("notes in performances by people that differ from the score", "number", by_people)}"""
    if failed:
        text += f"\n{table(('piece that failed later', 'reason'), sorted(failed.items()))}\n"
    if complaints:
        text += f"\n{COMPLAINTS}\n{_counted('complaints of LilyPond', 'pieces', complaints)}"
    if layout == "staves":
        text += f"\n{EXAMPLES}\n{_counted('onsets that are no example', 'number', no_example)}"
    if beside:
        text += f"\n{beside.read_text()}"
    with tables.replacing(out) as temporary:
        temporary.write_text(text)
    licences = sum((scores.licences[split] for split in splits), Counter())
    croissant.write(name, splits, [licence for licence, _ in licences.most_common()], croissant_out)
