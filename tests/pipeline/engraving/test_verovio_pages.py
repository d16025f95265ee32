"""Pages by Verovio: ink under noteheads in all music fonts, ids, parts, repeats and formats."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline import constants
from pipeline.engraving import looks, text_fonts, verovio_pages
from pipeline.engraving.looks import Look
from pipeline.reading import score_text
from tests.support.musicxml import backup, note, repeat, scale, score

HUMDRUM = "**kern\t**kern\n*clefF4\t*clefG2\n*M4/4\t*M4/4\n=1\t=1\n1C\t4c\n.\t4d\n.\t[2e\n=2\t=2\n1D\t2e]\n.\t2f\n==\t==\n*-\t*-\n"  # noqa: E501
ABC = "X:1\nT:t\nM:4/4\nL:1/4\nK:G\n|:G A B c|d4:|e4|\n"
PLAIN = Look()


def two_staves(bars: int = 12) -> str:
    """Notes of many shapes on two staves."""
    sharp = note("F#5", 0.5, extra="<accidental>sharp</accidental>")
    upper = note("C5", 2) + note("E5", 2, chord=True) + sharp + note("G5", 0.5) + note("B4", 1)
    lower = backup(4) + note("C3", 4, staff=2, voice=5)
    last = note("C6", 4) + backup(4) + note("E2", 2, staff=2, voice=5)
    last += note("G3", 0.5, grace=True, staff=2, voice=5) + note("C4", 2, staff=2, voice=5)
    return score([upper + lower] * (bars - 1) + [last + repeat("backward")], staves=2)


@pytest.fixture(scope="module")
def engrave(tmp_path_factory):
    """A function that engraves a text in a look."""
    folder = tmp_path_factory.mktemp("verovio")

    def rows(text, name="s.musicxml", look=PLAIN, parts="all", repeats="unfold"):
        fonts = [text_fonts.unpack(n, folder) for n in (text_fonts.TEXT, look.music_font)]
        ((safe, content),) = score_text.read(text.encode(), name).items()
        path = folder / safe
        path.write_text(content)
        files = [str(file) for found in fonts for file in found]
        return verovio_pages.rows("piece", path, repeats, look, parts, files)

    return rows


def pixels(row: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(row["png"])))


@pytest.mark.parametrize("font", looks.MUSIC_FONTS)
def test_noteheads_have_their_ink_in_the_middle_of_their_box(engrave, font):
    """The ink of a black notehead, staff lines aside, is as wide and as high as its box says."""
    found = engrave(two_staves(), look=Look(music_font=font))
    page = pixels(found["images"][0])
    assert found["off_ink"] == found["off_height"] == found["off_source"] == 0
    for head in found["noteheads"]:
        x, y = head["x"], head["y"]
        across = page[int(y), int(x - 1) : int(x + 2)]
        if head["pitch"] == 71:  # B4, black, by itself on the middle line
            assert across.max() < 100
            above = page[int(y - head["height"] / 2 - 2), int(x - 2) : int(x + 3)]
            assert above.min() > 100
        inside = page[
            int(y - head["height"] / 2) : int(y + head["height"] / 2) + 1,
            int(x - head["width"] / 2) : int(x + head["width"] / 2) + 1,
        ]
        assert (inside < 128).mean() > 0.2


def test_staves_are_as_high_as_lilyponds_and_pages_as_wide(engrave):
    found = engrave(two_staves())
    lilypond = 20 * constants.MM_PER_INCH / 72.27 * constants.PAGE_WIDTH_PX / constants.A4_WIDTH_MM
    assert {row["width"] for row in found["images"]} == {constants.PAGE_WIDTH_PX}
    for system in found["systems"]:
        assert len(system["top"]) == 2
        for top, bottom in zip(system["top"], system["bottom"], strict=True):
            assert bottom - top == pytest.approx(lilypond, abs=0.5)
            lines = 255 - pixels(found["images"][0])[int(top) - 3 : int(bottom) + 4].astype(int)
            inked = lines[:, int(system["left"]) + 2 : int(system["right"]) - 2].min(axis=1)
            rows = np.flatnonzero(inked) + int(top) - 3
            assert abs(rows[0] + 0.5 - top) <= 1 and abs(rows[-1] + 0.5 - bottom) <= 1


def test_a_piece_has_the_same_notes_and_numbers_in_every_look(engrave):
    plain = engrave(two_staves())
    other = engrave(two_staves(), look=Look("wide", "Petaluma", 600, 1.5))
    assert other["images"][0]["width"] == 600
    assert other["notes"] == plain["notes"]
    same = ("notehead_id", "source_id", "pitch", "moment", "grace", "tied", "staff")
    assert [[h[k] for k in same] for h in other["noteheads"]] == [
        [h[k] for k in same] for h in plain["noteheads"]
    ]


def test_a_repeat_sounds_twice_or_once_from_the_same_noteheads(engrave):
    twice, once = engrave(two_staves()), engrave(two_staves(), repeats="once")
    assert len(twice["notes"]) == 2 * len(once["notes"])
    assert twice["noteheads"] == once["noteheads"]
    half = len(once["notes"])
    heads = [n["notehead_id"] for n in twice["notes"]]
    assert heads[:half] == heads[half:]


@pytest.mark.parametrize(("text", "name"), [(two_staves(), "s.musicxml"), (HUMDRUM, "s.krn")])
def test_noteheads_know_their_bar_and_beat(engrave, text, name):
    for head in engrave(text, name)["noteheads"]:
        bar, beat = divmod(head["moment"], 4)
        assert (head["bar"], head["beat"]) == (str(int(bar) + 1), beat)


def test_transposed_notes_are_printed_as_written_and_sound_at_pitch(engrave):
    clarinet = "<transpose><chromatic>-2</chromatic></transpose>"
    text = score([scale("C5 D5 E5 F5")], attributes=clarinet)
    found = engrave(text)
    assert [head["pitch"] for head in found["noteheads"]] == [72, 74, 76, 77]
    assert [row["pitch"] for row in found["notes"]] == [70, 72, 74, 75]


def test_hidden_notes_are_neither_printed_nor_sound(engrave):
    found = engrave(score([note("C4", 2) + note("D4", 2, print_object="no")]))
    assert [row["pitch"] for row in found["notes"]] == [60]
    assert [row["pitch"] for row in found["noteheads"]] == [60]


def test_chosen_parts_alone_are_printed_and_sound(engrave):
    text = score([note("C5", 4)] * 2, [note("C3", 4), note("D3", 4)], names=("Voice", "Piano"))
    whole, piano = engrave(text), engrave(text, parts="piano")
    assert len(whole["systems"][0]["top"]) == 2 and len(piano["systems"][0]["top"]) == 1
    assert [(n["onset"], n["pitch"]) for n in piano["notes"]] == [(0, 48), (4, 50)]
    assert piano["noteheads"][0]["staff"] == 0
    assert [n["pitch"] for n in engrave(text, parts=[1])["notes"]] == [72, 72]
    with pytest.raises(ValueError, match="no part 'Oboe' among its parts: Voice, Piano"):
        engrave(text, parts=["Oboe"])


def test_a_tempo_of_a_part_that_is_left_out_still_holds(engrave):
    mark = '<sound tempo="60"/>'
    parts = [mark + note("C5", 4), note("C5", 4)], [note("C3", 4)] * 2
    text = score(*parts, names=("Voice", "Piano"))
    assert [n["onset_s"] for n in engrave(text, parts="piano")["notes"]] == [0, 4]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (HUMDRUM, "s.krn", [(0, 48), (0, 60), (1, 62), (2, 64), (4, 50), (6, 65)]),
        (
            ABC,
            "s.abc",
            [(8 * n + o, 67 + p) for n in (0, 1) for o, p in enumerate((0, 2, 4, 5, 7))]
            + [(16, 76)],
        ),
    ],
)
def test_other_formats_are_engraved_and_sound(engrave, text, name, expected):
    found = engrave(text, name)
    assert sorted((n["onset"], n["pitch"]) for n in found["notes"]) == expected
    assert found["linked"] == len(found["notes"])


def test_a_score_without_a_sounding_note_is_refused(engrave):
    with pytest.raises(ValueError, match="no notes sound"):
        engrave(score([note("C4", 4, print_object="no")]))


def mei(lines: int = 5, more: str = "") -> str:
    """A bar of MEI, four quarters C5, on a staff of so many lines; `more` stands below them."""
    notes = "".join(f'<note xml:id="n{n}" pname="c" oct="5" dur="4"/>' for n in range(4))
    return (
        '<mei xmlns="http://www.music-encoding.org/ns/mei"><music><body><mdiv><score>'
        '<scoreDef meter.count="4" meter.unit="4"><staffGrp>'
        f'<staffDef n="1" lines="{lines}" clef.shape="G" clef.line="2"/></staffGrp></scoreDef>'
        f'<section><measure n="1"><staff n="1"><layer n="1">{notes}</layer></staff>{more}</measure>'
        "</section></score></mdiv></body></music></mei>"
    )


def test_a_score_without_staff_lines_is_refused(engrave):
    with pytest.raises(ValueError, match="a system without staff lines"):
        engrave(mei(lines=0), "s.mei")


def test_an_octave_sign_of_unknown_sound_is_refused(engrave):
    """Our readers take the pitch as written, Verovio plays it an octave higher."""
    sign = '<octave dis="8" dis.place="above" staff="1" startid="#n0" endid="#n3"/>'
    with pytest.raises(ValueError, match=r"octave signs .* \(oct.ges\)"):
        engrave(mei(more=sign), "s.mei")


def test_ties_that_do_not_name_their_notes_are_refused(engrave):
    """They are printed, but the second note would be struck again."""
    beats = 'staff="1" layer="1" tstamp="1" tstamp2="0m+2"'
    for named in ("", 'startid="#n0"'):
        with pytest.raises(ValueError, match=r"ties from beat to beat .* \(startid, endid\)"):
            engrave(mei(more=f"<tie {beats} {named}/>"), "s.mei")
    tied = engrave(mei(more=f'<tie {beats} startid="#n0" endid="#n1"/>'), "s.mei")["notes"]
    assert len(tied) == len(engrave(mei(), "s.mei")["notes"]) - 1


def test_repeats_without_end_are_refused_before_verovio_lists_them(engrave):
    endless = score([note("C4", 4) + repeat("backward", times=99_999)] * 50)
    for repeats in ("unfold", "once"):
        with pytest.raises(ValueError, match="its repeats play more than 20,000 bars"):
            engrave(endless, repeats=repeats)
