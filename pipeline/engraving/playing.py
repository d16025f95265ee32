"""Play a written score: its bars in their order, ties joined, grace notes before their main notes,
and the seconds that its tempo gives."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from pipeline.reading.written import Note, Score

DEFAULT_TEMPO = 120.0  # quarters a minute of a score that names none, as MusicXML programs play it
GRACE_REACH = Fraction(1)  # quarters between the end of a grace note and the note it is tied to
GRACE = Fraction(9, 40)  # of its written length is what a grace note takes, as in LilyPond's MIDI


@dataclass
class Played:
    """A note as it sounds. Quarters and seconds, repeats played."""

    note: str  # id of the written note that begins it
    bar: int
    pitch: int
    onset: Fraction
    end: Fraction
    onset_s: float
    end_s: float
    grace: bool
    program: int | None
    held: list[Fraction] = field(default_factory=list)  # where tied notes prolong it


class Clock:
    """Seconds from quarters, if the score is played as it is printed."""

    def __init__(self, tempi: list[tuple[Fraction, float]]):
        known = [(when, tempo) for when, tempo in tempi if tempo > 0]
        if not known or known[0][0] > 0:
            known.insert(0, (Fraction(0), DEFAULT_TEMPO))
        self.when = [when for when, _ in known]
        self.tempo = [tempo for _, tempo in known]
        self.begin = [0.0]
        for place in range(1, len(known)):
            passed = float(self.when[place] - self.when[place - 1])
            self.begin.append(self.begin[-1] + passed * 60 / self.tempo[place - 1])

    def seconds(self, quarter: Fraction) -> float:
        """When a quarter of the printed score is reached."""
        place = max(bisect_right(self.when, quarter) - 1, 0)
        return self.begin[place] + float(quarter - self.when[place]) * 60 / self.tempo[place]


def _span(note: Note) -> tuple[Fraction, Fraction]:
    """Where a note begins and ends in the printed score."""
    if note.grace is None:
        return note.begin, note.end
    begin = note.begin - GRACE * note.grace
    return begin, begin + GRACE * note.length


def _goes_on(held: Played, onset: Fraction) -> bool:
    """Whether a note sounds until a tied note begins; a grace note that is tied does."""
    return held.end == onset or (held.grace and onset - GRACE_REACH < held.end <= onset)


def play(score: Score, order: list[int]) -> list[Played]:
    """The notes that sound if the bars are played in this order, sorted by onset and pitch.

    Grace notes that lead to the first note have onsets below zero.
    """
    clock = Clock(score.tempi)
    in_bar: dict[int, list[tuple[Note, int]]] = defaultdict(list)  # with the pitch that sounds
    for note in sorted(score.notes, key=lambda note: (note.begin, note.grace is None)):
        if note.left_out is None and note.pitch is not None:
            in_bar[note.bar].append((note, note.pitch + note.transposed))
    found: list[Played] = []
    latest: dict[str, Played] = {}  # what a written note last sounded as
    ending: dict[tuple[int, int, Fraction], Played] = {}  # by part, pitch and end
    now, now_s = Fraction(0), 0.0
    for bar in order:
        start, end = score.begins[bar], score.begins[bar + 1]
        shift, shift_s = now - start, now_s - clock.seconds(start)
        for note, pitch in in_bar.get(bar, ()):
            first, last = _span(note)
            onset = first + shift
            held = latest.get(score.ties.get(note.name, ""))
            if held is None and note.name in score.loose:
                held = ending.get((note.part, pitch, onset))
            if held is not None and held.pitch == pitch and _goes_on(held, onset):
                held.end, held.end_s = last + shift, clock.seconds(last) + shift_s
                held.held.append(onset)
            else:
                held = Played(
                    note.name,
                    bar,
                    pitch,
                    onset,
                    last + shift,
                    clock.seconds(first) + shift_s,
                    clock.seconds(last) + shift_s,
                    note.grace is not None,
                    note.program,
                )
                found.append(held)
            latest[note.name] = ending[(note.part, pitch, held.end)] = held
        now += end - start
        now_s += clock.seconds(end) - clock.seconds(start)
    return sorted(found, key=lambda note: (note.onset, note.pitch))


def begin_at_zero(played: list[Played]) -> None:
    """Move all notes later if grace notes sound before the first bar begins."""
    lead = -min((note.onset for note in played), default=Fraction(0))
    lead_s = -min((note.onset_s for note in played), default=0.0)
    if lead > 0:
        for note in played:
            note.onset, note.end = note.onset + lead, note.end + lead
            note.onset_s, note.end_s = note.onset_s + lead_s, note.end_s + lead_s
            note.held = [onset + lead for onset in note.held]
