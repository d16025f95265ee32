"""Shards: which onsets are examples and why the others are none; a piece on pages as a strip."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline import shard, tables
from pipeline.constants import onset_frame, onset_times

FPS = 31.25


def notes_at(*onsets_s, heads=None):
    return [
        {
            "note_id": i,
            "onset_s": onset,
            "pitch": 60,
            "notehead_id": heads[i] if heads else i,
            "reason": None,
        }
        for i, onset in enumerate(onsets_s)
    ]


def heads_on(*staves):
    return {
        i: {"image": staff, "x": 10.0 * i, "moment": float(i)} for i, staff in enumerate(staves)
    }


def test_an_onset_falls_into_the_first_frame_that_begins_at_or_after_it():
    assert [onset_frame(t, FPS) for t in (0, 0.001, 0.032, 0.0321, 1.28)] == [0, 1, 1, 2, 40]


def test_no_rounding_error_moves_an_onset_that_falls_on_a_frame():
    for fps in (FPS, 20.0):
        for frame in range(100_000):
            assert onset_frame(frame / fps, fps) == frame


def test_a_frame_tells_when_an_onset_was_without_bias():
    onsets = np.random.default_rng(0).uniform(1, 100, 10_000)
    moments = onset_times(np.array([onset_frame(t, FPS) for t in onsets]), FPS)
    late = (moments - onsets) * FPS
    assert abs(late.mean()) < 0.02 and np.abs(late).max() <= 0.5


def test_an_excerpt_must_lie_within_the_recording_and_the_staff():
    """A note a second: frames 0, 32, 63, 94, ...; an excerpt begins 34 frames before its onset."""
    columns = shard.staff_onsets(notes_at(*range(6)), heads_on(0, 0, 0, 1, 1, 1), 1.0, FPS)
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
    columns = shard.staff_onsets(notes_at(2, 2.15, 2.35), heads_on(0, 0, 0), 1.0, FPS)
    assert columns["reason"][0] == shard.BEFORE_STAFF
    late = shard.staff_onsets(notes_at(0, 2, 2.15, 2.35), heads_on(0, 0, 0, 0), 1.0, FPS)
    assert late["reason"] == [shard.BEFORE_RECORDING, shard.NOT_LAST, None, None]


def test_twice_the_tempo_halves_the_onsets():
    columns = shard.staff_onsets(notes_at(0, 1, 2), heads_on(0, 0, 0), 2.0, FPS)
    assert columns["onset_s"] == [0, 0.5, 1.0]
    assert columns["frame"] == [0, onset_frame(0.5, FPS), onset_frame(1.0, FPS)]


def test_a_note_without_a_head_keeps_its_reason():
    notes = notes_at(0, 2, 4)
    notes[1] |= {"notehead_id": None, "reason": "an ornament"}
    columns = shard.staff_onsets(notes, heads_on(0, 0, 0), 1.0, FPS)
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
def chunk(tmp_path):
    """The tables of a chunk of two pieces, the second of which has no recording."""
    paths = {name: tmp_path / f"{name}.parquet" for name in
             ("pieces", "images", "systems", "noteheads", "notes", "performances",
              "features")}  # fmt: skip
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
        [
            {"piece_id": i, "notehead_id": h, "image": 0, "x": 9.0 * h}
            for i in ids
            for h in range(4)
        ],
        tables.NOTEHEADS,
        paths["noteheads"],
    )
    tables.write(
        [{"piece_id": i, **note} for i in ids for note in notes_at(0, 1, 2, 3)],
        tables.NOTES,
        paths["notes"],
    )
    tables.write([{"piece_id": "a"}], tables.PERFORMANCES, paths["performances"])
    feature = {"piece_id": "a", "font": "f", "tempo_ratio": 1.0, "fps": FPS, "bins": 2}
    tables.write([feature | {"spectrogram": [0.0, 1.0] * 120}], tables.FEATURES, paths["features"])
    out = {split: tmp_path / f"{split}.parquet" for split in ("train", "valid", "test")}
    shard.shard(**paths, layout="staves", out=out)
    return paths, out


def test_a_shard_joins_the_tables_and_only_its_split_has_rows(chunk):
    _, out = chunk
    (row,) = tables.read(out["train"], tables.SHARDS).to_pylist()
    assert row["piece_id"] == "a"
    assert row["x"] == [0.0, 9.0, 18.0, 27.0]
    assert row["reason"] == [shard.BEFORE_RECORDING] * 2 + [None, None]
    assert row["spectrogram"][:4] == [0.0, 1.0, 0.0, 1.0]
    assert tables.read(out["test"], tables.SHARDS).num_rows == 0


@pytest.mark.parametrize(
    ("use", "before", "listed", "split"),
    [
        (None, "extra", "", "extra"),
        (None, "train", "", "train"),
        ("shared_works", "extra", "b", "train"),
        ("shared_works", "extra", "a", "extra"),
        ("shared_works", "test", "b", "test"),
        ("kept_apart", "train", "b", "train"),
        ("kept_apart", "train", "a", "extra"),
        ("kept_apart", "extra", "b", "extra"),  # nobody compared it with its own test pieces
    ],
)
def test_a_piece_is_trained_on_if_it_shares_no_work_with_a_held_out_one(
    chunk, tmp_path, use, before, listed, split
):
    """Of piece a; `listed` are the pieces that share one, `use` what their table is given for."""
    paths, _ = chunk
    pieces = [{"piece_id": i, "split": before} for i in "ab"]
    tables.write(pieces, tables.PIECES, paths["pieces"])
    if use is not None:
        paths[use] = tmp_path / "shared_works.parquet"
        rows = [{"piece_id": i, "shared_with": "t", "split": "test"} for i in listed]
        tables.write(rows, tables.SHARED_WORKS, paths[use])
    out = {name: tmp_path / f"new-{name}.parquet" for name in ("train", "test", "extra")}
    shard.shard(**paths, layout="staves", out=out)
    found = {
        name: tables.read(path, tables.SHARDS)["split"].to_pylist() for name, path in out.items()
    }
    assert found == {"train": [], "test": [], "extra": []} | {split: [split]}


def perform(paths, *performances: dict) -> None:
    """Put performances of piece `a` in place of the chunk's, with features in the same order."""
    feature = {"piece_id": "a", "font": "f", "fps": FPS, "bins": 1, "spectrogram": [0.0]}
    known = [{"piece_id": "a"} | played for played in performances]
    tables.write(known, tables.PERFORMANCES, paths["performances"])
    names = ("performer", "tempo_ratio")
    heard = [feature | {name: played.get(name) for name in names} for played in performances]
    tables.write(heard, tables.FEATURES, paths["features"])


def test_onsets_of_a_recording_are_taken_as_they_sound_and_those_of_the_score_at_its_ratio(chunk):
    """A person has no ratio; a performance with expression has one that its onsets know of."""
    paths, out = chunk
    heads = [
        {"piece_id": "a", "notehead_id": h, "image": 0, "x": 9.0 * h, "moment": 2.0 * h}
        for h in range(4)
    ]
    tables.write(heads, tables.NOTEHEADS, paths["noteheads"])
    sounding = notes_at(0.4, 1.1, 2.6)
    missing = {"note_id": 3, "notehead_id": 3, "pitch": 60, "reason": "not played"}
    perform(
        paths,
        {"performer": "Lee", "onsets": [*sounding, missing], "room": "hall"},
        {"tempo_ratio": 2.0, "onsets": sounding},
        {"tempo_ratio": 2.0},
    )
    shard.shard(**paths, layout="staves", out=out)
    lee, phrased, plain = tables.read(out["train"], tables.SHARDS).to_pylist()
    own = [onset_frame(onset_s, FPS) for onset_s in (0.4, 1.1, 2.6)]
    assert lee["frame"] == phrased["frame"] == own
    assert lee["onset_s"] == phrased["onset_s"] == [0.4, 1.1, 2.6]
    assert plain["frame"] == [onset_frame(onset_s / 2.0, FPS) for onset_s in range(4)]
    assert lee["moment"] == phrased["moment"] == [0.0, 2.0, 4.0]
    assert plain["moment"] is None
    assert [(row["performer"], row["room"], row["tempo_ratio"]) for row in (lee, plain)] == [
        ("Lee", "hall", None),
        (None, None, 2.0),
    ]


def test_features_of_other_performances_are_refused(chunk):
    paths, out = chunk
    perform(paths, {"performer": "Lee"}, {"performer": "Kim"})
    swapped = [{"piece_id": "a", "performer": name} for name in ("Kim", "Lee")]
    tables.write(swapped, tables.PERFORMANCES, paths["performances"])
    with pytest.raises(ValueError, match=r"features\.parquet: not the features of .*performances"):
        shard.shard(**paths, layout="staves", out=out)


def chord(onset_s, *pitches, first_id=0):
    """Notes that begin together, each with the head of its own number."""
    return [
        {"note_id": i, "onset_s": onset_s, "pitch": pitch, "notehead_id": i, "reason": None}
        for i, pitch in enumerate(pitches, first_id)
    ]


def heads_at(*places):
    """Heads as (system, x on the page)."""
    return {
        i: {"system": system, "x": x, "moment": float(i)} for i, (system, x) in enumerate(places)
    }


def test_a_frame_of_a_strip_has_one_entry_the_highest_head():
    """20 frames a second: 0 s is frame 0, 0.5 s frame 10. Systems begin at x = 50 of their page;
    the second follows the first, which is 700 px wide."""
    notes = chord(0.0, 48, 64, 60) + chord(0.5, 50, 65, first_id=3)
    heads = heads_at((0, 90.0), (0, 91.5), (0, 90.0), (1, 80.0), (1, 80.5))
    columns = shard.strip_onsets(notes, heads, {0: -50, 1: 650}, 1.0, 20.0)
    assert columns["frame"] == [0, 10]
    assert columns["note_id"] == [1, 4]
    assert columns["pitch"] == [64, 65]
    assert columns["x"] == [41.5, 730.5]
    assert columns["image"] == [0, 0]
    assert columns["reason"] == [None, None]
    assert (columns["first_frame"], columns["last_frame"]) == ([0, 0], [10, 10])


def test_of_two_onsets_in_one_frame_of_a_strip_the_earlier_stays():
    """0.96 and 0.99 s both belong to frame 20, at 1 s; the later one is higher."""
    notes = chord(0.96, 60) + chord(0.99, 72, first_id=1)
    columns = shard.strip_onsets(notes, heads_at((0, 10.0), (0, 20.0)), {0: 0}, 1.0, 20.0)
    assert columns["frame"] == [20]
    assert columns["onset_s"] == [0.96]
    assert columns["pitch"] == [60]
    apart = shard.strip_onsets(notes, heads_at((0, 10.0), (0, 20.0)), {0: 0}, 0.5, 20.0)
    assert apart["onset_s"] == [1.92, 1.98]
    assert apart["frame"] == [39, 40]  # 1.92 and 1.98 s at half the tempo


def test_notes_without_a_head_are_not_in_the_map_of_a_strip():
    notes = chord(0.0, 60, 64)
    notes[1] |= {"notehead_id": None, "reason": "an ornament"}
    columns = shard.strip_onsets(notes, heads_at((0, 10.0)), {0: 0}, 1.0, 20.0)
    assert columns["pitch"] == [60]
    nothing = shard.strip_onsets(notes[1:], {}, {}, 1.0, 20.0)
    assert all(column == [] for column in nothing.values())


def test_notes_whose_time_is_not_sure_are_not_in_the_map_of_a_strip():
    notes = chord(0.0, 60) + chord(1.0, 64, first_id=1)
    notes[0]["reason"] = "less sure than 0.8"
    columns = shard.strip_onsets(notes, heads_at((0, 10.0), (0, 20.0)), {0: 0}, 1.0, 20.0)
    assert columns["pitch"] == [64]


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_a_piece_on_pages_becomes_one_strip(tmp_path):
    """Two pages with a system each; the piece without a system, and the one of another split, are
    not in the shard. The ratio 0.9 does not suffer from single precision."""
    paths = {name: tmp_path / f"{name}.parquet" for name in
             ("pieces", "images", "systems", "noteheads", "notes", "performances",
              "features")}  # fmt: skip
    ids = {"a": "test", "bare": "test", "other": "train"}
    pages = np.random.default_rng(0).integers(0, 255, (2, 400, 300), np.uint8)
    rows = {
        "pieces": [{"piece_id": i, "split": split} for i, split in ids.items()],
        "images": [
            {"piece_id": i, "image": number, "png": png(page)}
            for i in ids
            for number, page in enumerate(pages)
        ],
        "systems": [
            {"piece_id": i, "system": n, "image": n, "left": 20.0, "right": 280.0,
             "top": [100.0, 200.0 + n], "bottom": [128.0, 228.0 + 80 * n]}
            for i in ("a", "other")
            for n in (0, 1)
        ],
        "noteheads": [
            {"piece_id": i, "notehead_id": n, "system": n, "image": n, "x": 60.0}
            | {"moment": float(n)}
            for i in ids
            for n in (0, 1)
        ],
        "notes": [
            {"piece_id": i, "note_id": n, "onset_s": n * 90.0, "pitch": 60, "notehead_id": n}
            for i in ids
            for n in (0, 1)
        ],
        "performances": [{"piece_id": i} for i in ids],
        "features": [
            {"piece_id": i, "font": "f", "tempo_ratio": 0.9, "fps": 20.0, "bins": 1}
            | {"spectrogram": [0.0]}
            for i in ids
        ],
    }  # fmt: skip
    for name, content in rows.items():
        tables.write(content, getattr(tables, name.upper()), paths[name])
    out = {split: tmp_path / f"{split}.parquet" for split in ("train", "test")}
    shard.shard(**paths, layout="pages", out=out)

    (row,) = tables.read(out["test"], tables.SHARDS).to_pylist()
    assert row["piece_id"] == "a"
    (strip,) = (np.asarray(Image.open(io.BytesIO(one))) for one in row["images"])
    rows = len(strip)
    assert rows > 200
    assert (row["left"], row["right"], strip.shape) == ([0.0], [520.0], (rows, 520))
    above = (rows - 200) // 2  # the second system is taller than 200 px, and the strip, too
    np.testing.assert_array_equal(strip[above : above + 200, :260], pages[0, 64:264, 20:280])
    assert row["frame"] == [0, 2_000]  # 90 s / 0.9 are 100 s, just the beginning of a frame
    assert row["x"] == [40.0, 300.0]
    for index, x in enumerate(row["x"]):  # the pixel under the head is the same one
        middle = (164, 204)[index]
        assert strip[rows // 2, int(x)] == pages[index, middle, 60]
    assert tables.read(out["train"], tables.SHARDS)["piece_id"].to_pylist() == ["other"]
