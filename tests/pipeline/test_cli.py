"""Lists of paths on a command line: short on their way, whole on arrival."""

import pytest

from pipeline import cli

BATCHES = [f"shards/train/grand-0.9-1.1-{number}.parquet" for number in range(12)]


def test_the_batches_of_a_performance_are_one_word():
    assert cli.short(BATCHES) == ["shards/train/grand-0.9-1.1-0..11.parquet"]


@pytest.mark.parametrize(
    "value",
    [
        BATCHES,
        [*BATCHES, *(path.replace("grand", "upright") for path in BATCHES)],
        BATCHES[:3] + BATCHES[7:],
        BATCHES[::-1],
        ["07.parquet", "08.parquet", "8.parquet", "9.parquet"],  # a name is more than its number
        ["pieces.csv", "0.parquet", "1.parquet", "other/2.parquet"],
        {"train": BATCHES, "test": []},
        [1, 2, 3],
        [],
        "fixed",
        0.5,
        None,
    ],
)
def test_what_arrives_is_what_was_sent(value):
    assert cli.whole(cli.short(value)) == value


def test_ten_thousand_batches_fit_a_command_line():
    paths = [f"results/data/piano/shards/train/grand-1.0-{n}.parquet" for n in range(10_000)]
    assert len(cli.short(paths)[0]) < 100


def test_a_command_is_given_the_whole_list(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["x", "shown", "--paths", '["a/0..2.parquet", "b"]'])
    cli.run({"shown": "tests.pipeline.test_cli:shown"})
    assert capsys.readouterr().out == "a/0.parquet a/1.parquet a/2.parquet b\n"


def shown(paths: list[str]) -> None:
    print(*paths)
