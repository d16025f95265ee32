"""Patience, restarts and learning rates of a training, epoch by epoch."""

import pytest

from models.retrieval.schedule import Course, Settings, after_epoch, learning_rate_at


def courses(scores: list[float], **changes) -> list[Course]:
    course, found = Course(), []
    for value in scores:
        course = after_epoch(course, value, Settings(epochs=300, **changes))
        found.append(course)
    return found


def test_patience_then_restarts_then_the_end():
    found = courses(
        [0.1, 0.3, 0.2, 0.3, 0.2, 0.2, 0.2, 0.4, 0.1, 0.1, 0.1, 0.1],
        patience=3,
        restarts=2,
        restart_patience=2,
    )
    #         better      tie          patience gone  restart         again  the end
    assert [c.waited for c in found] == [0, 0, 1, 0, 1, 2, 0, 0, 1, 0, 1, 2]
    assert [c.restarts for c in found] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [c.best for c in found] == [0.1, *[0.3] * 6, *[0.4] * 5]
    assert [c.over for c in found] == [False] * 11 + [True]


def test_without_restarts_patience_ends_the_training():
    assert [c.over for c in courses([0.1, 0.0, 0.0], patience=2, restarts=0)] == [
        False,
        False,
        True,
    ]


def test_an_annealed_training_has_no_patience():
    last = courses([0.1, *[0.0] * 200], cosine_annealing=True)[-1]
    assert (last.restarts, last.over) == (0, False)


def test_learning_rates():
    plain, annealed = (
        Settings(epochs=9, learning_rate=0.002),
        Settings(epochs=9, learning_rate=0.002, cosine_annealing=True),
    )
    assert [learning_rate_at(plain, n, 0.7) for n in range(3)] == pytest.approx([2e-3, 1e-3, 5e-4])
    rates = [learning_rate_at(annealed, 0, done) for done in (0, 1 / 3, 1 / 2, 2 / 3, 1)]
    assert rates == pytest.approx([2e-3, 1.5e-3, 1e-3, 0.5e-3, 0])
