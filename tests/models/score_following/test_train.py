"""Training learns, and goes on where it was stopped as though nothing had happened."""

import math
import os
import signal

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from models.score_following import train
from models.score_following.network import Network
from models.score_following.reading import read_examples
from models.score_following.weights import load
from pipeline.constants import BUCKETS
from pipeline.replacing import UNFINISHED
from tests.support.staves import narrow, performance, write_shard
from tests.support.trainings import interrupt_at, killed_at, same, train_into, write_shards

SETTINGS = {
    "epochs": 3,
    "batch_size": 8,
    "epoch_samples": 24,
    "precision": "32-true",
    "valid_samples": 10,
}


pytestmark = pytest.mark.usefixtures("few_threads")


@pytest.fixture
def shards(tmp_path):
    return write_shards(
        tmp_path,
        [performance(f"train{n}", seed=n) for n in range(4)],
        [performance("valid", split="valid", seed=9)],
    )


@pytest.fixture
def run(tmp_path, shards, monkeypatch):
    """Trains into a folder; returns weights and history."""

    def runs(name="run", network=narrow, checkpoint_minutes=10.0, seed=0, **changes):
        monkeypatch.setattr(train, "Network", network)
        return train_into(
            tmp_path / name,
            train.train,
            shards,
            settings=train.Settings(**(SETTINGS | changes)),
            seed=seed,
            checkpoint_minutes=checkpoint_minutes,
        )

    return runs


@pytest.mark.parametrize(
    ("step", "precision"), [(1, "32-true"), (4, "32-true"), (6, "32-true"), (9, "bf16-mixed")]
)
def test_a_killed_run_ends_with_the_same_weights(run, monkeypatch, tmp_path, step, precision):
    whole, history = run("whole", precision=precision)
    with killed_at(monkeypatch, train.Training, step):
        run("killed", precision=precision, checkpoint_minutes=0)
    assert (tmp_path / "killed" / "weights.safetensors.state").exists() == (step > 1)
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    resumed, history_resumed = run("killed", precision=precision)
    assert same(whole, resumed)
    assert history.drop_columns("seconds") == history_resumed.drop_columns("seconds")


def test_the_history_grows_and_half_a_checkpoint_is_swept_away(run, monkeypatch, tmp_path):
    left = tmp_path / "run" / f".weights.safetensors.state.{UNFINISHED}killed"
    left.mkdir(parents=True)
    (left / "weights.safetensors.state").write_bytes(b"half")
    with killed_at(monkeypatch, train.Training, 8):
        run()
    assert pq.read_table(tmp_path / "run" / "history.parquet")["epoch"].to_pylist() == [1, 2]
    assert not left.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends_with_a_sentence(run, monkeypatch, number):
    whole, _ = run("whole")
    before = signal.getsignal(number)
    with monkeypatch.context() as patched:
        interrupt_at(patched, train.Training, 5, lambda: os.kill(os.getpid(), number))
        with pytest.raises(SystemExit, match="epoch 2 after batch 2 of 3"):
            run("stopped", checkpoint_minutes=60)
    assert signal.getsignal(number) is before
    resumed, _ = run("stopped")
    assert same(whole, resumed)


def test_success_leaves_weights_and_history_alone(run, tmp_path):
    weights, history = run()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "history.parquet",
        "weights.safetensors",
    ]
    loaded = load(tmp_path / "run" / "weights.safetensors")
    assert not loaded.training
    assert same(loaded.state_dict(), weights)
    rows = history.to_pylist()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["samples"] for row in rows] == [24, 48, 72]
    assert all(0 <= row["valid_top1"] <= row["valid_top2"] <= 1 for row in rows)


def test_a_batch_may_show_a_single_staff(run):
    run(epochs=1, batch_size=2, epoch_samples=20)


def test_the_rate_falls_every_so_many_epochs(run):
    _, history = run(
        epochs=5, learning_rate=0.1, learning_rate_decay=10, learning_rate_decay_epochs=2
    )
    assert history["learning_rate"].to_pylist() == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_the_best_epoch_is_kept(run, monkeypatch):
    seen = []
    scores = iter([0.2, 0.9, 0.5])

    def validate(self):
        seen.append({k: v.clone() for k, v in self.network.state_dict().items()})
        return {"valid_loss": 0.0, "valid_top1": next(scores), "valid_top2": 0.0}

    monkeypatch.setattr(train.Training, "validate", validate)
    weights, _ = run()
    assert same(weights, seen[1])
    assert not same(weights, seen[2])


@pytest.mark.parametrize("changes", [{"learning_rate": 0.2}, {"seed": 1}, {"epoch_samples": 16}])
def test_a_state_of_other_settings_is_refused(run, monkeypatch, changes):
    with killed_at(monkeypatch, train.Training, 5):
        run()
    name = next(iter(changes))
    with pytest.raises(ValueError, match=rf"state was written with different {name}; delete it"):
        run(**changes)


def test_a_state_of_other_data_is_refused(run, monkeypatch, shards):
    with killed_at(monkeypatch, train.Training, 5):
        run()
    write_shard(shards[0][0], [performance("other")])
    with pytest.raises(ValueError, match="different training data; delete it"):
        run()


def test_a_loss_that_is_no_number_is_named_and_the_checkpoint_kept(run, monkeypatch, tmp_path):
    def spoil():
        monkeypatch.setattr(train, "soft_targets", lambda x: torch.full((len(x), 40), torch.nan))

    interrupt_at(monkeypatch, train.Training, 5, spoil)
    with pytest.raises(FloatingPointError, match="epoch 2, batch 2"):
        run(checkpoint_minutes=60)
    state = torch.load(tmp_path / "run" / "weights.safetensors.state", weights_only=True)["state"]
    assert (state["epoch"], state["step"]) == (1, 0)


def test_weights_depend_on_the_seed_alone(run):
    one, again, other = run("one"), run("again"), run("other", seed=1)
    assert same(one[0], again[0])
    assert not same(one[0], other[0])


def test_notes_of_a_staff_do_not_change_what_a_step_computes(shards):
    """Sharing the pass of an image gives the gradient that one pass a note gives."""
    data = read_examples(shards[0])
    examples = np.concatenate([np.flatnonzero(data.staff == staff)[:3] for staff in range(6)])
    staves, index = np.unique(data.staff[examples], return_inverse=True)
    assert np.bincount(index).tolist() == [3] * 6  # so that the batch statistics are the same
    gradients = []
    for images, places in ((staves, index), (data.staff[examples], np.arange(len(examples)))):
        torch.manual_seed(0)
        network = narrow().double()
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        logits = network(
            torch.from_numpy(data.image_batch(images)).double(),
            torch.from_numpy(data.excerpt_batch(examples)).double(),
            torch.from_numpy(places),
        )
        logits.square().sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    for shared, single in zip(*gradients, strict=True):
        torch.testing.assert_close(shared, single)


def test_a_small_network_learns_a_toy_by_heart(run):
    _, history = run(
        epochs=3,
        network=lambda: Network((4, 4, 8, 8), (4, 4, 8, 8), 64),
        batch_size=20,
        epoch_samples=1000,
        learning_rate=0.05,
        learning_rate_decay_epochs=2,
    )
    last = history.to_pylist()[-1]
    assert last["train_loss"] < 0.5 * math.log(BUCKETS)  # chance
    assert last["train_top1"] > 0.4
