"""Read the MIDI files that LilyPond writes, and compare them with the log of sounding notes.

A score is a program and may write any bytes. Only what a comparison needs is read: note-ons and
tempi. What else a file holds, meta events with impossible values among them, is skipped.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.constants import RETRIEVAL
from pipeline.engraving import note_log

DRUM_CHANNEL = 9  # counted from 0
DEFAULT_MICROSECONDS = 500_000  # a quarter note, if a file states no tempo
TICK_TOLERANCE = 1.5  # LilyPond rounds onsets down to a tick
SECONDS_TOLERANCE = 0.05  # a frame of the retrieval spectrogram
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}  # by kind of channel message
NOTE_ON, SET_TEMPO, META, SYSEX = 0x9, 0x51, 0xFF, (0xF0, 0xF7)


@dataclass(frozen=True)
class MidiFile:
    """What a MIDI file plays, drums aside.

    Attributes:
        resolution: Ticks a quarter note.
        strokes: (tick, MIDI number) of each key that is struck, in order; a key struck twice at one
            time counts once.
        tempi: (tick, microseconds a quarter note) in order.
    """

    resolution: int
    strokes: list[tuple[int, int]]
    tempi: list[tuple[int, int]]

    def seconds(self) -> list[float]:
        """Onset of each stroke in seconds from the beginning of the file."""
        changes = [(0, self._seconds_a_tick(DEFAULT_MICROSECONDS), 0.0)]  # tick, scale, second
        for tick, microseconds in self.tempi:
            start, scale, begin = changes[-1]
            if tick == 0:
                changes = [(0, self._seconds_a_tick(microseconds), 0.0)]
            elif (new := self._seconds_a_tick(microseconds)) != scale:
                changes.append((tick, new, begin + scale * (tick - start)))
        times = []
        for tick, _ in self.strokes:
            start, scale, begin = changes[bisect_right(changes, tick, key=lambda c: c[0]) - 1]
            times.append(begin + scale * (tick - start))
        return times

    def _seconds_a_tick(self, microseconds: int) -> float:
        """Rounded as pretty_midi rounds it, by which MSMD counted frames."""
        return 60.0 / ((6e7 / microseconds) * self.resolution)


@dataclass(frozen=True)
class Comparison:
    """How LilyPond's MIDI files differ from the log of notes.

    Attributes:
        strokes: Number of keys struck in the MIDI files.
        frames: Number of frames in which they begin, as MSMD counts them.
        differing: Number of notes that only one of both has, or has at another time.
        first: Where the first of them is; None if there is none.
    """

    strokes: int
    frames: int
    differing: int
    first: str | None


def _variable_length(content: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte; gives it and the position behind it."""
    value = 0
    for length in range(1, 5):
        value = value << 7 | content[at] & 0x7F
        at += 1
        if not content[at - 1] & 0x80:
            return value, at
        if length == 4:
            break
    raise ValueError("a number of more than four bytes")


def _events(track: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(tick, status, data) of each event of a track; the data of a meta event begin with its kind.

    Raises IndexError if the track is truncated, and ValueError if an event has no status.
    """
    at = tick = running = 0
    while at < len(track):
        delta, at = _variable_length(track, at)
        tick += delta
        status = running
        if track[at] & 0x80:
            status, at = track[at], at + 1
        if status == META or status in SYSEX:
            kind = track[at : at + 1] if status == META else b""
            length, at = _variable_length(track, at + len(kind))
            yield tick, status, kind + track[at : at + length]
            at += length
        elif length := DATA_BYTES.get(status >> 4):
            running = status
            data = track[at : at + length]
            if len(data) < length:
                raise IndexError
            yield tick, status, data
            at += length
        else:
            raise ValueError("an event without a status")


def read(content: bytes) -> MidiFile:
    """Read the bytes of a MIDI file.

    Raises:
        ValueError: It is not a MIDI file, or its notes cannot be read.
    """
    if content[:4] != b"MThd" or len(content) < 14:
        raise ValueError("LilyPond's MIDI file is corrupt: it has no header")
    resolution = int.from_bytes(content[12:14], "big")
    if not 0 < resolution < 0x8000:
        raise ValueError("LilyPond's MIDI file is corrupt: its ticks are no part of a quarter note")
    strokes: set[tuple[int, int]] = set()
    tempi: dict[int, int] = {}
    at = 8 + int.from_bytes(content[4:8], "big")
    while at + 8 <= len(content):
        kind, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "big")
        track, at = content[at + 8 : at + 8 + length], at + 8 + length
        if kind != b"MTrk":
            continue
        try:
            for tick, status, data in _events(track):
                if status == META and data[:1] == bytes([SET_TEMPO]):
                    tempi[tick] = int.from_bytes(data[1:4], "big") or DEFAULT_MICROSECONDS
                elif status >> 4 == NOTE_ON and data[1] and status & 0xF != DRUM_CHANNEL:
                    strokes.add((tick, data[0]))
        except IndexError:
            raise ValueError("LilyPond's MIDI file is corrupt: a track is truncated") from None
        except ValueError as error:
            raise ValueError(f"LilyPond's MIDI file is corrupt: {error}") from None
    return MidiFile(resolution, sorted(strokes), sorted(tempi.items()))


def read_all(folder: Path, stem: str, scores: int) -> list[MidiFile]:
    """Read the MIDI file of each score of a log, in the order of the log.

    engrave.ily names them `<stem>.midi`, `<stem>-1.midi` and so on. A score whose file is missing
    plays nothing.
    """
    paths = [folder / f"{stem}{f'-{number}' if number else ''}.midi" for number in range(scores)]
    return [read(path.read_bytes()) if path.is_file() else MidiFile(1, [], []) for path in paths]


def _matched(
    logged: list[tuple[Fraction, float]], played: list[tuple[Fraction, float]], tick: Fraction
) -> tuple[list[int], list[int]]:
    """Indices of the (quarter note, second) of each list that the other one does not have.

    Both are in order and of one pitch, with at most one entry a tick.
    """
    only_logged, only_played = [], []
    i = j = 0
    while i < len(logged) and j < len(played):
        apart = logged[i][0] - played[j][0]
        if abs(apart) <= TICK_TOLERANCE * tick:
            if abs(logged[i][1] - played[j][1]) > SECONDS_TOLERANCE:
                only_logged.append(i)
                only_played.append(j)
            i, j = i + 1, j + 1
        elif apart < 0:
            only_logged.append(i)
            i += 1
        else:
            only_played.append(j)
            j += 1
    return only_logged + list(range(i, len(logged))), only_played + list(range(j, len(played)))


def _differences(
    notes: list[note_log.Note], sound: note_log.SoundLog, number: int, file: MidiFile
) -> tuple[list[tuple[Fraction, int]], list[tuple[Fraction, int]]]:
    """(quarter note of the file, pitch) that only the log has, and that only the MIDI file has."""
    start, lead = sound.starts[number], sound.leads[number]
    # LilyPond rounds the tempi of its MIDI files down to whole quarter notes a minute.
    tempi = [(quarter, math.floor(tempo) or tempo) for quarter, tempo in sound.tempi]
    begin, later, *seconds = note_log.seconds(
        [start, start + lead, *(note.onset for note in notes)], tempi
    ).tolist()
    begin -= later - begin  # the lead is played at the score's first tempo
    logged: dict[int, dict[Fraction, float]] = defaultdict(dict)
    for note, second in zip(notes, seconds, strict=True):
        logged[note.pitch][note.onset - start + lead] = second - begin
    played: dict[int, list[tuple[Fraction, float]]] = defaultdict(list)
    for (tick, pitch), second in zip(file.strokes, file.seconds(), strict=True):
        played[pitch].append((Fraction(tick, file.resolution), second))
    only_logged, only_played = [], []
    for pitch in logged.keys() | played.keys():
        ours, theirs = sorted(logged[pitch].items()), played[pitch]
        left, right = _matched(ours, theirs, Fraction(1, file.resolution))
        only_logged += [(ours[index][0], pitch) for index in left]
        only_played += [(theirs[index][0], pitch) for index in right]
    return only_logged, only_played


def compare(sound: note_log.SoundLog, files: list[MidiFile]) -> Comparison:
    """Compare onset and pitch of every note with LilyPond's MIDI files.

    Args:
        sound: The log; the notes of its chord names sound in LilyPond's MIDI and are expected.
        files: The MIDI file of each score of the log.
    """
    by_score: dict[int, list[note_log.Note]] = defaultdict(list)
    for note in (*sound.notes, *sound.chords):
        by_score[note.score].append(note)
    differing, first, frames = 0, None, set()
    for number, file in enumerate(files):
        only_logged, only_played = _differences(by_score[number], sound, number, file)
        differing += max(len(only_logged), len(only_played))
        if first is None and (only_logged or only_played):
            quarter, pitch = min(only_logged + only_played)
            side = "the score" if (quarter, pitch) in only_logged else "the MIDI file"
            of = f" of score {number + 1}" if len(files) > 1 else ""
            first = (
                f"{float(quarter):g} quarter notes from the beginning{of}, pitch {pitch} of {side}"
            )
        frames |= {(number, math.ceil(second * RETRIEVAL.fps)) for second in file.seconds()}
    return Comparison(sum(len(file.strokes) for file in files), len(frames), differing, first)
