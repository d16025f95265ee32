"""MusicXML as LilyPond: what sounds, what is printed, and what is refused."""

import io
import zipfile

import mido
import pytest
from music21 import bar as m21bar
from music21 import note, repeat, stream
from music21.musicxml.m21ToXml import GeneralObjectExporter

from pipeline.reading import musicxml
from pipeline.sandbox import lilypond

PITCHES = ["C4", "E4", "G4", "C5"]


@pytest.fixture(scope="module")
def score():
    """Two bars, the first repeated, as MusicXML."""
    part = stream.Part()
    for number in range(2):
        bar = stream.Measure(number=number + 1)
        bar.append([note.Note(pitch) for pitch in PITCHES])
        part.append(bar)
    bars = part.getElementsByClass(stream.Measure)
    bars[0].leftBarline = m21bar.Repeat(direction="start")
    bars[0].rightBarline = m21bar.Repeat(direction="end")
    assert isinstance(bars[0].rightBarline, repeat.RepeatMark)
    return GeneralObjectExporter(stream.Score([part])).parse()


def sounding(text, folder):
    """The pitches that LilyPond plays."""
    (folder / "a.ly").write_text(text)
    settings = folder / "none.ily"
    settings.write_text("")
    lilypond.run(["a.ly"], folder, 60, settings)
    (file,) = [path for path in folder.iterdir() if path.suffix in (".mid", ".midi")]
    return [m.note for m in mido.MidiFile(file) if m.type == "note_on" and m.velocity]


def test_it_sounds_as_it_is_written_with_its_repeat(score, tmp_path):
    text = musicxml.lilypond(score)
    assert sounding(text, tmp_path) == 3 * [60, 64, 67, 72]


def test_ornaments_are_not_played_out_and_no_date_is_left(score):
    text = musicxml.lilypond(score)
    assert "articulate" not in text and "encoding" not in text and "automatically" not in text
    assert text.count("\\score") == 2 and "\\midi" in text


def test_a_compressed_file_is_the_same_music(score):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>',
        )
        file.writestr("a.xml", score)
    assert musicxml.lilypond(packed.getvalue()) == musicxml.lilypond(score)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"no music", "musicxml2ly cannot read it"),
        (b"PK\3\4 no archive", "musicxml2ly cannot read it"),
        (b"<score-partwise><part", "musicxml2ly cannot read it"),
    ],
)
def test_what_is_no_musicxml_is_refused(content, reason):
    with pytest.raises(ValueError, match=reason):
        musicxml.lilypond(content)
