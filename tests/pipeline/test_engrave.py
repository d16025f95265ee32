"""Engraving: images, noteheads and notes of one compile, and the exact links between them."""

import io

import numpy as np
import pytest
import resvg_py
from PIL import Image

from pipeline import constants, engrave, tables
from pipeline.engraving import compilation, svg
from pipeline.reading import melody, midi, music21_tunes
from tests.pipeline.reading.test_music21_tunes import JIG
from tests.support import scores

OUTPUTS = ("images", "systems", "noteheads", "notes", "engraved")


def pieces(found: dict[str, melody.Melody | str], path):
    """A table of pieces as selection writes it; a string stands for a broken LilyPond text."""
    rows = []
    for piece_id, one in found.items():
        row = {"piece_id": piece_id, "melody": []}
        text = one
        if isinstance(one, melody.Melody):
            notes = melody.sounding_notes(one)
            text = melody.lilypond(one)
            row["melody"] = [
                note | {k: float(note[k]) for k in ("onset", "duration")} for note in notes
            ]
        rows.append(row | {"score": [{"name": "score.ly", "text": text}]})
    tables.write(rows, tables.PIECES, path)
    return path


def run(found, folder) -> dict[str, list[dict]]:
    paths = {name: folder / f"{name}.parquet" for name in OUTPUTS}
    engrave.engrave(pieces(found, folder / "pieces.parquet"), "staves", "unfold", "warn", **paths)
    schemas = {name: getattr(tables, name.upper()) for name in OUTPUTS}
    return {name: tables.read(paths[name], schemas[name]).to_pylist() for name in OUTPUTS}


@pytest.fixture(scope="module")
def engraved(tmp_path_factory):
    """Four tunes and a broken score, engraved together."""
    folder = tmp_path_factory.mktemp("engrave")
    (folder / "jig.abc").write_text(JIG)
    tied = midi.read_melody(scores.midi([(0, 3, 60), (3, 5, 62), (5, 8, 59), (8, 12, 81)], key="G"))
    found = {
        "long": midi.read_melody(scores.midi(scores.scale(96), tempi=[(0, 500_000), (8, 250_000)])),
        "broken": "\\score { c' ",
        "tied": tied,
        "keys": midi.read_melody(
            scores.midi(scores.scale(9, 1), metres=[(0, 1, 4), (1, 4, 4)], keys=[(5, "F")])
        ),
        "jig": music21_tunes.melody_of_part(
            music21_tunes.parse_work(folder / "jig.abc"), "jig", 90.0
        ),
    }
    return run(found, folder)


def of(rows, piece_id):
    return [row for row in rows if row["piece_id"] == piece_id]


def pixels(row):
    return np.asarray(Image.open(io.BytesIO(row["png"])))


def test_every_piece_is_accounted_for(engraved):
    outcome = {row["piece_id"]: row for row in engraved["engraved"]}
    assert outcome["long"]["notes"] == outcome["long"]["noteheads"] == 96
    assert outcome["long"]["reason"] is None
    assert outcome["broken"]["reason"].startswith("LilyPond: ")
    assert outcome["broken"]["notes"] is None


def test_tune_with_a_pickup_and_a_change_of_key_is_linked(engraved):
    (outcome,) = of(engraved["engraved"], "keys")
    assert outcome["reason"] is None
    assert outcome["noteheads"] == outcome["notes"] == outcome["linked"] == 9


def test_staves_are_images_of_the_papers_size(engraved):
    for row in engraved["images"]:
        assert pixels(row).shape == (constants.STAFF_HEIGHT_PX, constants.STAFF_WIDTH_PX)
        assert pixels(row).dtype == np.uint8


def test_five_lines_stand_at_the_same_rows_in_every_staff(engraved):
    """The lines lie 3.5 px apart about the middle of the image, wherever the staff stood."""
    for row, system in zip(engraved["images"], engraved["systems"], strict=True):
        image = 255.0 - pixels(row)
        left, right = int(system["left"]), int(system["right"])
        across = image[:, left + 1 : right - 1]
        profile = across.min(axis=1)  # ink that never stops is a staff line
        rows = np.arange(len(profile)) + 0.5
        assert (profile * rows).sum() / profile.sum() == pytest.approx(20, abs=0.05)
        spacing = constants.STAFF_PX_PER_MM * 5 * constants.MM_PER_INCH / 72.27
        assert np.ptp(rows[profile > 0]) == pytest.approx(4 * spacing, abs=1.5)
        assert (image[:, : left - 1] == 0).all()
        assert (image[:, right + 2 :] == 0).all()


def test_the_ink_of_a_head_has_its_centre_at_the_coordinates(tmp_path):
    """Independent of the reading of the SVG: colour the heads, draw, and find the colour."""
    text = melody.lilypond(midi.read_melody(scores.midi(scores.scale(40))))
    assert compilation.compile_all({"tune": text}, tmp_path) == {}
    drawn = (tmp_path / "tune.svg").read_text()
    page = svg.read(drawn)
    scale = 40.0
    for head in page.heads[::7]:
        mark = f'data-where="{head.location}"'
        only = drawn.replace(mark, f'{mark} color="red"')
        assert only != drawn
        side = 4 * scale
        opening = only[only.index("<svg") : only.index(">", only.index("<svg")) + 1]
        box = f"{head.x - 2} {head.y - 2} 4 4"
        png = resvg_py.svg_to_bytes(
            svg_string=only.replace(
                opening,
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" '
                f'viewBox="{box}">',
            ),
            background="white",
            skip_system_fonts=True,
        )
        image = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        red = (image[..., 0] - image[..., 1]) > 128
        rows, columns = np.nonzero(red)
        assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(2 * scale, abs=1.5)
        assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(2 * scale, abs=1.5)
        assert columns.max() - columns.min() == pytest.approx(head.width * scale, abs=3)


def test_heads_are_inked_and_stand_at_the_height_of_their_pitch(engraved):
    """Height above the middle line (B4, treble clef) is half a staff space a step."""
    images = {(row["piece_id"], row["image"]): pixels(row) for row in engraved["images"]}
    space = constants.STAFF_PX_PER_MM * 5 * constants.MM_PER_INCH / 72.27
    steps = {0: 0, 2: 1, 4: 2, 5: 3, 7: 4, 9: 5, 11: 6, 6: 3}  # C D E F G A B, and F sharp
    for head in engraved["noteheads"]:
        image = images[(head["piece_id"], head["image"])]
        x, y = head["x"], head["y"]
        around = image[int(y - 1) : int(y + 2), int(x - 3) : int(x + 4)]
        assert around.min() < 100
        octave, semitone = divmod(head["pitch"], 12)
        above = steps[semitone] + 7 * octave - (6 + 7 * 5)
        assert y == pytest.approx(20 - above * space / 2, abs=0.1)


def test_each_note_is_linked_to_the_head_that_prints_it(engraved):
    for piece_id in ("long", "tied", "jig"):
        heads = {row["notehead_id"]: row for row in of(engraved["noteheads"], piece_id)}
        for note in of(engraved["notes"], piece_id):
            assert heads[note["notehead_id"]]["pitch"] == note["pitch"]
            assert not heads[note["notehead_id"]]["tied"]


def test_tied_heads_do_not_sound_again(engraved):
    notes, heads = of(engraved["notes"], "tied"), of(engraved["noteheads"], "tied")
    assert [(n["onset"], n["duration"]) for n in notes] == [(0, 3), (3, 2), (5, 3), (8, 4)]
    assert [head["tied"] for head in heads] == [False, False, True, False, False]


def test_a_repeat_sounds_twice_and_is_printed_once(engraved):
    notes, heads = of(engraved["notes"], "jig"), of(engraved["noteheads"], "jig")
    assert (len(notes), len(heads)) == (26, 15)
    linked = [note["notehead_id"] for note in notes]
    assert linked[:7] == linked[7:14]
    assert all(linked.count(head["notehead_id"]) in (1, 2) for head in heads)


def test_within_a_staff_heads_run_from_left_to_right(engraved):
    for piece_id in ("long", "tied", "jig"):
        heads = of(engraved["noteheads"], piece_id)
        places = [(head["image"], head["x"]) for head in heads]
        assert places == sorted(places)


def test_onsets_in_seconds_follow_the_tempo_map(engraved):
    """Eight quarters at 120 quarters a minute, then twice as fast."""
    notes = of(engraved["notes"], "long")
    for note in notes:
        onset = note["onset"]
        assert note["onset_s"] == pytest.approx(min(onset, 8) * 0.5 + max(onset - 8, 0) * 0.25)
    assert notes[-1]["duration_s"] == pytest.approx(0.125)


def test_a_note_far_outside_the_image_carries_the_reason(tmp_path):
    high = midi.read_melody(scores.midi([(0, 4, 108), (4, 8, 72)]))
    notes = run({"high": high}, tmp_path)["notes"]
    assert notes[0]["reason"] == "its notehead stands outside the staff image"
    assert notes[0]["notehead_id"] is None
    assert notes[1]["reason"] is None


def test_notes_that_differ_from_the_selected_melody_are_caught(tmp_path):
    path = pieces({"tune": midi.read_melody(scores.midi(scores.scale(8)))}, tmp_path / "p.parquet")
    (row,) = tables.read(path, tables.PIECES).to_pylist()
    row["score"][0]["text"] = row["score"][0]["text"].replace("e'8", "f'8", 1)
    tables.write([row], tables.PIECES, path)
    paths = {name: tmp_path / f"{name}.parquet" for name in OUTPUTS}
    engrave.engrave(path, "staves", "unfold", "warn", **paths)
    (outcome,) = tables.read(paths["engraved"], tables.ENGRAVED).to_pylist()
    assert "note 2 sounds as (1.0, 0.5, 65) but was selected as (1.0, 0.5, 64)" in outcome["reason"]


def test_a_complaint_of_lilypond_stands_beside_the_kept_piece(tmp_path):
    score = "\\score {{ {{ c'4 d' {} e' }} \\layout {{ }} \\midi {{ }} }}"
    path = pieces({"odd": score.format("\\foo"), "even": score.format("")}, tmp_path / "p.parquet")
    paths = {name: tmp_path / f"{name}.parquet" for name in OUTPUTS}
    engrave.engrave(path, "pages", "unfold", "warn", **paths)
    odd, even = tables.read(paths["engraved"], tables.ENGRAVED).to_pylist()
    assert odd["reason"] is None and odd["notes"] == 3
    assert odd["warnings"][0] == "unknown escaped string: `\\foo' (score.ly:1:19)"
    assert any(warning.startswith("fatal error") for warning in odd["warnings"])
    assert even["warnings"] == []
