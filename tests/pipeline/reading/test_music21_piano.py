"""Piano works of music21's corpus: two staves, the right notes, equal each time."""

import re
from xml.etree import ElementTree as ET

import pytest
from music21 import converter, corpus

from pipeline.reading import music21_piano, musicxml_notes, score_metadata

CHORALE = music21_piano.Work("bach/bwv269.mxl", "Johann Sebastian Bach", "Chorale, BWV 269")


def sounding(score):
    """(onset, pitch) of all notes, in order."""
    return sorted(
        (float(item.getOffsetInHierarchy(score)), pitch.midi)
        for item in score.flatten().notes
        for pitch in item.pitches
    )


@pytest.fixture(scope="module")
def chorale():
    (text,) = music21_piano.read(CHORALE).values()
    return text


def test_a_chorale_keeps_its_notes_on_two_staves_of_two_voices(chorale):
    notes = musicxml_notes.read(ET.fromstring(chorale)).notes
    assert sorted((float(n.begin), n.pitch) for n in notes) == sounding(corpus.parse("bach/bwv269"))
    assert {note.staff for note in notes} == {1, 2}
    assert set(re.findall(r"<voice>(\d)</voice>", chorale)) == {"1", "2", "3", "4"}
    assert "<lyric" not in chorale
    assert len(converter.parse(chorale, format="musicxml").parts) == 2


def test_the_same_work_gives_the_same_text(chorale):
    assert music21_piano.read(CHORALE) == {"score.musicxml": chorale}


@pytest.mark.parametrize(
    ("part", "composer", "title"),
    [
        ("k545", "Wolfgang Amadeus Mozart", "Sonata in C major, KV 545, beginning"),
        ("maple_leaf", "Scott Joplin", "Maple Leaf Rag"),
        ("mazurka", "Chopin, Frederic", "Mazurka in C-sharp Minor, Op. 6, No. 2"),
    ],
)
def test_a_movement_carries_its_names(part, composer, title):
    (work,) = [work for work in music21_piano.works() if part in work.path]
    known = score_metadata.read(music21_piano.read(work))
    assert (known["composer"], known["title"]) == (composer, title)


def test_what_has_not_four_voices_is_refused():
    quartet = music21_piano.Work("haydn/opus74no1/movement3.mxl", "Joseph Haydn", "Menuet")
    with pytest.raises(ValueError, match="no chorale of four voices, but"):
        music21_piano.read(quartet)


def test_every_work_is_there():
    works = music21_piano.works()
    assert len({work.piece_id for work in works}) == len(works) > 65
    assert all((music21_piano._root() / work.path).is_file() for work in works)
    composers = {work.composer for work in works}
    assert {"Scott Joplin", "Frédéric Chopin", "Arnold Schoenberg", "Clara Schumann"} <= composers
