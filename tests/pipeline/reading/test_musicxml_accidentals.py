"""Accidentals that a MusicXML score leaves out: which are added, and which are not needed."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.reading import musicxml_accidentals
from tests.support.musicxml import backup, note, score

SHARP = "<accidental>sharp</accidental>"


def added(*bars: str, fifths: int = 0, staves: int = 1) -> list[str]:
    """Each accidental of a score that has none of its own, as `F4 sharp`."""
    text = score(list(bars), staves=staves).replace("<fifths>0", f"<fifths>{fifths}")
    root = ET.fromstring(text)
    own = {id(n) for n in root.iter("note") if n.find("accidental") is not None}
    number = musicxml_accidentals.complete(root)
    found = [
        f"{n.findtext('pitch/step')}{n.findtext('pitch/octave')} {n.findtext('accidental')}"
        for n in root.iter("note")
        if n.find("accidental") is not None and id(n) not in own
    ]
    assert len(found) == number
    return found


@pytest.mark.parametrize(
    ("bars", "fifths", "expected"),
    [
        ([note("C4") + note("D4")], 0, []),
        ([note("F#4") + note("C#4")], 2, []),  # of the key
        ([note("F4") + note("F#4")], 2, ["F4 natural", "F4 sharp"]),
        ([note("F#4") + note("F#4")], 0, ["F4 sharp"]),  # it holds for the bar
        ([note("F#4"), note("F#4")], 0, ["F4 sharp", "F4 sharp"]),  # and ends with it
        ([note("F#4") + note("F#5")], 0, ["F4 sharp", "F5 sharp"]),  # nor for other octaves
        ([note("F#4", tie="start"), note("F#4", tie="stop")], 0, ["F4 sharp"]),
        ([note("F#4", extra=SHARP) + note("F4")], 0, ["F4 natural"]),
        ([note("F#4", print_object="no") + note("F4")], 0, []),  # nobody sees it
        ([note("Bb4") + note("B4")], -1, ["B4 natural"]),
    ],
)
def test_an_accidental_is_added_where_a_reader_needs_it(bars, fifths, expected):
    assert added(*bars, fifths=fifths) == expected


def test_voices_of_a_staff_share_accidentals_and_other_staves_do_not():
    second = backup(4) + note(None, 1, voice=2) + note("F#4", 1, voice=2)
    assert added(note("F#4", 4) + second) == ["F4 sharp"]
    other = backup(4) + note("F#4", 4, staff=2, voice=5)
    assert added(note("F#4", 4) + other, staves=2) == ["F4 sharp", "F4 sharp"]


def test_voices_that_meet_share_an_accidental_whichever_has_it():
    for first, second in ((SHARP, ""), ("", SHARP)):
        bar = note("F#4", 4, extra=first) + backup(4) + note("F#4", 4, voice=2, extra=second)
        assert added(bar) == []


def test_an_accidental_stands_where_the_schema_has_it():
    root = ET.fromstring(score([note("F#4", 3)]))
    musicxml_accidentals.complete(root)
    tags = [child.tag for child in next(root.iter("note"))]
    assert tags[tags.index("dot") : tags.index("staff")] == ["dot", "accidental"]
