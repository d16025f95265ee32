"""The bars of a printed score, their notes, and the ways through them, from the tables alone."""

import pyarrow as pa
import pytest

from models.following import score
from tests.support.tiny_scores import drawn, sheet


def of(order, bars=6, **changes):
    made = sheet(drawn(bars), order)
    heads = pa.Table.from_pylist(
        [row | changes for row in made.noteheads.to_pylist()], made.noteheads.schema
    )
    return score.read(heads, made.notes)


def test_bars_are_those_of_the_print_and_notes_are_there_once():
    found = of([0, 1, 0, 1, 2, 3, 4, 5])
    assert [bar.number for bar in found.bars] == ["1", "2", "3", "4", "5", "6"]
    assert [bar.position for bar in found.bars] == [0, 4, 8, 12, 16, 20]
    assert [bar.begin_s for bar in found.bars] == pytest.approx([0, 2, 4, 6, 8, 10])
    assert [len(notes) for notes in found.notes] == [4] * 6
    assert [note.pitch for bar in found.notes for note in bar] == [
        p for bar in drawn(6) for p in bar
    ]


def test_a_repeat_leads_back_and_is_played():
    found = of([0, 1, 0, 1, 2, 3, 4, 5])
    assert found.order == [0, 1, 0, 1, 2, 3, 4, 5]
    assert found.jumps == {(1, 0)}


def test_endings_lead_back_and_past_the_first():
    found = of([0, 1, 2, 0, 1, 3, 4, 5])
    assert found.order == [0, 1, 2, 0, 1, 3, 4, 5]
    assert found.jumps == {(2, 0), (1, 3)}


def test_a_da_capo_leads_to_the_beginning_and_ends_at_the_fine():
    found = of([0, 1, 2, 3, 4, 5, 0, 1])
    assert found.order == [0, 1, 2, 3, 4, 5, 0, 1]
    assert found.jumps == {(5, 0)}


def test_bars_without_numbers_are_of_four_quarters():
    found = of([0, 1, 0, 1, 2, 3, 4, 5], bar=None)
    assert [bar.position for bar in found.bars] == [0, 4, 8, 12, 16, 20]
    assert {bar.number for bar in found.bars} == {None}
    assert found.jumps == {(1, 0)}


def test_several_scores_of_a_file_follow_one_another():
    """The moments of each begin at 0."""
    rows = sheet(drawn(8), list(range(8))).noteheads.to_pylist()
    for row in rows[16:]:
        row["moment"] -= 16
    position = score.positions(rows)
    assert [position[n] for n in (0, 15, 16, 31)] == [0, 15, 19, 34]


def test_a_grace_note_sounds_before_its_bar_and_belongs_to_it():
    made = sheet(drawn(2), [0, 1])
    heads, notes = made.noteheads.to_pylist(), made.notes.to_pylist()
    heads.append(heads[4] | {"notehead_id": 8, "pitch": 50, "grace": True})
    short = {"note_id": 8, "notehead_id": 8, "pitch": 50, "onset": 3.875, "duration": 0.125}
    notes.append(notes[4] | short)
    found = score.read(
        pa.Table.from_pylist(heads, made.noteheads.schema),
        pa.Table.from_pylist(notes, made.notes.schema),
    )
    assert [(note.position, note.grace) for note in found.notes[1]][:2] == [
        (3.875, True),
        (4.0, False),
    ]


def test_a_score_without_printed_notes_is_refused():
    made = sheet(drawn(1), [0])
    with pytest.raises(ValueError, match="nothing to follow"):
        score.read(made.noteheads.slice(0, 0), made.notes.slice(0, 0))
