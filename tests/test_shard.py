"""Shards: which onsets are examples, and why the others are none."""

import pytest

from pipeline import shard, tables
from pipeline.constants import onset_frame

FPS = 31.25


def notes_at(*onsets_s, heads=None):
    return [
        {
            "note_id": i,
            "onset_s": onset,
            "pitch": 60,
            "head_id": heads[i] if heads else i,
            "reason": None,
        }
        for i, onset in enumerate(onsets_s)
    ]


def heads_on(*staves):
    return {i: {"image": staff, "x": 10.0 * i} for i, staff in enumerate(staves)}


def test_an_onset_falls_into_the_first_frame_that_begins_at_or_after_it():
    assert [onset_frame(t, FPS) for t in (0, 0.001, 0.032, 0.0321, 1.28)] == [0, 1, 1, 2, 40]


def test_no_rounding_error_moves_an_onset_that_falls_on_a_frame():
    for fps in (FPS, 20.0):
        for frame in range(100_000):
            assert onset_frame(frame / fps, fps) == frame


def test_an_excerpt_must_lie_within_the_recording_and_the_staff():
    """A note a second: frames 0, 32, 63, 94, ...; an excerpt begins 34 frames before its onset."""
    columns = shard.onsets(notes_at(*range(6)), heads_on(0, 0, 0, 1, 1, 1), 1.0, FPS)
    assert columns["frame"] == [0, 32, 63, 94, 125, 157]
    assert columns["reason"] == [
        shard.BEFORE_RECORDING,
        shard.BEFORE_RECORDING,
        None,
        shard.BEFORE_STAFF,
        shard.BEFORE_STAFF,
        None,
    ]
    assert columns["first_frame"] == [0, 0, 0, 94, 94, 94]
    assert columns["last_frame"] == [63, 63, 63, 157, 157, 157]


def test_an_excerpt_ends_with_its_own_onset():
    """At 31.25 frames a second 0.15 s are less than five frames, 0.2 s are more."""
    columns = shard.onsets(notes_at(2, 2.15, 2.35), heads_on(0, 0, 0), 1.0, FPS)
    assert columns["reason"][0] == shard.BEFORE_STAFF
    late = shard.onsets(notes_at(0, 2, 2.15, 2.35), heads_on(0, 0, 0, 0), 1.0, FPS)
    assert late["reason"] == [shard.BEFORE_RECORDING, shard.NOT_LAST, None, None]


def test_twice_the_tempo_halves_the_onsets():
    columns = shard.onsets(notes_at(0, 1, 2), heads_on(0, 0, 0), 2.0, FPS)
    assert columns["frame"] == [0, onset_frame(0.5, FPS), onset_frame(1.0, FPS)]


def test_a_note_without_a_head_keeps_its_reason():
    notes = notes_at(0, 2, 4)
    notes[1] |= {"head_id": None, "reason": "an ornament"}
    columns = shard.onsets(notes, heads_on(0, 0, 0), 1.0, FPS)
    assert columns["reason"][1] == "an ornament"
    assert columns["x"][1] is None
    assert columns["reason"][2] is None


@pytest.mark.parametrize(
    ("staves", "expected"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1]),
        ([0, 1, 0, 1], [0, 1, 2, 3]),  # a repeat that goes back a staff
        ([None, 0, None, 1], [0, 0, 0, 1]),
    ],
)
def test_passes_over_staves(staves, expected):
    assert shard.passes(staves) == expected


@pytest.fixture
def batch(tmp_path):
    """The tables of a batch of two pieces, the second of which has no recording."""
    paths = {name: tmp_path / f"{name}.parquet" for name in
             ("pieces", "images", "systems", "noteheads", "notes", "features")}  # fmt: skip
    ids = ["a", "b"]
    tables.write(
        [{"piece_id": i, "split": "train", "licence": "CC0"} for i in ids],
        tables.PIECES,
        paths["pieces"],
    )
    tables.write(
        [{"piece_id": i, "image": 0, "png": b"png"} for i in ids],
        tables.IMAGES,
        paths["images"],
    )
    tables.write(
        [{"piece_id": i, "image": 0, "left": 7, "right": 380} for i in ids],
        tables.SYSTEMS,
        paths["systems"],
    )
    tables.write(
        [{"piece_id": i, "head_id": h, "image": 0, "x": 9.0 * h} for i in ids for h in range(4)],
        tables.NOTEHEADS,
        paths["noteheads"],
    )
    tables.write(
        [{"piece_id": i, **note} for i in ids for note in notes_at(0, 1, 2, 3)],
        tables.NOTES,
        paths["notes"],
    )
    feature = {"piece_id": "a", "font": "f", "rho": 1.0, "fps": FPS, "bins": 2}
    tables.write([feature | {"spectrogram": [0.0, 1.0] * 120}], tables.FEATURES, paths["features"])
    out = {split: tmp_path / f"{split}.parquet" for split in ("train", "valid", "test")}
    shard.shard(**paths, out=out)
    return paths, out


def test_a_shard_joins_the_tables_and_only_its_split_has_rows(batch):
    _, out = batch
    (row,) = tables.read(out["train"], tables.SHARDS).to_pylist()
    assert row["piece_id"] == "a"
    assert row["x"] == [0.0, 9.0, 18.0, 27.0]
    assert row["reason"] == [shard.BEFORE_RECORDING] * 2 + [None, None]
    assert row["spectrogram"][:4] == [0.0, 1.0, 0.0, 1.0]
    assert tables.read(out["test"], tables.SHARDS).num_rows == 0
