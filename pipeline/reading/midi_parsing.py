"""Parse the bytes of a MIDI file into mido tracks, and tolerate faults that lose no music.

Wrappers, unknown chunks, wrong lengths and odd meta events are common in files of the world, and
mido refuses a whole file for them. This module finds the chunks and the events; mido says what each
event means. Music that is lost (a file cut off, a byte that is no event) is an error.
"""

from collections.abc import Iterator

import mido

HEADER, TRACK = b"MThd", b"MTrk"
END_OF_TRACK = 0x2F
MAX_DATA_BYTE = 0x7F
MAX_LENGTH_BYTES = 4  # of a variable-length number
# Data bytes that follow a status: by the high half for channels, in full for the system's own.
_CHANNEL_DATA = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
_SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}
_SYSEX = (0xF0, 0xF7)
_META = 0xFF
_NOTES = (0x8, 0x9)


def parse_midi(data: bytes) -> mido.MidiFile:
    """Parse a MIDI file of type 0 or 1 whose time is measured in quarter notes.

    Read past: what stands before the header (RIFF wrapper, MacBinary), unknown chunks, a track's
    wrong length or missing end, velocities over 127, and meta events that mean nothing (a key
    signature of eight sharps).

    Args:
        data: the whole file.

    Returns:
        The file, its events in mido's tracks with delta times in ticks.

    Raises:
        ValueError: if it is no MIDI file, of another type, timed in SMPTE frames, or cut off.
    """
    start = data.find(HEADER)
    if start < 0:
        raise ValueError("not a MIDI file: it has no MThd header")
    header = data[start + 8 : start + 14]
    if len(header) < 6:
        raise ValueError("cut off inside its header")
    size = int.from_bytes(data[start + 4 : start + 8])
    kind, count, division = (int.from_bytes(header[i : i + 2]) for i in (0, 2, 4))
    if kind > 1:
        meaning = "independent sequences, not one piece" if kind == 2 else "there are 0 and 1"
        raise ValueError(f"a MIDI file of type {kind} ({meaning})")
    if division & 0x8000:
        raise ValueError("time is given in SMPTE frames, not in quarter notes")
    if division == 0:
        raise ValueError("its header says 0 ticks a quarter note")
    file = mido.MidiFile(type=kind, ticks_per_beat=division)
    after = start + 8 + size
    file.tracks = list(_tracks(data, after if _is_chunk(data, after) else start + 14))
    if not file.tracks:
        raise ValueError(f"cut off: its header promises {count} tracks, and none follows")
    return file


def _tracks(data: bytes, position: int) -> Iterator[mido.MidiTrack]:
    """The tracks from a position on; other chunks are skipped."""
    number = 0
    while 0 <= position < len(data):
        if not _is_chunk(data, position):  # the chunk before has a wrong length, or padding follows
            position = data.find(TRACK, position)
            continue
        size = int.from_bytes(data[position + 4 : position + 8])
        if data[position : position + 4] == TRACK:
            number += 1
            track, position = _track(data, position + 8, position + 8 + size, number)
            yield track
        else:
            position += 8 + size


def _is_chunk(data: bytes, position: int) -> bool:
    """Whether a chunk begins here: four printable characters and a length."""
    name = data[position : position + 4]
    return len(data) >= position + 8 and all(0x20 <= byte < 0x7F for byte in name)


class _Cut(Exception):
    """The file ends inside an event."""


def _track(data: bytes, position: int, end: int, number: int) -> tuple[mido.MidiTrack, int]:
    """A track from its first event on, and where the next chunk begins.

    The end-of-track event ends it, whatever length it declares; without that event, its declared
    end does, if a chunk or nothing follows there.
    """
    track = mido.MidiTrack()
    waiting = 0  # ticks of events that were left out
    status = 0
    try:
        while not (position == end and (end == len(data) or _is_chunk(data, end))):
            ticks, position = _variable(data, position)
            waiting += ticks
            if data[position] & 0x80:
                status = data[position]
                position += 1
            elif not status:
                raise ValueError(f"track {number}: byte {position} is no event")
            if status == _META:
                kind = _byte(data, position)
                content, position = _counted(data, position + 1)
                message, status = _meta(kind, content), 0
                if kind == END_OF_TRACK:
                    track.append(mido.MetaMessage("end_of_track", time=waiting))
                    at_end = end == len(data) or _is_chunk(data, end)
                    return track, end if at_end and end >= position else position
            elif status in _SYSEX:
                _, position = _counted(data, position)
                message, status = None, 0
            else:
                size = _CHANNEL_DATA.get(status >> 4) or _SYSTEM_DATA.get(status, 0)
                content = data[position : position + size]
                if len(content) < size:
                    raise _Cut
                position += size
                message = _channel_message(status, content, number)
                status = status if status < 0xF0 else 0
            if message is not None:
                message.time, waiting = waiting, 0
                track.append(message)
    except (_Cut, IndexError):
        raise ValueError(f"cut off inside track {number}") from None
    track.append(mido.MetaMessage("end_of_track", time=waiting))
    return track, position


def _byte(data: bytes, position: int) -> int:
    if position >= len(data):
        raise _Cut
    return data[position]


def _variable(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length number, and the position after it."""
    value = 0
    for count in range(MAX_LENGTH_BYTES):
        byte = _byte(data, position + count)
        value = value << 7 | byte & MAX_DATA_BYTE
        if byte <= MAX_DATA_BYTE:
            return value, position + count + 1
    raise ValueError(f"byte {position} is no time and no length")


def _counted(data: bytes, position: int) -> tuple[bytes, int]:
    """Bytes that follow their number, and the position after them."""
    size, position = _variable(data, position)
    if position + size > len(data):
        raise _Cut
    return data[position : position + size], position + size


def _meta(kind: int, content: bytes) -> mido.MetaMessage | None:
    """A meta event; None if it means nothing to mido."""
    length = mido.midifiles.meta.encode_variable_int(len(content))
    try:
        return mido.MetaMessage.from_bytes([_META, kind, *length, *content])
    except Exception:  # mido raises whatever odd content makes it
        return None


def _channel_message(status: int, content: bytes, number: int) -> mido.Message | None:
    """A channel's message; what is none of a channel is skipped.

    Raises ValueError if a note has no pitch of MIDI; other values over 127 count as 127.
    """
    if status >= 0xF0:
        return None
    if status >> 4 in _NOTES and content[0] > MAX_DATA_BYTE:
        raise ValueError(f"track {number}: a note has the pitch {content[0]}; MIDI has 0 to 127")
    return mido.Message.from_bytes([status, *(min(byte, MAX_DATA_BYTE) for byte in content)])
