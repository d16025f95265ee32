"""Both trainings of the learning curve, on a collection of a few bars."""

import pytest

from benchmarks import learning_curve


@pytest.mark.slow
def test_both_trainings_have_a_curve(collection, monkeypatch, capsys):
    small = {"1000": "100", "2048": "128", "6": "2"}
    ways = {
        name: [small.get(word, word) for word in command]
        for name, command in learning_curve.WAYS.items()
    }
    monkeypatch.setattr(learning_curve, "WAYS", ways)
    monkeypatch.setattr("sys.argv", ["learning_curve", str(collection)])
    learning_curve.main()
    said = capsys.readouterr().out
    for name in ways:
        assert f"{name}: " in said
    assert said.count("pairs a second, validation included") == 2
