"""A MIDI file as a `Melody`: its first track of notes, measured in bars (A 3.2, step 1)."""

import io
import itertools
from fractions import Fraction

import mido

from pipeline.reading.melody import Bar, Element, Melody, spell, written

GRID = 24  # onsets fall on 1/24 of a quarter: triplets and thirty-seconds are told apart
LEGATO = Fraction(1, 12)  # quarters; a shorter gap before the next note is articulation, no rest
MAX_BYTES = 2_000_000  # a melody needs some kilobytes; far larger files are not melodies
MAX_NOTES = 20_000
MAX_QUARTERS = 20_000  # nearly three hours at 120 quarters a minute
MAX_BEAT_UNIT = 32  # of a metre
TEMPO_RANGE = (10.0, 1_000.0)  # quarters a minute


def _snap(ticks: int, resolution: int) -> Fraction:
    return Fraction(round(Fraction(ticks, resolution) * GRID), GRID)


def _track_notes(track: mido.MidiTrack) -> list[tuple[int, int, int, int]]:
    """(on, off, pitch, velocity) of a track, ticks, in order of onset."""
    now = 0
    sounding: dict[tuple[int, int], tuple[int, int]] = {}
    notes = []
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off"):
            continue
        key = (message.channel, message.note)
        if key in sounding:
            on, velocity = sounding.pop(key)
            notes.append((on, now, message.note, velocity))
        if message.type == "note_on" and message.velocity > 0:
            sounding[key] = (now, message.velocity)
    return sorted(notes)


def _events(file: mido.MidiFile, kind: str) -> list[tuple[int, mido.MetaMessage]]:
    """Meta events of one type in any track, with their tick, each tick once."""
    found: dict[int, mido.MetaMessage] = {}
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == kind:
                found.setdefault(now, message)
    return sorted(found.items())


def _pickup(notes: list[tuple[Fraction, Fraction, int, int]], length: Fraction) -> Fraction:
    """Length of the pickup, in quarters: the phase whose bar lines meet most accents.

    Writers of MIDI from notation stress the first beat of a bar; where all notes are equally loud
    nothing is known, and the first bar is taken as whole.
    """
    loudest = max(note[3] for note in notes)
    if min(note[3] for note in notes) == loudest:
        return Fraction(0)
    accents = [note[0] for note in notes[1:] if note[3] == loudest]
    phases = sorted({onset % length for onset in accents} | {Fraction(0)})
    return max(phases, key=lambda phase: sum(onset % length == phase for onset in accents))


def _bar_lines(
    metres: list[tuple[Fraction, tuple[int, int]]], pickup: Fraction, end: Fraction
) -> list[tuple[Fraction, Fraction, tuple[int, int]]]:
    """(start, end, metre) of every bar until `end`; a change of metre begins a bar."""
    bars = []
    for index, (start, metre) in enumerate(metres):
        until = metres[index + 1][0] if index + 1 < len(metres) else end
        length = Fraction(4 * metre[0], metre[1])
        now = start
        if index == 0 and pickup:
            bars.append((now, min(pickup, until), metre))
            now += pickup
        while now < until:
            bars.append((now, min(now + length, until), metre))
            now += length
    return bars


def _key(file: mido.MidiFile) -> tuple[int, bool]:
    """Sharps and mode of the first key signature; C major where there is none."""
    signatures = _events(file, "key_signature")
    if not signatures:
        return 0, False
    name = signatures[0][1].key
    minor = name.endswith("m")
    tonic = name.rstrip("m")
    fifths = "FCGDAEB".index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic.count("b"))
    return fifths - 3 * minor, minor


def _tempi(file: mido.MidiFile) -> list[tuple[Fraction, float]]:
    tempi = []
    for tick, message in _events(file, "set_tempo"):
        tempo = 60e6 / message.tempo if message.tempo else 0.0
        if not TEMPO_RANGE[0] <= tempo <= TEMPO_RANGE[1]:
            raise ValueError(f"a tempo of {message.tempo} microseconds a quarter note")
        tempi.append((_snap(tick, file.ticks_per_beat), tempo))
    if not tempi or tempi[0][0] > 0:
        tempi.insert(0, (Fraction(0), 120.0))  # the MIDI standard's default
    return tempi


def _parse(data: bytes) -> mido.MidiFile:
    if not data:
        raise ValueError("the file is empty")
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data):,} bytes, too large for a melody (limit {MAX_BYTES:,})")
    try:
        file = mido.MidiFile(file=io.BytesIO(data))
    except Exception as error:  # the parser raises whatever a malformed file makes it
        raise ValueError(f"not a readable MIDI file ({error or 'it ends too early'})") from None
    if file.ticks_per_beat <= 0:
        raise ValueError("time is given in SMPTE frames, not in quarter notes")
    return file


def read(data: bytes) -> Melody:
    """Read the first track of notes of a MIDI file as a measured score.

    Raises ValueError, in words for the table of pieces, where the file is unreadable or its first
    track is not one melody.
    """
    file = _parse(data)
    track = next((notes for notes in map(_track_notes, file.tracks) if notes), None)
    if track is None:
        raise ValueError("no track with notes")
    if len(track) > MAX_NOTES:
        raise ValueError(f"{len(track):,} notes, too many for a melody (limit {MAX_NOTES:,})")
    if any(before[1] > after[0] for before, after in itertools.pairwise(track)):
        raise ValueError("polyphonic: notes overlap")

    resolution = file.ticks_per_beat
    if track[-1][1] > MAX_QUARTERS * resolution:
        raise ValueError(
            f"it lasts {track[-1][1] // resolution:,} quarters (limit {MAX_QUARTERS:,})"
        )
    notes = []
    for index, (on, off, pitch, velocity) in enumerate(track):
        onset, end = _snap(on, resolution), _snap(off, resolution)
        if index + 1 < len(track):
            following = track[index + 1][0]
            if Fraction(following - off, resolution) < LEGATO:
                end = _snap(following, resolution)
        if end <= onset:
            raise ValueError(f"a note too short to write ({off - on} ticks)")
        notes.append((onset, end, pitch, velocity))

    metres = [
        (_snap(tick, resolution), (message.numerator, message.denominator))
        for tick, message in _events(file, "time_signature")
    ]
    if not metres or metres[0][0] > 0:
        metres.insert(0, (Fraction(0), (4, 4)))
    end = notes[-1][1]
    metres = [metre for metre in metres if metre[0] < end]
    for _, (beats, unit) in metres:
        if beats == 0 or unit > MAX_BEAT_UNIT:
            raise ValueError(f"a metre of {beats}/{unit}")
    first = Fraction(4 * metres[0][1][0], metres[0][1][1])
    fifths, minor = _key(file)
    title = next((track.name for track in file.tracks if track.name), "")
    bars = _fill(_bar_lines(metres, _pickup(notes, first), end), notes, fifths)
    return Melody(bars, fifths, minor, _tempi(file), title=title)


def _fill(
    lines: list[tuple[Fraction, Fraction, tuple[int, int]]],
    notes: list[tuple[Fraction, Fraction, int, int]],
    fifths: int,
) -> list[Bar]:
    """Put notes into bars: cut and tied at bar lines and where one head cannot show a length."""
    events: list[tuple[Fraction, Fraction, int | None]] = []  # with the rests between the notes
    now = Fraction(0)
    for onset, end, pitch, _ in notes:
        if onset > now:
            events.append((now, onset, None))
        events.append((onset, end, pitch))
        now = end
    bars = []
    index = 0
    for start, until, metre in lines:
        bar = Bar(metre)
        now = start
        while now < until:
            _, end, pitch = events[index]
            stop = min(end, until)
            values = written(stop - now, now - start, metre)
            for number, value in enumerate(values):
                held = pitch is not None and (stop < end or number + 1 < len(values))
                name = None if pitch is None else spell(pitch, fifths)
                bar.elements.append(Element(value, name, held))
            now = stop
            if stop == end:
                index += 1
        bars.append(bar)
    return bars
