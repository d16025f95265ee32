"""Accidentals: whether the pitch of a head follows from what is printed, or from the source."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import engrave
from pipeline.engraving import accidentals, compilation, pages, svg, systems
from pipeline.sandbox import lilypond
from tests.support import piano

STAFF = r"\score {{ \new Staff {{ {} }} \layout {{ }} \midi {{ }} }}"
EXPLAINED = [  # music for one staff that LilyPond prints by the rules
    pytest.param(r"c'4 cis' cis' c' | c'1", id="an accidental holds for its measure"),
    pytest.param(r"cis'4 c'' cis'' cis' | cis''1", id="not for another octave"),
    pytest.param(r"\key d \major fis'2 f' | fis'1 | \key es \major es'2 e' | es'1 |"
                 r"\key c \major e'1", id="the key may change"),
    pytest.param(r"\key d \major fis'1 \break \key c \major f'1 \break f'2 fis'", id="over lines"),
    pytest.param(r"cis'1~ | cis'2 cis'2 | c'1", id="a tie carries over the bar line"),
    pytest.param(r"cis'1~ \break cis'2 d' | c'1", id="a tie carries over the line"),
    pytest.param(r"\override Staff.Accidental.hide-tied-accidental-after-break = ##t "
                 r"cis'1~ \break cis'2 d' | c'1", id="a tie over the line hides the accidental"),
    pytest.param(r"cis'2 c'? | c'!2 cis'?", id="a cautionary accidental"),
    pytest.param(r"\acciaccatura { cis'8 } cis'2 d' | c' \appoggiatura { es'16 f' } es'",
                 id="grace notes"),
    pytest.param(r"\ottava #1 cis'''2 c'''' \ottava #0 cis''2 cis'''", id="an ottava"),
    pytest.param(r"fisis'2 fis' | beses'2 bes'", id="double alterations"),
    pytest.param(r"<c' cis''>2 <cis' c''> | << { cis''2 c'' } \\ { cis'2 cis'' } >>", id="chords"),
    pytest.param(r"\clef bass cis4 \clef treble cis' c'' cis", id="a clef changes"),
    pytest.param(r"\cadenzaOn cis'4 c' \bar '|' c' cis' \cadenzaOff".replace("'|'", '"|"'),
                 id="bar lines by hand"),
    pytest.param(r"\transpose c es { \key d \major d'4 fis' f'2 }", id="transposed"),
    *(pytest.param(rf"\accidentalStyle {style} \key d \major cis''2 c''4 c' | cis' c'' f' fis'",
                   id=style)
      for style in ("modern", "modern-cautionary", "piano", "dodecaphonic", "teaching")),
]  # fmt: skip


def compiled(text: str, folder: Path) -> tuple[list[svg.Page], dict, dict]:
    """What `explain` takes of a score: its pages, the places of its staves, its source."""
    score = piano.files(piano.HEADER + text)
    failure, _ = compilation.compile_score(score, folder, engrave.SETTINGS["unfold"])
    assert failure is None
    read = [svg.read(path.read_text()) for path in pages.files(folder, "piece")]
    staff_of: dict[int, tuple[int, int]] = {}
    for number, page in enumerate(read):
        staff_of |= systems.rows("piece", number, page, 1.0, first=len(staff_of))[1]
    return read, staff_of, {"piece.ly": score[0]["text"].splitlines()}


def in_order(read: list[svg.Page], found: dict) -> list[tuple[int, str | None]]:
    """(pitch, how it is explained) of the heads in order of moment, low ones first."""
    heads = [head for page in read for head in page.heads]
    heads.sort(key=lambda head: (head.moment, head.grace, head.pitch))
    return [(head.pitch, found[head.number]) for head in heads]


def shifted(read: list[svg.Page], number: int, semitones: int) -> list[svg.Page]:
    """The same pages where one head has another pitch."""
    return [
        replace(
            page,
            heads=[
                replace(head, pitch=head.pitch + semitones * (head.number == number))
                for head in page.heads
            ],
        )
        for page in read
    ]


@pytest.mark.parametrize("music", EXPLAINED)
def test_print_explains_each_pitch_and_no_other(music, tmp_path):
    """No head may sound a semitone higher or lower, and only it is then counted. What a
    tie leads to is held to the head that it comes from."""
    read, place, source = compiled(STAFF.format(music), tmp_path)
    found = accidentals.explain(read, place, source)
    assert set(found.values()) == {"print"}
    tied = {left: right for page in read for right, left in page.ties.items()}
    for number in found:
        for semitones in (-1, 1):
            other = accidentals.explain(shifted(read, number, semitones), place, source)
            off = {head for head, how in other.items() if how is None}
            assert number in off
            assert off <= {number, tied.get(number)}


def test_each_staff_has_its_own_accidentals_and_key(tmp_path):
    text = r"""
    \score { \new PianoStaff <<
      \new Staff = "up" { \key d \major fis'4 \change Staff = "down" f' fis'
        \change Staff = "up" fis' }
      \new Staff = "down" { \clef bass s1 }
    >> \layout { } \midi { } }
    """
    read, place, source = compiled(text, tmp_path)
    found = accidentals.explain(read, place, source)
    assert in_order(read, found) == [(66, "print"), (65, "print"), (66, "print"), (66, "print")]
    (page,) = read
    up = next(key.staff for key in page.keys if key.altered)
    without = [replace(page, keys=[key for key in page.keys if key.staff != up])]
    source = {"piece.ly": []}
    assert in_order(read, accidentals.explain(without, place, source)) == [
        (66, None), (65, "print"), (66, "print"), (66, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mark", "off"), [("accidentals", [1, 2]), ("ties", [3]), ("keys", [0, 4]), ("bars", [4])]
)
def test_each_kind_of_mark_counts(mark, off, tmp_path):
    """A page that lacks a kind of mark, and a source that says nothing: these heads are off."""
    music = r"\key g \major fis'4 f' cis'2~ | cis'2 fis'2"
    read, place, _ = compiled(STAFF.format(music), tmp_path)
    assert set(accidentals.explain(read, place, {}).values()) == {"print"}
    blind = [replace(page, **{mark: type(getattr(page, mark))()}) for page in read]
    found = in_order(read, accidentals.explain(blind, place, {}))
    assert [number for number, (_, how) in enumerate(found) if how is None] == off


# --- where print follows other rules ----------------------------------------------------------
@pytest.mark.parametrize(
    ("music", "numbers"),
    [
        (r"\accidentalStyle forget cis'2 c' | c'1", [1]),
        (r"\accidentalStyle no-reset cis'1 | cis'2 c'", [1]),
        (r"\accidentalStyle voice << { cis'2 d' } \\ { s2 c' } >>", [1]),
        (r"\omit Staff.KeySignature \key d \major fis'2 d' | f' d'", [0]),
        (r"\omit Staff.BarLine cis'1 | c'1", [1]),
        (r"\omit Accidental c'2 cis'", [1]),
        (r"cis'2 << { cis' } \\ { c' } >> | <c' cis'>2 c'2", [5]),
        (r"cis'4 <c' ces'>2 c'4", [3]),
    ],
)
def test_the_source_answers_where_print_does_not(music, numbers, tmp_path):
    """Unless the note has another name there, or none."""
    read, place, source = compiled(STAFF.format(music), tmp_path)
    found = accidentals.explain(read, place, source)
    heads = in_order(read, found)
    assert [number for number, (_, how) in enumerate(heads) if how == "source"] == numbers
    assert set(found.values()) == {"print", "source"}
    other = {"piece.ly": [line.replace("c", "d") for line in source["piece.ly"]]}
    for wrong in ({}, other) if "fis" not in music else ({},):
        unnamed = in_order(read, accidentals.explain(read, place, wrong))
        assert [number for number, (_, how) in enumerate(unnamed) if how is None] == numbers


def test_no_source_excuses_an_accidental_that_is_printed(tmp_path):
    read, place, source = compiled(STAFF.format("cis'2 c'"), tmp_path)
    (first, _) = sorted(read[0].heads, key=lambda head: head.moment)
    wrong = replace(read[0], accidentals=read[0].accidentals | {first.number: "accidentals.flat"})
    assert in_order(read, accidentals.explain([wrong], place, source))[0] == (61, None)


def test_an_include_is_found_by_the_path_that_it_is_asked_for():
    source = {"lib/my notes.ily": ["", "x = { cis'4 }"]}
    assert accidentals.text_at("suite/../lib/my%20notes.ily:2:6", source) == "cis'4 }"


def test_names_are_lilyponds():
    """Its own table of names, but for quarter tones."""
    (path,) = lilypond._root().glob("share/lilypond/*/scm/lily/define-note-names.scm")
    semitones = {"NATURAL": 0, "SHARP": 1, "FLAT": -1, "DOUBLE-SHARP": 2, "DOUBLE-FLAT": -2}
    language, theirs = None, defaultdict(dict)
    for line in path.read_text().splitlines():
        if begin := re.match(r"    \((\S+) \. \($", line):
            language = begin[1]
        entry = re.search(r"\((\S+) \. ,\(ly:make-pitch -1 (\d) ([A-Z-]+)\)\)", line)
        if entry and entry[3] in semitones:
            theirs[language][entry[1]] = (int(entry[2]), semitones[entry[3]])
    assert len(theirs) >= 10
    for language in accidentals.LANGUAGES.keys() & theirs.keys():
        ours = accidentals.names({"a.ly": [rf'\language "{language}"']})
        for name, meaning in theirs[language].items():
            assert ours[name] == {meaning}, (language, name)
    assert accidentals.names({"a.ly": ["c d e"]})["as"] == {(5, -1)}
    assert accidentals.names({"a.ly": [r'\include "english.ly"']})["as"] == {(5, 1)}
