"""What sounds: the log that engrave.ily writes while LilyPond plays a score.

Times are in quarters of the played-out piece, exact. The scores of a file follow one another.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

DEFAULT_TEMPO = 60.0  # quarters a minute, LilyPond's own where a score names none
GRACE = Fraction(9, 40)  # of its written length is what a grace note takes in LilyPond's MIDI

LONGEST_S = 100_000  # that a piece sounds: more than a day
_NUMBER = re.compile(r"-?[0-9]{1,19}(?:/[1-9][0-9]{0,18}|[.][0-9]{1,19})?")

Moment = tuple[Fraction, Fraction]  # main and grace part, in quarters


@dataclass
class Note:
    """A note as it is played, ties joined."""

    onset: Fraction
    duration: Fraction
    pitch: int
    where: str  # place in the source of its first head
    moment: Moment  # of its score, as LilyPond counts
    score: int
    held: list[str] = field(default_factory=list)  # places of the heads that prolong it


@dataclass(frozen=True)
class Played:
    """Notes in order of onset, and tempi as (quarter, quarters a minute)."""

    notes: list[Note]
    tempi: list[tuple[Fraction, float]]


def fraction(text: str) -> Fraction:
    """A number as LilyPond writes it: whole, or a ratio, of 64 bits each.

    Raises:
        ValueError: for anything else, such as 1e400000000, which would fill the memory.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"'{text[:40]}' stands in what LilyPond wrote instead of a number")
    return Fraction(text)


def _after(moment: Moment, length: Fraction) -> Moment:
    main, grace = moment
    return (main, grace + length) if grace else (main + length, grace)


def _time(moment: Moment) -> Fraction:
    return moment[0] + GRACE * moment[1]


def _score(events: list[list[str]], number: int) -> Played:
    """One score of a log, in its own time. A note that begins where a tied note of its voice and
    pitch ends prolongs that note; a key that two voices strike at once is one note."""
    tied = {(event[1], event[2], event[3]) for event in events if event[0] == "tie"}
    notes: list[Note] = []
    struck: dict[tuple[Fraction, int], Note] = {}  # by onset and pitch
    tempi: list[tuple[Fraction, float]] = []
    holding: dict[tuple[Moment | None, str, int], Note] = {}  # by end (None: any), voice, pitch
    for kind, main, grace, *fields in events:
        moment = (4 * fraction(main), 4 * fraction(grace))
        if kind == "tempo":
            tempi.append((_time(moment), float(fraction(fields[0]))))
            if tempi[-1][1] <= 0:
                raise ValueError(f"a tempo of {tempi[-1][1]:g} quarters a minute")
        if kind != "note" or not fields[2]:
            continue
        voice, length, pitch, where = fields[0], 4 * fraction(fields[1]), int(fields[2]), fields[3]
        if length < 0:
            raise ValueError(f"a note of {float(length):g} quarters")
        end = _after(moment, length)
        onset, lasts = _time(moment), _time(end) - _time(moment)
        note = holding.pop((moment, voice, pitch), None) or holding.pop((None, voice, pitch), None)
        if note:
            note.duration = onset + lasts - note.onset
            note.held.append(where)
        elif note := struck.get((onset, pitch)):
            note.duration = max(note.duration, lasts)
        else:
            note = struck[(onset, pitch)] = Note(onset, lasts, pitch, where, moment, number)
            notes.append(note)
        if fields[4] or (main, grace, voice) in tied:
            holding[(None if fields[5] else end, voice, pitch)] = note
    return Played(sorted(notes, key=lambda note: (note.onset, note.pitch)), tempi)


def read_log(text: str) -> Played:
    """Read a log. A score that begins before its first moment is moved to begin at its start."""
    scores: list[list[list[str]]] = []
    for line in text.splitlines():
        event = line.split("\t")
        if event[0] == "score":
            scores.append([])
        scores[-1].append(event)
    whole = Played([], [])
    now = Fraction(0)
    for number, events in enumerate(scores):
        part = _score(events, number)
        begin = min([Fraction(0), *(note.onset for note in part.notes)])
        shift = now - begin
        for note in part.notes:
            note.onset += shift
        whole.notes.extend(part.notes)
        whole.tempi.extend((max(now, quarter + shift), tempo) for quarter, tempo in part.tempi)
        ends = [4 * fraction(event[1]) + shift for event in events if event[0] == "end"]
        now = max([now, *ends, *(note.onset + note.duration for note in part.notes)])
    return whole


def seconds(quarters: list[Fraction], tempi: list[tuple[Fraction, float]]) -> np.ndarray:
    """When these quarters of the played-out piece are reached, at tempo ratio 1: (n,) float64.

    Raises:
        ValueError: if that is later than in any piece.
    """
    changes = np.array([0.0, *(float(quarter) for quarter, _ in tempi)])
    lasts = 60 / np.array([DEFAULT_TEMPO, *(tempo for _, tempo in tempi)])  # seconds a quarter
    begins = np.concatenate([[0.0], np.cumsum(np.diff(changes) * lasts[:-1])])
    places = np.array([float(quarter) for quarter in quarters])
    ruling = np.searchsorted(changes, places, side="right") - 1
    reached = begins[ruling] + (places - changes[ruling]) * lasts[ruling]
    if len(reached) and not np.abs(reached).max() < LONGEST_S:
        raise ValueError(f"it would sound for more than {LONGEST_S:,} s")
    return reached
