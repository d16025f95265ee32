"""Both trainings of the learning curve, on a collection of a few bars."""

import pytest

from benchmarks import learning_curve
from tests.support.performances import performance
from tests.support.staves import write_shard


@pytest.mark.slow
def test_both_trainings_have_a_curve(tmp_path, monkeypatch, capsys):
    for split in ("train", "valid"):
        rows = [performance(f"{split}{n}", split=split, notes=120, seed=n) for n in range(2)]
        path = tmp_path / f"shards/{split}/a.parquet"
        path.parent.mkdir(parents=True)
        write_shard(path, rows)
    small = {"1000": "100", "2048": "128", "6": "2"}
    ways = {
        name: [small.get(word, word) for word in command]
        for name, command in learning_curve.WAYS.items()
    }
    monkeypatch.setattr(learning_curve, "WAYS", ways)
    monkeypatch.setattr("sys.argv", ["learning_curve", str(tmp_path)])
    learning_curve.main()
    said = capsys.readouterr().out
    for name in ways:
        assert f"{name}: " in said
    assert said.count("pairs a second, validation included") == 2
