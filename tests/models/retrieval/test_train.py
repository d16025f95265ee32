"""Training learns, restarts, and keeps the best epoch."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from models.retrieval import sampling, train
from models.retrieval.batches import Batches
from models.retrieval.loss import ranking_loss
from models.retrieval.network import Network
from models.retrieval.reading import read_examples
from models.retrieval.schedule import Settings
from models.retrieval.weights import load
from pipeline import tables
from tests.support.performances import performance
from tests.support.quick import Frozen, Quick, frozen, narrow, score
from tests.support.staves import write_shard
from tests.support.trainings import interrupt_at, same

ROOT = Path(__file__).parents[3]


# --- restarts and learning rates ---------------------------------------------------------------
def test_the_learning_rate_falls_within_an_epoch(run, monkeypatch):
    usual, used = train.Training.step, []

    def watched(self):
        usual(self)
        used.extend({group["lr"] for group in self.optimiser.param_groups})

    monkeypatch.setattr(train.Training, "step", watched)
    _, history = run(epochs=2, cosine_annealing=True, learning_rate=1.0)
    assert used == pytest.approx([(1 + math.cos(math.pi * n / 4)) / 2 for n in range(4)])
    assert history["learning_rate"].to_pylist() == pytest.approx(used[::2])


def test_restarts_start_from_the_best_weights_and_their_momentum(run, monkeypatch):
    at_end = score(monkeypatch, [0.1, 0.9, 0.5, 0.4, 0.3, 0.2])
    usual, at_start, used = train.Training.step, [], []

    def watched(self):
        if self.state["step"] == 0:
            held = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
            at_start.append(frozen(held))
        usual(self)
        used.append(self.optimiser.param_groups[0]["lr"])

    monkeypatch.setattr(train.Training, "step", watched)
    weights, history = run(epochs=9, patience=2, restarts=1, restart_patience=2, learning_rate=0.01)
    rows = history.to_pylist()
    assert [row["restarts"] for row in rows] == [0, 0, 0, 0, 1, 1]  # then it was over
    assert [row["learning_rate"] for row in rows] == pytest.approx([*[0.01] * 4, *[0.005] * 2])
    assert used == pytest.approx([*[0.01] * 8, *[0.005] * 4])
    assert [row["best"] for row in rows] == [True, True, False, False, False, False]
    best, refined = at_end[1], at_start[4]
    assert refined["network"] == best["network"] != at_end[3]["network"]
    assert refined["optimiser"]["state"] == best["optimiser"]["state"]
    assert frozen(weights) == best["network"]


def test_a_second_restart_starts_where_the_first_did(run, monkeypatch):
    at_end = score(monkeypatch, [0.9, 0.5, 0.4, 0.3])
    usual, at_start = train.Training.step, []

    def watched(self):
        held = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        at_start.append(frozen(held))
        usual(self)

    monkeypatch.setattr(train.Training, "step", watched)
    run(epochs=4, epoch_samples=34, patience=1, restarts=2, restart_patience=1)
    for start in (2, 3):
        assert at_start[start]["network"] == at_end[0]["network"]
        assert at_start[start]["optimiser"]["state"] == at_end[0]["optimiser"]["state"]


# --- what a step computes ----------------------------------------------------------------------
def test_a_step_is_that_of_adam_on_loss_and_penalty(run, shards):
    """With autograd's gradient of the penalty, and Adam's first step written out."""
    rate, l2, margin = 0.01, 0.003, 0.9
    changes = {
        "learning_rate": rate,
        "l2_penalty": l2,
        "margin": margin,
        "symmetric": True,
        "seed": 3,
    }
    trained, history = run(epochs=1, batch_size=90, epoch_samples=90, **changes)
    torch.manual_seed(3)
    network = Quick("BL2-SC")
    data = read_examples(shards[0])
    images, excerpts = Batches(data, 42, 90, 3, sampling.Augmentation())[0]
    loss = ranking_loss(*network(images, excerpts), margin, symmetric=True)
    assert history["train_loss"][0].as_py() == pytest.approx(loss.item(), rel=1e-4)
    parameters = dict(network.named_parameters())
    (loss + l2 * sum(p.square().sum() for p in parameters.values())).backward()
    for name in ("sheet_branch.3.weight", "audio_branch.3.weight"):
        gradient, start = parameters[name].grad, parameters[name].detach()
        step = rate * gradient / (gradient.abs() + 1e-8)  # of corrected moments g and g^2
        clear = gradient.abs() > 1e-4  # where rounding cannot turn the sign
        assert clear.float().mean() > 0.9
        torch.testing.assert_close(trained[name][clear], (start - step)[clear], rtol=0, atol=1e-5)
    torch.testing.assert_close(
        trained["cca.mean_audio"], network.cca.mean_audio, rtol=1e-3, atol=1e-4
    )


def test_validation_ranks_all_excerpts_for_each_snippet(run, shards):
    weights, history = run(epochs=1, valid_samples=1000, seed=2)
    row = history.to_pylist()[0]
    network, data = Quick("BL2-SC").eval(), read_examples(shards[1])
    network.load_state_dict(weights)
    chosen = np.flatnonzero(data.inside(42))
    with torch.no_grad():
        sheet, audio = network(
            torch.from_numpy(data.snippet_batch(chosen)),
            torch.from_numpy(data.excerpt_batch(chosen, 42)),
        )
    similarity = (sheet @ audio.T).numpy()
    right = similarity.diagonal()
    rank = 1 + (similarity > right[:, None]).sum(axis=1)
    assert row["valid_mrr"] == pytest.approx((1 / rank).mean(), abs=1e-3)
    assert row["valid_r1"] == pytest.approx((rank == 1).mean(), abs=1e-3)
    assert row["valid_loss"] == pytest.approx(ranking_loss(sheet, audio).item(), rel=1e-4)
    other_direction = 1 + (similarity > right).sum(axis=0)
    assert abs((1 / other_direction).mean() - (1 / rank).mean()) > 0.005


TWO_PROCESSES = """
import sys
from pathlib import Path

import torch

from models.retrieval import train
from models.retrieval.schedule import Settings
from tests.support.quick import Frozen

torch.set_num_threads(1)
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
settings = Settings(
    epochs=1, epoch_samples=180, batch_size=90, precision="32-true", valid_samples=30,
    l2_penalty=0.01,
)
train.Network = Frozen
train.train(
    [folder / "train.parquet"], [folder / "valid.parquet"], out / "weights.safetensors",
    out / "history.parquet", model="BL2-SC", settings=settings,
)
"""


def test_two_processes_learn_what_one_does(run, tmp_path):
    """Projection and loss are of the whole batch, whose halves two processes embed.

    Batch normalisation is left out, for each process has the statistics of its own share; on
    GPUs they are joined, which this does not show. Adam's steps do not grow with the gradient, but
    the penalty's share in it would shrink or grow, so that a wrong factor shows.
    """
    script = tmp_path / "script.py"
    script.write_text(TWO_PROCESSES)
    environment = os.environ | {
        "LT_ACCELERATOR": "cpu",
        "LT_DEVICES": "2",
        "LT_STRATEGY": "ddp",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    with subprocess.Popen(
        [sys.executable, script, tmp_path, tmp_path / "two"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        one, history = run(
            "one", epochs=1, epoch_samples=180, batch_size=90, l2_penalty=0.01, network=Frozen
        )
        try:
            _, said = process.communicate(timeout=300)  # importing takes long on a busy machine
        finally:
            process.kill()  # which has no effect once it has ended
    assert process.returncode == 0, said
    assert "2 processes" in said  # as Fabric reports
    history_two = pq.read_table(tmp_path / "two" / "history.parquet")
    for column in ("train_loss", "valid_loss", "valid_mrr"):
        np.testing.assert_allclose(history[column], history_two[column], rtol=1e-3)
    two = load_file(tmp_path / "two" / "weights.safetensors")
    torch.manual_seed(0)
    start = Frozen("BL2-SC").state_dict()
    for name in ("sheet_branch.3.weight", "audio_branch.3.weight"):
        moved = (one[name] - start[name]).norm()
        assert (one[name] - two[name]).norm() < 0.01 * moved


# --- outcomes ----------------------------------------------------------------------------------
def test_success_leaves_weights_and_history_alone(run, tmp_path, capsys):
    weights, history = run(network=narrow)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "history.parquet",
        "weights.safetensors",
    ]
    loaded = load(tmp_path / "run" / "weights.safetensors")
    assert loaded.name == "BL2-SC"
    assert same(loaded.state_dict(), weights)
    tables.read(tmp_path / "run" / "history.parquet", train.HISTORY)
    assert all(field.metadata[b"description"] for field in history.schema)
    rows = history.to_pylist()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["samples"] for row in rows] == [68, 136, 204]
    assert all(0 < row["valid_r1"] <= row["valid_mrr"] <= 1 for row in rows)
    assert all(row["peak_mb"] > 100 for row in rows)
    best = max(rows, key=lambda row: (row["valid_mrr"], row["epoch"]))
    with safe_open(tmp_path / "run" / "weights.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata["epoch"] == str(best["epoch"])
    assert metadata["samples"] == str(best["samples"])
    assert metadata["valid_mrr"] == f"{best['valid_mrr']:.4f}"
    assert metadata["seed"] == "0"
    assert "peak memory" in capsys.readouterr().err


def test_weights_depend_on_the_seed_alone(run):
    one, again, other = run("one"), run("again"), run("other", seed=1)
    assert same(one[0], again[0])
    assert not same(one[0], other[0])


def test_made_up_music_is_learnt(run):
    _, history = run(
        epochs=6, batch_size=100, epoch_samples=1000, learning_rate=0.03, cosine_annealing=True
    )
    first, last = history.to_pylist()[0], history.to_pylist()[-1]
    assert last["train_loss"] < 0.6 * first["train_loss"]
    assert last["valid_loss"] < 0.7 * first["valid_loss"]
    assert last["valid_mrr"] > 3 * (1 / np.arange(1, 31)).mean()  # chance


# --- failures ----------------------------------------------------------------------------------
@pytest.mark.parametrize("spoiled", ["loss", "embeddings"])
def test_a_loss_that_is_no_number_is_named_and_the_checkpoint_kept(
    run, monkeypatch, tmp_path, spoiled
):
    def spoil():
        if spoiled == "loss":
            monkeypatch.setattr(train, "ranking_loss", lambda sheet, *_: sheet.sum() * torch.nan)
        else:
            monkeypatch.setattr(
                Network, "audio", lambda self, x: x.mean((1, 2))[:, :32] * torch.nan
            )

    interrupt_at(monkeypatch, train.Training, 4, spoil)
    with pytest.raises(FloatingPointError, match=r"epoch 2, batch 2.*lower.*checkpoint is kept"):
        run(checkpoint_minutes=60)
    state = torch.load(tmp_path / "run" / "weights.safetensors.state", weights_only=True)["state"]
    assert (state["epoch"], state["step"]) == (1, 0)


def test_a_batch_smaller_than_the_space_is_refused_before_any_work(tmp_path):
    with pytest.raises(ValueError, match=r"a batch of 32 .* take 33 or more"):
        train.train(
            ["no.file"], ["no.file"], "w", "h", model="BL2-SC",
            settings=Settings(epochs=1, batch_size=32),
        )  # fmt: skip


def test_an_unknown_model_is_refused_before_any_work():
    with pytest.raises(ValueError, match="BL3"):
        train.train(["no.file"], ["no.file"], "w", "h", model="BL3", settings=Settings(epochs=1))


def test_recordings_too_short_to_validate_are_named(run, shards):
    write_shard(shards[1][0], [performance("valid", split="valid", notes=5)])
    with pytest.raises(ValueError, match="no validation recording is long enough for 168 frames"):
        run(model="BL2-LC")


def test_shards_of_two_splits_are_refused(run, shards):
    write_shard(shards[0][0], [performance("a"), performance("b", split="valid")])
    with pytest.raises(ValueError, match=r"train\.parquet.*splits"):
        run()
