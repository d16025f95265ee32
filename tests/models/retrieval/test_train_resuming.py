"""A training continues where it was stopped as though nothing happened, and from nothing else."""

import multiprocessing
import os
import signal

import pytest
import torch

from models.retrieval import sampling, train
from tests.support.performances import performance
from tests.support.quick import Quick, narrow, score
from tests.support.runs import TIMED
from tests.support.staves import write_shard
from tests.support.trainings import interrupt_at, killed_at, same


@pytest.mark.parametrize(
    ("step", "network", "precision"),
    [(1, Quick, "32-true"), (3, Quick, "32-true"), (4, narrow, "bf16-mixed")],
)
def test_a_killed_run_ends_with_the_same_weights(
    run, monkeypatch, tmp_path, step, network, precision
):
    changes = {"network": network, "precision": precision, "model": "BL2-SC+AT", "epochs": 2}
    whole, history = run("whole", **changes)
    with killed_at(monkeypatch, train.Training, step):
        run("killed", checkpoint_minutes=0, **changes)
    assert (tmp_path / "killed" / "weights.safetensors.state").exists() == (step > 1)
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    resumed, history_resumed = run("killed", **changes)
    assert same(whole, resumed)
    assert history.drop_columns(TIMED) == history_resumed.drop_columns(TIMED)


def test_a_run_killed_after_a_restart_ends_with_the_same_weights(run, monkeypatch):
    changes = {"patience": 1, "restarts": 1, "epochs": 4}
    score(monkeypatch, [0.5, 0.4, 0.6, 0.7])
    whole, _ = run("whole", **changes)
    with killed_at(monkeypatch, train.Training, 6):
        run("killed", checkpoint_minutes=0, **changes)
    resumed, history = run("killed", **changes)
    assert same(whole, resumed)
    assert history["restarts"].to_pylist() == [0, 0, 1, 1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends_with_a_sentence(run, monkeypatch, tmp_path, number):
    whole, _ = run("whole")
    before = signal.getsignal(number)
    with monkeypatch.context() as patched:
        interrupt_at(patched, train.Training, 3, lambda: os.kill(os.getpid(), number))
        with pytest.raises(SystemExit, match="epoch 2 after batch 1 of 2"):
            run("stopped", checkpoint_minutes=60)
    assert signal.getsignal(number) is before
    path = tmp_path / "stopped" / "weights.safetensors.state"
    state = torch.load(path, weights_only=True)["state"]
    assert (state["epoch"], state["step"]) == (1, 1)
    resumed, _ = run("stopped")
    assert same(whole, resumed)


def test_a_signal_to_all_processes_leaves_it_to_the_first_to_stop(run, monkeypatch):
    whole, _ = run("whole")

    def signal_all():
        for process in (*multiprocessing.active_children(), multiprocessing.current_process()):
            os.kill(process.pid, signal.SIGTERM)

    with monkeypatch.context() as patched:
        interrupt_at(patched, train.Training, 2, signal_all)
        with pytest.raises(SystemExit, match="epoch 1 after batch 2 of 2"):
            run("stopped", workers=1)
    resumed, _ = run("stopped", workers=1)
    assert same(whole, resumed)  # and a worker makes no difference


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.2},
        {"seed": 1},
        {"augmentation": sampling.Augmentation(shift_px=0)},
        {"model": "BL1-SC"},
    ],
)
def test_a_state_of_other_settings_is_refused(run, monkeypatch, changes):
    with killed_at(monkeypatch, train.Training, 3):
        run()
    name = next(iter(changes))
    with pytest.raises(ValueError, match=rf"state was written with different {name}; delete it"):
        run(**changes)


def test_a_state_of_other_data_is_refused(run, monkeypatch, shards):
    with killed_at(monkeypatch, train.Training, 3):
        run()
    write_shard(shards[0][0], [performance("other")])
    with pytest.raises(ValueError, match="different training data; delete it"):
        run()


def test_an_annealed_run_cannot_be_prolonged(run, monkeypatch):
    """Its rate so far was that of a run of another length; without annealing it can be."""
    for name, anneal in (("annealed", True), ("plain", False)):
        with killed_at(monkeypatch, train.Training, 3):
            run(name, cosine_annealing=anneal)
    with pytest.raises(ValueError, match="different epochs; delete it"):
        run("annealed", cosine_annealing=True, epochs=4)
    assert len(run("plain", epochs=4)[1]) == 4


def test_what_is_no_checkpoint_is_refused(run, tmp_path):
    state = tmp_path / "run" / "weights.safetensors.state"
    state.parent.mkdir()
    state.write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(
        ValueError, match=r"weights\.safetensors\.state is not a checkpoint .* delete"
    ):
        run()
