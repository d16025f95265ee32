"""Find the pieces that share a work with a validation or test piece.

Pieces that no published split has, those of the split `extra` or of another collection, may be
trained on, but not if training would then see music of the test: another edition, another
movement, or a piece that quotes it. Three checks, each enough by itself: catalogue or opus number,
title, and the music.
"""

import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import tables

HELD_OUT = ("valid", "test")
TRAIN, EXTRA = "train", "extra"

GRAM = 10  # intervals of a melody that are compared at once
DISTINCT_INTERVALS = 5  # fewer make a trill, a scale or a figure that everybody writes
LEAST_GRAMS = 5  # in common; below, two short tunes agree by chance
LEAST_FRACTION = 0.05  # of the shorter melody's grams; unrelated pieces stay below 0.03

# Catalogues of works: a letter by itself counts only before a number, as in K491 or D935.
_CATALOGUES = re.compile(
    r"""(?<![A-Za-z0-9])
    (?P<name>(?i:BWV|RV|HWV|WoO|KV|Op(?:us)?|Hob)|[OKDSLBH])
    (?:[\s._:-]*(?P<appendix>Anh))?
    (?:[\s._:-]*(?P<group>[IVX]+)(?=[:\s._-]))?
    [\s._:-]*(?P<number>\d+)""",
    re.VERBOSE,
)
_SAME_CATALOGUE = {"o": "op", "opus": "op", "k": "kv"}


@dataclass(frozen=True)
class Work:
    """What tells which work a piece belongs to.

    Attributes:
        composer: as the source gives it; None if it does not.
        numbers: catalogue and opus numbers, for instance {"bwv 817"}.
        title: its words in plain lower case, without accents.
        grams: runs of intervals between the highest notes of successive onsets, semitones, a byte
            each.
        names: words of all that names the piece, in lower case; a composer's may be among them.
    """

    composer: str | None
    numbers: frozenset[str]
    title: tuple[str, ...]
    grams: frozenset[bytes]
    names: frozenset[str] = frozenset()


def catalogue_numbers(text: str) -> frozenset[str]:
    """The catalogue and opus numbers that a title, a path or an id names.

    A letter after a number is left off: BWV 855a is an early version of BWV 855.
    """
    found = set()
    for match in _CATALOGUES.finditer(text):
        name = match["name"].lower()
        parts = (_SAME_CATALOGUE.get(name, name), match["appendix"], match["group"])
        found.add(" ".join([*(part.lower() for part in parts if part), str(int(match["number"]))]))
    return frozenset(found)


def title_words(title: str | None) -> tuple[str, ...]:
    """The words of a title, in lower case and without accents and punctuation."""
    plain = unicodedata.normalize("NFKD", title or "").casefold()
    return tuple(re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c))))


def melody_grams(onset: np.ndarray, pitch: np.ndarray) -> frozenset[bytes]:
    """Runs of `GRAM` intervals of a piece's upper voice; a transposed copy has the same.

    Args:
        onset: (notes,) quarter notes, in any order.
        pitch: (notes,) MIDI numbers.
    """
    order = np.lexsort((pitch, onset))
    last = np.append(np.diff(onset[order]) > 0, True)  # the highest note of its onset
    steps = np.diff(pitch[order][last[: len(order)]].astype(np.int8)).tobytes()
    runs = (steps[begin : begin + GRAM] for begin in range(len(steps) - GRAM + 1))
    return frozenset(run for run in runs if len(set(run)) >= DISTINCT_INTERVALS)


def family_name(composer: str) -> str:
    """A composer's, in lower case: of `BachJS`, `Bach, J. S.` and `Johann Sebastian Bach` alike."""
    last = (composer.split(",")[0].split() or [""])[-1]
    return "".join(title_words(re.sub(r"(?<=[a-z])[A-Z].*", "", last)))


def same_composer(a: Work, b: Work) -> bool:
    """Whether two pieces may be of one composer; a score that names none may be named after him."""
    if not b.composer:
        return False
    return a.composer == b.composer or family_name(b.composer) in a.names


def shared_title(a: Work, b: Work) -> bool:
    """Whether one title is the other, or begins with its two or more words."""
    short, long = sorted((a.title, b.title), key=len)
    same = long[: len(short)] == short
    return bool(short) and same and (len(short) == len(long) or len(short) > 1)


def shared_numbers(a: Work, b: Work) -> str | None:
    """Say why the names of two pieces make them one work; None if they do not.

    Works of a composer that have catalogue numbers are told apart by them, whatever their titles.
    """
    if not same_composer(a, b):
        return None
    if common := a.numbers & b.numbers:
        return f"catalogue number: {', '.join(sorted(common))}"
    if shared_title(a, b) and not (a.numbers and b.numbers):
        return f"title: {' '.join(a.title if len(a.title) < len(b.title) else b.title)}"
    return None


def shared_music(a: Work, common: int, b: Work) -> str | None:
    """Say why two pieces that have `common` grams in common share music; None if they do not."""
    fraction = common / max(1, min(len(a.grams), len(b.grams)))
    if common < LEAST_GRAMS or fraction < LEAST_FRACTION:
        return None
    return f"music: {fraction:.0%} of the shorter melody, {common} runs of {GRAM} intervals"


def shared(extra: dict[str, Work], held_out: dict[str, Work]) -> Iterator[tuple[str, str, str]]:
    """Find pieces that share a work with held-out ones.

    Yields:
        The extra piece, the held-out piece, and the reason; each extra piece once a reason's kind.
    """
    having = defaultdict(list)
    for name, work in held_out.items():
        for gram in work.grams:
            having[gram].append(name)
    for name, work in extra.items():
        for other, held in sorted(held_out.items()):
            if reason := shared_numbers(work, held):
                yield name, other, reason
                break
        common = Counter(other for gram in work.grams for other in having.get(gram, ()))
        for other, count in common.most_common():
            if reason := shared_music(work, count, held_out[other]):
                yield name, other, reason
                break


def works(
    pieces: list[Path],
    notes: list[Path],
    out: Path,
    *,
    held_out_pieces: list[Path] | None = None,
    held_out_notes: list[Path] | None = None,
) -> None:
    """Write a table of the pieces that share a work with a validation or test piece.

    Those of the split `extra` are looked at; if the held-out pieces are of another collection,
    those of `train`, too.

    Args:
        pieces: Parquet tables of PIECES of a collection, of all its chunks.
        notes: Parquet tables of its NOTES.
        out: Parquet table of SHARED_WORKS to write.
        held_out_pieces: tables of the collection whose validation and test pieces are meant, if
            it is another one.
        held_out_notes: its NOTES.

    Raises:
        ValueError: if nothing is known of the held-out pieces, the tables are not of one run, or
            one of the two kinds of another collection is missing; works in common would go unseen.
    """
    if bool(held_out_pieces) != bool(held_out_notes):
        raise ValueError(
            "name both the pieces and the notes of the held-out collection, or neither"
        )
    if held_out_pieces and held_out_notes:
        looked_at = _known(pieces, notes, (TRAIN, EXTRA))
        held_out = _known(held_out_pieces, held_out_notes, HELD_OUT)
    else:
        looked_at = held_out = _known(pieces, notes, (EXTRA, *HELD_OUT))
    asked = {name: work for split in (EXTRA, TRAIN) for name, work in looked_at[split].items()}
    for split in HELD_OUT:
        held = held_out[split].values()
        if held and not any(work.composer or work.title or work.grams for work in held):
            raise ValueError(
                f"nothing is known of the {split} pieces, which were not read; add {split} to the"
                " collection's splits, or works in common with others go unseen"
            )
    found = [
        {"piece_id": name, "shared_with": other, "split": split, "reason": reason}
        for split in HELD_OUT
        for name, other, reason in shared(asked, held_out[split])
    ]
    found.sort(key=lambda row: (row["piece_id"], row["split"], row["reason"]))
    for row in found:
        print("{piece_id} shares a work with {shared_with} ({split}): {reason}".format(**row),
              file=sys.stderr)  # fmt: skip
    distinct = len({row["piece_id"] for row in found})
    print(f"{distinct} of {len(asked)} pieces are left out", file=sys.stderr)
    tables.write(found, tables.SHARED_WORKS, out)


def _known(
    pieces: list[Path], notes: list[Path], splits: tuple[str, ...]
) -> dict[str, dict[str, Work]]:
    """What tells the works of a collection's pieces, by split; other splits are empty.

    Raises ValueError if the tables are not of one run.
    """
    grams: dict[str, frozenset] = {}
    for path in notes:
        rows = tables.read(path, tables.NOTES, ["piece_id", "onset", "pitch"]).to_pandas()
        for name, group in rows.groupby("piece_id"):
            grams[name] = melody_grams(group["onset"].to_numpy(), group["pitch"].to_numpy())
    known: dict[str, dict[str, Work]] = defaultdict(dict)
    columns = ["piece_id", "split", "composer", "title", "source", "reason"]
    for path in pieces:
        for row in tables.read(path, tables.PIECES, columns).to_pylist():
            name = row["piece_id"]
            if row["reason"] and name in grams:
                raise ValueError(
                    f"{path}: leaves {name} out ({row['reason']}), but there are notes of it; give"
                    " the tables of one run"
                )
            if row["split"] in splits:
                text = f"{name.replace('__', ' ')} {row['source']} {row['title']}"
                known[row["split"]][name] = Work(
                    row["composer"],
                    catalogue_numbers(text),
                    title_words(row["title"]),
                    grams.get(name, frozenset()),
                    frozenset(re.findall(r"[^\W\d_]+", f"{row['composer']} {text}".casefold())),
                )
    return known
