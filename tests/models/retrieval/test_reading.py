"""Shards become arrays, and what is wrong with them is named."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models.retrieval import sampling
from models.retrieval.reading import read_examples
from tests.support.performances import noise, on_strip, performance
from tests.support.staves import png, write_shard

BINS = 92
WIDE = 1300  # px


def test_every_onset_without_a_reason_is_an_example(shard):
    row = performance("tune")
    row["reason"][3] = row["reason"][7] = "not printed"
    row["x"] = [None if reason else x for x, reason in zip(row["x"], row["reason"], strict=True)]
    data = shard(row)
    kept = [n for n in range(40) if n not in (3, 7)]
    assert data.note_id.tolist() == kept
    assert data.frame.tolist() == row["frame"][kept].tolist()
    np.testing.assert_allclose(data.x, [row["x"][n] for n in kept], rtol=1e-6)


def test_performances_of_a_piece_share_its_strip(shard):
    rows = [
        performance("b"),
        performance("a", seed=1),
        performance("b", font="old", tempo_ratio=1.25),
    ]
    data = shard(*rows)
    assert data.pieces == ["b", "a"]
    assert len(data.strips) == 2
    assert data.font == ["grand", "grand", "old"]
    assert data.tempo_ratio.tolist() == [1.0, 1.0, 1.25]
    assert data.piece[[0, 40, 80]].tolist() == [0, 1, 0]
    assert data.performance[[0, 40, 80]].tolist() == [0, 1, 2]
    assert data.frames.tolist() == [len(row["spectrogram"]) // BINS for row in rows]


def test_a_strip_is_decoded_once(shard, monkeypatch):
    decoded, opens = [], Image.open
    monkeypatch.setattr(
        Image, "open", lambda *args, **options: decoded.append(1) or opens(*args, **options)
    )
    shard(
        performance("a"),
        performance("a", tempo_ratio=1.1),
        performance("b"),
        performance("a", tempo_ratio=0.9),
    )
    assert len(decoded) == 2


def test_strips_stand_in_white_margins(shard):
    image = noise(WIDE)
    (strip,) = shard(on_strip(image, [600.0])).strips
    margin = sampling.MARGIN_PX
    np.testing.assert_array_equal(strip[:, margin:-margin], image)
    assert (strip[:, :margin] == 255).all()
    assert (strip[:, -margin:] == 255).all()


def test_recordings_lie_between_silences(shard):
    rows = [performance(name) for name in "ab"]
    for row in rows:
        row["spectrogram"] = np.ones(700 * BINS, np.float32)
    data = shard(*rows)
    sounds = data.spectrogram.any(axis=1)
    expected = np.zeros(3 * 168 + 2 * 700, bool)
    expected[168:868] = expected[1036:1736] = True
    np.testing.assert_array_equal(sounds, expected)
    assert data.start.tolist() == [168, 1036]


def test_shards_are_read_file_by_file(tmp_path):
    rows = [performance(f"tune{n}", seed=n, tempo_ratio=1 + n / 10) for n in range(4)]
    whole = read_examples([write_shard(tmp_path / "whole.parquet", rows)])
    parts = [write_shard(tmp_path / f"{n}.parquet", [row]) for n, row in enumerate(rows)]
    empty = write_shard(tmp_path / "empty.parquet", [])
    split = read_examples([*parts[:2], empty, *parts[2:]])
    assert whole.fingerprint() == split.fingerprint()
    np.testing.assert_array_equal(
        whole.excerpt_batch(np.arange(20), 84), split.excerpt_batch(np.arange(20), 84)
    )
    assert len(whole) == len(split) == 160


@pytest.mark.parametrize(
    "changes",
    [
        {"x": np.linspace(50, 900, 40)},
        {"font": "old"},
        {"images": [png(noise(1260))]},
        {"tempo_ratio": 2.0},
    ],
)
def test_the_fingerprint_tells_examples_apart(shard, changes):
    usual = shard(performance("tune")).fingerprint()
    assert shard(performance("tune")).fingerprint() == usual
    assert shard(performance("tune", **changes)).fingerprint() != usual


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 31.25}, "31.25 frames a second"),
        ({"bins": 136}, "136 bins"),
        ({"split": "test"}, "several splits"),
        ({"spectrogram": np.zeros(50 * BINS, np.float32)}, "outside the recording of 50 frames"),
        (
            {"spectrogram": np.zeros(50 * BINS, np.float32), "frame": [*range(39), 50]},
            "outside the recording of 50 frames",
        ),
        ({"frame": [-1, *range(39)]}, "outside the recording"),
        ({"x": [-0.5] * 40}, "outside the strip of 1260 px"),
        ({"x": [1260.0] * 40}, "outside the strip"),
        ({"x": [float("nan")] * 40}, "outside the strip"),
        ({"images": [png(np.zeros((199, 1260), np.uint8))]}, "199 px high, less than 200"),
        ({"images": [b"no picture"]}, "cannot be decoded"),
        ({"images": [performance("odd")["images"][0][:900]]}, "cannot be decoded"),
        ({"images": []}, "0 images instead of one strip"),
        ({"images": [png(noise(1260))] * 2}, "2 images instead of one strip"),
        ({"right": [1259.0]}, "the strip has 1260 px"),
        ({"piece_id": "good", "images": [png(noise(1260))]}, "a different strip"),
    ],
)
def test_other_shards_are_refused_with_file_and_piece(tmp_path, changes, message):
    odd = performance("odd") | changes
    path = write_shard(tmp_path / "bad.parquet", [performance("good"), odd])
    with pytest.raises(ValueError, match=message) as error:
        read_examples([path])
    assert f"bad.parquet: {odd['piece_id']}: " in str(error.value)


def test_shards_without_examples_are_refused(tmp_path):
    path = write_shard(
        tmp_path / "none.parquet", [performance("tune", reason=["not printed"] * 40)]
    )
    with pytest.raises(ValueError, match=r"no examples in the shards \(.*none.parquet\)"):
        read_examples([path])
    with pytest.raises(ValueError, match="no file given"):
        read_examples([])


def test_a_table_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"piece_id": ["tune"]}), path)
    with pytest.raises(ValueError, match=r"other.parquet: column 'split' is missing"):
        read_examples([path])
