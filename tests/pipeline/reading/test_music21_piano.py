"""Piano works of music21's corpus: two staves, the right notes, equal each time."""

import re

import pytest
from music21 import converter, corpus

from pipeline.reading import music21_piano

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
    return music21_piano.musicxml(CHORALE)


def test_a_chorale_keeps_its_notes_on_two_staves_of_two_voices(chorale):
    merged = converter.parse(chorale, format="musicxml")
    assert len(merged.parts) == 2
    assert sounding(merged) == sounding(corpus.parse("bach/bwv269"))
    assert set(re.findall(r"<voice>(\d)</voice>", chorale.decode())) == {"1", "2", "3", "4"}
    assert b"<lyric" not in chorale


def test_a_pickup_is_marked_as_one(chorale):
    assert re.search(r'<measure implicit="yes" number="0"', chorale.decode())
    assert chorale.decode().count('implicit="yes"') >= 1


def test_the_same_work_gives_the_same_text(chorale):
    assert music21_piano.musicxml(CHORALE) == chorale


def test_a_movement_carries_its_names():
    (work,) = [work for work in music21_piano.works() if "k545" in work.path]
    assert work.piece_id == "mozart__k545__movement1_exposition"
    text = music21_piano.musicxml(work).decode()
    assert "<movement-title>Sonata in C major, KV 545, beginning</movement-title>" in text
    assert "Wolfgang Amadeus Mozart" in text
    assert text.count("<score-part ") == 1 and "<staves>2</staves>" in text


def test_what_has_not_four_voices_is_refused():
    quartet = music21_piano.Work("haydn/opus74no1/movement3.mxl", "Joseph Haydn", "Menuet")
    with pytest.raises(ValueError, match="no chorale of four voices, but"):
        music21_piano.musicxml(quartet)


def test_every_work_is_there():
    works = music21_piano.works()
    assert len({work.piece_id for work in works}) == len(works) > 60
    assert all((music21_piano._root() / work.path).is_file() for work in works)
