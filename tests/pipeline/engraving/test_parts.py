"""Parts of a score: which are found and chosen, and what is left of a score without the others."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.engraving import mei, mei_tempo, parts, verovio_engraver
from pipeline.engraving.looks import Look
from pipeline.reading import score_text
from tests.support.musicxml import note, scale, score, sound

NAMES = ("Violin", "Piano", "Cello")
METRONOME = (
    "<direction><direction-type><metronome><beat-unit>quarter</beat-unit>"
    "<per-minute>72</per-minute></metronome></direction-type><sound tempo='72'/></direction>"
)
REHEARSAL = "<direction><direction-type><rehearsal>A</rehearsal></direction-type></direction>"
HAIRPIN = "<direction><direction-type><wedge type='{}'/></direction-type></direction>"
TRIO = score(
    [
        METRONOME + scale("C5 D5 E5 F5"),
        REHEARSAL + HAIRPIN.format("crescendo") + scale("C5 D5 E5 F5") + HAIRPIN.format("stop")
        + sound(dacapo="yes"),
    ],
    [note("C4", 4), note("D4", 4)],
    [note("C2", 4), note("D2", 4)],
    names=NAMES,
)  # fmt: skip


def loaded(text: str, name: str = "s.musicxml") -> str:
    ((file, safe),) = score_text.read(text.encode(), name).items()
    return verovio_engraver.load(safe, f".{file.rpartition('.')[2]}")


def tags(text: str) -> list[str]:
    return [element.tag.removeprefix(mei.SPACE) for element in ET.fromstring(text).iter()]


def pitches(text: str) -> set[int | None]:
    return set(mei.pitches(ET.fromstring(text)).values())


def tempi(text: str) -> list[tuple]:
    return mei_tempo.read(ET.fromstring(text), verovio_engraver.times(text))


def names(text: str) -> list[str]:
    return [part.name for part in parts.read(ET.fromstring(text))]


def test_staves_under_a_brace_are_one_part():
    piano = score(
        [note("C5", 4) + "<backup><duration>16</duration></backup>" + note("C3", 4, staff=2)],
        names=("Piano",),
        staves=2,
    )
    (part,) = parts.read(ET.fromstring(loaded(piano)))
    assert (part.name, part.staves) == ("Piano", (1, 2))


def test_each_instrument_is_a_part_with_its_program():
    programs = (
        "<score-instrument id='P1-I1'><instrument-name>Violin</instrument-name></score-instrument>"
        "<midi-instrument id='P1-I1'><midi-program>41</midi-program></midi-instrument>"
    )
    text = TRIO.replace(
        "<part-name>Violin</part-name>", f"<part-name>Violin</part-name>{programs}", 1
    )
    found = parts.read(ET.fromstring(loaded(text)))
    assert [(part.name, part.staves) for part in found] == [
        ("Violin", (1,)),
        ("Piano", (2,)),
        ("Cello", (3,)),
    ]
    assert [part.program for part in found] == [40, None, None]  # MusicXML counts from 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("all", ["Violin", "Piano", "Cello"]),
        ("piano", ["Piano"]),
        (["violin"], ["Violin"]),
        ([3, "Violin"], ["Violin", "Cello"]),
    ],
)
def test_parts_are_chosen_by_name_and_number_in_the_score_s_order(wanted, expected):
    found = parts.read(ET.fromstring(loaded(TRIO)))
    assert [part.name for part in parts.chosen(found, wanted)] == expected


@pytest.mark.parametrize(
    ("name", "staves", "program", "is_piano"),
    [
        ("Pianoforte", 2, None, True),
        ("Klavier", 2, None, True),
        ("", 2, 0, True),
        ("Harp", 2, 46, False),
        ("Flute", 1, 0, False),  # a program says 0 if it says nothing
    ],
)
def test_a_piano_is_told_by_its_name_or_its_program(name, staves, program, is_piano):
    one = parts.Part(name, tuple(range(1, staves + 1)), program)
    other = parts.Part("Piano", (9, 10), 0)
    assert (one in parts.chosen([one, other], "piano")) == is_piano


def test_without_a_named_piano_the_first_part_of_two_staves_is_taken():
    voice, keys = parts.Part("Voice", (1,), 52), parts.Part("Begleitung", (2, 3), None)
    assert parts.chosen([voice, keys], "piano") == [keys]
    with pytest.raises(ValueError, match="no piano among its parts: Voice"):
        parts.chosen([voice], "piano")


def test_a_part_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(ValueError, match="no part 'Oboe' among its parts: Violin, Piano, Cello"):
        parts.reduce(loaded(TRIO), ["Oboe"])
    with pytest.raises(ValueError, match="no part '4'"):
        parts.reduce(loaded(TRIO), [4])


def test_only_the_notes_of_the_chosen_part_are_left():
    reduced = parts.reduce(loaded(TRIO), ["Piano"])
    assert pitches(reduced) == {60, 62}
    assert names(reduced) == ["Piano"]


def test_a_score_all_of_whose_parts_are_chosen_is_not_changed():
    text = loaded(TRIO)
    assert parts.reduce(text, [1, 2, 3]) == text


def test_tempo_rehearsal_mark_and_jump_outlive_the_part_that_carries_them():
    reduced = parts.reduce(loaded(TRIO), ["Piano"])
    found = tags(reduced)
    assert [name for name in found if name in ("tempo", "reh", "dir")] == ["tempo", "reh", "dir"]
    assert "hairpin" not in found  # that is the violin's own
    assert tempi(reduced) == [(0, 72)]
    page = verovio_engraver.engrave(reduced, ".mei", Look()).pages[0]
    assert "= 72" in page


MEI = """<mei xmlns="http://www.music-encoding.org/ns/mei"><music><body><mdiv><score>
<scoreDef meter.count="6" meter.unit="8"><staffGrp>
<staffDef n="1" lines="5" clef.shape="G" clef.line="2"><label>Voice</label></staffDef>
<staffDef n="2" lines="5" clef.shape="G" clef.line="2"><label>Piano</label></staffDef>
</staffGrp></scoreDef><section><measure n="1">
<staff n="1"><layer><note pname="c" oct="5" dur="4" dots="1"/>
<note xml:id="here" pname="d" oct="5" dur="4" dots="1"/></layer></staff>
<staff n="2"><layer><note pname="c" oct="4" dur="2" dots="1"/></layer></staff>
<tempo startid="#here" midi.bpm="90">Allegro</tempo><dir startid="#here">dolce</dir>
</measure></section></score></mdiv></body></music></mei>"""


def test_a_tempo_bound_to_a_note_that_is_dropped_stays_on_its_beat():
    text = loaded(MEI, "s.mei")
    reduced = parts.reduce(text, ["Piano"], verovio_engraver.times(text))
    (tempo,) = ET.fromstring(reduced).iter(f"{mei.SPACE}tempo")
    assert (tempo.get("startid"), tempo.get("staff"), tempo.get("tstamp")) == (None, "2", "4")
    assert tempi(reduced) == [(1.5, 90)]
    assert "Allegro" in verovio_engraver.engrave(reduced, ".mei", Look()).pages[0]
    assert "dir" not in tags(reduced)  # what is said to the voice alone
