"""The data-set card: what a collection holds, what was left out at each stage, and why."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipeline import tables
from pipeline.constants import EXCERPT_FRAMES, FRAMES_AFTER_ONSET
from pipeline.describing import counts, croissant
from pipeline.describing.markdown import table
from pipeline.reading import catalogue

TOP = 10  # composers and licences that are named, the others are only counted
HUGGING_FACE = {"valid": "validation"}  # its name of a split, where it differs from ours
MEASURES = {  # of a split: key of the counts -> what the card calls it
    "pieces": "pieces",
    "composers": "composers",
    "images": "images",  # what they show follows from the layout
    "systems": "systems",
    "noteheads": "noteheads",
    "notes": "notes that sound",
    "aligned": "aligned pairs of note and head",
    "hours": "hours of music at tempo ratio 1",
    "performances": "performances",
    "hours_played": "hours of audio, all performances",
    "onsets": "onsets, all performances",
    "examples": "examples",
}
MEANING = {field.name: field.metadata[b"description"].decode() for field in tables.ENGRAVED}
CHECKS = [name for name in counts.ENGRAVED if name not in MEASURES]

EXAMPLES = f"""An onset is an example where its excerpt ({EXCERPT_FRAMES} frames, the last
{FRAMES_AFTER_ONSET} of them after the onset) lies within the recording and within this pass over
its staff, and where it is the last onset that the excerpt hears. The others stay in the shards
with the reason."""


def _counted(title: str, number: str, counter: Counter) -> str:
    """A section with what was counted, most first; nothing where nothing was."""
    return f"\n{table((title, number), counter.most_common())}\n" if counter else ""


def _named(title: str, splits: list[str], by: counts.By) -> str:
    """A table of the TOP names over all splits, and of how many there are in each split."""
    total = sum((by[split] for split in splits), Counter())
    rows = [
        (name or "not stated", *(by[split][name] for split in splits))
        for name, _ in total.most_common(TOP)
    ]
    number = (f"number of {title}s", *(len(by[split]) for split in splits))
    return table((f"pieces by {title}", *splits), [*rows, number])


def _checks(splits: list[str], numbers: counts.By) -> str:
    """What engraving counted to check itself, where it did."""
    rows = [
        (f"{name}: {MEANING[name]}", *(numbers[split][name] for split in splits))
        for name in CHECKS
        if any(name in numbers[split] for split in splits)
    ]
    return f"\n{table(('checks of engraving', *splits), rows)}\n" if rows else ""


def _check_failures(name: str, selected: dict, failed: dict, max_failures: float) -> None:
    kept = sum(reason is None for reason in selected.values())
    if not kept:
        raise ValueError(f"{name}: no piece was kept; the reasons: {_listed(selected.values())}")
    if len(failed) > max_failures * kept:
        raise ValueError(
            f"{name}: {len(failed)} of {kept} pieces failed, more than max_failures "
            f"({max_failures:.0%}) allows; the reasons: {_listed(failed.values())}"
        )


def _listed(reasons: Iterable[str | None]) -> str:
    counted = Counter(counts.kind(reason) for reason in reasons if reason)
    return "; ".join(f"{reason} ({number})" for reason, number in counted.most_common(5))


def _front(name: str, splits: list[str]) -> str:
    """What Hugging Face reads of a card: which files belong to which split."""
    files = [
        {"split": HUGGING_FACE.get(split, split), "path": f"shards/{split}/*.parquet"}
        for split in splits
    ]
    front = {
        "pretty_name": f"Partimento {name}",
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return f"---\n{json.dumps(front, indent=1)}\n---"


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

    `beside` is a file of Markdown that the card takes in, for instance the counts of others.
    Raises ValueError where more than the share `max_failures` of the selected pieces failed later.
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
    measures = MEASURES | {"images": layout}
    if layout != "staves":  # only the excerpts of staves are chosen while sharding
        del measures["examples"]
    numbers = [
        (called, *((scores.numbers[split] | played[split])[measure] for split in splits))
        for measure, called in measures.items()
    ]
    left_out = Counter(counts.kind(reason) for reason in selected.values() if reason)
    reasons = Counter(counts.kind(reason) for reason in failed.values())
    headless = sum((scores.headless[split] for split in splits), Counter())

    text = f"""{_front(name, splits)}
# {name}: aligned audio and sheet images

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
{_counted("notes without a head", "number", headless)}"""
    if failed:
        text += f"\n{table(('piece that failed later', 'reason'), sorted(failed.items()))}\n"
    if layout == "staves":
        text += f"\n{EXAMPLES}\n{_counted('onsets that are no example', 'number', no_example)}"
    if beside:
        text += f"\n{beside.read_text()}"
    with tables.replacing(out) as temporary:
        temporary.write_text(text)
    licences = sum((scores.licences[split] for split in splits), Counter())
    croissant.write(name, splits, [licence for licence, _ in licences.most_common()], croissant_out)
