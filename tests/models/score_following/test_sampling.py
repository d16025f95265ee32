"""Images and excerpts that the network takes, from made-up shards."""

import numpy as np
import pytest

from models.score_following import sampling
from models.score_following.reading import read_examples
from pipeline.constants import EXCERPT_FRAMES, FRAMES_AFTER_ONSET, FRAMES_BEFORE_ONSET
from tests.support.staves import performance, png, write_shard

BINS = 136


@pytest.fixture
def shard(tmp_path):
    """Reads rows by way of a file."""

    def reads(*rows):
        return read_examples([write_shard(tmp_path / "shard.parquet", list(rows))])

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
