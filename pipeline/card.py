"""Write the data-set card: what a collection holds, what was left out at each stage, and why."""

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from pipeline import tables
from pipeline.constants import EXCERPT_FRAMES, FRAMES_AFTER_ONSET
from pipeline.describing import counts, croissant
from pipeline.describing.front_matter import Part, front_matter
from pipeline.describing.markdown import escape, plain, table
from pipeline.reading import catalogue, licences
from pipeline.replacing import replacing

TOP = 10  # composers and licences that are named, the others are only counted
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


RECORDED = """Recordings of people were aligned with their scores. How sure the time of an onset is,
0 to 1, stands as `sureness` in the column `onsets` of the table `performances`, where it is null if
the time is known; unsure ones are no pairs of note and notehead."""


def _counted(title: str, number: str, counter: Counter) -> str:
    """A section with a table of what was counted, most first; empty if nothing was."""
    return f"\n{table((title, number), counter.most_common())}\n" if counter else ""


def _named(title: str, splits: list[str], by: counts.By) -> str:
    """A table of the TOP names over all splits, with the number of names in each split."""
    total = sum((by[split] for split in splits), Counter())
    rows = [(name, *(by[split][name] for split in splits)) for name, _ in total.most_common(TOP)]
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


def _recordings(found: pd.DataFrame, unsure: Counter) -> str:
    """What was left out of recordings of people, and which of them; empty if there are none."""
    if found.empty:
        return ""
    left_out = found.dropna(subset=["reason"])
    rows = left_out[["piece_id", "performer", "reason"]].itertuples(index=False, name=None)
    header = ("piece whose recording was left out", "performer", "reason")
    listed = f"\n{table(header, rows)}\n" if len(left_out) else ""
    others = _counted("notes in recordings that are no pairs", "number", unsure)
    return f"\n{RECORDED}\n{others}{listed}"


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


def _warnings(splits: list[str], scores: counts.Scores) -> list[str]:
    """What somebody who uses the data should know first: empty splits, unknown licences."""
    found = [
        f"The split {split} is empty." + (" Nothing here is held out." if split == "test" else "")
        for split in catalogue.DRAWN
        if split not in splits
    ]
    stated = sum((scores.licences[split] for split in splits), Counter())
    unknown = sum(
        number for licence, number in stated.items() if licences.identifier(licence) is None
    )
    if unknown:
        share = unknown / stated.total()
        found.append(
            f"Of {unknown:,} of {stated.total():,} pieces ({share:.0%}) the licence is not stated"
            " or not known: look before you hand them on."
        )
    return found


@dataclass(frozen=True)
class Description:
    """A data set in words.

    Attributes:
        text: The card below its front matter.
        splits: Those that have pieces.
        licences: Pieces by licence, as their scores state it.
        performances: Number of each split.
        warnings: What somebody who uses the data should know first.
    """

    text: str
    splits: list[str]
    licences: Counter
    performances: dict[str, int]
    warnings: list[str]


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
    as text and is no HTML or Markdown. An empty split and licences that are not known are told in
    the card, and on the console.

    Args:
        pieces: Tables of pieces.
        engraved: Tables of what was engraved.
        notes: Tables of notes.
        performances: Tables of performances.
        shards: Shards, in a folder for each split beside the card.
        layout: What an image shows: staves or pages.
        max_failures: Fraction of the selected pieces that may fail later.
        name: Name of the collection.
        out: The card.
        croissant_out: The Croissant description.
        beside: A Markdown file that is appended to the card, for instance the counts of others.

    Raises:
        ValueError: No piece was kept, or more than `max_failures` of them failed later.
    """
    described = describe(
        name,
        layout,
        pieces,
        engraved,
        notes,
        performances,
        shards,
        max_failures=max_failures,
        strays=_others_beside(shards),
    )
    for warning in described.warnings:
        print(f"{plain(name)}: {warning}", file=sys.stderr)
    part = Part(
        "default",
        tables.SHARDS,
        {split: f"shards/{split}/*.parquet" for split in described.splits},
        described.performances,
        {},
    )
    text = front_matter(f"Partimento {name}", [part], described.licences) + described.text
    if beside:
        text += f"\n{beside.read_text()}"
    with replacing(out) as temporary:
        temporary.write_text(text)
    files = {
        split: [path for path in shards if path.parent.name == split] for split in described.splits
    }
    croissant.write(
        name,
        [
            croissant.Records(split, tables.SHARDS, f"shards/{split}/*.parquet", files[split])
            for split in described.splits
        ],
        [licence for licence, _ in described.licences.most_common()],
        croissant_out,
    )


def _others_beside(shards: list[Path]) -> list[Path]:
    """Shards in the folders of splits that are not among `shards`, and have rows."""
    known = {path.resolve() for path in shards}
    folders = {path.resolve().parent.parent for path in shards}
    beside = {path for folder in folders for path in folder.glob("*/*.parquet")}
    beside = {path for path in beside - known if not path.name.startswith(".")}
    return sorted(path for path in beside if pq.read_metadata(path).num_rows)


def describe(
    name: str,
    layout: str,
    pieces: list[Path],
    engraved: list[Path],
    notes: list[Path],
    performances: list[Path],
    shards: list[Path],
    *,
    max_failures: float = 1.0,
    without: Collection[str] = (),
    strays: Sequence[Path] = (),
) -> Description:
    """Count what a data set holds, and put it into words.

    Args:
        name: Name of the collection.
        layout: What an image shows: staves or pages.
        pieces: Tables of pieces.
        engraved: Tables of what was engraved.
        notes: Tables of notes.
        performances: Tables of performances.
        shards: Shards.
        max_failures: Fraction of the selected pieces that may fail later.
        without: Pieces that are not counted.
        strays: Shards of other runs in the folders of these, of which the text warns.

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

    split_of = {
        piece: split
        for piece, split in counts.splits(shards, tables.SHARDS).items()
        if piece not in without
    }
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
    by_people = counts.played_by_people(performances, recorded=False)
    complaints = sum((scores.complaints[split] for split in splits), Counter())

    recordings = counts.recordings(performances)
    warnings = _warnings(splits, scores)
    if kept := int(recordings["reason"].isna().sum()):
        warnings.append(
            f"{kept:,} performances are recordings of people, which the licence of a score does not"
            " cover: look before you hand them on."
        )
    if strays:
        warnings.append(
            f"Shards of a run with other settings lie beside these: {len(strays):,}, for instance"
            f" {strays[-1].name}. To load the folder mixes both: move them away."
        )
    told = "".join(f"> {escape(warning)}\n>\n" for warning in warnings)

    text = f"""
# {escape(name)}: aligned audio and sheet images
{f"{chr(10)}{told}" if told else ""}
One row is a performance: a piece, a sound font, a tempo ratio (2 is twice as fast). Units and
meanings stand in the metadata of each Parquet column, and in `croissant.json`.

{table(("", *splits), numbers)}

{_named("licence", splits, scores.licences)}

{_named("composer", splits, scores.composers)}
{_checks(splits, scores.numbers)}
## What was left out

Each piece was checked while it was engraved; one that failed a check is left out with its reason.
{_counted("pieces left out in selection", "number", left_out)}\
{_counted("pieces that failed later", "number", reasons)}\
{_counted("notes without a notehead", "number", unlinked)}\
{_counted("notes in performances by people that differ from the score", "number", by_people)}\
{_recordings(recordings, counts.played_by_people(performances, recorded=True))}"""
    if failed:
        text += f"\n{table(('piece that failed later', 'reason'), sorted(failed.items()))}\n"
    if complaints:
        text += f"\n{COMPLAINTS}\n{_counted('complaints of LilyPond', 'pieces', complaints)}"
    if layout == "staves":
        text += f"\n{EXAMPLES}\n{_counted('onsets that are no example', 'number', no_example)}"
    stated = sum((scores.licences[split] for split in splits), Counter())
    rows = {split: played[split]["performances"] for split in splits}
    return Description(text, splits, stated, rows, warnings)
