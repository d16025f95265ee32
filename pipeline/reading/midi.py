"""Read one melody of a MIDI file as measured notation (A 3.2, step 1).

The melody is the first track with pitched notes, or the one that the config names. Bar lines follow
from the file's time signatures, and a pickup from a short first bar that they state: loudness never
moves a bar line, unless the config says that accents mark the beginnings of bars.
"""

from fractions import Fraction
from typing import Literal, NamedTuple

import mido

from pipeline.reading.melody import Bar, Element, Key, Melody, spell, split_duration
from pipeline.reading.midi_parsing import parse_midi
from pipeline.reading.midi_rhythm import (
    SHORTEST,
    TimedNote,
    check_monophonic,
    nearest,
    written_notes,
)
from pipeline.reading.midi_tracks import choose_track, decoded

MAX_BYTES = 2_000_000  # a melody needs some kilobytes; far larger files are not melodies
MAX_NOTES = 20_000
MAX_QUARTERS = 20_000  # nearly three hours at 120 quarters a minute
MAX_BEAT_UNIT = 32  # of a metre
TEMPO_RANGE = (10.0, 1_000.0)  # quarters a minute
TEMPO_STEP = Fraction(1, 24)  # quarter notes; tempo changes are moved to its multiples
DEFAULT_TEMPO = 120.0  # quarters a minute, by the MIDI standard
ACCENTS = "accents"  # a choice of `pickup`

Metre = tuple[int, int]  # beats and beat unit: (6, 8)


class _BarLine(NamedTuple):
    """A bar's beginning and end in quarter notes, and its metre."""

    start: Fraction
    end: Fraction
    metre: Metre


def read_melody(
    data: bytes,
    tempo: float = DEFAULT_TEMPO,
    track: int | str | None = None,
    metre: Metre = (4, 4),
    pickup: float | Literal["accents"] = 0,
) -> Melody:
    """Read one melody of a MIDI file; its rhythm is that of `midi_rhythm`.

    Args:
        data: the bytes of the file.
        tempo: in quarter notes a minute, if the file states none.
        track: number (the first track is 1) or name of the track that holds the melody; of a file
            with a single track, number of the channel. None takes the first with pitched notes;
            channel 10 holds drums and is skipped.
        metre: of the piece, if the file states none.
        pickup: length of the first bar in quarter notes, if the file states no shorter first bar; 0
            for a whole bar. `accents` finds it from the loudest notes, for files whose writer
            stressed the first beat of every bar.

    Raises:
        ValueError: if the file is unreadable or the track is not one melody, with a reason for the
            table of pieces.
    """
    if not data:
        raise ValueError("the file is empty")
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data):,} bytes, too large for a melody (limit {MAX_BYTES:,})")
    file = parse_midi(data)
    own, played = choose_track(file, track)
    if len(played) > MAX_NOTES:
        raise ValueError(f"{len(played):,} notes, too many for a melody (limit {MAX_NOTES:,})")
    if played[-1].offset > MAX_QUARTERS:
        raise ValueError(f"it lasts {int(played[-1].offset):,} quarters (limit {MAX_QUARTERS:,})")
    check_monophonic(played)
    notes = written_notes(played)
    keys = _keys(file, own, notes[0].onset)
    bar_lines = _bar_lines(_metres(file, notes[-1].offset, metre), notes, pickup)
    return Melody(
        _bars(bar_lines, notes, keys),
        keys[0][1].fifths,
        keys[0][1].minor,
        _tempi(file, tempo),
        title=_title(file),
    )


# --- what the file states besides notes
def _events(tracks: list[mido.MidiTrack], kind: str) -> list[tuple[int, mido.MetaMessage]]:
    """Meta events of one type in some tracks, with their tick, in order.

    Of several at one tick the last one holds, of the first track that has any there.
    """
    found: dict[int, mido.MetaMessage] = {}
    for track in tracks:
        now, of_track = 0, {}
        for message in track:
            now += message.time
            if message.type == kind:
                of_track[now] = message
        found = of_track | found
    return sorted(found.items())


def _keys(
    file: mido.MidiFile, own: mido.MidiTrack, first_onset: Fraction
) -> list[tuple[Fraction, Key]]:
    """The key at the start and at each change, with its time in quarter notes.

    The melody's own track counts alone if it states its first key (a transposing instrument does),
    else all tracks do.
    """
    events = _events([own], "key_signature")
    if not events or Fraction(events[0][0], file.ticks_per_beat) > first_onset:
        events = _events([own, *file.tracks], "key_signature")
    keys = [(Fraction(0), Key(0, False))]
    for tick, message in events:
        time = nearest(Fraction(tick, file.ticks_per_beat), SHORTEST)
        key = _key(message.key)
        if time <= first_onset:
            keys = [(Fraction(0), key)]
        elif key != keys[-1][1]:
            keys.append((time, key))
    return keys


def _key(name: str) -> Key:
    """A key by mido's name: F#m."""
    minor = name.endswith("m")
    tonic = name.rstrip("m")
    fifths = "FCGDAEB".index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic.count("b"))
    return Key(fifths - 3 * minor, minor)


def _tempi(file: mido.MidiFile, default: float) -> list[tuple[Fraction, float]]:
    """The tempo map: (time in quarter notes, quarter notes a minute)."""
    events = _events(file.tracks, "set_tempo")
    tempi = []
    for tick, message in events:
        tempo = 60e6 / message.tempo if message.tempo else 0.0
        if not TEMPO_RANGE[0] <= tempo <= TEMPO_RANGE[1]:
            raise ValueError(f"a tempo of {message.tempo} microseconds a quarter note")
        tempi.append((nearest(Fraction(tick, file.ticks_per_beat), TEMPO_STEP), tempo))
    if not tempi:
        return [(Fraction(0), default)]
    if tempi[0][0] > 0:
        tempi.insert(0, (Fraction(0), DEFAULT_TEMPO))
    return tempi


def _title(file: mido.MidiFile) -> str:
    """The name of the first track that has one, on one line."""
    name = next((track.name for track in file.tracks if track.name), "")
    return " ".join("".join(c if c.isprintable() else " " for c in decoded(name)).split())


# --- bars
def _metres(file: mido.MidiFile, end: Fraction, default: Metre) -> list[tuple[Fraction, Metre]]:
    """The metre at the start and at each change before the end, with its time in quarter notes.

    A first metre that lasts for one bar of at most half the next metre's, and does not come again,
    is a pickup: notation programs write one so. It takes the next metre.
    """
    metres: dict[Fraction, Metre] = {Fraction(0): default}
    for tick, message in _events(file.tracks, "time_signature"):
        time = nearest(Fraction(tick, file.ticks_per_beat), SHORTEST)
        if time < end:
            metres[time] = (message.numerator, message.denominator)
    for beats, unit in metres.values():
        if beats == 0 or unit > MAX_BEAT_UNIT:
            raise ValueError(f"a metre of {beats}/{unit}")
    found = sorted(metres.items())
    if len(found) > 1:
        (_, first), (change, second) = found[:2]
        pickup = bar_length(first)
        if (
            change == pickup
            and 2 * pickup <= bar_length(second)
            and all(metre != first for _, metre in found[1:])
        ):
            found[0] = (Fraction(0), second)
    return found


def bar_length(metre: Metre) -> Fraction:
    """The length of a whole bar, in quarter notes."""
    return Fraction(4 * metre[0], metre[1])


def _bar_lines(
    metres: list[tuple[Fraction, Metre]],
    notes: list[TimedNote],
    pickup: float | Literal["accents"],
) -> list[_BarLine]:
    """Every bar until the end of the notes; a change of metre begins a bar."""
    end = notes[-1].offset
    whole = bar_length(metres[0][1])
    stated = len(metres) > 1 and metres[1][0] < whole
    if stated:
        first = Fraction(0)  # the change of metre ends the first bar
    elif pickup == ACCENTS:
        first = _accented_pickup(notes, whole)
    else:
        first = Fraction(pickup).limit_denominator(SHORTEST.denominator)
        if first >= whole:
            raise ValueError(f"a pickup of {pickup} quarters, but a bar has {whole}")
    bars = []
    for index, (start, metre) in enumerate(metres):
        until = metres[index + 1][0] if index + 1 < len(metres) else end
        length = bar_length(metre)
        now = start
        if index == 0 and first:
            bars.append(_BarLine(now, min(first, until), metre))
            now = first
        while now < until:
            bars.append(_BarLine(now, min(now + length, until), metre))
            now += length
    return bars


def _accented_pickup(notes: list[TimedNote], length: Fraction) -> Fraction:
    """Length of the pickup: the phase whose bar lines meet most of the loudest notes.

    The first note does not count: abc2midi stresses it wherever it stands. Nothing is known if all
    notes are equally loud, and the first bar is taken as whole.
    """
    loudest = max(note.velocity for note in notes)
    if min(note.velocity for note in notes) == loudest:
        return Fraction(0)
    accents = [note.onset for note in notes[1:] if note.velocity == loudest]
    phases = sorted({onset % length for onset in accents} | {Fraction(0)})
    return max(phases, key=lambda phase: sum(onset % length == phase for onset in accents))


def _bars(
    lines: list[_BarLine], notes: list[TimedNote], keys: list[tuple[Fraction, Key]]
) -> list[Bar]:
    """Put notes into bars, cut and tied at bar lines and into lengths that one notehead shows.

    A note keeps the spelling of the key in which it begins; a new key is printed before the first
    note or rest that begins in it.
    """
    spans: list[tuple[Fraction, int | None]] = []  # end and pitch of notes and of rests between
    now = Fraction(0)
    for note in notes:
        if note.onset > now:
            spans.append((note.onset, None))
        spans.append((note.offset, note.pitch))
        now = note.offset
    waiting = list(keys)
    _, key = waiting.pop(0)
    bars = []
    index = 0
    name = None
    begins = True  # the span at `index` begins here
    for line in lines:
        bar = Bar(line.metre)
        now = line.start
        while now < line.end:
            end, pitch = spans[index]
            printed = None
            while waiting and waiting[0][0] <= now:
                _, key = waiting.pop(0)
                printed = key
            if begins:
                name = None if pitch is None else spell(pitch, key.fifths)
            stop = min(end, line.end)
            values = split_duration(stop - now, now - line.start, line.metre)
            for number, value in enumerate(values):
                tied = pitch is not None and (stop < end or number + 1 < len(values))
                bar.elements.append(Element(value, name, tied, printed if number == 0 else None))
            now = stop
            begins = stop == end
            index += begins
        bars.append(bar)
    return bars
