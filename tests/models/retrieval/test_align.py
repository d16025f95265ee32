"""Alignment: paths that are known, the straight line, and what the published count leaves out."""

import numpy as np
import pandas as pd
import pytest
import torch

from models.retrieval import align, network
from models.retrieval import weights as weights_files
from models.retrieval.align import (
    ALIGNED,
    alignment_path,
    complete,
    error_metrics,
    path_spans,
    position_errors,
    published_metrics,
    window_positions,
    windows_over,
)
from models.retrieval.inference import load_network
from pipeline import tables
from pipeline.constants import PAGE_WIDTH_PX, RETRIEVAL, onset_frame
from pipeline.images import grey
from tests.models.retrieval.test_identify import Knowing, falling, level, piece, rising
from tests.support.performances import narrow_tokens, performance
from tests.support.staves import write_shard

NARROW = (2, 2, 2, 2)


# --- windows ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("length", "step"), [(231, 10), (1_234, 10), (5_000, 2)])
def test_windows_go_from_end_to_end_evenly(length, step):
    places = window_positions(length, step)
    assert places[0] == 0 and places[-1] == length - 1
    gaps = np.diff(places)
    assert gaps.max() - gaps.min() <= 1 and gaps.mean() == pytest.approx(step, rel=0.05)


def test_a_single_pixel_is_one_window():
    assert window_positions(1, 10).tolist() == [0]


def test_windows_of_longer_pieces_are_further_apart():
    x, frames = windows_over(18_000, 36_000)  # half an hour
    assert np.diff(x).max() <= 6 and np.diff(frames).max() <= 3
    x, frames = windows_over(18_000, 72_000)
    assert np.diff(x).min() >= 9 and len(x) * len(frames) <= 1.01 * align.MOST_CELLS
    with pytest.raises(ValueError, match=r"600.0 minutes over 18,000 px are too much at once; cut"):
        windows_over(18_000, 720_000)


def test_windows_inside_reach_beyond_neither_end():
    """42 frames about frame 21 of 42 are all of them."""
    assert complete(np.arange(42), 42, 21, 21).tolist() == [21]
    assert complete(np.arange(44), 44, 21, 21).tolist() == [21, 22, 23]
    assert not len(complete(np.arange(41), 41, 21, 21))


# --- the path --------------------------------------------------------------------------------
def cheapest(distances: np.ndarray) -> float:
    """Cost of the best path from corner to corner, by the recurrence."""
    rows, columns = distances.shape
    cost = np.full((rows + 1, columns + 1), np.inf)
    cost[0, 0] = 0
    for i in range(rows):
        for j in range(columns):
            before = min(cost[i, j], cost[i, j + 1], cost[i + 1, j])
            cost[i + 1, j + 1] = distances[i, j] + before
    return cost[-1, -1]


def test_follows_a_path_that_is_known():
    """Nothing is far along the known path, everything else is; it waits, runs and goes on."""
    known = [(0, 0), (1, 1), (1, 2), (1, 3), (2, 4), (3, 4), (4, 4), (5, 5), (6, 6), (6, 7)]
    distances = np.ones((7, 8))
    distances[tuple(np.transpose(known))] = 0
    first, last = path_spans(distances)
    assert first.tolist() == [0, 1, 1, 1, 2, 5, 6, 6]
    assert last.tolist() == [0, 1, 1, 1, 4, 5, 6, 6]
    x = np.array([0, 10, 20, 40, 80, 90, 100])
    assert alignment_path(distances, x).tolist() == [0, 10, 10, 10, 50, 90, 100, 100]


def test_the_path_is_the_cheapest():
    for seed in range(5):
        distances = np.random.default_rng(seed).uniform(0.1, 1, (9, 12))
        first, last = path_spans(distances)
        assert first[0] == 0 and last[-1] == len(distances) - 1
        assert set(first[1:] - last[:-1]) <= {0, 1}  # no window is left out
        # Along each column, from its first to its last window.
        cost = sum(
            distances[f : end + 1, j].sum()
            for j, (f, end) in enumerate(zip(first, last, strict=True))
        )
        assert cost == pytest.approx(cheapest(distances))


# --- errors ----------------------------------------------------------------------------------
def test_errors_are_distances_in_the_strip():
    frames, places = np.array([10, 20, 30]), np.array([100.0, 200.0, 400.0])
    frame, x = np.array([10, 15, 25, 30]), np.array([100.0, 160.0, 270.0, 500.0])
    distance, outside = position_errors(frame, x, frames, places)
    assert distance.tolist() == [0, 10, 30, 100]  # 150 for 160, 300 for 270, 400 for 500
    assert error_metrics(distance, outside) == {
        "onsets": 4,
        "outside": 0,
        "mean_px": 35,
        "median_px": 20,
        "mean_percent": pytest.approx(100 * 35 / PAGE_WIDTH_PX),
        "median_percent": pytest.approx(100 * 20 / PAGE_WIDTH_PX),
        "within": 0.5,
    }


def test_the_published_count_forgives_what_lies_outside():
    """Most onsets are outside and 300 px off: the published median says that all is perfect."""
    frames, places = np.array([100, 200]), np.array([400.0, 800.0])
    frame = np.array([0, 10, 150, 290, 300, 180])
    x = np.array([100.0, 100.0, 600.0, 1_100.0, 1_100.0, 730.0])
    ours, theirs = (
        count(*position_errors(frame, x, frames, places))
        for count in (error_metrics, published_metrics)
    )
    assert ours["median_px"] == 300 and theirs["median_px"] == 0
    assert ours["mean_px"] == pytest.approx((4 * 300 + 10) / 6)
    assert theirs["mean_px"] == pytest.approx(10 / 6)
    assert ours["outside"] == theirs["outside"] == 4
    assert ours["within"] == pytest.approx(2 / 6) and theirs["within"] == 1


# --- the experiment --------------------------------------------------------------------------
def aligned(tmp_path, rows) -> pd.DataFrame:
    shard = write_shard(tmp_path / "shard.parquet", rows)
    out = tmp_path / "aligned.parquet"
    align.align("weights", [shard], out, precision="32-true")
    return tables.read(out, ALIGNED).to_pandas().set_index(["piece_id", "method"])


@pytest.fixture
def knowing(monkeypatch):
    monkeypatch.setattr(weights_files, "load", lambda path: Knowing())


@pytest.mark.parametrize("shape", [rising, falling])
def test_a_network_that_knows_finds_every_onset(tmp_path, knowing, shape):
    """Levels tell where in the strip it is. Windows inside do not reach its ends, by 100 px."""
    row = piece("tune", shape, shape)
    own = aligned(tmp_path, [row]).loc["tune"]
    assert (own.onsets == 40).all() and own.outside["network"] == own.outside["line"] == 0
    assert own.within["network"] == 1
    assert own.mean_px["network"] < align.STEP_PX < own.median_px["line"]
    beyond = (row["frame"] < 21) | (row["frame"] > len(row["spectrogram"]) // 92 - 21)
    off_strip = (row["x"] < 75) | (row["x"] > row["right"][0] - 75)
    assert own.outside["published"] == beyond.sum()
    assert own.within["published"] == pytest.approx(1 - (off_strip & ~beyond).mean())


def test_positions_belong_to_onsets_not_to_the_frames_after_them(tmp_path, knowing):
    """Onsets lie anywhere within a frame; neither early nor late ones prevail."""
    row = piece("tune", rising, rising)
    seen_at = row["frame"] - np.random.default_rng(0).uniform(0, 1, len(row["frame"]))
    onset_s = (seen_at - 0.5) / RETRIEVAL.fps
    row |= {"x": np.interp(seen_at, row["frame"], row["x"]), "onset_s": onset_s}
    row["frame"] = np.array([onset_frame(t, RETRIEVAL.fps) for t in onset_s])
    spectrogram = row["spectrogram"].reshape(-1, RETRIEVAL.bins)
    strip = grey(row["images"][0])
    found = align.align_recording(*load_network("weights", "32-true"), strip, spectrogram)
    assert abs((np.interp(onset_s, *found) - row["x"]).mean()) < 0.5
    own = aligned(tmp_path, [row]).loc["tune"]
    assert own.mean_px["network"] < 1.5 < 5 < own.mean_px["published"]


def test_the_published_count_leaves_out_more_for_longer_windows(tmp_path, monkeypatch):
    class Longer(Knowing):
        context = 168

        def audio(self, excerpts):
            return super().audio(excerpts[..., 84 - 21 : 84 + 21])

    monkeypatch.setattr(weights_files, "load", lambda path: Longer())
    row = piece("tune", rising, rising)
    own = aligned(tmp_path, [row]).loc["tune"]
    length = len(row["spectrogram"]) // 92
    beyond = (row["frame"] < 84) | (row["frame"] > length - 84)
    assert own.outside["published"] == beyond.sum() >= 8
    assert own.within["network"] == own.within["published"] == 1


def test_the_straight_line_is_exact_where_time_is_even(tmp_path, knowing):
    """Onsets as far apart as they sound; what the network makes of it does not matter."""
    row = piece("tune", rising, level(0))
    width, length = row["right"][0], len(row["spectrogram"]) // 92
    row["x"] = row["onset_s"] * RETRIEVAL.fps / (length - 1) * (width - 1)
    own = aligned(tmp_path, [row]).loc["tune"]
    assert own.mean_px["line"] < 1e-3 and own.within["line"] == 1
    assert own.mean_px["network"] > 100


def test_pieces_that_cannot_be_aligned_are_named(tmp_path, knowing, capfd, monkeypatch):
    rows = [piece("tune", rising, rising), piece("short", level(0), level(0), notes=2)]
    found = aligned(tmp_path, rows)
    assert found.loc["tune"].index.tolist() == ["network", "published", "line"]
    assert found.loc["short"].index.tolist() == ["network", "line"]
    assert "short: left out of 'published', strip or" in capfd.readouterr().err
    monkeypatch.setattr(align, "MOST_CELLS", 1_000)
    with pytest.raises(ValueError, match="no piece could be aligned"):
        aligned(tmp_path, rows[:1])
    assert "px are too much at once" in capfd.readouterr().err


def test_a_piece_played_twice_is_refused(tmp_path, knowing):
    rows = [performance("tune"), performance("tune", font="upright")]
    with pytest.raises(ValueError, match="tune is performed 2 times"):
        aligned(tmp_path, rows)


@pytest.mark.parametrize(
    "make", [lambda: network.Network("BL2-LC+AT", NARROW), narrow_tokens], ids=["paper", "ours"]
)
def test_runs_with_a_real_network(tmp_path, make):
    torch.manual_seed(0)
    weights = tmp_path / "weights.safetensors"
    weights_files.save(make(), weights)
    shard = write_shard(tmp_path / "shard.parquet", [performance("tune")])
    out = tmp_path / "aligned.parquet"
    align.align(weights, [shard], out, precision="32-true")
    found = tables.read(out, ALIGNED).to_pandas()
    assert found.method.tolist() == list(align.METHODS)
    assert (found.model == make().name).all()
    assert (found.median_percent == 100 * found.median_px / PAGE_WIDTH_PX).all()
