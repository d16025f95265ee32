"""Segments: their onsets lie where the batch says, and look and sound there as they do alone."""

import itertools

import numpy as np
import pytest
import torch

from models import streaming
from models.retrieval import segments as segments_module
from models.retrieval.reading import read_examples
from models.retrieval.sampling import NO_AUGMENTATION, Augmentation
from models.retrieval.segments import (
    CONTEXT,
    SEGMENT_FRAMES,
    SegmentBatches,
    cut,
    draw,
    identities,
    play,
    segment_batches,
)
from tests.support.performances import performance
from tests.support.staves import write_shard

ANCHORS = np.array([30, 70, 110, 190])
WRITTEN = (1.0, 1.0)
EXACTLY = np.zeros((4, 1), int)  # frames that excerpts begin later


@pytest.fixture
def paths(tmp_path):
    rows = [performance(f"tune{n}", notes=100, seed=n) for n in range(3)]
    return [write_shard(tmp_path / "train.parquet", rows)]


@pytest.fixture
def examples(paths):
    return read_examples(paths)


def drawn(examples, augmentation=NO_AUGMENTATION, tempo=WRITTEN, onsets=8, seed=0):
    random = np.random.default_rng(seed)
    return draw(examples, ANCHORS, onsets, augmentation, tempo, random)


def test_a_segment_has_its_anchor_and_other_onsets_of_the_same_performance(examples):
    segments = drawn(examples, Augmentation(), (0.5, 2.0))
    assert (segments.onsets[:, 0] == ANCHORS).all() and segments.real[:, 0].all()
    for anchor, onsets, real in zip(ANCHORS, segments.onsets, segments.real, strict=True):
        assert len(set(onsets[real])) == real.sum() > 2
        assert (examples.performance[onsets] == examples.performance[anchor]).all()


@pytest.mark.parametrize("seed", range(5))
def test_onsets_of_a_segment_have_a_snippet_and_an_excerpt_about_them(examples, seed):
    segments = drawn(examples, Augmentation(), (0.5, 2.0), onsets=30, seed=seed)
    images, sounds, x, frames, real = cut(examples, segments, EXACTLY)
    assert images.shape == (4, 1, 80, 600) and sounds.shape == (4, 1, 92, SEGMENT_FRAMES)
    assert (x[real] >= 49).all() and (x[real] <= 551).all()
    assert (frames[real] >= CONTEXT // 2).all()
    assert (frames[real] <= SEGMENT_FRAMES - CONTEXT // 2).all()


def test_an_onset_looks_and_sounds_in_its_segment_as_it_does_alone(examples):
    segments = drawn(examples)
    images, sounds, x, frames, real = cut(examples, segments, EXACTLY)
    snippets = examples.snippet_batch(segments.onsets.ravel()).reshape(4, 8, 80, 100)
    excerpts = examples.excerpt_batch(segments.onsets.ravel(), CONTEXT).reshape(4, 8, 92, CONTEXT)
    compared = 0
    for segment, onset in zip(*np.nonzero(real), strict=True):
        first = int(frames[segment, onset]) - CONTEXT // 2
        heard = sounds[segment, 0, :, first : first + CONTEXT]
        assert (heard == excerpts[segment, onset]).all()
        if x[segment, onset] % 1:
            continue  # its snippet begins between two pixels of the halved segment
        left = int(x[segment, onset]) - 50
        assert (images[segment, 0, :, left : left + 100] == snippets[segment, onset]).all()
        compared += 1
    assert compared > 5


def test_positions_follow_the_size_of_the_image_and_the_speed_of_the_sound(examples):
    segments = drawn(examples, Augmentation(scale=(0.8, 1.25), shift_px=0), (0.5, 2.0))
    images, sounds, x, frames, real = cut(examples, segments, EXACTLY)
    for segment, onset in zip(*np.nonzero(real), strict=True):
        example = segments.onsets[segment, onset]
        alone = examples.snippet_batch(
            np.array([example]), scale=segments.scale[segment : segment + 1]
        )
        left = round(float(x[segment, onset])) - 50
        seen = images[segment, 0, :, left + 40 : left + 60]
        assert np.abs(seen - alone[0, 0, :, 40:60]).mean() < 0.03  # 0.1 for another notehead
        row = examples.start[examples.performance[example]] + examples.frame[example]
        near = examples.spectrogram[row - 2 : row + 3]  # nearest frames, up to twice as far apart
        heard = sounds[segment, 0, :, round(float(frames[segment, onset]))]
        two = np.maximum(near[:-1], near[1:])
        assert (np.concatenate([near, two]) == heard).all(axis=1).any()


def test_an_excerpt_may_begin_a_frame_later_but_not_beyond_the_segment(examples):
    segments = drawn(examples)
    *_, frames, real = cut(examples, segments, EXACTLY)
    *_, later, _ = cut(examples, segments, EXACTLY + 1)
    most = SEGMENT_FRAMES - CONTEXT // 2
    assert (later[real] == np.minimum(frames[real] + 1, most)).all()


def test_a_part_played_twice_as_fast_has_the_louder_of_two_frames(examples):
    usual = play(examples, np.array([0]), np.array([60]), np.array([20]), 42, np.array([1.0]))
    twice = play(examples, np.array([0]), np.array([60]), np.array([10]), 21, np.array([2.0]))
    half = play(examples, np.array([0]), np.array([60]), np.array([40]), 81, np.array([0.5]))
    assert (twice == np.maximum(usual[..., ::2], usual[..., 1::2])).all()
    assert (half[..., ::2] == usual[..., :-1]).all()


@pytest.mark.parametrize("tempo", [1.1, 1.37, 1.9, 2.6])
def test_a_faster_part_skips_no_frame(examples, tempo):
    """Each frame is the loudest of those from its own to the next one's, in every bin."""
    start = examples.start[0] + 60
    frames = np.floor(np.arange(13) * tempo + 0.5).astype(int) + start
    fast = play(examples, np.array([0]), np.array([60]), np.array([0]), 12, np.array([tempo]))
    for number, (first, stop) in enumerate(itertools.pairwise(frames)):
        assert (fast[0, 0, :, number] == examples.spectrogram[first:stop].max(axis=0)).all()


def test_a_part_at_another_speed_has_the_nearest_frames(examples):
    usual = play(examples, np.array([0]), np.array([60]), np.array([0]), 7, np.array([1.0]))
    slow = play(examples, np.array([0]), np.array([60]), np.array([0]), 6, np.array([0.7]))
    assert (slow == usual[..., [0, 1, 1, 2, 3, 4]]).all()  # 0, 0.7, 1.4, 2.1, 2.8 and 3.5


def test_beyond_the_ends_of_a_recording_is_silence(examples):
    length = examples.frames[1]
    twice = play(examples, np.array([1]), np.array([0]), np.array([500]), 3000, np.array([2.0]))
    assert not twice[..., :499].any() and not twice[..., 500 + (length + 1) // 2 :].any()
    sounds = play(examples, np.array([1]), np.array([0]), np.array([500]), 3000, np.array([1.0]))
    assert not sounds[..., :500].any() and not sounds[..., 500 + length :].any()
    alone = examples.spectrogram[examples.start[1] :][:length].T
    assert (sounds[0, 0, :, 500 : 500 + length] == alone).all()


def batches(paths, **changes) -> SegmentBatches:
    arguments = {
        "segments": 4,
        "onsets": 6,
        "seed": 0,
        "augmentation": Augmentation(),
        "tempo": (0.5, 2.0),
        "memory_mb": None,
    }
    return segment_batches(paths, **(arguments | changes))


@pytest.mark.parametrize("of_piece", [1, 2])
def test_a_batch_follows_from_its_number_alone(paths, of_piece):
    first, second = (batches(paths, segments_of_piece=of_piece) for _ in range(2))
    second[3]
    assert all(one.equal(other) for one, other in zip(first[4], second[4], strict=True))
    assert not first[4][0].equal(first[3][0])


def test_a_batch_holds_segments_and_the_places_of_their_onsets(paths):
    images, sounds, x, frames, real, same = batches(paths)[4]
    assert (images.shape, sounds.shape) == ((4, 1, 80, 600), (4, 1, 92, SEGMENT_FRAMES))
    assert x.shape == frames.shape == real.shape == same.shape == (4, 6)
    assert (real.dtype, same.dtype) == (torch.bool, torch.int64)


def test_an_onset_has_a_number_of_its_own_that_is_the_same_in_every_recording(tmp_path):
    rows = [performance(name, notes=20, seed=n) for n, name in enumerate(("one", "two"))]
    rows.append({**rows[0], "font": "another"})
    examples = read_examples([write_shard(tmp_path / "train.parquet", rows)])
    first, second, again = identities(examples, np.arange(60).reshape(3, 20))
    assert (first == again).all()
    assert len({*first, *second}) == 40


def anchored(made: SegmentBatches, number: int, monkeypatch) -> np.ndarray:
    """The examples that the segments of a batch are drawn about."""
    anchors = []
    monkeypatch.setattr(
        segments_module,
        "draw",
        lambda examples, chosen, *rest: anchors.append(chosen) or draw(examples, chosen, *rest),
    )
    made[number]
    return anchors[0]


@pytest.fixture
def fonts(tmp_path):
    """Ten pieces in two fonts."""
    rows = [
        performance(f"tune{n}", font=font, notes=60, seed=n)
        for n in range(10)
        for font in ("grand", "upright")
    ]
    return [write_shard(tmp_path / "fonts.parquet", rows)]


def test_later_batches_hold_several_segments_of_each_piece(fonts, monkeypatch):
    made = batches(fonts, segments=8, segments_of_piece=4, grouped_from=3)
    usual = batches(fonts, segments=8)
    assert all(one.equal(other) for one, other in zip(made[2], usual[2], strict=True))
    examples = made.source
    recordings = []
    for number in range(3, 9):
        anchors = anchored(made, number, monkeypatch)
        first, second = examples.piece[anchors].reshape(2, 4)
        assert len({*first}) == len({*second}) == 1
        assert (anchors[::4] == usual.chosen(number)[1][:2]).all()
        assert examples.inside(CONTEXT)[anchors].all()
        recordings.append(len({*examples.performance[anchors[:4]]}))
    assert 2 in recordings  # the others are drawn from both


def test_a_batch_keeps_its_size_where_segments_of_a_piece_do_not_divide_it(fonts, monkeypatch):
    made = batches(fonts, segments=8, segments_of_piece=3)
    anchors = anchored(made, 0, monkeypatch)
    assert len(anchors) == 8 == len(made[0][0])
    for group in (anchors[:3], anchors[3:6], anchors[6:]):
        assert len({*made.source.piece[group]}) == 1


@pytest.mark.parametrize("of_piece", [1, 3])
def test_devices_share_the_segments_of_a_batch(paths, of_piece):
    whole, first, second = (
        batches(paths, share=share, segments_of_piece=of_piece)
        for share in ((0, 1), (0, 2), (1, 2))
    )
    halves = zip(first[4], second[4], strict=True)
    for joined, expected in zip(map(torch.cat, halves), whole[4], strict=True):
        assert len(joined) == len(expected) and joined.equal(expected)


def test_segments_of_a_piece_come_from_a_streams_window(fonts, monkeypatch):
    monkeypatch.setattr(streaming, "too_large", lambda *_: True)
    made = batches(fonts, segments=8, segments_of_piece=4, memory_mb=100)
    examples, _ = made.chosen(5)
    first, second = examples.piece[anchored(made, 5, monkeypatch)].reshape(2, 4)
    assert len({*first}) == len({*second}) == 1


def test_a_window_of_a_stream_lasts_as_long_as_its_onsets(paths, monkeypatch):
    """Anchors are a few of its examples: 12 onsets a step, not 4."""
    monkeypatch.setattr(streaming, "too_large", lambda *_: True)
    stream = batches(paths, onsets=3, memory_mb=100).source
    (window,) = stream.windows(0)
    assert stream.batches(window) == round(len(stream) / 12)


def test_pieces_too_short_for_an_excerpt_are_refused(tmp_path):
    path = write_shard(tmp_path / "short.parquet", [performance("short", notes=5)])
    with pytest.raises(ValueError, match="context of 168 frames; use longer pieces"):
        batches([path])
