"""What Verovio leaves out of ABC: numbered endings, the beats of a tempo."""

from xml.etree import ElementTree as ET

import pytest

from pipeline.engraving import (
    abc_mending,
    mei,
    mei_tempo,
    second_reader,
    verovio_engraver,
    verovio_pages,
)
from pipeline.engraving.looks import Look
from pipeline.reading import score_text


def written(tune: str, folder):
    """A tune's text, as it is read safely, in a file."""
    ((name, safe),) = score_text.read(tune.encode(), "s.abc").items()
    path = folder / name
    path.write_text(safe)
    return path


def mended(tune: str, folder) -> str:
    path = written(tune, folder)
    text = path.read_text()
    return abc_mending.mended(verovio_engraver.load(text, ".abc"), text, second_reader.read(path))


@pytest.mark.parametrize(
    ("stated", "quarters"),
    [
        ("1/4=90", 90),
        ("3/8=60", 90),
        ('"Allegro" 1/2=40', 80),
        ("1/8 1/4=60", 90),
    ],
)
def test_a_tempo_counts_its_beat(stated, quarters, tmp_path):
    text = mended(f"X:1\nT:x\nM:6/8\nL:1/8\nQ:{stated}\nK:C\nCDE FGA|c6|]\n", tmp_path)
    root = ET.fromstring(text)
    assert mei_tempo.read(root, verovio_engraver.times(text)) == [(0, quarters)]


def test_neighbouring_bars_of_one_ending_are_printed_under_one_bracket(tmp_path):
    text = mended("X:1\nT:x\nM:4/4\nL:1/1\nK:C\nC|1 D|E:|2 F|G|]\n", tmp_path)
    endings = [
        (ending.get("n"), len(ending.findall(f"{mei.SPACE}measure")))
        for ending in ET.fromstring(text).iter(f"{mei.SPACE}ending")
    ]
    assert endings == [("1", 2), ("2", 1)]  # the last ends where its reader has it
    assert 'class="ending' in verovio_engraver.engrave(text, ".mei", Look()).pages[0]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("C|1 D:|2 E|]", "C D C E"),
        ("|:C|D|1 E:|2 F|]", "C D E C D F"),
        ("C|[1 D:|[2 E|]F|]", "C D C E F"),
        ("C|D:|E|]", "C D C D E"),
    ],
)
def test_endings_are_played(music, expected, tmp_path):
    path = written(f"X:1\nT:x\nM:4/4\nL:1/1\nK:C\n{music}\n", tmp_path)
    rows = verovio_pages.rows("p", path, "unfold", Look(), "all", [])
    pitch = dict(zip("CDEF", (60, 62, 64, 65), strict=True))
    assert [note["pitch"] for note in rows["notes"]] == [pitch[n] for n in expected.split()]
    assert rows["linked"] == len(rows["notes"])


def test_a_tune_in_c_is_not_played_in_the_key_of_the_tune_before(tmp_path):
    head = "X:1\nT:x\nM:4/4\nL:1/4\nK:"
    mended(f"{head}D\nF C F C|]\n", tmp_path)  # which Verovio remembers
    text = mended(f"{head}C\nF ^F F C|F C c F|]\n", tmp_path)
    pitches = list(mei.pitches(ET.fromstring(text)).values())
    assert pitches == [65, 66, 66, 60, 65, 60, 72, 65]
