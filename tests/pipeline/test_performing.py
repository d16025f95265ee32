"""Who plays, and when: each note of a person is linked by its id, or says why it is not."""

import re

import pytest

from pipeline import performing
from pipeline.constants import VELOCITY
from tests.support.match_files import match

HEADS = [  # of a scale
    {"notehead_id": number, "source_id": f"n{number}", "pitch": 60 + number} for number in range(5)
]


def people(*matches: str, heads=HEADS, **changes) -> list[performing.Performance]:
    files = [
        {"performer": f"p{number}", "match": text, "reason": None}
        for number, text in enumerate(matches)
    ]
    piece = performing.Piece("piece", [], heads, files)
    return list(performing.performances(piece, performing.Manner("human", **changes), "font", 1))


def scale(*numbers: int, onset_s: float = 1.0) -> list[tuple[str, int, float]]:
    """The notes of these numbers, half a second apart."""
    return [(f"n{n}", 60 + n, onset_s + place / 2) for place, n in enumerate(numbers)]


def test_each_performer_is_a_performance_with_its_own_times():
    first, second = people(match(scale(0, 1)), match(scale(0, 1, onset_s=3.0)))
    assert (first.performer, second.performer) == ("p0", "p1")
    assert first.tempo_ratio is None
    assert [row["onset_s"] for row in first.onsets] == pytest.approx([1.0, 1.5])
    assert [note.onset_s for note in second.notes] == pytest.approx([3.0, 3.5])
    assert [row["notehead_id"] for row in first.onsets] == [0, 1]


def test_a_number_after_an_id_tells_the_pass_through_a_repeat():
    notes = [("n0-1", 60, 0.0), ("n1-1", 61, 0.5), ("n0-2", 60, 1.0), ("n1-2", 61, 1.5)]
    (played,) = people(match(notes))
    assert [(row["notehead_id"], row["pass"]) for row in played.onsets] == [
        (0, 1),
        (1, 1),
        (0, 2),
        (1, 2),
    ]


def test_an_id_of_the_score_that_ends_with_a_number_is_taken_as_it_stands():
    heads = [{"notehead_id": n, "source_id": f"n7-{n}", "pitch": 60} for n in (1, 2)]
    (played,) = people(match([("n7-1", 60, 0.0), ("n7-2", 60, 1.0)]), heads=heads)
    assert [(row["notehead_id"], row["pass"]) for row in played.onsets] == [(1, 1), (2, 1)]


def test_extra_missing_and_misnamed_notes_have_their_reasons():
    notes = [*scale(0, 1, 2, 3), *scale(0, 1, 2, 3, onset_s=5.0), (None, 90, 2.2)]
    notes += [("n77", 64, 8.0), ("n2", 65, 9.0)]
    (played,) = people(match(notes, missing=[("n4", 64)]))
    reasons = [row["reason"] for row in played.onsets if row.get("reason")]
    assert sorted(reasons) == sorted(
        ["played, not in the score", performing.NO_ID, performing.OTHER_PITCH, "not played"]
    )
    (missing,) = [row for row in played.onsets if row.get("reason") == performing.NOT_PLAYED]
    assert (missing["notehead_id"], missing.get("onset_s")) == (4, None)
    assert len(played.notes) == 11  # also the wrong ones sound


@pytest.mark.parametrize(("wrong", "kept"), [(3, True), (5, False)])
def test_a_performance_with_too_many_wrong_notes_is_left_out(wrong, kept):
    """Of ten right ones and three or five wrong ones 23 and 33 % are wrong."""
    notes = [*scale(0, 1, 2, 3, 4), *scale(0, 1, 2, 3, 4, onset_s=6.0)]
    notes += [(None, 90, 20.0 + number) for number in range(wrong)]
    (played,) = people(match(notes))
    assert (played.reason is None) == kept
    if not kept:
        assert played.reason == (
            "too many of its notes are not in the score (33%, the limit is 30%; mostly: played,"
            " not in the score)"
        )


@pytest.mark.parametrize(
    ("text", "heads", "said"),
    [
        ("", HEADS, "no match file that partitura can read"),
        (match([]), HEADS, "nothing is played in the match file"),
        (match([("x1", 60, 0.0)]), HEADS, "too many of its notes .* no printed note has its id"),
        (match(scale(0)), [HEADS[0] | {"source_id": None}], performing.NO_IDS),
    ],
)
def test_performances_that_do_not_fit_say_why(text, heads, said):
    bad, good = people(text, match(scale(0)), heads=heads)
    assert re.match(said, bad.reason)
    assert bad.notes == []
    assert (good.reason is None) == (heads is HEADS)


def test_velocities_and_pedal_are_kept_or_fixed():
    text = match(scale(0, 1), velocity=101, pedal=[(0.5, 127)])
    (kept,), (fixed,) = people(text), people(text, velocities="fixed")
    assert {note.velocity for note in kept.notes} == {101}
    assert {note.velocity for note in fixed.notes} == {VELOCITY}
    assert kept.pedals == fixed.pedals == [(0.5, 64, 127)]


# --- from the score
NOTES = [
    {"note_id": n, "notehead_id": n, "onset": float(n), "duration": 1.0, "onset_s": n / 2,
     "duration_s": 0.5, "pitch": 60 + n % 12, "pass": 1, "reason": None, "program": 40}
    for n in range(48)
]  # fmt: skip


def from_score(tempo_ratio: str, **changes) -> performing.Performance:
    manner = performing.Manner(tempo_ratio, **changes)
    (found,) = performing.performances(performing.Piece("piece", NOTES), manner, "font", 1)
    return found


def test_a_plain_performance_is_the_score_at_a_tempo_ratio():
    played = from_score("2.0")
    assert (played.tempo_ratio, played.onsets, played.performer) == (2.0, None, None)
    assert played.notes[3] == performing.Note(1.5, 0.5, 63)
    assert from_score("2.0", programs=True).notes[0].program == 40


def test_the_onsets_of_expression_are_those_that_are_played():
    played = from_score("2.0", expression="phrased")
    assert played.tempo_ratio == 2.0
    sounding = {(note.onset_s / 2.0, note.pitch, note.velocity) for note in played.notes}
    assert sounding == {(row["onset_s"], row["pitch"], row["velocity"]) for row in played.onsets}
    assert [row["note_id"] for row in played.onsets] == list(range(48))
    assert len({note.velocity for note in played.notes}) > 5
    assert from_score("2.0", expression="phrased", velocities="fixed").notes[5].velocity == VELOCITY
