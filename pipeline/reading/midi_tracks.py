"""Choose the track of a MIDI file that holds the melody, and pair its note-ons and note-offs."""

from fractions import Fraction
from typing import NamedTuple

import mido

from pipeline.reading.midi_rhythm import OVERLAP, TimedNote

DRUMS = 9  # MIDI channel 10, counted from 0


class _KeyEvent(NamedTuple):
    """A key goes down, or up if the velocity is 0; time in quarter notes."""

    time: Fraction
    velocity: int


def choose_track(
    file: mido.MidiFile, wanted: int | str | None
) -> tuple[mido.MidiTrack, list[TimedNote]]:
    """The track of the melody and its notes; of a file with one track, those of one channel.

    Args:
        file: as parsed.
        wanted: number (the first is 1) or name of the track; of a file with one track, number of
            the channel. None takes the first with pitched notes.

    Raises:
        ValueError: if that track has no pitched notes.
    """
    single = len(file.tracks) == 1
    if single:
        track = file.tracks[0]
        channels = sorted({m.channel for m in track if m.type == "note_on"} - {DRUMS})
        parts = [(channel + 1, track, {channel}) for channel in channels]
    else:
        pitched = set(range(16)) - {DRUMS}
        parts = [(number, track, pitched) for number, track in enumerate(file.tracks, 1)]
    found = {}
    for number, track, channels in parts:
        if any(m.type == "note_on" and m.velocity and m.channel in channels for m in track):
            found[number] = track, channels
    if not found:
        raise ValueError("no track with notes" if not _has_drums(file) else "only drums, no melody")
    if wanted is None:
        number = min(found)
    else:
        number = _find_track(found, wanted, "channel" if single else "track")
    track, channels = found[number]
    notes = _timed_notes(track, channels, file.ticks_per_beat)
    if not notes:
        raise ValueError("all its notes have no length")
    return track, notes


def _has_drums(file: mido.MidiFile) -> bool:
    return any(
        message.type == "note_on" and message.channel == DRUMS
        for track in file.tracks
        for message in track
    )


def _find_track(found: dict[int, tuple], wanted: int | str, kind: str) -> int:
    """The number of the track (or channel) that the config names by number or name."""
    names = {number: decoded(track.name).strip() for number, (track, _) in found.items()}
    if isinstance(wanted, int):
        matching = [wanted] if wanted in found else []
    else:
        matching = [number for number, name in names.items() if name == wanted.strip()] or [
            number for number, name in names.items() if name.casefold() == wanted.strip().casefold()
        ]
    if not matching:
        known = ", ".join(
            f"{number} '{name}'" if name else str(number) for number, name in names.items()
        )
        raise ValueError(f"{kind} {wanted!r} has no pitched notes; those that have some: {known}")
    return matching[0]


def _timed_notes(
    track: mido.MidiTrack, channels: set[int], ticks_per_quarter: int
) -> list[TimedNote]:
    """The notes of some channels of a track in order of onset, those of no length left out."""
    keys: dict[tuple[int, int], list[_KeyEvent]] = {}
    now = 0
    for message in track:
        now += message.time
        if message.type in ("note_on", "note_off") and message.channel in channels:
            velocity = message.velocity if message.type == "note_on" else 0
            time = Fraction(now, ticks_per_quarter)
            keys.setdefault((message.channel, message.note), []).append(_KeyEvent(time, velocity))
    notes = [note for (_, pitch), events in keys.items() for note in _paired(events, pitch)]
    return sorted(note for note in notes if note.length > 0)


def _paired(events: list[_KeyEvent], pitch: int) -> list[TimedNote]:
    """The notes of one pitch. A new note ends the one that still sounds, unless a note-off follows
    within the time of a legato overlap and there are enough note-offs for all: then that one does.
    """
    notes = []
    sounding: list[_KeyEvent] = []
    stray = set()  # times of note-offs without a note
    downs = sum(event.velocity > 0 for event in events)
    ups = len(events) - downs
    for event, following in zip(events, [*events[1:], None], strict=True):
        downs, ups = (downs - 1, ups) if event.velocity else (downs, ups - 1)
        legato = (
            following is not None
            and not following.velocity
            and following.time - event.time < OVERLAP
            and ups >= downs + 2  # one for each note from the one before on
        )
        if sounding and (not event.velocity or not legato):
            struck = sounding.pop(0)
            notes.append(TimedNote(struck.time, event.time, pitch, struck.velocity))
        elif not event.velocity:
            stray.add(event.time)
        if event.velocity:
            sounding.append(event)
    # a note of no length whose note-off comes first
    sounding = [event for event in sounding if event.time not in stray]
    if sounding:
        raise ValueError(f"the note at quarter {float(sounding[0].time):.4g} never ends")
    return notes


def decoded(text: str) -> str:
    """A text of mido, which takes bytes for Latin-1, as UTF-8 if it is."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
