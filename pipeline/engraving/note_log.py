"""Read the log of sounding notes that engrave.ily writes while LilyPond plays a score.

Times are exact fractions, in quarter notes of the performance: repeats are played out, and the
scores of a file follow one another.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

DEFAULT_TEMPO = 60.0  # quarter notes a minute, LilyPond's own if a score names none
GRACE = Fraction(9, 40)  # fraction of its written length that a grace note takes in LilyPond's MIDI
MIDI_NUMBERS = range(128)
NOTES = {"note", "chord", "drum"}  # kinds of events that sound
SILENT_PERCENT = "percent repeats are silent: they are not unfolded"

LONGEST_S = 100_000  # that a piece sounds: more than a day
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:/[1-9][0-9]{0,17})?")

Moment = tuple[Fraction, Fraction]  # main and grace part, in quarter notes


@dataclass
class Note:
    """A note as it sounds, ties joined.

    Attributes:
        onset: In quarter notes from the beginning of the performance.
        duration: In quarter notes.
        pitch: MIDI number that sounds.
        written: MIDI number that is printed; a transposing instrument sounds another one.
        location: file:line:column in the source of its first notehead.
        moment: As LilyPond counts it in its score.
        score: Number of its score in the file.
        held: Locations of the noteheads that prolong it.
    """

    onset: Fraction
    duration: Fraction
    pitch: int
    written: int
    location: str
    moment: Moment
    score: int
    held: list[str] = field(default_factory=list)


@dataclass
class SoundLog:
    """What LilyPond plays of a file.

    Attributes:
        notes: In order of onset.
        tempi: (quarter note, quarter notes a minute) in order.
        chords: Notes of chord names, which LilyPond plays and nobody prints as noteheads.
        drums: Number of drum strokes.
        starts: For each score, the quarter note at which it begins.
        leads: For each score, how many quarter notes earlier its MIDI file begins: with a grace
            rest, say.
        warnings: What a listener should know.
    """

    notes: list[Note] = field(default_factory=list)
    tempi: list[tuple[Fraction, float]] = field(default_factory=list)
    chords: list[Note] = field(default_factory=list)
    drums: int = 0
    starts: list[Fraction] = field(default_factory=list)
    leads: list[Fraction] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def fraction(text: str) -> Fraction:
    """A number of the log. Raises ValueError for other text, and for numbers without bounds."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"the log of notes holds '{text[:20]}', which is no number")
    return Fraction(text)


def _moment(event: list[str]) -> Moment:
    return (4 * fraction(event[1]), 4 * fraction(event[2]))


def _after(moment: Moment, length: Fraction) -> Moment:
    main, grace = moment
    return (main, grace + length) if grace else (main + length, grace)


def _time(moment: Moment) -> Fraction:
    return moment[0] + GRACE * moment[1]


def _pitch(semitones: Fraction, location: str) -> int:
    """The MIDI number of a note. Raises ValueError if a keyboard has no key for it."""
    if semitones.denominator > 1:
        raise ValueError(f"a note between two semitones ({location}): no key plays it")
    if int(semitones) not in MIDI_NUMBERS:
        raise ValueError(f"a note that MIDI has no number for ({location}: {int(semitones)})")
    return int(semitones)


class _Ties:
    """Join the tied notes of one score, voice by voice."""

    def __init__(self, events: list[list[str]]):
        self._marked = {tuple(event[1:4]) for event in events if event[0] == "tie"}
        # by end (None: any), voice and written pitch
        self._waiting: dict[tuple[Moment | None, str, int], Note] = {}

    def continued(self, moment: Moment, voice: str, written: int) -> Note | None:
        """The note that one of this moment, voice and pitch prolongs, if any."""
        for end in (moment, None):
            if note := self._waiting.pop((end, voice, written), None):
                return note
        return None

    def add(self, event: list[str], end: Moment, note: Note) -> None:
        """Remember a note if a tie begins at this event."""
        _, main, grace, voice, *_, tied, waits = event
        if tied or (main, grace, voice) in self._marked:
            self._waiting[(None if waits else end, voice, note.written)] = note


def _read_score(events: list[list[str]], number: int) -> SoundLog:
    """Read the events of one score, in its own time.

    A note that begins where a tied note of its voice and pitch ends prolongs that note; a key that
    two voices strike at once is one note.
    """
    transposed = {
        tuple(event[1:4]): fraction(event[4]) for event in events if event[0] == "transposition"
    }
    percussion = {tuple(event[1:4]) for event in events if event[0] == "percussion"}
    ties = _Ties(events)
    found = SoundLog()
    struck: dict[tuple[str, Fraction, int], Note] = {}  # by kind, onset and pitch
    for event in events:
        kind, (moment, played) = event[0], (_moment(event), tuple(event[1:4]))
        if kind == "tempo":
            found.tempi.append((_time(moment), float(fraction(event[3]))))
            if found.tempi[-1][1] <= 0:
                raise ValueError(f"a tempo of {found.tempi[-1][1]:g} quarter notes a minute")
        elif kind == "percent":
            found.warnings = [SILENT_PERCENT]
        if kind not in NOTES:
            continue
        _, _, _, voice, length, written, location, *_ = event
        if kind == "drum" or not written or played in percussion:
            found.drums += 1
            continue
        end = _after(moment, 4 * fraction(length))
        onset, duration = _time(moment), _time(end) - _time(moment)
        if duration < 0:
            raise ValueError(f"a note of {float(duration):g} quarter notes")
        pitch = _pitch(fraction(written) + transposed.get(played, 0), location)
        note = ties.continued(moment, voice, int(written))
        if note:
            note.duration = max(note.duration, onset + duration - note.onset)  # or a unison's
            note.held.append(location)
        elif note := struck.get((kind, onset, pitch)):
            note.duration = max(note.duration, duration)
        else:
            note = Note(onset, duration, pitch, int(written), location, moment, number)
            struck[(kind, onset, pitch)] = note
            (found.notes if kind == "note" else found.chords).append(note)
        ties.add(event, end, note)
    found.notes.sort(key=lambda note: (note.onset, note.pitch))
    return found


def _scores(text: str) -> Iterator[list[list[str]]]:
    """The events of each score, as lists of fields."""
    events: list[list[str]] = []
    for line in text.splitlines():
        event = line.split("\t")
        if event[0] == "score" and events:
            yield events
            events = []
        events.append(event)
    if events:
        yield events


def read_log(text: str) -> SoundLog:
    """Read a log of notes.

    A score that begins before its first moment is moved so that it begins with its first note.

    Raises:
        ValueError: The log is corrupt, or a note has no key on a keyboard.
    """
    whole = SoundLog()
    now = Fraction(0)
    for number, events in enumerate(_scores(text)):
        score = _read_score(events, number)
        begin = min([Fraction(0), *(note.onset for note in score.notes)])
        earliest = min([Fraction(0), *(_time(_moment(event)) for event in events)])
        shift = now - begin
        for note in (*score.notes, *score.chords):
            note.onset += shift
        whole.notes += score.notes
        whole.chords += score.chords
        whole.drums += score.drums
        whole.warnings = whole.warnings or score.warnings
        whole.starts.append(now)
        whole.leads.append(begin - earliest)
        whole.tempi += [(max(now, quarter + shift), tempo) for quarter, tempo in score.tempi]
        ends = [_moment(event)[0] + shift for event in events if event[0] == "end"]
        now = max([now, *ends, *(note.onset + note.duration for note in score.notes)])
    return whole


def seconds(quarters: list[Fraction], tempi: list[tuple[Fraction, float]]) -> np.ndarray:
    """Times at which quarter notes of the performance are reached, at tempo ratio 1.

    Args:
        quarters: n positions in quarter notes.
        tempi: (quarter note, quarter notes a minute) in order; of two at once the later rules.

    Returns:
        Seconds, float64 (n,).

    Raises:
        ValueError: They are later than in any piece.
    """
    changes = np.array([0.0, *(float(quarter) for quarter, _ in tempi)])
    per_quarter = 60 / np.array([DEFAULT_TEMPO, *(tempo for _, tempo in tempi)])
    begins = np.concatenate([[0.0], np.cumsum(np.diff(changes) * per_quarter[:-1])])
    positions = np.array([float(quarter) for quarter in quarters])
    ruling = np.searchsorted(changes, positions, side="right") - 1
    reached = begins[ruling] + (positions - changes[ruling]) * per_quarter[ruling]
    if len(reached) and not np.abs(reached).max() < LONGEST_S:
        raise ValueError(f"it would sound for more than {LONGEST_S:,} s")
    return reached
