"""Check what an engraver plays and prints against a second reading of the source."""

from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree as ET

from pipeline.engraving import comparison, mei, page_checks, playing, second_reader
from pipeline.reading.written import Score

MOST_DIFFERENT = 0.005  # of the notes; more leave a piece out
MOST_BARS = 0.005  # of the bars may have another length or tempo; with more a piece is left out


def order_of(
    score: Score, reading: second_reader.Reading, read: ET.Element, repeats: str
) -> list[int]:
    """In which order the bars are played; `once` plays each as it is printed.

    Args:
        score: as it was read first, with its order; `reading` is the second reading of its source.
        read: the score as Verovio read it, with the order that Verovio plays; the root of an MEI
            file.
        repeats: `unfold` or `once`.

    Raises:
        ValueError: no two readers play the repeats in one order.
    """
    if repeats == "once":
        return list(range(len(score.bars)))
    order = score.order or []
    bar_of = {note.name: note.bar for note in score.notes}
    noted = set(bar_of.values())  # some readers join bars of rest, or leave them out
    second = None if reading.order is None else [bar for bar in reading.order if bar in noted]
    firsts = mei.first_notes(read)
    third = None if firsts is None else [bar_of[name] for name in firsts if name in bar_of]
    others = [found for found in (second, third) if found is not None]
    if not others or [bar for bar in order if bar in noted] in others:
        return order
    if reading.order is not None and second == third:
        return reading.order
    raise ValueError(
        f"its repeats can be read in several ways: {len(order)} bars are played, or "
        + " or ".join(str(len(other)) for other in others)
    )


def check(
    score: Score,
    played: list[playing.Played],
    order: list[int],
    reading: second_reader.Reading,
) -> comparison.Comparison:
    """Compare the notes, bars and tempo of a score with a second reading of its source.

    Args:
        score: as it was read first; `played` are its notes, with its bars in this `order`.
        reading: the second reading.

    Raises:
        ValueError: the readings differ in more than `MOST_DIFFERENT` of the notes or `MOST_BARS` of
            the bars.
    """
    found = comparison.compare(
        [(max(float(note.onset), 0.0), note.pitch, note.grace) for note in played],
        [(float(onset), note.pitch) for note in played for onset in note.held],
        [(float(when), tempo) for when, tempo in score.tempi],
        reading,
        order,
    )
    if found.different > MOST_DIFFERENT * found.notes:
        raise ValueError(
            f"a second reading of the source differs in {found.different} of {found.notes} notes, "
            f"first in bar {found.first_bar}"
        )
    _check_bars([float(begin) for begin in score.begins], reading.bars)
    if found.tempi_different > MOST_BARS * len(score.bars):
        raise ValueError(
            f"a second reading of the source differs in the tempo of {found.tempi_different} bars"
        )
    return found


def _check_bars(ours: list[float], theirs: list[float]) -> None:
    """Raise ValueError if bars have other lengths; that of the last is heard by nobody."""
    if len(ours) != len(theirs):  # empty bars at the end count for some readers
        return
    pairs = zip(pairwise(ours[:-1]), pairwise(theirs[:-1]), strict=True)
    other = [
        bar
        for bar, ((a, b), (c, d)) in enumerate(pairs, 1)
        if abs((b - a) - (d - c)) > second_reader.SAME_ONSET
    ]
    if len(other) > MOST_BARS * len(ours):
        raise ValueError(
            f"a second reading of the source differs in the length of {len(other)} bars, first in "
            f"bar {other[0]}"
        )


def check_print(counts: dict, notes: list[dict], noteheads: int) -> None:
    """Raise ValueError if what is printed does not fit what sounds well enough to learn from."""
    if counts["linked_onsets"] < page_checks.LEAST_LINKED * counts["onsets"]:
        why, number = Counter(note["reason"] for note in notes if note["reason"]).most_common(1)[0]
        missing = 100 - 100 * counts["linked_onsets"] / counts["onsets"]
        raise ValueError(f"onsets without a notehead: {missing:.1f} %, {why} ({number} notes)")
    for kind, what in (
        ("off_height", "noteheads whose pitch is printed otherwise than the source has it"),
        ("off_ink", "noteheads without ink on the page"),
        ("off_accidental", "noteheads whose pitch follows from neither accidental nor key"),
    ):
        if counts[kind] > page_checks.MOST_OFF * noteheads:
            raise ValueError(f"{what}: {counts[kind]} of {noteheads}")
