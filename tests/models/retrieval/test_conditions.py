"""Conditions of recording: local tempo is what is played, and all conditions rank alike."""

import numpy as np
import pandas as pd
import pytest

from models.retrieval import align, audio, conditions
from models.retrieval.reading import read_examples
from tests.support.staves import write_shard
from tests.support.tones import PIECES, printed


def test_an_even_tempo_is_one_everywhere():
    moment = np.arange(40) / 2
    np.testing.assert_allclose(conditions.local_tempo(moment, moment), 1.0)


def test_a_faster_passage_is_faster_than_the_median():
    """Of sixty quarters, the last twenty take half a second instead of one."""
    seconds = np.cumsum(np.where(np.arange(60) < 40, 1.0, 0.5)) - 1
    tempo = conditions.local_tempo(seconds, np.arange(60.0))
    np.testing.assert_allclose(tempo[5:38], 1.0)
    np.testing.assert_allclose(tempo[-15:], 2.0)


def test_a_jump_back_is_no_tempo():
    moment = np.concatenate([np.arange(20.0), np.arange(20.0)])
    tempo = conditions.local_tempo(np.arange(40) / 2, moment)
    np.testing.assert_allclose(tempo, 1.0)


def test_a_lonely_onset_tells_no_tempo():
    moment = np.concatenate([np.arange(10.0), [30.0]])
    seconds = np.concatenate([np.arange(10) / 2, [20.0]])
    assert np.isnan(conditions.local_tempo(seconds, moment)[-1])


def test_pairs_fall_into_bins_of_local_tempo():
    pairs = pd.DataFrame({"tempo": [1.0, 1.04, 1.3, np.nan], "mrr": [1, 0.5, 0.2, 0], "r1": 0})
    table = conditions.by_local_tempo(pairs)
    assert table["pairs"].tolist() == [0, 0, 0, 2, 0, 1, 0]
    assert table["mrr"].dropna().tolist() == [0.75, 0.2]


def test_conditions_are_compared_among_the_same_positions(tmp_path, weights):
    """Each piece once as written, and played by two people, one of whom plays other tones."""
    plain = [printed(name, tones) for name, tones in PIECES.items()]
    people = [
        row | {"tempo_ratio": None, "performer": who, "moment": [float(n) for n in range(6)]}
        for row in plain
        for who in ("Lee", "Kim")
    ]
    for row in people[1::2]:
        row["spectrogram"] = np.zeros_like(row["spectrogram"])
    shards = {
        "as written": [write_shard(tmp_path / "plain.parquet", plain)],
        "people": [write_shard(tmp_path / "people.parquet", people)],
    }
    conditions.conditions(shards, tmp_path / "table", weights=weights)
    table = pd.read_csv(tmp_path / "table.csv").set_index("condition")
    assert table["performances"].tolist() == [3, 6]
    assert table.mrr["as written"] > table.mrr["people"]
    assert "| people" in (tmp_path / "table.md").read_text()
    local = pd.read_csv(tmp_path / "table_local_tempo.csv")
    assert local["pairs"].sum() > 0


def test_alignment_is_judged_by_when_onsets_sound(tmp_path, weights, monkeypatch):
    rows = [printed(name, tones) for name, tones in PIECES.items()]
    for row in rows:
        row["onset_s"] = row["onset_s"] - 0.02  # within the frame before
    heard, usual = [], align.position_errors

    def record(onsets, x, times, positions):
        heard.append((onsets, times[0]))
        return usual(onsets, x, times, positions)

    monkeypatch.setattr(align, "position_errors", record)
    shards = {"as written": [write_shard(tmp_path / "plain.parquet", rows)]}
    conditions.conditions(shards, tmp_path / "table", weights=weights)
    for row, (onsets, first) in zip(rows, heard, strict=True):
        np.testing.assert_allclose(onsets, row["onset_s"])
        assert first == -0.025


def test_recordings_are_brought_to_one_level_and_silence_stays(tmp_path):
    rows = [printed(name, tones) for name, tones in PIECES.items()]
    for row, gain in zip(rows, (0.5, 1.5, 0), strict=True):
        row["spectrogram"] = gain * row["spectrogram"]
    data = read_examples([write_shard(tmp_path / "shard.parquet", rows)])
    conditions._bring_to_level(data)
    parts = [
        data.spectrogram[start : start + frames][None].astype(np.float32)
        for start, frames in zip(data.start, data.frames, strict=True)
    ]
    levels = [audio.level(part)[0] for part in parts]
    assert levels == pytest.approx([audio.LEVEL, audio.LEVEL, 0], rel=0.01)


def test_pieces_that_the_first_condition_lacks_are_named(tmp_path, weights):
    shards = {
        name: [write_shard(tmp_path / f"{name}.parquet", [printed(name, PIECES[name])])]
        for name in ("up", "down")
    }
    with pytest.raises(ValueError, match="down: in 'down', but not in the first condition"):
        conditions.conditions(shards, tmp_path / "table", weights=weights)


def test_a_condition_without_examples_is_named(tmp_path, weights):
    shards = {
        "plain": [write_shard(tmp_path / "plain.parquet", [printed("up", PIECES["up"])])],
        "recordings": [write_shard(tmp_path / "recordings.parquet", [])],
    }
    with pytest.raises(ValueError, match="condition 'recordings': no example in its shards; leave"):
        conditions.conditions(shards, tmp_path / "table", weights=weights)
