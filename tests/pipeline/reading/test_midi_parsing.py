"""Bytes of MIDI files written by hand, with the faults that files of the world have."""

import io

import mido
import pytest

from pipeline.reading.midi_parsing import parse_midi
from tests.support import scores

# Delta time, status, data: C for a quarter, then D for a quarter, at 96 ticks a quarter.
C_AND_D = bytes.fromhex("00 90 3C 50  60 80 3C 00  00 90 3E 50  60 80 3E 00")
END = bytes.fromhex("00 FF 2F 00")
NOTES = [("note_on", 60, 0), ("note_off", 60, 96), ("note_on", 62, 0), ("note_off", 62, 96)]


def chunk(name: bytes, content: bytes, length: int | None = None) -> bytes:
    return name + (len(content) if length is None else length).to_bytes(4) + content


def file(*tracks: bytes, kind=1, division=96) -> bytes:
    header = kind.to_bytes(2) + len(tracks).to_bytes(2) + division.to_bytes(2)
    return chunk(b"MThd", header) + b"".join(tracks)


def notes(data: bytes) -> list[tuple[str, int, int]]:
    return [
        (
            "note_on" if message.bytes()[2] and message.type == "note_on" else "note_off",
            message.note,
            message.time,
        )
        for track in parse_midi(data).tracks
        for message in track
        if message.type in ("note_on", "note_off")
    ]


PLAIN = file(chunk(b"MTrk", C_AND_D + END))


def test_a_sound_file_is_parsed_as_mido_parses_it():
    data = scores.midi(scores.scale(20), key="Eb", tempi=[(0, 400_000), (4, 500_000)])
    expected = mido.MidiFile(file=io.BytesIO(data))
    actual = parse_midi(data)
    assert actual.tracks == expected.tracks
    assert actual.ticks_per_beat == expected.ticks_per_beat


@pytest.mark.parametrize(
    "data",
    {
        "plain": PLAIN,
        "RIFF wrapper": b"RIFF" + bytes(4) + b"RMIDdata" + len(PLAIN).to_bytes(4, "little") + PLAIN,
        "MacBinary header": bytes(128) + PLAIN,
        "unknown chunk before": file(chunk(b"XFIH", b"abcd"), chunk(b"MTrk", C_AND_D + END)),
        "unknown chunk after": PLAIN + chunk(b"XFKM", b"abc"),
        "longer header": chunk(b"MThd", PLAIN[8:14] + b"\0\0") + PLAIN[14:],
        "no end of track": file(chunk(b"MTrk", C_AND_D)),
        "length too long": file(chunk(b"MTrk", C_AND_D + END, length=500)),
        "length too short": file(chunk(b"MTrk", C_AND_D + END, length=5)),
        "length zero": file(chunk(b"MTrk", C_AND_D + END, length=0)),
        "padding": PLAIN + bytes(7),
        "running status": file(chunk(b"MTrk", C_AND_D[:12] + b"\x60\x3e\0" + END)),
        "system exclusive": file(chunk(b"MTrk", b"\0\xf0\3\1\2\xf7" + C_AND_D + END)),
        "odd meta event": file(chunk(b"MTrk", b"\0\xff\x51\0" + b"\0\xff\x54\1a" + C_AND_D + END)),
        "unknown meta event": file(chunk(b"MTrk", b"\0\xff\x60\2ab" + C_AND_D + END)),
    }.items(),
    ids=lambda item: item[0],
)
def test_faults_that_lose_no_music_are_read_past(data):
    assert notes(data[1]) == NOTES


@pytest.mark.parametrize(
    "signature", ["0800", "f800", "feff", "ee01", "0002"], ids=["8", "-8", "255", "-18", "mode 2"]
)
def test_a_key_signature_that_does_not_exist_is_ignored(signature):
    data = file(chunk(b"MTrk", b"\0\xff\x59\2" + bytes.fromhex(signature) + C_AND_D + END))
    assert notes(data) == NOTES
    assert not [m for m in parse_midi(data).tracks[0] if m.type == "key_signature"]


def test_the_time_of_a_skipped_event_is_kept():
    late = b"\x60\xff\x59\2\x08\0"  # a bad key signature a quarter later
    assert notes(file(chunk(b"MTrk", late + C_AND_D + END)))[0] == ("note_on", 60, 96)


def test_a_velocity_over_127_is_the_loudest():
    data = file(chunk(b"MTrk", C_AND_D.replace(b"\x3c\x50", b"\x3c\xc8", 1) + END))
    assert notes(data) == NOTES
    assert parse_midi(data).tracks[0][0].velocity == 127


def test_all_tracks_are_found_if_a_length_is_wrong():
    tracks = [chunk(b"MTrk", C_AND_D + END, length=length) for length in (500, 3, 20)]
    assert len(parse_midi(file(*tracks)).tracks) == 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not MIDI at all", "no MThd header"),
        (PLAIN[:10], "cut off inside its header"),
        (PLAIN[:14], "promises 1 tracks, and none follows"),
        (PLAIN[:25], "cut off inside track 1"),
        (PLAIN[:30], "cut off inside track 1"),
        (file(chunk(b"MTrk", b"\0\x3c\x50")), "track 1: byte 23 is no event"),
        (file(chunk(b"MTrk", b"\xff\xff\xff\xff\xff\x90")), "is no time and no length"),
        (file(chunk(b"MTrk", b"\0\x90\xc8\x50" + END)), "a note has the pitch 200"),
        (file(chunk(b"MTrk", C_AND_D + END), kind=2), r"type 2 \(independent sequences"),
        (file(chunk(b"MTrk", C_AND_D + END), kind=7), "type 7"),
        (file(chunk(b"MTrk", C_AND_D + END), division=0xE728), "SMPTE frames"),
        (file(chunk(b"MTrk", C_AND_D + END), division=0), "0 ticks a quarter note"),
    ],
)
def test_a_reason_names_the_fault(data, reason):
    with pytest.raises(ValueError, match=reason):
        parse_midi(data)
