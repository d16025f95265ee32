"""Training on segments: what it keeps, and how a run that was killed ends."""

import pytest
import torch

from models.retrieval import train_segments
from models.retrieval.loss import local_loss
from models.retrieval.network import Network
from models.retrieval.train_segments import (
    SegmentSettings,
    SegmentTraining,
    follow,
)
from models.retrieval.weights import load, save
from tests.support.performances import narrow_tokens, performance
from tests.support.runs import TIMED
from tests.support.trainings import killed_at, same, train_into, write_shards

SMALL = {
    "epochs": 2,
    "batch_size": 12,
    "onsets": 4,
    "epoch_samples": 36,
    "precision": "32-true",
    "valid_samples": 20,
}


@pytest.fixture
def run(tmp_path, few_threads, monkeypatch):
    """Trains into a folder; returns weights and history."""
    shards = write_shards(
        tmp_path,
        [performance(f"train{n}", notes=60, seed=n) for n in range(3)],
        [performance("valid", split="valid", seed=9)],
    )
    monkeypatch.setattr(train_segments, "PT", narrow_tokens)

    def runs(name="run", checkpoint_minutes=10.0, **changes):
        return train_into(
            tmp_path / name,
            train_segments.train_segments,
            shards,
            settings=SegmentSettings(**(SMALL | changes)),
            checkpoint_minutes=checkpoint_minutes,
        )

    return runs


@pytest.mark.parametrize(
    ("step", "changes"),
    [(3, {}), (4, {"precision": "bf16-mixed"}), (6, {"segments_of_piece": 3})],
)
def test_a_killed_run_ends_with_the_same_weights(run, monkeypatch, step, changes):
    whole, history = run("whole", **changes)
    with killed_at(monkeypatch, SegmentTraining, step):
        run("killed", checkpoint_minutes=0, **changes)
    resumed, history_resumed = run("killed", **changes)
    assert same(whole, resumed)
    assert history.drop_columns(TIMED) == history_resumed.drop_columns(TIMED)


def test_a_run_can_begin_with_trained_weights(run, tmp_path):
    """At a rate of nothing they stay, but for what the averages of the layers' inputs become."""
    trained, _ = run("first")
    weights = str(tmp_path / "first/weights.safetensors")
    again, _ = run("second", initial=weights, learning_rate=1e-12)
    other, _ = run("other", learning_rate=1e-12)
    for name in ("sheet_side.trunk.0.convolution.weight", "audio_side.out.weight"):
        torch.testing.assert_close(again[name], trained[name])
        assert not torch.allclose(other[name], trained[name], atol=1e-3)


def test_the_projection_of_trained_weights_is_left_behind(tmp_path):
    trained, network = narrow_tokens(), narrow_tokens()
    fresh = {name: value.clone() for name, value in network.cca.state_dict().items()}
    for value in trained.cca.state_dict().values():
        value.fill_(7)
    save(trained, tmp_path / "refined.safetensors")
    train_segments.begin_with(network, tmp_path / "refined.safetensors")
    assert all(value.equal(fresh[name]) for name, value in network.cca.state_dict().items())
    assert network.audio_side.out.weight.equal(trained.audio_side.out.weight)


def test_a_run_begins_with_weights_of_the_same_network_alone(run, tmp_path):
    save(Network("BL1-SC"), tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds a BL1-SC of other layers; name weights"):
        run(initial=str(tmp_path / "other.safetensors"))


def test_a_resumed_run_must_have_as_many_epochs(run, monkeypatch):
    with killed_at(monkeypatch, SegmentTraining, 5):
        run(checkpoint_minutes=0)
    with pytest.raises(ValueError, match="with different epochs; delete it"):
        run(epochs=4)


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


def test_the_learning_rate_falls_to_nothing(run):
    _, history = run(epochs=4, learning_rate=0.002)  # three steps an epoch
    rates = history["learning_rate"].to_pylist()
    assert rates == pytest.approx([0.002, 0.001707, 0.001, 0.000293], rel=1e-3)


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
    run(epochs=1, level_db=1.5, equaliser_db=0.5)
    assert seen == [(3, 1.5, 0.5)] * 3


def test_a_batch_has_whole_segments(run):
    with pytest.raises(ValueError, match="12 pairs is not divided by 5 onsets"):
        run(onsets=5)
    with pytest.raises(ValueError, match="4 segments of a piece in batches of 3; lower"):
        run(segments_of_piece=4)


def test_a_training_by_another_optimiser_does_not_continue(run, tmp_path, monkeypatch):
    with killed_at(monkeypatch, SegmentTraining, 3):
        run("killed", checkpoint_minutes=0)
    checkpoint = tmp_path / "killed/weights.safetensors.state"
    saved = torch.load(checkpoint, weights_only=True)
    del saved["identity"]["optimiser"]  # as it was when all were trained by AdamW
    torch.save(saved, checkpoint)
    with pytest.raises(ValueError, match="with different optimiser; delete it"):
        run("killed")


def test_the_local_loss_knows_which_onsets_are_the_same(run, monkeypatch):
    """The places of a segment that lacks onsets repeat its anchor, and its number."""
    seen = []

    def spy(sheet, audio, scale, real, same):
        seen.append((real, same))
        return local_loss(sheet, audio, scale, real, same)

    monkeypatch.setattr(train_segments, "local_loss", spy)
    run(batch_size=90, onsets=45)
    real, same = (torch.cat(parts) for parts in zip(*seen, strict=True))
    assert not real.all()
    assert (same == same[:, :1])[~real].all()
    assert not (same == same[:, :1])[real].all()


def test_without_a_local_loss_the_loss_is_lower(run):
    with_local, without = (
        run(f"{weight}", epochs=1, local_weight=weight)[1] for weight in (1.0, 0.0)
    )
    assert with_local["train_loss"][0].as_py() > without["train_loss"][0].as_py() + 1


def test_pairs_are_compared_with_those_of_the_last_steps(run, monkeypatch):
    """Up to twelve a step, at most 20 of them remembered, in the second half."""
    remembered, usual = [], train_segments.contrastive_loss

    def record(sheet, audio, scale, same=None, others=None):
        if same is not None:  # not in validation
            remembered.append(0 if others is None else len(others[0]))
            assert others is None or not any(part.requires_grad for part in others)
        return usual(sheet, audio, scale, same, others)

    monkeypatch.setattr(train_segments, "contrastive_loss", record)
    monkeypatch.setattr(train_segments, "REMEMBERED", 20)
    run(epochs=2)
    assert remembered == [0, 0, 0, 0, 12, 20]


def test_hard_wrong_answers_come_at_once_if_the_weights_are_trained(run, tmp_path, monkeypatch):
    """Those of the same piece, and those of earlier steps, of which the first step has none."""
    run("first")
    grouped, remembered = [], []
    made, loss = train_segments.segment_batches, train_segments.contrastive_loss

    def record(*arguments):
        grouped.append(arguments[-2:])
        return made(*arguments)

    def record_others(sheet, audio, scale, same=None, others=None):
        if same is not None:  # not in validation
            remembered.append(others is not None)
        return loss(sheet, audio, scale, same, others)

    monkeypatch.setattr(train_segments, "segment_batches", record)
    monkeypatch.setattr(train_segments, "contrastive_loss", record_others)
    run("second", segments_of_piece=3)
    run("third", segments_of_piece=3, initial=str(tmp_path / "first/weights.safetensors"))
    assert grouped == [(3, 3), (3, 0)]  # of six steps
    assert remembered == [False] * 4 + [True] * 2 + [False] + [True] * 5
