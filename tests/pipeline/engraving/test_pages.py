"""Pages: heads, systems and notes of piano scores, and the checks that every piece must pass."""

import io
from collections import Counter
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import pytest
from PIL import Image

from pipeline import constants, engrave
from pipeline.engraving import compilation, link, pages, svg
from tests.support import piano


def compiled(text: str, folder: Path, repeats: str = "unfold", **includes: str) -> list[dict]:
    """Compile a score in `folder`; gives its files."""
    score = piano.files(text, **includes)
    failure, _ = compilation.compile_score(score, folder, engrave.SETTINGS[repeats])
    assert failure is None
    return score


def engraved(text: str, folder: Path, repeats: str = "unfold", **includes: str) -> dict:
    return pages.rows("piece", folder, compiled(text, folder, repeats, **includes))


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    folder = tmp_path_factory.mktemp("little")
    return engraved(piano.LITTLE, folder) | {"folder": folder}


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """Two pages of the same two bars over and over."""
    return engraved(piano.long(120), tmp_path_factory.mktemp("long"))


def pixels(row: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(row["png"])))


# --- notes -----------------------------------------------------------------------------------
def test_every_note_has_its_head_and_every_check_passes(little):
    assert little["linked"] == len(little["notes"]) == little["midi_notes"]
    assert [little[f"off_{what}"] for what in ("height", "ink", "accidental")] == [0, 0, 0]
    heads = {head["notehead_id"]: head for head in little["noteheads"]}
    for note in little["notes"]:
        assert heads[note["notehead_id"]]["pitch"] == note["pitch"]


def test_onsets_are_those_of_lilyponds_midi_file(little):
    """Grace notes, repeats and the tempo included: two milliseconds are a tick of the MIDI file."""
    file = mido.MidiFile(little["folder"] / "piece.midi")
    now, found = 0.0, []
    for message in file:
        now += message.time
        if message.type == "note_on" and message.velocity:
            found.append((now, message.note))
    ours = sorted((note["onset_s"], note["pitch"]) for note in little["notes"])
    assert len(ours) == len(found)
    for (onset, pitch), (theirs, key) in zip(ours, sorted(found), strict=True):
        assert onset == pytest.approx(theirs, abs=0.002)
        assert pitch == key


def test_a_repeat_sounds_twice_from_one_head_or_once(little, tmp_path):
    sounding = Counter(note["notehead_id"] for note in little["notes"])
    assert sorted(set(sounding.values())) == [1, 2]
    once = engraved(piano.LITTLE, tmp_path, "once")
    assert set(Counter(note["notehead_id"] for note in once["notes"]).values()) == {1}
    assert len(once["notes"]) == len(sounding)


def test_tied_heads_do_not_sound_and_grace_notes_do(little):
    tied = [head for head in little["noteheads"] if head["tied"]]
    assert [head["pitch"] for head in tied] == [73]
    assert not {head["notehead_id"] for head in tied} & {n["notehead_id"] for n in little["notes"]}
    (grace,) = [head for head in little["noteheads"] if head["grace"]]
    assert sum(note["notehead_id"] == grace["notehead_id"] for note in little["notes"]) == 2
    assert grace["width"] < min(h["width"] for h in little["noteheads"] if not h["grace"])


def test_noteheads_know_their_bar_and_beat(long, tmp_path):
    """Four quarters a bar; a pickup counts back from the bar that it leads to."""
    for head in long["noteheads"]:
        bar, beat = divmod(head["moment"], 4)
        assert (head["bar"], head["beat"]) == (str(int(bar) + 1), beat)
    pickup = r"\score { { \time 3/4 \partial 4 c'4 d' e' f' g'2. } \layout { } \midi { } }"
    heads = engraved(piano.HEADER + pickup, tmp_path)["noteheads"]
    found = [(head["bar"], head["beat"]) for head in heads]
    assert found == [("1", -1), ("1", 0), ("1", 1), ("1", 2), ("2", 0)]


# --- places ----------------------------------------------------------------------------------
def test_the_pages_are_as_wide_as_asked_and_numbered(long):
    images = long["images"]
    assert [row["image"] for row in images] == list(range(len(images)))
    assert len(images) >= 2
    for row in images:
        assert pixels(row).shape == (row["height"], row["width"])
        assert (row["width"], row["height"]) == (constants.PAGE_WIDTH_PX, 1181)  # A4


def test_the_staff_lines_are_where_the_boxes_say(long):
    """Ink that never stops between left and right: five rows a staff, the first and last named."""
    drawn = [pixels(row) for row in long["images"]]
    for system in long["systems"]:
        page = 255 - drawn[system["image"]].astype(int)
        left, right = int(system["left"]) + 2, int(system["right"]) - 2
        assert len(system["top"]) == len(system["bottom"]) == 2
        for top, bottom in zip(system["top"], system["bottom"], strict=True):
            around = page[int(top) - 6 : int(bottom) + 7, left:right].min(axis=1)
            rows = np.flatnonzero(around) + int(top) - 6
            assert rows[0] in (int(top) - 1, int(top))
            assert rows[-1] in (int(bottom), int(bottom) + 1)
        beyond = page[int(system["top"][0]) : int(system["bottom"][0]), int(system["right"]) + 3 :]
        assert not beyond.any()


def test_systems_follow_the_music(long):
    heads = long["noteheads"]
    by_system = {}
    for head in heads:
        by_system.setdefault(head["system"], []).append(head["moment"])
    for one, following in pairwise(sorted(by_system)):
        assert max(by_system[one]) < min(by_system[following])
    assert {head["staff"] for head in heads} == {0, 1}
    assert all(head["pitch"] < 60 for head in heads if head["staff"] == 1)


def test_a_change_of_staff_moves_the_head_there(little):
    heads = {(head["pitch"], head["moment"]): head["staff"] for head in little["noteheads"]}
    assert heads[(67, 6.0)] == heads[(66, 6.5)] == 1
    assert heads[(64, 7.0)] == 0


def test_the_ink_of_a_head_is_at_its_coordinates(tmp_path):
    """Independent of our reading of positions: heads alone are drawn, blobs of ink are found."""
    text = piano.LITTLE.replace(
        r"\layout { }",
        r"\layout { \context { \Score \omit Stem \omit Flag \omit Beam \omit Slur \omit Tie "
        r"\omit Accidental \omit Script \omit BarLine \omit Rest \omit Clef \omit KeySignature "
        r"\omit TimeSignature \omit MetronomeMark \omit SpanBar \omit SystemStartBrace "
        r"\omit StaffSymbol \omit OttavaBracket \omit BarNumber \omit LedgerLineSpanner } "
        r"\context { \Voice \omit TrillSpanner } }",
    ).replace("title", "%title")  # fmt: skip
    score = compiled(text, tmp_path)
    (path,) = pages.files(tmp_path, "piece")
    drawn = path.read_text()
    page = svg.read(drawn)
    scale = 12.0
    image = svg.draw(drawn, 0, 0, scale, round(page.width * scale), round(page.height * scale))
    black = image < 128
    assert score
    for head in page.heads:
        x, y = head.x * scale, head.y * scale
        half = round(head.width * scale / 2) + 2
        high = round(head.height * scale / 2) - 1  # other heads of a chord are near
        box = black[int(y) - high : int(y) + high + 1, int(x) - half : int(x) + half + 1]
        columns, rows = np.flatnonzero(box.any(axis=0)), np.flatnonzero(box.any(axis=1))
        assert (columns[0] + columns[-1]) / 2 == pytest.approx(half, abs=1.5)
        assert (rows[0], rows[-1]) == (0, 2 * high)


def test_titles_are_drawn(little, tmp_path):
    """The text fonts are LilyPond's own; a renderer that finds none leaves text out in silence."""
    without = engraved(piano.LITTLE.replace("title = ", "dropped = "), tmp_path)
    top = slice(0, int(min(little["systems"][0]["top"])) - 60)
    assert (pixels(little["images"][0])[top] < 128).sum() > 300
    assert (pixels(without["images"][0])[top] < 128).sum() < 300


# --- several scores, other places --------------------------------------------------------------
def test_scores_of_one_file_follow_one_another(tmp_path):
    two = piano.HEADER + "".join(
        rf"\score {{ {{ {note}4 r2. }} \layout {{ }} \midi {{ \tempo 4 = {tempo} }} }}"
        for note, tempo in (("c'", 60), ("d'", 120))
    )
    notes = engraved(two, tmp_path)["notes"]
    assert [(note["pitch"], note["onset_s"]) for note in notes] == [(60, 0.0), (62, 4.0)]


def test_music_may_stand_in_included_files(tmp_path):
    text = piano.HEADER + '\\include "upper.ily"\n\\include "lower.ily"\n' + piano.SCORE
    found = engraved(text, tmp_path, upper=piano.UPPER, lower=piano.LOWER)
    assert found["linked"] == len(found["notes"])


def test_print_and_sound_may_be_two_copies(tmp_path):
    text = (
        piano.HEADER
        + r"""
    \score { \relative c' { c4 d e f } \layout { } }
    \score { \relative c' { c4 d e f } \midi { } }
    """
    )
    found = engraved(text, tmp_path)
    assert [note["notehead_id"] for note in found["notes"]] == [0, 1, 2, 3]


def test_several_books_are_pages_in_order(tmp_path):
    book = r"\book {{ \score {{ {{ {}4 }} \layout {{ }} \midi {{ }} }} }}"
    text = piano.HEADER + "\n".join(book.format(note) for note in ("c'", "d'", "e'"))
    found = engraved(text, tmp_path)
    assert [head["pitch"] for head in found["noteheads"]] == [60, 62, 64]
    assert [head["image"] for head in found["noteheads"]] == [0, 1, 2]


def test_a_theme_in_a_repeat_and_after_it_sounds_from_its_own_heads(tmp_path):
    """The theme is one variable, so all of its heads have the same locations."""
    text = (
        piano.HEADER
        + r"""
    theme = { d''4 g'8 a' b' c'' }
    music = { \time 3/4 \partial 4 d'4 \repeat volta 2 { \theme d''4 g' g' } \theme e''4 d''2 }
    \score { \new Staff \music \layout { } }
    \score { \new Staff \unfoldRepeats \music \midi { } }
    """
    )
    found = engraved(text, tmp_path)
    moments = {head["notehead_id"]: head["moment"] for head in found["noteheads"]}
    played = [(note["onset"], moments[note["notehead_id"]]) for note in found["notes"]]
    assert played == [
        (onset, onset if onset < 7 else onset - 6) for onset, _ in played
    ]  # the second pass, and what follows, are six quarters behind the print


def test_music_printed_twice_is_tied_only_where_it_is_held(tmp_path):
    text = (
        piano.HEADER
        + r"\score { \new Staff { \repeat unfold 3 { c'1~ } c'1 d'1 } \layout { } \midi { } }"
    )
    found = engraved(text, tmp_path)
    assert [head["tied"] for head in found["noteheads"]] == [False, True, True, True, False]


def test_lines_of_a_source_are_counted_as_lilypond_does(tmp_path):
    """A form feed ends none. The source explains pitches that the print does not."""
    odd = "\\score { \\new Staff { \\accidentalStyle no-reset cis'1 |\n%\f\x85\ncis'2 c' }"
    found = engraved(piano.HEADER + odd + " \\layout { } \\midi { } }", tmp_path)
    assert found["off_accidental"] == 0


# --- what must not pass ------------------------------------------------------------------------
def refused(text: str, folder: Path) -> str:
    with pytest.raises(ValueError) as caught:
        engraved(text, folder)
    return str(caught.value)


def test_notes_written_out_for_the_ear_only_are_counted_not_guessed(tmp_path):
    text = (
        piano.HEADER
        + r"""
    \score { \relative c'' { c2\trill d2 } \layout { } }
    \score { \relative c'' { c16 d c d c d c d d2 } \midi { } }
    """
    )
    reason = refused(text, tmp_path)
    assert reason == f"onsets without a notehead: 77.8 %, {link.NO_NOTEHEAD} (7 notes)"


def test_heads_that_run_off_the_page_are_found(tmp_path):
    text = (
        piano.HEADER
        + r"""
    \paper { ragged-right = ##t } \score { { \cadenzaOn \repeat unfold 90 { c'4 e' } }
    \layout { } \midi { } }
    """
    )
    assert "noteheads without ink on the page: " in refused(text, tmp_path)


def test_heads_at_a_wrong_height_are_found(tmp_path):
    """The clef that is printed is not the clef that counts, and the names are not the notes'."""
    text = (
        piano.HEADER
        + r"""
    wrong = { \set Staff.clefGlyph = "clefs.F" \set Staff.clefPosition = 2 }
    music = \transpose c e { \wrong c'4 d' e' f' }
    \score { \music \layout { } \midi { } }
    """
    )
    assert refused(text, tmp_path) == (
        "noteheads whose vertical position does not match their pitch: 4 of 4"
    )


def test_heads_that_sound_otherwise_than_printed_are_found(tmp_path):
    """Sharps that are not printed, of notes whose names do not tell."""
    text = (
        piano.HEADER
        + r"""
    music = \transpose c cis { c'4 d' e' f' | g'1 }
    \score { \new Staff \with { \omit Accidental } \music \layout { } \midi { } }
    """
    )
    assert refused(text, tmp_path) == (
        "noteheads whose pitch follows from neither accidental nor key: 5 of 5"
    )


def test_a_score_that_states_no_sound_is_played_as_it_is_printed(tmp_path):
    text = (
        piano.HEADER
        + r"""
    \score { \relative c' { \repeat volta 2 { c4 d } e f } }
    \book { \score { \relative c' { g'1 } \layout { } } }
    """
    )
    piece = {"piece_id": "piece", "score": piano.files(text)}
    ((_, found),) = engrave._pages([piece], "once")
    tables, counts = found
    assert sorted(tables["notes"]["pitch"].to_pylist()) == [60, 62, 64, 65, 67]
    assert counts["linked"] == 5


def test_what_old_scores_call_does_not_stop_them(tmp_path):
    text = (
        piano.HEADER
        + r"""
    old = { #(override-auto-beam-setting '(end * * * *) 1 4 'Staff) }
    music = \relative c' {
      \old \repeat volta 2 { c4\deprecatedcresc d\! } e\sustainDown f\sustainUp
    }
    \score { \music \layout { } }
    \score { \applyMusic #unfold-repeats \music \midi { } }
    """
    )
    assert len(engraved(text, tmp_path)["notes"]) == 6


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("piece.svg", "<svg>no end</svg"),
        ("piece-1.svg", "<svg></svg>"),
        ("piece.log", "note\t1/0\t0\tnonsense"),
        ("piece.midi", "MThd?"),
    ],
)
def test_what_a_score_writes_by_itself_stops_no_batch(tmp_path, name, content):
    content = content.replace("\t", "\\t") + ("</svg>" if name.endswith("svg") else "")
    text = piano.LITTLE + (
        "#(set! exit (let ((old exit)) (lambda rest (call-with-output-file "
        f'"{name}" (lambda (port) (display "{content}" port))) (apply old rest))))'
    )
    ((_, reason),) = engrave._pages([{"piece_id": "piece", "score": piano.files(text)}], "once")
    assert isinstance(reason, str)
    assert reason


def test_a_score_without_notes_or_sound_says_so(tmp_path):
    (tmp_path / "a").mkdir()
    rests = piano.HEADER + r"\score { { r1 } \layout { } \midi { } }"
    assert refused(rests, tmp_path / "a") == "no notes are printed"
