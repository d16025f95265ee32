"""Works: extra pieces that share one with a held-out piece are found, and no others."""

import numpy as np
import pytest

from pipeline import tables, works

# A tune of 24 notes, as MIDI numbers, a quarter note each.
TUNE = [
    60,
    62,
    64,
    65,
    67,
    69,
    67,
    64,
    65,
    62,
    59,
    60,
    67,
    72,
    71,
    69,
    67,
    65,
    64,
    60,
    62,
    67,
    65,
    60,
]
OTHER = [
    67,
    65,
    67,
    71,
    74,
    73,
    76,
    69,
    66,
    62,
    64,
    73,
    71,
    68,
    69,
    64,
    61,
    57,
    62,
    59,
    68,
    66,
    64,
    69,
]


def piece(name, split, composer="A", title=None, source=""):
    return {"piece_id": name, "split": split, "composer": composer, "title": title,
            "source": source}  # fmt: skip


def quarters(name, pitches, bass=None):
    """A note a quarter, and a note of a bass below each if it is given."""
    upper = [{"piece_id": name, "onset": float(i), "pitch": p} for i, p in enumerate(pitches)]
    lower = [{"piece_id": name, "onset": float(i), "pitch": p} for i, p in enumerate(bass or [])]
    return lower + upper


def found(tmp_path, pieces, notes=()):
    """What `works` writes: the reason by extra piece and held-out piece."""
    paths = [tmp_path / f"{name}.parquet" for name in ("pieces", "notes", "out")]
    tables.write(pieces, tables.PIECES, paths[0])
    tables.write(notes, tables.NOTES, paths[1])
    works.works([paths[0]], [paths[1]], paths[2])
    rows = tables.read(paths[2], tables.SHARED_WORKS).to_pylist()
    return {(row["piece_id"], row["shared_with"]): row["reason"] for row in rows}


def test_a_transposed_copy_of_a_test_piece_is_found_by_its_music(tmp_path):
    pieces = [piece("copy", "extra", "B", "Air"), piece("tune", "test", "A", "Song")]
    notes = quarters("copy", [p + 5 for p in TUNE], bass=[40] * 24) + quarters("tune", TUNE)
    reasons = found(tmp_path, pieces, notes)
    assert list(reasons) == [("copy", "tune")]
    assert reasons["copy", "tune"].startswith("music: 100% of the shorter melody")


def test_a_long_piece_that_quotes_a_validation_piece_is_found(tmp_path):
    pieces = [piece("medley", "extra", "B", "Medley"), piece("tune", "valid", "A", "Song")]
    medley = [p - 3 for p in OTHER] + TUNE + list(reversed(OTHER)) * 5
    assert list(found(tmp_path, pieces, quarters("medley", medley) + quarters("tune", TUNE))) == [
        ("medley", "tune")
    ]


def test_variations_of_a_work_are_found_by_its_number_if_their_notes_differ(tmp_path):
    """Another movement, whose notes are others; the number is in the id or the title."""
    pieces = [
        piece("A__KV331__variation-3", "extra", title="Tema con variazioni"),
        piece("A__KV331__menuetto", "test", title="Sonate K. 331 - Menuetto"),
    ]
    notes = quarters(pieces[0]["piece_id"], TUNE) + quarters(pieces[1]["piece_id"], OTHER)
    assert list(found(tmp_path, pieces, notes).values()) == ["catalogue number: kv 331"]


def test_an_innocent_piece_is_left_alone(tmp_path):
    """Another tune, with a title of its kind; and the same scale up and down, which all write."""
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    pieces = [
        piece("A__O10__2", "extra", title="Prelude"),
        piece("A__O28__4", "test", title="Prelude"),
        piece("A__O9__1", "extra", "B", "Prelude"),
    ]
    exercise = (scale + scale[-2:0:-1]) * 4
    notes = quarters("A__O10__2", OTHER + exercise) + quarters("A__O28__4", TUNE + exercise)
    assert found(tmp_path, pieces, notes) == {}


def test_training_pieces_are_not_looked_at(tmp_path):
    pieces = [piece("copy", "train"), piece("tune", "test")]
    assert found(tmp_path, pieces, quarters("copy", TUNE) + quarters("tune", TUNE)) == {}


def test_held_out_pieces_that_were_not_read_are_not_taken_for_strangers(tmp_path):
    unread = piece("tune", "test", composer=None) | {"reason": "in a split that is not taken"}
    with pytest.raises(ValueError, match="nothing is known of the test pieces"):
        found(tmp_path, [piece("copy", "extra"), unread], quarters("copy", TUNE))


def test_tables_of_two_runs_are_refused(tmp_path):
    """One has left the extra piece out and does not know its composer; the other has its notes."""
    unread = piece("copy", "extra", composer=None) | {"reason": "in a split that is not taken"}
    with pytest.raises(ValueError, match="but there are notes of it"):
        found(tmp_path, [unread, piece("tune", "test")], quarters("copy", TUNE))


def test_pieces_of_another_collection_are_looked_at_if_they_train(tmp_path):
    """Its scores name composers in another way, or in their folders alone."""
    paths = {name: tmp_path / f"{name}.parquet" for name in ("ours", "notes", "theirs", "out")}
    ours = [
        piece("fugue", "train", "Johann Sebastian Bach", source="Bach/Fugue/bwv_856"),
        piece("prelude", "train", None, source="asap/Bach/Prelude/bwv_856/xml_score.musicxml"),
        piece("another", "train", "C. Czerny", "Etude, op. 856"),
        piece("later", "test", None, source="Bach/Fugue/bwv_856"),
    ]
    tables.write(ours, tables.PIECES, paths["ours"])
    tables.write([], tables.NOTES, paths["notes"])
    held_out = [piece("BachJS__BWV856__11", "test", "BachJS"), piece("CzernyC__1", "train", "A")]
    tables.write(held_out, tables.PIECES, paths["theirs"])
    works.works(
        [paths["ours"]],
        [paths["notes"]],
        paths["out"],
        held_out_pieces=[paths["theirs"]],
        held_out_notes=[paths["notes"]],
    )
    rows = tables.read(paths["out"], tables.SHARED_WORKS).to_pylist()
    assert {row["piece_id"] for row in rows} == {"fugue", "prelude"}


def test_a_collection_is_not_compared_by_half_of_its_tables(tmp_path):
    with pytest.raises(ValueError, match="both the pieces and the notes"):
        works.works([], [], tmp_path / "out", held_out_pieces=[tmp_path / "theirs.parquet"])


@pytest.mark.parametrize(
    ("name", "family"),
    [("BachJS", "bach"), ("Bach, Johann Sebastian", "bach"), ("Ludwig van Beethoven", "beethoven"),
     ("BeethovenLv", "beethoven"), ("Dvořák", "dvorak"), ("", "")],
)  # fmt: skip
def test_family_names(name, family):
    assert works.family_name(name) == family


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("ftp/BachJS/BWV855/bwv855a.ly", {"bwv 855"}),
        ("BachJS__BWVAnh114__menuet".replace("__", " "), {"bwv anh 114"}),
        ("Piano Sonate Opus 31 No 2 (1st Movement)", {"op 31"}),
        ("ChopinFF O28 chp-op-28-4", {"op 28"}),
        ("K. 331 and KV 545", {"kv 331", "kv 545"}),
        ("HOB-XVI-27 and Hob. XVI:28", {"hob xvi 27", "hob xvi 28"}),
        ("Etudes_op_10 and bwv_846", {"op 10", "bwv 846"}),
        ("Chop-28-13, gymnopedie_2, Lesson 3", set()),
    ],
)
def test_catalogue_numbers(text, numbers):
    assert works.catalogue_numbers(text) == numbers


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("La Traviata", "LA TRAVIATA Atto Primo.", True),
        ("Première Étude", "Premiere etude", True),
        ("Invention 4", "Invention 8", False),
        ("Prelude", "Prelude, Opus 45", False),  # one word is a kind of piece
        (None, None, False),
    ],
)
def test_titles(a, b, same):
    pair = [works.Work("A", frozenset(), works.title_words(t), frozenset()) for t in (a, b)]
    assert works.shared_title(*pair) == same


def test_a_melody_is_the_highest_note_of_each_onset():
    """Runs of ten intervals, in any order of the notes, with a bass that moves."""
    onset, pitch = np.arange(24.0), np.array(OTHER)
    order = np.random.default_rng(0).permutation(48)
    both = np.tile(onset, 2)[order], np.concatenate([pitch, pitch - 24 + np.arange(24) % 5])[order]
    assert works.melody_grams(*both) == works.melody_grams(onset, pitch)
    steps = np.diff(OTHER).astype(np.int8)
    expected = {steps[i : i + works.GRAM].tobytes() for i in range(14)}
    assert works.melody_grams(onset, pitch) == expected
    assert works.melody_grams(np.array([]), np.array([])) == frozenset()
