"""MIDI files as scores, and what is said of those that are none."""

import io
import random
from fractions import Fraction as F

import mido
import pretty_midi
import pytest

from pipeline.reading import midi
from pipeline.reading.melody import lilypond, sounding_notes, spell
from tests.support import scores


def lengths(score):
    return [bar.length for bar in score.bars]


def test_notes_come_back_as_they_were_written():
    notes = [(0, 1, 60), (1, 1.5, 62), (1.5, 2, 64), (2, 4, 65), (4, 5.5, 67), (5.5, 6, 65)]
    score = midi.read_melody(scores.midi(notes, key="F"))
    assert score.fifths == -1
    assert [
        (n["onset"], n["onset"] + n["duration"], n["pitch"]) for n in sounding_notes(score)
    ] == notes


def test_a_note_over_a_bar_line_is_tied():
    score = midi.read_melody(scores.midi([(0, 3, 60), (3, 5, 62), (5, 8, 60)]))
    assert [(e.duration, e.tied) for e in score.bars[0].elements] == [(3, False), (1, True)]
    assert [(e.duration, e.tied) for e in score.bars[1].elements] == [(1, False), (3, False)]


def test_a_short_gap_is_articulation_and_a_long_one_a_rest():
    score = midi.read_melody(scores.midi([(0, 0.98, 60), (1, 1.5, 62), (2, 4, 64)]))
    assert [(e.duration, e.pitch is None) for e in score.bars[0].elements] == [
        (1, False),
        (F(1, 2), False),
        (F(1, 2), True),
        (2, False),
    ]


def test_accents_show_the_pickup():
    notes = [(0, 1, 67), *((1 + i, 2 + i, 60 + i) for i in range(8))]
    score = midi.read_melody(scores.midi(notes, accents=[1, 5]), pickup="accents")
    assert lengths(score) == [1, 4, 4]


def test_accents_and_crescendos_move_no_bar_line():
    notes = [(i, i + 1, 60 + i) for i in range(8)]
    assert lengths(midi.read_melody(scores.midi(notes, accents=[1, 5]))) == [4, 4]
    assert lengths(midi.read_melody(scores.midi(notes, accents=[7]))) == [4, 4]


def test_without_accents_the_first_bar_is_whole():
    assert lengths(midi.read_melody(scores.midi(scores.scale(8, 1)))) == [4, 4]


@pytest.mark.parametrize(
    "metres",
    [
        [(0, 1, 4), (1, 4, 4)],  # MuseScore: the pickup has a metre of its own
        [(0, 4, 4), (1, 4, 4)],  # the metre is stated again where the first whole bar begins
    ],
)
def test_a_short_first_bar_that_the_file_states_is_a_pickup(metres):
    score = midi.read_melody(scores.midi(scores.scale(9, 1), metres=metres))
    assert [(bar.metre, bar.length) for bar in score.bars] == [((4, 4), n) for n in (1, 4, 4)]
    assert "\\time 4/4 \\partial 1*1/4 c'4 |" in lilypond(score)


def test_a_first_bar_of_another_metre_is_no_pickup_if_it_is_long_or_comes_again():
    long = scores.midi(scores.scale(11, 1), metres=[(0, 3, 4), (3, 4, 4)])
    assert [bar.metre for bar in midi.read_melody(long).bars] == [(3, 4), (4, 4), (4, 4)]
    again = scores.midi(scores.scale(8, 1), metres=[(0, 2, 4), (2, 4, 4), (6, 2, 4)])
    assert [bar.metre for bar in midi.read_melody(again).bars] == [(2, 4), (4, 4), (2, 4)]


def test_the_config_states_pickup_metre_and_tempo_if_the_file_does_not():
    bare = scores.midi(scores.scale(7, 1), metres=[], tempi=[])
    score = midi.read_melody(bare, tempo=80, metre=(3, 4), pickup=1)
    assert [(bar.metre, bar.length) for bar in score.bars] == [((3, 4), n) for n in (1, 3, 3)]
    assert score.tempi == [(0, 80)]
    full = scores.midi(scores.scale(9, 1), metres=[(0, 1, 4), (1, 4, 4)])
    score = midi.read_melody(full, tempo=80, metre=(3, 4), pickup=0.5)
    assert lengths(score) == [1, 4, 4]
    assert score.tempi == [(0, 120.0)]


def test_of_two_tempi_at_one_moment_the_later_one_holds():
    """As pretty_midi, and FluidSynth, play it."""
    data = scores.midi(scores.scale(8), tempi=[(0, 500_000), (0, 1_000_000)])
    assert midi.read_melody(data).tempi == [(0, 60)]
    played = pretty_midi.PrettyMIDI(io.BytesIO(data))
    assert played.get_tempo_changes()[1].tolist() == [60]


def test_a_pickup_as_long_as_a_bar_is_refused():
    with pytest.raises(ValueError, match="a pickup of 4 quarters, but a bar has 4"):
        midi.read_melody(scores.midi(scores.scale(8)), pickup=4)


def test_a_change_of_key_is_printed_and_spells_the_notes_after_it():
    notes = [(0, 4, 66), (4, 6, 66), (6, 10, 66), (10, 12, 66)]
    score = midi.read_melody(scores.midi(notes, key="D", keys=[(4, "Db"), (8, "D")]))
    assert lilypond(score).splitlines()[11:15] == [
        "  \\key d \\major",
        "  \\time 4/4 fis'1 |",
        "  \\key des \\major ges'2 ges'2~ |",  # a tied note keeps its name
        "  \\key d \\major ges'2 fis'2 |",
    ]
    assert [note["pitch"] for note in sounding_notes(score)] == [66] * 4


def test_changes_of_metre_are_printed():
    data = scores.midi(scores.scale(10, 1), metres=[(0, 4, 4), (4, 3, 4)])
    bars = lilypond(midi.read_melody(data)).splitlines()[12:15]
    assert ["\\time 4/4" in bars[0], "\\time 3/4" in bars[1], "\\time" in bars[2]] == [1, 1, 0]


@pytest.mark.parametrize("ratio", [1.0, 0.95])
def test_times_and_pitches_are_those_that_pretty_midi_reads(tmp_path, ratio):
    """An independent reader: pretty_midi, whose onsets are seconds."""
    steps = [(0, 1, 60), (1, 1.5, 62), (2, 3, 64), (3, 5, 65), (6, 8, 67)]
    data = scores.midi([(on, on + (end - on) * ratio, pitch) for on, end, pitch in steps])
    path = tmp_path / "tune.mid"
    path.write_bytes(data)
    (part,) = [p for p in pretty_midi.PrettyMIDI(str(path)).instruments if p.notes]
    found = sounding_notes(midi.read_melody(data))
    assert [note["pitch"] for note in found] == [note.pitch for note in part.notes]
    assert [float(note["onset"]) / 2 for note in found] == pytest.approx(
        [note.start for note in part.notes], abs=1e-3
    )
    assert [(note["onset"], note["onset"] + note["duration"]) for note in found] == [
        (on, end) for on, end, _ in steps
    ]


def tracks(*parts: tuple[str, list[tuple[int, int]]], kind: int = 1) -> bytes:
    """A MIDI file with a track for each (name, [(channel, pitch)]), one quarter a note."""
    file = mido.MidiFile(type=kind, ticks_per_beat=480)
    for name, notes in parts:
        track = file.add_track(name or None)
        for channel, pitch in notes:
            track.append(mido.Message("note_on", channel=channel, note=pitch))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=480))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def pitches(data: bytes, **choice) -> list[int]:
    return [note["pitch"] for note in sounding_notes(midi.read_melody(data, **choice))]


BAND = tracks(("", []), ("Drums", [(9, 36), (9, 38)]), ("Tune", [(0, 60)]), ("Bass", [(1, 40)]))


def test_the_melody_is_the_first_track_with_pitched_notes():
    assert pitches(BAND) == [60]


@pytest.mark.parametrize("track", [4, "Bass", "bass "])
def test_the_config_chooses_a_track_by_number_or_name(track):
    assert pitches(BAND, track=track) == [40]


@pytest.mark.parametrize("track", [1, 2, 9, "Flute"])
def test_a_track_without_pitched_notes_is_told_with_those_that_have_some(track):
    with pytest.raises(ValueError, match=r"has no pitched notes; .*: 3 'Tune', 4 'Bass'"):
        pitches(BAND, track=track)


def test_drums_alone_are_no_melody():
    with pytest.raises(ValueError, match="only drums"):
        pitches(tracks(("", [(9, 36)])))


def test_of_a_single_track_the_first_pitched_channel_counts():
    file = mido.MidiFile(type=0, ticks_per_beat=480)
    track = file.add_track()
    keys = [(9, 36), (3, 64), (5, 48)]
    track += [mido.Message("note_on", channel=c, note=n) for c, n in keys]
    track += [
        mido.Message("note_off", channel=c, note=n, time=480 * (i == 0))
        for i, (c, n) in enumerate(keys)
    ]
    out = io.BytesIO()
    file.save(file=out)
    assert pitches(out.getvalue()) == [64]
    assert pitches(out.getvalue(), track=6) == [48]  # channel 6, counted from 1


def one_track(*events: tuple[str, int, int]) -> bytes:
    """A MIDI file of (on or off, pitch, delta ticks of 480)."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = file.add_track()
    track += [mido.Message(f"note_{kind}", note=note, time=time) for kind, note, time in events]
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def test_a_repeated_note_may_overlap_the_one_before():
    on, off = "on", "off"
    data = one_track((on, 60, 0), (on, 60, 480), (off, 60, 10), (on, 60, 470), (off, 60, 10),
                     (off, 60, 470))  # fmt: skip
    assert [float(n["duration"]) for n in sounding_notes(midi.read_melody(data))] == [1, 1, 1]


def test_a_note_that_is_struck_again_ends():
    data = one_track(("on", 60, 0), ("on", 60, 480), ("off", 60, 480))
    assert [float(n["duration"]) for n in sounding_notes(midi.read_melody(data))] == [1, 1]


def test_a_note_without_length_is_left_out_and_one_without_end_refused():
    data = one_track(("on", 72, 0), ("off", 72, 0), ("on", 60, 0), ("off", 60, 480))
    assert pitches(data) == [60]
    with pytest.raises(ValueError, match="the note at quarter 1 never ends"):
        pitches(one_track(("on", 60, 0), ("off", 60, 480), ("on", 62, 0)))


def test_a_title_is_utf8_or_latin1_on_one_line():
    for name in ("Menuet n° 2", "Tänze".encode().decode("latin-1"), "Two\nlines\t"):
        title = midi.read_melody(tracks((name, [(0, 60)]))).title
        assert title in ("Menuet n° 2", "Tänze", "Two lines")


def test_a_change_of_metre_begins_a_bar():
    score = midi.read_melody(scores.midi(scores.scale(10, 1), metres=[(0, 4, 4), (4, 3, 4)]))
    assert lengths(score) == [4, 3, 3]
    assert [bar.metre for bar in score.bars] == [(4, 4), (3, 4), (3, 4)]


def test_tempi_are_kept():
    data = scores.midi(scores.scale(8, 1), tempi=[(0, 400_000), (4, 1_000_000)])
    assert midi.read_melody(data).tempi == [(0, 150.0), (4, 60.0)]


def test_the_spelling_follows_the_key():
    score = midi.read_melody(scores.midi([(0, 2, 66), (2, 4, 70)], key="Dm"))
    assert (score.fifths, score.minor) == (-1, True)
    assert [e.pitch for e in score.bars[0].elements] == [spell(66, -1), spell(70, -1)]


def test_only_the_first_track_of_notes_counts():
    file = mido.MidiFile(ticks_per_beat=480)
    for pitch in (60, 40):
        track = mido.MidiTrack([mido.Message("note_on", note=pitch, velocity=80)])
        track.append(mido.Message("note_off", note=pitch, time=480))
        file.tracks += [mido.MidiTrack(), track]
    out = io.BytesIO()
    file.save(file=out)
    assert [note["pitch"] for note in sounding_notes(midi.read_melody(out.getvalue()))] == [60]


WHOLE = scores.midi(scores.scale(16))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"not MIDI at all", "no MThd header"),
        (WHOLE[: len(WHOLE) // 2], "cut off inside track 2"),
        (scores.midi([]), "no track with notes"),
        (scores.midi([(0, 2, 60), (1, 3, 64)]), "polyphonic"),
        (scores.midi([(0, 2, 60), (0, 2, 64)]), "polyphonic"),
        (scores.midi(scores.scale(8), tempi=[(0, 0)]), "a tempo of 0"),
        (scores.midi(scores.scale(25_000)), "25,000 notes, too many"),
        (scores.midi([(0, 1 / 3, 60)]), "1/3 quarter notes cannot be written"),
        (scores.midi([(0, 0.02, 60), (2, 3, 60)]), "too short"),
        (scores.midi([(0, 0, 60)]), "all its notes have no length"),
        (b"\0" * (midi.MAX_BYTES + 1), "too large for a melody"),
    ],
)
def test_what_is_no_melody_is_told_so(data, reason):
    with pytest.raises(ValueError, match=reason):
        midi.read_melody(data)


def test_any_bytes_give_a_score_or_a_reason():
    """No damage makes the reader fail in another way than by ValueError."""
    draw = random.Random(0)
    for _ in range(500):
        data = bytearray(WHOLE)
        for _ in range(draw.randint(1, 8)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            midi.read_melody(bytes(data))
        except ValueError as error:
            assert str(error)
