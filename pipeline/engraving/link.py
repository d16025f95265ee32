"""Link each sounding note to the notehead that prints it, by their location in the source.

Nothing is estimated. If one notehead comes from a note's location, the note is linked to it. If
music is printed more than once from one location, or if print and sound are two copies of the
music, the passage decides: within a passage, score time and printed time differ by a constant.
Where a repeat goes back, the notes before and after belong to different passages; printed repeat
signs tell at which of the notes between them it does. If they do not, a note that fits both
passages is not linked.
Each of several scores in a file counts its time from zero; a note that they all may print is in the
one that prints most notes of the score that it sounds in.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from pipeline.engraving import svg
from pipeline.engraving.note_log import Note

NO_NOTEHEAD = "played but not printed: no notehead has its location in the source"
SEVERAL = "printed more than once, and nothing tells which"


@dataclass(frozen=True)
class Repeats:
    """Where repeats begin and end, as their signs say: scores and printed moments (quarters)."""

    begins: frozenset[tuple[int, Fraction]] = frozenset()
    ends: frozenset[tuple[int, Fraction]] = frozenset()


NONE = Repeats()


def repeats_of(bars: Iterable[svg.Bar]) -> Repeats:
    """The repeats that bar lines begin and end; a single `:` is a dotted bar line."""
    dotted = [bar for bar in bars if len(bar.glyph) > 1]
    return Repeats(
        frozenset((bar.score, bar.moment) for bar in dotted if bar.glyph.endswith(":")),
        frozenset((bar.score, bar.moment) for bar in dotted if bar.glyph.startswith(":")),
    )


def _moment(notehead: svg.Notehead) -> tuple[Fraction, Fraction]:
    return (notehead.moment, notehead.grace)


def _shifted(note: Note, shift: Fraction) -> tuple[Fraction, Fraction]:
    return (note.moment[0] - shift, note.moment[1])


def settle_written(notes: list[Note], noteheads: list[svg.Notehead]) -> None:
    """Set the written pitch of notes whose score was transposed for print or for sound only.

    A clarinet's part is printed transposed, say, and played at concert pitch from the same source.
    If a location prints one pitch and always sounds one other, it is treated as such a note.
    """
    printed, played = defaultdict(set), defaultdict(set)
    for notehead in noteheads:
        printed[notehead.location].add(notehead.pitch)
    for note in notes:
        played[note.location].add(note.written)
    for note in notes:
        pitches = printed.get(note.location, set())
        if note.location and len(pitches) == len(played[note.location]) == 1:
            (note.written,) = pitches


def link(
    notes: list[Note], noteheads: list[svg.Notehead], repeats: Repeats = NONE
) -> tuple[list[int | None], list[str | None]]:
    """Find the notehead of each note.

    Args:
        notes: In order of onset.
        noteheads: All that the piece prints.
        repeats: Its signs of repeats.

    Returns:
        For each note the index of its notehead or None, and the reason why it has none or None.
    """
    at_location: dict[tuple, list[int]] = defaultdict(list)
    at_time: dict[tuple, list[int]] = defaultdict(list)
    for number, notehead in enumerate(noteheads):
        at_location[(notehead.location, notehead.pitch)].append(number)
        at_time[(_moment(notehead), notehead.pitch)].append(number)

    linked: list[int | None] = [None] * len(notes)
    for number, note in enumerate(notes):
        candidates = at_location.get((note.location, note.written), ())
        if len(candidates) == 1:
            (linked[number],) = candidates

    sure = _by_score(notes, linked)
    copied: dict[tuple, int] = {}  # noteheads of locations that sound but are not printed
    taken = set(linked)
    several: dict[int, list[int]] = {}  # noteheads that a note may have, equally well
    reasons: list[str | None] = [None] * len(notes)
    for number, note in enumerate(notes):
        if linked[number] is not None:
            continue
        near = _about(note, sure)
        shifts = [other.moment[0] - noteheads[head].moment for other, head in near]
        jump = _jump([(other, noteheads[head]) for other, head in near], repeats)
        if jump is not None:
            shifts = shifts[:1] if note.moment[0] < jump else shifts[1:]
        candidates = at_location.get((note.location, note.written), ())
        moments = [_shifted(note, shift) for shift in dict.fromkeys(shifts or [Fraction(0)])]
        matches = [[i for i in candidates if _moment(noteheads[i]) == when] for when in moments]
        if not any(matches):
            unlinked = (at_time.get((when, note.written), ()) for when in moments)
            matches = [[i for i in heads if i not in taken] for heads in unlinked]
        found = [match for match in matches if match]
        if len(found) > 1 and near[0][0].onset != note.onset:
            reasons[number] = SEVERAL
        elif found:
            match = found[0]
            if len(match) > 1 and len(sure) > 1:
                several[number] = match
            else:  # printed as a full score and as parts, say, of which the first is taken
                linked[number] = copied[(note.location, note.written)] = match[0]
        else:
            linked[number] = None if candidates else copied.get((note.location, note.written))
            if linked[number] is None:
                reasons[number] = SEVERAL if candidates else NO_NOTEHEAD

    votes: dict[int, Counter[int]] = defaultdict(Counter)  # printed scores, for each that sounds
    for note, index in zip(notes, linked, strict=True):
        if index is not None:
            votes[note.score][noteheads[index].score] += 1
    for number, match in several.items():
        of_score = votes[notes[number].score]
        best = max(match, key=lambda index: of_score[noteheads[index].score])
        if of_score[noteheads[best].score]:
            linked[number] = best
        else:
            reasons[number] = SEVERAL
    return linked, reasons


def _by_score(notes: list[Note], linked: list[int | None]) -> dict[int, list[tuple[Note, int]]]:
    """For each score that sounds, its linked notes in order of onset, and their noteheads."""
    found: dict[int, list[tuple[Note, int]]] = {note.score: [] for note in notes}
    for note, head in zip(notes, linked, strict=True):
        if head is not None:
            found[note.score].append((note, head))
    return found


def _jump(near: list[tuple[Note, svg.Notehead]], repeats: Repeats) -> Fraction | None:
    """When a repeat goes back between two linked notes, in quarters of their score.

    None if no repeat does, or if it may at several moments. Without a sign it begins at 0.
    """
    if len(near) < 2 or near[0][1].score != near[1][1].score:
        return None
    (first, head), (last, other) = near
    back = (last.moment[0] - other.moment) - (first.moment[0] - head.moment)
    found = [
        end - head.moment + first.moment[0]
        for score, end in repeats.ends
        if score == head.score
        and head.moment < end
        and end - back <= other.moment
        and (end == back or (score, end - back) in repeats.begins)
    ]
    return found[0] if back and len(found) == 1 else None


def _about(note: Note, known: dict[int, list[tuple[Note, int]]]) -> list[tuple[Note, int]]:
    """Of the linked notes of a note's score, the last one up to its onset and the next."""
    in_order = known[note.score]
    after = bisect_right(in_order, note.onset, key=lambda pair: pair[0].onset)
    return in_order[max(after - 1, 0) : after + 1]
