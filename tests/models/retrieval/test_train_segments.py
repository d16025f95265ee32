"""Training on segments: what it keeps, and how a run that was killed ends."""

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from models.retrieval import train_segments
from models.retrieval.train_segments import (
    SegmentSettings,
    SegmentTraining,
    follow,
)
from models.retrieval.weights import load
from tests.support.performances import narrow_tokens, performance
from tests.support.staves import write_shard

SMALL = {
    "epochs": 2,
    "batch_size": 12,
    "onsets": 4,
    "epoch_samples": 36,
    "isolated": 0.5,
    "precision": "32-true",
    "valid_samples": 20,
}


@pytest.fixture
def run(tmp_path, few_threads):
    """Trains into a folder; returns weights and history."""
    rows = [performance(f"train{n}", notes=60, seed=n) for n in range(3)]
    valid = [performance("valid", split="valid", seed=9)]
    shards = (
        [write_shard(tmp_path / "train.parquet", rows)],
        [write_shard(tmp_path / "valid.parquet", valid)],
    )

    def runs(name="run", checkpoint_minutes=10.0, **changes):
        paths = tmp_path / name / "weights.safetensors", tmp_path / name / "history.parquet"
        settings = SegmentSettings(**(SMALL | changes))
        train_segments._train_segments(
            *shards, *paths, settings, 0, None, checkpoint_minutes, narrow_tokens
        )
        return load_file(paths[0]), pq.read_table(paths[1])

    return runs


@pytest.fixture
def killed(run, monkeypatch):
    """Trains into a folder, and is killed in place of a step, with a checkpoint after each."""

    def kills(name, step, **changes):
        usual, seen = SegmentTraining.step, []

        def counted(self):
            seen.append(None)
            if len(seen) == step:
                raise RuntimeError("killed")
            usual(self)

        with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
            patched.setattr(SegmentTraining, "step", counted)
            run(name, checkpoint_minutes=0, **changes)

    return kills


@pytest.mark.parametrize(("step", "precision"), [(3, "32-true"), (4, "bf16-mixed"), (6, "32-true")])
def test_a_killed_run_ends_with_the_same_weights(run, killed, step, precision):
    whole, history = run("whole", precision=precision)
    killed("killed", step, precision=precision)
    resumed, history_resumed = run("killed", precision=precision)
    assert whole.keys() == resumed.keys()
    assert all(whole[name].equal(resumed[name]) for name in whole)
    measured = ["seconds", "peak_mb"]
    assert history.drop_columns(measured) == history_resumed.drop_columns(measured)


def test_a_resumed_run_must_have_as_many_epochs(run, killed):
    killed("run", 5)
    with pytest.raises(ValueError, match="with different epochs; delete it"):
        run("run", epochs=4)


def test_weights_are_a_network_of_ours_with_its_widths(run, tmp_path):
    run()
    network = load(tmp_path / "run" / "weights.safetensors")
    assert (network.name, network.widths) == ("PT", narrow_tokens().widths)


def test_the_averaged_weights_are_kept(run, monkeypatch):
    moved, last = [], {}

    def record(average, network, kept):
        moved.append(kept)
        follow(average, network, kept)
        last.update({name: value.clone() for name, value in average.state_dict().items()})

    monkeypatch.setattr(train_segments, "follow", record)
    weights, _ = run(epochs=1, average=0.5)
    assert moved == pytest.approx([1 / 11, 2 / 12, 3 / 13])  # quickly at first
    assert all(weights[name].equal(last[name]) for name in weights)


def test_an_average_moves_by_its_share():
    average, network = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    network.weight.data[:] = torch.tensor([3.0, 5.0])
    network.running_mean[:] = 8.0
    network.num_batches_tracked += 7
    follow(average, network, 0.75)
    assert average.weight.tolist() == [1.5, 2.0]
    assert average.running_mean.tolist() == [2.0, 2.0]
    assert average.num_batches_tracked == 7


def test_sound_is_varied_in_training_alone(run, monkeypatch):
    seen = []

    def record(excerpts, level_db, equaliser_db):
        seen.append((len(excerpts), level_db, equaliser_db))
        return excerpts

    monkeypatch.setattr(train_segments, "vary_sound", record)
    run(epochs=1, isolated=0.34, level_db=1.5, equaliser_db=0.5)
    assert seen == [(3, 1.5, 0.5)] * 2 + [(12, 1.5, 0.5)]  # segments, then isolated pairs


def test_a_batch_has_whole_segments(run):
    with pytest.raises(ValueError, match="12 pairs is not divided by 5 onsets"):
        run(onsets=5)


def test_without_a_local_loss_the_loss_is_lower(run):
    with_local, without = (
        run(f"{weight}", epochs=1, local_weight=weight)[1] for weight in (1.0, 0.0)
    )
    assert with_local["train_loss"][0].as_py() > without["train_loss"][0].as_py() + 1
