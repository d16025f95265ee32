"""What a reader of the printed page would take each notehead for, against what sounds."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.engraving import mei_accidentals, verovio_engraver, verovio_pages
from pipeline.reading import musicxml_notes, score_text
from tests.support.musicxml import backup, note, scale, score

SHARP = "<accidental>sharp</accidental>"


def off(text: str, name: str = "s.musicxml") -> int:
    ((file, safe),) = score_text.read(text.encode(), name).items()
    kind = f".{file.rpartition('.')[2]}"
    read = verovio_engraver.load(safe, kind)
    root = ET.fromstring(read)
    if kind == ".musicxml":
        found = musicxml_notes.read(ET.fromstring(safe))
    else:
        found = verovio_pages.written(safe, kind, root, verovio_engraver.times(read))
    return mei_accidentals.off(root, found)


@pytest.mark.parametrize(
    ("bars", "fifths", "wrong"),
    [
        ([note("F#4", extra=SHARP) + note("F#4")], 0, 0),
        ([note("F#4", extra=SHARP), note("F#4")], 0, 1),  # no longer in the next bar
        ([note("F#4", tie="start", extra=SHARP), note("F#4", tie="stop")], 0, 0),
        ([note("F#4") + note("C#5")], 2, 0),  # of the key
        ([note("F#4") + note("C#5")], 1, 1),
        ([note("F#4", extra="<accidental>flat</accidental>")], 0, 1),
    ],
)
def test_noteheads_that_read_otherwise_than_they_sound_are_counted(bars, fifths, wrong):
    assert off(score(bars).replace("<fifths>0", f"<fifths>{fifths}")) == wrong


def test_voices_that_meet_share_an_accidental_whichever_has_it():
    for first, second in ((SHARP, ""), ("", SHARP)):
        bar = note("F#4", 4, extra=first) + backup(4) + note("F#4", 4, voice=2, extra=second)
        assert off(score([bar])) == 0


def test_a_change_of_key_holds_from_its_bar_on():
    text = score([note("B4", 4), note("Bb4", 4)])
    changed = text.replace(
        'number="2">', 'number="2"><attributes><key><fifths>-1</fifths></key></attributes>'
    )
    assert (off(text), off(changed)) == (1, 0)


def test_humdrum_is_printed_as_it_sounds():
    kern = "**kern\n*clefG2\n*k[f#c#]\n*M4/4\n=1\n4f#\n4fn\n4f\n4f#\n=2\n*k[]\n1f#\n==\n*-\n"
    assert off(kern, "s.krn") == 0


def test_a_score_without_accidentals_is_printed_with_them(tmp_path):
    bar = scale("F#4 C#5 Bb4 E4")
    ((name, safe),) = score_text.read(score([bar, bar]).encode(), "s.musicxml").items()
    (tmp_path / name).write_text(safe)
    rows = verovio_pages.rows("p", tmp_path / name, "unfold", verovio_pages.Look(), "all", [])
    assert rows["off_accidental"] == 0
    assert rows["warnings"] == [f"{verovio_pages.ADDED} (6)"]
    assert off(safe) == 6  # what it would be without them
