"""The tempo of MEI, Humdrum and ABC: on its beat, in quarters a minute."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.engraving import mei_tempo, verovio_engraver
from pipeline.reading import score_text

KERN = """**kern
*clefG2
*M4/4
*MM100
=1
4c
4d
*MM60
4e
4f
=2
*MM80
1c
==
*-
"""


def tempi(text: str, suffix: str) -> list[tuple]:
    ((_, safe),) = score_text.read(text.encode(), f"s{suffix}").items()
    read = verovio_engraver.load(safe, suffix)
    root = ET.fromstring(read)
    if suffix == ".abc":
        mei_tempo.with_beats_of_abc(root, safe)
    return mei_tempo.read(root, verovio_engraver.times(read))


def test_humdrum_changes_its_tempo_within_a_bar():
    assert tempi(KERN, ".krn") == [(0, 100), (2, 60), (4, 80)]


@pytest.mark.parametrize(
    ("stated", "quarters"),
    [
        ("1/4=90", 90),
        ("3/8=60", 90),
        ('"Allegro" 1/2=40', 80),
        ("1/8 1/4=60", 90),
    ],
)
def test_an_abc_tune_s_tempo_counts_its_beat(stated, quarters):
    tune = f"X:1\nT:x\nM:6/8\nL:1/8\nQ:{stated}\nK:C\nCDE FGA|c6|]\n"
    assert tempi(tune, ".abc") == [(0, quarters)]


@pytest.mark.parametrize(
    ("attributes", "quarters"),
    [
        ({"midi.bpm": "90"}, 90),
        ({"midi.mspb": "500000"}, 120),
        ({"mm": "60", "mm.unit": "2"}, 120),
        ({"mm": "60", "mm.unit": "4", "mm.dots": "1"}, 90),
        ({"mm": "fast"}, 0),
        ({}, 0),
    ],
)
def test_mei_states_a_tempo_in_several_ways(attributes, quarters):
    assert mei_tempo.quarters_a_minute(ET.Element("tempo", attributes)) == quarters
