"""Recordings followed from beginning to end: what is written, and that nothing hears the future."""

import numpy as np
import pandas as pd
import pytest
import torch

from models.device import inference_device
from models.score_following import track
from models.score_following.track_report import compare, tracking_figure, tracking_table
from models.score_following.weights import load, save
from pipeline import tables
from pipeline.constants import BUCKET_PX
from tests.support.performances import assert_drawn
from tests.support.staves import narrow, narrow_matching


@pytest.fixture
def tune(shards):
    return next(track.read_tunes(shards["test"]))


@pytest.mark.parametrize("make", [narrow, narrow_matching])
def test_a_look_is_the_network_at_the_end_of_its_excerpt(tune, weights, few_threads, make):
    """Compares each staff by itself; test_matching tests how probable each staff is."""
    torch.manual_seed(2)
    save(make(), weights)
    network = load(weights)
    found = track.listen(inference_device("32-true"), network, tune)
    look = 20
    end = look * track.STEP_FRAMES + 1
    excerpt = torch.tensor(tune.spectrogram[end - 40 : end].T[None, None])
    for staff in range(len(tune.images)):
        image = torch.tensor((255 - tune.images[staff]) / 255, dtype=torch.float32)[None, None]
        with torch.no_grad():
            logits = network(image, excerpt, torch.zeros(1, dtype=torch.long))
        alone = found[look, staff] / found[look, staff].sum()
        np.testing.assert_allclose(alone, logits.softmax(1)[0], rtol=1e-3, atol=1e-6)
    assert found[look].sum() == pytest.approx(1, abs=1e-5)


def test_the_future_of_the_recording_does_not_change_the_past(tune, weights, few_threads):
    fabric, network = inference_device("32-true"), load(weights)
    _, before = track.follow(fabric, network, tune)
    changed = track.Tune(**(vars(tune) | {"spectrogram": tune.spectrogram.copy()}))
    changed.spectrogram[120:] = changed.spectrogram[120:, ::-1]
    _, after = track.follow(fabric, network, changed)
    past = 120 // track.STEP_FRAMES
    for way in track.WAYS:
        for one, other in zip(before[way], after[way], strict=True):
            np.testing.assert_array_equal(one[:past], other[:past])


def test_a_look_has_heard_until_the_end_of_its_last_frame(tune, weights, few_threads):
    """Its time is that of the last sample: with later sound the frame would be another."""
    times, _ = track.follow(inference_device("32-true"), load(weights), tune)
    assert times[2] == pytest.approx(8 / 31.25 + 2_048 / 22_050)


def test_true_positions_run_from_note_to_note(tune):
    onsets = tune.onset_s
    staff, x = track.true_positions(tune, np.array([0.0, onsets[3], (onsets[3] + onsets[4]) / 2]))
    assert staff.tolist() == [0, 0, 0]
    assert x.tolist() == pytest.approx([tune.x[0], tune.x[3], (tune.x[3] + tune.x[4]) / 2])
    last = np.flatnonzero(tune.image == 0)[-1]
    assert track.true_positions(tune, onsets[[last]] + 0.1)[1] == pytest.approx(tune.x[last])


def test_lags_count_from_the_onset(tune):
    """A position 0.5 s late throughout is near its note half a second after the onset."""
    times = np.arange(0, 12, 0.01)
    staff, x = track.true_positions(tune, times - 0.5)
    onsets = tune.onset_s.tolist()
    here = np.searchsorted(onsets, times - 0.5, side="right") - 1
    x = np.where(here >= 0, tune.x[np.maximum(here, 0)], -50)  # jumps from note to note
    found = pd.DataFrame(track._reached(tune, "tracked", times, staff, x))
    step = np.diff(tune.x)[0] / BUCKET_PX
    assert step > 2  # neighbours are not near each other
    assert found.lag.max() == pytest.approx(0.5, abs=0.02)
    assert found.lag.min() >= 0


def test_table_and_figure(tmp_path, shards, weights, few_threads):
    reached, tracks = tmp_path / "reached.parquet", tmp_path / "tracks.parquet"
    twice = [*shards["test"], *shards["test"]]  # of a piece's recordings one is followed
    track.track(weights, twice, reached, tracks, precision="32-true")
    rows = tables.read(reached, track.REACHED).to_pandas()
    assert rows.way.value_counts().to_dict() == dict.fromkeys(track.WAYS, 36)
    compared = compare(rows).set_index("way")
    # The true staff is the onset's, but for the last ones before a turn, when the next is heard.
    oracle = rows[rows.way == "oracle"].set_index("note_id").same_staff
    tune = next(track.read_tunes(shards["test"]))
    last = tune.note_id[:-1][np.diff(tune.image) > 0]
    assert set(oracle.index[~oracle]) <= set(last.tolist())
    assert (compared.near <= compared.same_staff).all()
    tracking_table({"PT": reached}, tmp_path / "tables" / "tracking")
    text = (tmp_path / "tables" / "tracking.md").read_text()
    assert "36 onsets of 1 recordings" in text and "PT, our network" in text
    tracking_figure(tracks, tmp_path / "figures" / "tracking")
    assert_drawn(tmp_path / "figures", "tracking")
