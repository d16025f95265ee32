"""Training of our network: it resumes as though nothing had happened; its rate rises and falls."""

import pytest

from models.score_following import train_matching
from models.score_following.train_matching import MatchingSettings, MatchingTraining
from tests.support.staves import narrow_matching, performance
from tests.support.trainings import killed_at, same, train_into, write_shards

SMALL = {"batch_size": 8, "epoch_samples": 24, "precision": "32-true", "valid_samples": 10}


@pytest.fixture
def run(tmp_path, few_threads, monkeypatch):
    """Trains into a folder; returns weights and history."""
    shards = write_shards(
        tmp_path,
        [performance(f"train{n}", seed=n) for n in range(4)],
        [performance("valid", split="valid", seed=9)],
    )
    monkeypatch.setattr(train_matching, "PT", narrow_matching)

    def runs(name, checkpoint_minutes=10.0, **changes):
        return train_into(
            tmp_path / name,
            train_matching.train_matching,
            shards,
            settings=MatchingSettings(**({"epochs": 3} | SMALL | changes)),
            checkpoint_minutes=checkpoint_minutes,
        )

    return runs


@pytest.mark.parametrize(("step", "precision"), [(4, "32-true"), (6, "32-true"), (8, "bf16-mixed")])
def test_a_killed_run_ends_with_the_same_weights(run, monkeypatch, step, precision):
    whole, history = run("whole", precision=precision)
    with killed_at(monkeypatch, MatchingTraining, step):
        run("killed", checkpoint_minutes=0, precision=precision)
    resumed, history_resumed = run("killed", precision=precision)
    assert same(whole, resumed)
    assert history.drop_columns("seconds") == history_resumed.drop_columns("seconds")


def test_a_resumed_run_must_have_as_many_epochs(run, monkeypatch):
    with killed_at(monkeypatch, MatchingTraining, 5):
        run("run", checkpoint_minutes=0)
    with pytest.raises(ValueError, match="with different epochs; delete it"):
        run("run", epochs=4)


def test_learning_rate_rises_at_first_and_falls_to_zero(run):
    class Half(MatchingTraining):
        def __init__(self):
            self.settings, self.steps = MatchingSettings(epochs=4, learning_rate=2.0), 50

    rates = [Half().learning_rate(*divmod(number, 50)) for number in range(200)]
    assert rates.index(max(rates)) == 9  # a twentieth of 200 steps
    assert max(rates) == pytest.approx(2.0, rel=0.02)
    assert rates[100] == pytest.approx(1.0)
    assert 0 < rates[-1] < 0.001


def test_sound_is_varied_in_training_alone(run, monkeypatch):
    seen = []

    def record(excerpts, level_db, equaliser_db):
        seen.append((len(excerpts), level_db, equaliser_db))
        return excerpts

    monkeypatch.setattr(train_matching, "vary_sound", record)
    run("run", epochs=1, level_db=1.5, equaliser_db=0.5)
    assert seen == [(8, 1.5, 0.5)] * 3
