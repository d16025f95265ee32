"""What engrave.ily logs is what LilyPond plays: notes against the MIDI of a LilyPond without it."""

from pathlib import Path

import mido
import pytest

from pipeline import engrave
from pipeline.engraving import compilation, pages
from pipeline.sandbox import lilypond
from tests.support import piano

STAFF = r"\score {{ \new Staff {{ {} }} \layout {{ }} \midi {{ }} }}"
TWO = r"\score {{ << {} >> \layout {{ }} \midi {{ }} }}"
PRINT_AND_SOUND = r"""music = {{ {} }}
\score {{ \music \layout {{ }} }} \score {{ \unfoldRepeats \music \midi {{ }} }}"""


def engraved(text: str, folder: Path) -> dict:
    folder.mkdir(exist_ok=True)
    score = piano.files(piano.HEADER + text)
    failure, _ = compilation.compile_score(score, folder, engrave.SETTINGS["unfold"])
    assert failure is None
    return pages.rows("piece", folder, score)


def played(text: str, folder: Path) -> list[tuple[float, int]]:
    """(second, pitch) of each note in the MIDI file that LilyPond writes by itself, drums aside."""
    folder.mkdir()
    (folder / "nothing.ily").write_text("")
    (folder / "piece.ly").write_text(piano.HEADER + text)
    lilypond.run(["piece.ly"], folder, 60, folder / "nothing.ily")
    now, found = 0.0, set()
    for message in mido.MidiFile(folder / "piece.midi"):
        now += message.time
        if message.type == "note_on" and message.velocity and message.channel != 9:
            found.add((round(now, 2), message.note))
    return sorted(found)


def heard(found: dict) -> list[tuple[float, int]]:
    return sorted((round(note["onset_s"], 2), note["pitch"]) for note in found["notes"])


def written(found: dict) -> list[int]:
    """Pitch of the notehead of each note."""
    pitch = {row["notehead_id"]: row["pitch"] for row in found["noteheads"]}
    return [pitch[note["notehead_id"]] for note in found["notes"]]


@pytest.mark.parametrize(
    ("text", "sounding", "printed"),
    [
        pytest.param(
            STAFF.format(r"\transposition bes c''4 d'' \transposition a e'' \transposition c' f''"),
            [70, 72, 73, 77],
            [72, 74, 76, 77],
            id="transposition that changes",
        ),
        pytest.param(
            STAFF.format(r"\transposition f c''2~ c''4 << { d''4 } \\ { f' } >>"),
            [65, 58, 67],
            [72, 65, 74],
            id="ties and voices of a horn in F",
        ),
        pytest.param(
            r"""\addInstrumentDefinition #"clarinet"
            #`((instrumentTransposition . ,(ly:make-pitch -1 6 FLAT)))
            \addInstrumentDefinition #"flute"
            #`((instrumentTransposition . ,(ly:make-pitch 0 0 0)))"""
            + STAFF.format(r"""\instrumentSwitch "clarinet" c''2 \instrumentSwitch "flute" c''"""),
            [70, 72],
            [72, 72],
            id="instrument switch",
        ),
        pytest.param(
            r"clarinet = \relative { \transposition bes c''4 d } \addQuote clarinet \clarinet"
            + STAFF.format(r"""\transposition f g'4 \quoteDuring "clarinet" { s4 }"""),
            [60, 72],
            [67, 79],
            id="a quotation sounds as its source",
        ),
        pytest.param(
            r"music = { c''4 d'' } \score { \transpose bes c' \music \layout { } }"
            r" \score { \music \midi { } }",
            [72, 74],
            [74, 76],
            id="printed transposed, played at concert pitch",
        ),
        pytest.param(
            STAFF.format(r"""\clef "treble_8" c'4 \ottava 1 c''' \ottava 0 d'"""),
            [60, 84, 62],
            [60, 84, 62],
            id="octave clefs and ottava",
        ),
    ],
)  # fmt: skip
def test_notes_have_the_sounding_and_noteheads_the_written_pitch(text, sounding, printed, tmp_path):
    found = engraved(text, tmp_path / "ours")
    assert [note["pitch"] for note in found["notes"]] == sounding
    assert written(found) == printed
    assert heard(found) == played(text, tmp_path / "plain")
    assert found["off_midi"] == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(STAFF.format(r"\grace { d''16 e'' } f''4 \afterGrace g''4 { a''16 } c''2"),
                     id="grace notes"),
        pytest.param(TWO.format(r"\new Staff { \grace s8 c''4 d'' } \new Staff { \grace e8 c2 }"),
                     id="a grace note against a grace rest"),
        pytest.param(STAFF.format(r"\grace s8 c''4 d'' \acciaccatura e''8 f''2"),
                     id="a grace rest at the beginning"),
        pytest.param(STAFF.format(r"\tempo 4 = 50 c''4 d'' \set Score.tempoHideNote = ##t "
                                  r"\tempo 8 = 200 e'' f'' \tempo 4. = 70-80 g''1"),
                     id="tempi, shown and hidden"),
        pytest.param(STAFF.format(r"\partial 4 g'4 c''2 \cadenzaOn d''4 e''8 f'' \cadenzaOff "
                                  r"\bar " + '"|"' + r" R1*2 c''4"),
                     id="pickup, cadenza and rests of several bars"),
        pytest.param(TWO.format(r"\new Staff \scaleDurations 2/3 { c''4 d'' e'' } "
                                r"\new Staff { c4 d }"),
                     id="two metres at once"),
        pytest.param(STAFF.format(r"<< { c''4 d'' } \\ { c''2 } >> <c' e'>4~ <c' e'>"),
                     id="unison of two voices, ties"),
        pytest.param(STAFF.format(r"<< { c''1 } \\ { r4 c''2. } >>"),
                     id="a key struck again while it sounds"),
        pytest.param(STAFF.format(r"\partCombine { c''4 d'' e'' } { c''4 b' r }"),
                     id="parts combined"),
        pytest.param(TWO.format(r"\new Staff << { c''4 d'' } \new CueVoice { e'4 f' } >>"),
                     id="small notes that sound"),
        pytest.param(PRINT_AND_SOUND.format(r"\repeat tremolo 4 { c''16 e'' } g''2:16"),
                     id="tremolo unfolded"),
        pytest.param(PRINT_AND_SOUND.format(r"\repeat percent 3 { c''4 d'' } e''2"),
                     id="percent repeats unfolded"),
        pytest.param(PRINT_AND_SOUND.format(
            r"\repeat volta 2 { c''2 d''2~ } \alternative { { d''1 } { d''2\repeatTie e''2 } } a'1"
        ), id="alternatives, ties into them"),
        pytest.param(TWO.format(r"\new Staff { c''4-. d''--\p e''\f\< f''\! }"),
                     id="articulation and dynamics"),
    ],
)  # fmt: skip
def test_onsets_and_pitches_are_those_of_lilyponds_own_midi(text, tmp_path):
    found = engraved(text, tmp_path / "ours")
    ours, theirs = heard(found), played(text, tmp_path / "plain")
    lead = theirs[0][0] - ours[0][0]  # a MIDI file begins with the grace rest, a piece does not
    assert [pitch for _, pitch in ours] == [pitch for _, pitch in theirs]
    assert [t + lead for t, _ in ours] == pytest.approx([t for t, _ in theirs], abs=0.015)
    assert found["linked"] == len(found["notes"])
    assert found["off_midi"] == 0


def test_a_tempo_that_lilyponds_midi_rounds_down_is_played_as_written(tmp_path):
    """55 dotted quarter notes a minute are 82.5 quarter notes, of which its MIDI file has 82."""
    text = STAFF.format(r"\tempo 4. = 55 \repeat unfold 30 { c''4 d'' }")
    found = engraved(text, tmp_path / "ours")
    assert found["off_midi"] == 0
    assert found["notes"][-1]["onset_s"] == pytest.approx(59 * 60 / 82.5)
    assert played(text, tmp_path / "plain")[-1][0] == pytest.approx(59 * 60 / 82, abs=0.015)


def test_drums_are_printed_and_counted_and_are_no_notes(tmp_path):
    """In a staff of drums, and in one whose instrument is a drum set."""
    text = TWO.format(
        r"\new Staff { c''4 d'' } \new DrumStaff \drummode { bd4 <sn hh> } "
        r'\new Staff \with { midiInstrument = "drums" } { c4 d }'
    )
    found = engraved(text, tmp_path / "ours")
    assert [note["pitch"] for note in found["notes"]] == [72, 74]
    assert found["drum_strokes"] == 5
    assert found["midi_notes"] == len(played(text, tmp_path / "plain")) == 2


def test_chord_names_are_printed_and_counted_and_are_no_notes(tmp_path):
    """LilyPond plays them: four notes here, and the pitch of the third is also in the staff."""
    text = r"harmonies = \chordmode { c2 g:7 }" + TWO.format(
        r"\new ChordNames \harmonies \new FretBoards \harmonies "
        r"\new Staff { g'2 f' } \new FiguredBass \figuremode { <6>2 <7> }"
    )
    found = engraved(text, tmp_path / "ours")
    assert [note["pitch"] for note in found["notes"]] == [67, 65]
    assert found["chord_notes"] == 3 + 4
    assert found["midi_notes"] == len(played(text, tmp_path / "plain"))
    assert found["off_midi"] == 0


def test_percent_repeats_that_a_score_does_not_unfold_are_told(tmp_path):
    found = engraved(STAFF.format(r"\repeat percent 2 { c''4 d'' } e''2"), tmp_path)
    assert [note["onset"] for note in found["notes"]] == [0, 1, 4]
    assert found["warnings"] == ["percent repeats are silent: they are not unfolded"]


@pytest.mark.parametrize(
    ("music", "reason"),
    [
        ("c''4 dih'' e''2", "a note between two semitones (piece.ly:3:32)"),
        ("c''4 c'''''''' e''2", "a note that MIDI has no number for (piece.ly:3:32: 144)"),
    ],
)
def test_notes_that_no_key_plays_are_the_reason(music, reason, tmp_path):
    with pytest.raises(ValueError) as caught:
        engraved("\n" + STAFF.format(music), tmp_path)
    assert reason.split(" (")[0] in str(caught.value) and "piece.ly:" in str(caught.value)


def test_a_second_book_overwrites_neither_pages_nor_sound_of_the_first(tmp_path):
    """LilyPond by itself names the second book's first page as the first book's second."""
    score = r"\score {{ {{ {}1 \pageBreak {}1 }} \layout {{ }} \midi {{ \tempo 4 = {} }} }}"
    books = [
        score.format("c'", "d'", 60) + score.format("e'", "f'", 120),
        r'\bookOutputName "other"' + score.format("g'", "a'", 240),
    ]
    found = engraved("".join(rf"\book {{ {book} }}" for book in books), tmp_path)
    assert [note["pitch"] for note in found["notes"]] == [60, 62, 64, 65, 67, 69]
    assert [note["onset_s"] for note in found["notes"]] == [0, 4, 8, 10, 12, 13]
    assert [head["pitch"] for head in found["noteheads"]] == [60, 62, 64, 65, 67, 69]
    assert found["linked"] == 6


def test_the_sound_of_more_than_ten_scores_is_compared_in_order(tmp_path):
    """By name, the eleventh file stands before the second."""
    score = r"\score {{ {{ \repeat unfold {} c'8 }} \layout {{ }} \midi {{ \tempo 4 = {} }} }}"
    scores = [score.format(n, 60 + n) for n in range(1, 13)]
    found = engraved("\n".join(scores), tmp_path)
    assert len(found["notes"]) == found["midi_notes"] == sum(range(1, 13))
    assert found["off_midi"] == 0


def test_voices_that_lilypond_does_not_play_leave_the_piece_out(tmp_path):
    text = TWO.format(
        r"\new Staff { c''4 d'' } \new Staff \with { \remove Staff_performer } { c'4 d' }"
    )
    with pytest.raises(ValueError) as caught:
        engraved(text, tmp_path)
    assert str(caught.value) == (
        "other notes than in LilyPond's MIDI file: 2 of 4 differ, "
        "the first 0 quarter notes from the beginning, pitch 60 of the score"
    )
