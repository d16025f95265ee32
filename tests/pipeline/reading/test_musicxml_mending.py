"""What is mended in MusicXML: jumps in words, bars printed as repeats."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.reading import musicxml_mending, unfolding
from tests.support.musicxml import note, scale, score, sound

REPEAT = (
    "<attributes><measure-style><measure-repeat type='start'>1</measure-repeat></measure-style>"
    "</attributes>"
)


def words(text: str) -> str:
    return f"<direction><direction-type><words>{text}</words></direction-type></direction>"


def sign(name: str) -> str:
    return f"<direction><direction-type><{name}/></direction-type></direction>"


def order(*bars: str) -> list[int]:
    """The bars in the order in which they are played, after mending."""
    root = ET.fromstring(score(list(bars)))
    musicxml_mending.mend(root)
    return unfolding.play_order(unfolding.of_musicxml(root))


C, D, E, F = (note(f"{step}4", 4) for step in "CDEF")


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        ([C + words("Fine"), D, E + words("D.C. al Fine")], [0, 1, 2, 0]),
        ([C, D + words("Da Capo")], [0, 1, 0, 1]),
        ([C, sign("segno") + D, E + words("D. S.")], [0, 1, 2, 1, 2]),
        (
            [sign("segno") + C + words("To Coda"), D + words("D.S. al Coda"), sign("coda") + E],
            [0, 1, 0, 2],
        ),
        *(
            (
                [sign("segno") + C + to_coda, D + words("D.S. al Coda"), sign("coda") + E],
                [0, 1, 0, 2],
            )
            for to_coda in (
                sign("coda"),
                words("To Coda") + sign("coda"),
                words("To Coda").replace(
                    "</direction>", "<direction-type><coda/></direction-type></direction>"
                ),
            )
        ),
        ([sign("segno") + C, D], [0, 1]),  # nothing leads to it
        ([C + words("fine, dolce"), D + words("dc")], [0, 1, 0, 1]),
        ([C + words("Dachshund"), D], [0, 1]),
    ],
)
def test_jumps_that_are_only_words_are_played(bars, expected):
    assert order(*bars) == expected


def test_a_score_that_says_how_one_jump_sounds_says_it_of_all():
    assert order(C + words("Fine"), D + words("D.C."), E + sound(dacapo="yes")) == [
        0,
        1,
        2,
        0,
        1,
        2,
    ]


def test_bars_printed_as_repeats_are_written_out_if_they_have_notes():
    root = ET.fromstring(score([C, REPEAT + scale("C4 D4 E4 F4"), REPEAT + note(None, 4)]))
    musicxml_mending.mend(root)
    kept = [list(bar.iter("measure-repeat")) for bar in root.iter("measure")]
    assert [len(found) for found in kept] == [0, 0, 1]


# --- staves
def test_staves_that_notes_stand_on_are_declared_before_the_clefs():
    """A note on the second staff, of a part that does not say that it has two."""
    text = score([C + note("C3", 4, staff=2)]).replace("<staves>1</staves>", "")
    root = ET.fromstring(text)
    musicxml_mending.mend(root)
    attributes = root.find("part/measure/attributes")
    names = [child.tag for child in attributes]
    assert names == ["divisions", "key", "time", "staves", "clef"]
    assert attributes.findtext("staves") == "2"


@pytest.mark.parametrize("staves", ["", "<staves>1</staves>"])
def test_a_part_of_one_staff_and_one_that_says_so_are_left_alone(staves):
    text = score([C]).replace("<staves>1</staves>", staves)
    root = ET.fromstring(text)
    before = ET.tostring(root)
    musicxml_mending.mend(root)
    assert ET.tostring(root) == before
