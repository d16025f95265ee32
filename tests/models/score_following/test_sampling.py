"""Shards become arrays, arrays become batches, and every note has its turn."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import dataset
from models.score_following import sampling
from pipeline import tables
from pipeline.constants import EXCERPT_FRAMES, FRAMES_AFTER_ONSET, FRAMES_BEFORE_ONSET
from tests.support.staves import performance, png, write_shard

BINS = 136


@pytest.fixture
def shard(tmp_path):
    """Reads rows by way of a file."""

    def reads(*rows):
        return sampling.read([write_shard(tmp_path / "shard.parquet", list(rows))])

    return reads


def test_only_onsets_without_a_reason_are_examples(shard):
    row = performance("tune")
    data = shard(row)
    kept = [reason is None for reason in row["reason"]]
    assert 0 < sum(kept) < len(kept)
    for name in ("note_id", "frame", "x", "image", "first_frame", "last_frame"):
        assert getattr(data, name).tolist() == row[name][kept].tolist()


def test_an_onset_without_a_head_may_have_no_place(shard):
    row = performance("tune")
    places = [None if reason else x for x, reason in zip(row["x"], row["reason"], strict=True)]
    assert np.isfinite(shard(row | {"x": places}).x.astype(float)).all()


def test_performances_of_a_piece_share_its_images(shard):
    data = shard(performance("a"), performance("a", font="upright"), performance("b", seed=1))
    assert len(data.images) == 4
    assert data.font == ["grand", "upright", "grand"]
    assert [data.pieces[p] for p in data.piece[[0, -1]]] == ["a", "b"]
    first, second, other = (data.staff[data.performance == p] for p in range(3))
    assert (first == second).all()
    assert not set(first) & set(other)


def test_images_are_decoded_and_turned_into_ink(shard):
    row = performance("tune")
    ramp = (np.arange(40)[:, None] + np.arange(390) // 2).astype(np.uint8)
    row["images"][0] = png(ramp)
    data = shard(row)
    assert (data.images[data.staff[0]] == ramp).all()
    ink = data.image_batch(data.staff[:1])
    np.testing.assert_allclose(ink[0, 0], 1 - ramp / 255, rtol=1e-6)
    assert ink.dtype == np.float32


def test_excerpt_is_34_frames_before_the_onset_to_5_after():
    spectrogram = np.arange(300, dtype=np.float16)[:, None].repeat(3, axis=1)
    cut = sampling.excerpts(spectrogram, np.array([50, 100]), np.array([60, 40]))
    assert cut.shape == (2, 1, 3, EXCERPT_FRAMES)
    assert cut[:, 0, 0, 0].tolist() == [110 - 34, 140 - 34]
    assert cut[:, 0, 0, -1].tolist() == [110 + 5, 140 + 5]
    assert cut[0, 0, 2].tolist() == list(range(76, 116))


def test_excerpts_come_from_their_own_recording_and_end_in_silence(shard):
    rows = [performance(name, seed=seed) for seed, name in enumerate("ab")]
    for number, row in enumerate(rows, start=1):
        frames = int(row["frame"][-1]) + 2  # ends before the last excerpt does
        row["spectrogram"] = np.full(frames * BINS, number, np.float32)
    data = shard(*rows)
    for number, example in ((1, np.flatnonzero(data.performance == 0)[-1]), (2, len(data) - 1)):
        cut = data.excerpt_batch(np.array([example]))[0, 0]
        inside = FRAMES_BEFORE_ONSET + 2
        assert (cut[:, :inside] == number).all()
        assert (cut[:, inside:] == 0).all()
        assert cut.shape[1] - inside == FRAMES_AFTER_ONSET - 1


def test_half_precision_spectrograms_are_close(shard):
    row = performance("tune")
    row["spectrogram"] = np.random.default_rng(0).random(len(row["spectrogram"])) * 3
    data = shard(row)
    frame = int(data.frame[0])
    expected = row["spectrogram"].reshape(-1, BINS)[frame - FRAMES_BEFORE_ONSET]
    np.testing.assert_allclose(data.excerpt_batch(np.array([0]))[0, 0, :, 0], expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 20.0}, "20.0 frames a second"),
        ({"bins": 92}, "92 bins"),
        ({"spectrogram": np.zeros(50 * BINS, np.float32)}, "outside the recording"),
        ({"images": [png(np.zeros((40, 400), np.uint8))] * 2}, "400 x 40 px"),
        ({"split": "test"}, "several splits"),
        ({"reason": ["no head"] * 24}, "no examples"),
    ],
)
def test_other_shards_are_refused_with_a_sentence(tmp_path, changes, message):
    rows = [performance("odd", **changes)]
    if "reason" not in changes:
        rows.insert(0, performance("good"))
    path = write_shard(tmp_path / "odd.parquet", rows)
    with pytest.raises(ValueError, match=message) as error:
        sampling.read([path])
    assert "odd.parquet" in str(error.value)


def test_a_table_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"piece_id": ["tune"]}), path)
    with pytest.raises(ValueError, match="column 'split' is missing"):
        sampling.read([path])


def test_shards_are_read_file_by_file(tmp_path):
    rows = [performance(f"tune{n}", seed=n) for n in range(5)]
    whole = sampling.read([write_shard(tmp_path / "whole.parquet", rows)])
    parts = [write_shard(tmp_path / f"{n}.parquet", [row]) for n, row in enumerate(rows)]
    split = sampling.read(parts)
    assert whole.fingerprint() == split.fingerprint()
    assert (whole.spectrogram == split.spectrogram).all()
    assert sampling.read(parts[1:]).fingerprint() != whole.fingerprint()


def test_spectrogram_bound_is_exact(tmp_path):
    path = write_shard(tmp_path / "tune.parquet", [performance("a"), performance("b")])
    values = sum(len(row["spectrogram"]) for row in pq.read_table(path).to_pylist())
    assert dataset.values(dataset.whole(path), "spectrogram") == values
    assert set(pq.read_schema(path).names) == set(tables.SHARDS.names)


# --- order -----------------------------------------------------------------------------------
STAFF = np.repeat(np.arange(60), np.random.default_rng(1).integers(1, 60, 60))


def stream(order: sampling.Order, examples: int, size: int = 100) -> np.ndarray:
    return np.concatenate([order.batch(n, size) for n in range(examples // size + 1)])[:examples]


def test_each_pass_visits_every_example_once():
    count = len(STAFF)
    seen = stream(sampling.Order(STAFF, 5, seed=0), 2 * count)
    assert (np.sort(seen[:count]) == np.arange(count)).all()
    assert (np.sort(seen[count:]) == np.arange(count)).all()
    assert (seen[:count] != seen[count:]).any()


def test_a_batch_shows_few_staves():
    staff = np.repeat(np.arange(200), 31)
    order = sampling.Order(staff, 5, seed=0)
    shown = [len(np.unique(staff[order.batch(n, 100)])) for n in range(60)]
    assert 18 <= np.mean(shown) <= 23
    alone = sampling.Order(staff, 1, seed=0)
    assert np.mean([len(np.unique(staff[alone.batch(n, 100)])) for n in range(60)]) > 70


def test_a_batch_follows_from_its_number_and_the_seed():
    there = [sampling.Order(STAFF, 5, seed=3).batch(n, 100) for n in range(40)]
    order = sampling.Order(STAFF, 5, seed=3)
    for n in (39, 7, 20, 7):
        assert (order.batch(n, 100) == there[n]).all()
    assert (sampling.Order(STAFF, 5, seed=4).batch(0, 100) != there[0]).any()


def test_a_batch_may_be_larger_than_the_data():
    seen = sampling.Order(np.zeros(30, int), 5, seed=0).batch(0, 100)
    assert np.bincount(seen).min() == 3
