"""Join what sounds to what is printed: each note to its head, by the place in the source.

Nothing is estimated. A note whose place has one head is that head's. Where music is printed more
than once from one place, or where print and sound are two copies of the music, the passage
decides: within a passage, score time and printed time differ by a constant.
"""

from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction

from pipeline.engraving import svg
from pipeline.engraving.note_log import Note

NO_HEAD = "no printed note stands at its place"
TWICE = "printed more than once, and nothing tells which"


def _moment(head: svg.Head) -> tuple[Fraction, Fraction]:
    return (head.moment, head.grace)


def _shifted(note: Note, shift: Fraction) -> tuple[Fraction, Fraction]:
    return (note.moment[0] - shift, note.moment[1])


def link(notes: list[Note], heads: list[svg.Head]) -> tuple[list[int | None], list[str | None]]:
    """For each note, in order of onset, the index of its head, or the reason why it has none."""
    at_place: dict[tuple, list[int]] = defaultdict(list)
    at_time: dict[tuple, list[int]] = defaultdict(list)
    for number, head in enumerate(heads):
        at_place[(head.where, head.pitch)].append(number)
        at_time[(_moment(head), head.pitch)].append(number)

    linked: list[int | None] = [None] * len(notes)
    sure: list[tuple[Fraction, Fraction]] = []  # onset, and score time less printed time
    for number, note in enumerate(notes):
        found = at_place.get((note.where, note.pitch), ())
        if len(found) == 1:
            (linked[number],) = found
            sure.append((note.onset, note.moment[0] - heads[found[0]].moment))

    copied: dict[tuple, int] = {}  # heads of places that sound but are not printed
    onsets = [onset for onset, _ in sure]
    taken = set(linked)
    reasons: list[str | None] = [None] * len(notes)
    for number, note in enumerate(notes):
        if linked[number] is not None:
            continue
        before = bisect_right(onsets, note.onset)
        near = [shift for _, shift in sure[max(before - 1, 0) : before + 1]] or [Fraction(0)]
        own = at_place.get((note.where, note.pitch), ())
        for shift in dict.fromkeys(near):
            when = _shifted(note, shift)
            found = [head for head in own if _moment(heads[head]) == when]
            found = found or [h for h in at_time.get((when, note.pitch), ()) if h not in taken]
            if found:
                linked[number] = copied[(note.where, note.pitch)] = found[0]
                break
        else:
            linked[number] = None if own else copied.get((note.where, note.pitch))
            if linked[number] is None:
                reasons[number] = TWICE if own else NO_HEAD
    return linked, reasons
