"""Figures: what they show is worked out by hand, and the files hold ink, letters and no date."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from models.score_following import figures
from models.score_following.reading import read_examples
from models.score_following.weights import save
from pipeline import tables
from pipeline.constants import BUCKET_PX, BUCKETS, STAFF_HEIGHT_PX, STAFF_WIDTH_PX
from tests.support.staves import narrow, performance, png, write_shard


def prediction(note_id: int, true: int, predicted: int, confidence: float) -> dict:
    """One row of the predictions; places are the centres of buckets."""
    probabilities = np.full(BUCKETS, (1 - confidence) / (BUCKETS - 1))
    probabilities[predicted] = confidence
    place = (predicted + 0.5) * BUCKET_PX
    return {
        "split": "test",
        "piece_id": "tune",
        "font": "grand",
        "tempo_ratio": np.float32(1.0),
        "note_id": note_id,
        "image": 0,
        "frame": 100,
        "x": (true + 0.5) * BUCKET_PX,
        "probabilities": probabilities.astype(np.float32),
        "x_max": place,
        "x_int": place + 1.0,
    }


NOTES = [
    prediction(7, true=5, predicted=5, confidence=0.9),
    prediction(8, true=5, predicted=5, confidence=0.6),
    prediction(9, true=9, predicted=9, confidence=0.3),
    prediction(10, true=9, predicted=11, confidence=0.5),
    prediction(11, true=9, predicted=8, confidence=0.4),
]


@pytest.fixture
def predictions(tmp_path):
    other_split = prediction(1, 0, 39, 0.9) | {"split": "train"}
    path = tmp_path / "predictions.parquet"
    pd.DataFrame([*NOTES, other_split]).to_parquet(path)
    return path


def assert_drawn(stem):
    """Both files are there; the picture has ink on white, the PDF letters and no date."""
    pixels = np.asarray(Image.open(stem.with_suffix(".png")).convert("L"))
    assert pixels.shape[1] > 1000
    assert 0.005 < (pixels < 200).mean() < 0.9
    pdf = stem.with_suffix(".pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"Date" not in pdf


def test_distances_are_predicted_less_true():
    notes = pd.DataFrame(NOTES)
    shares = figures.distance_histogram(notes.x.to_numpy(), notes.x_max.to_numpy())
    assert shares.shape == (79,)
    assert shares[39] == pytest.approx(3 / 5)  # exact
    assert shares[39 + 2] == pytest.approx(1 / 5)
    assert shares[39 - 1] == pytest.approx(1 / 5)
    assert shares.sum() == pytest.approx(1)


def test_distances_reach_from_end_to_end():
    ends = np.array([0.5 * BUCKET_PX, 39.5 * BUCKET_PX])
    shares = figures.distance_histogram(ends, ends[::-1])
    assert shares[[0, -1]].tolist() == [0.5, 0.5]


def test_errors_show_the_test_split_only(predictions, tmp_path):
    figures.errors(predictions, tmp_path / "errors")
    assert_drawn(tmp_path / "errors")


def test_errors_without_test_notes_say_so(tmp_path):
    path = tmp_path / "predictions.parquet"
    pd.DataFrame([NOTES[0] | {"split": "valid"}]).to_parquet(path)
    with pytest.raises(ValueError, match=r"predictions\.parquet: no prediction of the split"):
        figures.errors(path, tmp_path / "errors")


def test_same_data_same_bytes(predictions, tmp_path):
    for name in ("one", "two"):
        figures.errors(predictions, tmp_path / name)
    for suffix in (".png", ".pdf"):
        one, two = (tmp_path / f"{name}{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_typical_note_is_right_and_of_median_confidence():
    assert figures.typical(pd.DataFrame(NOTES)).note_id == 8
    assert figures.typical(pd.DataFrame(NOTES[::-1])).note_id == 8


def test_typical_note_if_all_are_wrong():
    assert figures.typical(pd.DataFrame(NOTES[3:])).note_id == 10


def test_find_example_of_a_prediction(tmp_path):
    rows = [performance("air", seed=1), performance("tune"), performance("tune", tempo_ratio=1.1)]
    data = read_examples([write_shard(tmp_path / "shard.parquet", rows)])
    note = pd.Series(
        {"piece_id": "tune", "font": "grand", "tempo_ratio": np.float32(1.1), "note_id": 8}
    )
    index = figures.find_example(data, note)
    assert data.pieces[data.piece[index]] == "tune"
    assert data.tempo_ratio[data.performance[index]] == np.float32(1.1)
    assert data.note_id[index] == 8
    with pytest.raises(ValueError, match="tune, note 999: not in the shards"):
        figures.find_example(data, pd.Series(note.to_dict() | {"note_id": 999}))


def test_example_is_drawn(predictions, tmp_path):
    shard = write_shard(tmp_path / "shard.parquet", [performance("tune", split="test")])
    save(narrow(), tmp_path / "weights.safetensors")
    figures.example(predictions, [shard], tmp_path / "weights.safetensors", tmp_path / "example")
    assert_drawn(tmp_path / "example")


def test_histories_of_both_networks_are_drawn(tmp_path):
    paths = {name: tmp_path / f"{name}.parquet" for name in ("paper", "PT")}
    for epochs, path in enumerate(paths.values(), 2):
        names = ("train_loss", "valid_loss", "valid_top1", "valid_top2")
        values = dict.fromkeys(names, [0.5] * epochs)
        pd.DataFrame({"samples": range(epochs), **values}).to_parquet(path)
    figures.history(paths, tmp_path / "history")
    assert_drawn(tmp_path / "history")


def staff_row(piece_id: str, image: int) -> dict:
    blank = np.full((STAFF_HEIGHT_PX, STAFF_WIDTH_PX), 255, np.uint8)
    return {
        "piece_id": piece_id,
        "image": image,
        "png": png(blank),
        "width": STAFF_WIDTH_PX,
        "height": STAFF_HEIGHT_PX,
    }


def notehead_row(piece_id: str, image: int, x: float, tied: bool) -> dict:
    unread = dict.fromkeys(tables.NOTEHEADS.names)
    return unread | {"piece_id": piece_id, "image": image, "x": x, "y": 20.0, "tied": tied}


@pytest.fixture
def engraved(tmp_path):
    """Two chunks: five pieces of two staves, each staff with two heads, the second tied."""
    pieces = [[f"piece-{i}" for i in chunk] for chunk in ((0, 1, 2), (3, 4))]
    paths = ([], [])
    for number, chunk in enumerate(pieces):
        on = [(piece, staff) for piece in chunk for staff in (0, 1)]
        rows = [staff_row(*where) for where in on]
        heads = [notehead_row(*where, x, x > 200) for where in on for x in (100.0, 300.0)]
        for kind, schema, table, own in (
            ("images", tables.IMAGES, rows, paths[0]),
            ("noteheads", tables.NOTEHEADS, heads, paths[1]),
        ):
            own.append(tmp_path / f"{kind}-{number}.parquet")
            tables.write(table, schema, own[-1])
    return paths


def test_staves_are_marked_at_their_noteheads(engraved, tmp_path):
    figures.staves(*engraved, tmp_path / "staves", n=4)
    assert_drawn(tmp_path / "staves")
    pixels = np.asarray(Image.open(tmp_path / "staves.png").convert("RGB")).astype(int)
    orange = (pixels[..., 0] > 180) & (pixels[..., 2] < 60)
    columns = np.flatnonzero(orange[pixels.shape[0] // 2 :].any(axis=0))
    assert columns.mean() / pixels.shape[1] == pytest.approx(100 / STAFF_WIDTH_PX, abs=0.02)


def test_staves_come_from_pieces_evenly_spread(engraved):
    chosen = figures._evenly_spaced(engraved[0], 4)
    assert chosen.to_records(index=False).tolist() == [
        ("piece-0", 0),
        ("piece-1", 1),
        ("piece-2", 0),
        ("piece-3", 1),
    ]
