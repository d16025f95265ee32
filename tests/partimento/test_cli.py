"""The command line: what people type, and what the functions behind it are given."""

import inspect
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from partimento import cli, commands
from partimento.commands import COMMANDS


@dataclass
class Augmentation:
    """How examples are changed.

    Attributes:
        shift_px: Vertical shift.
    """

    shift_px: int = 5


@dataclass
class Settings:
    """How to train.

    Attributes:
        epochs: How many epochs.
        learning_rate: Of the first epoch.
        augmentation: Of training examples.
    """

    epochs: int
    learning_rate: float = 0.1
    augmentation: Augmentation = field(default_factory=Augmentation)


def train(
    shards_train: list[Path | str],
    settings: Settings,
    out: Path,
    *,
    splits: list[str] | None = None,
    shares: dict[str, float] | None,
    everything: dict | None = None,
    looks: list[dict] | None = None,
    parts: str | list = "all",
    network: Callable[[], object] = dict,
) -> None:
    """Train a network.

    Args:
        shards_train: Parquet files.
        settings: How to train.
        out: The weights file.
        splits: Names of splits.
        shares: Of the splits.
        everything: Of a config.
        looks: Of a config.
        parts: Of a config.
        network: For tests.
    """
    GIVEN.update(locals())


def fail() -> None:
    """Fail."""
    raise ValueError("the shards hold no onset")


GIVEN: dict = {}


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """Commands of this module instead of those that the project has."""
    GIVEN.clear()
    named = {
        name: commands.Command(commands.PEOPLE, f"{__name__}:{target}", "Help.")
        for name, target in {
            "train": "train",
            "fail": "fail",
            "retrieval re-train": "train",
        }.items()
    }
    monkeypatch.setattr(cli, "COMMANDS", named)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


def given(*words: str) -> dict:
    cli.run(list(words))
    return GIVEN


def message(*words: str, monkeypatch, capsys) -> str:
    """What a failing command prints; it exits with code 1."""
    monkeypatch.setattr(sys, "argv", ["partimento", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert isinstance(stopped.value.code, str), "a message is printed and the exit code is 1"
    return stopped.value.code


SETTINGS = ("--settings.epochs", "3")


def test_the_first_argument_takes_several_paths_without_a_flag():
    assert given("train", "a.parquet", "b.parquet", "--out", "w", *SETTINGS)["shards_train"] == [
        Path("a.parquet"),
        Path("b.parquet"),
    ]


@pytest.mark.parametrize("flag", ["--shards-train", "--shards_train"])
def test_flags_take_several_values_and_may_be_written_with_underscores(flag):
    found = given("train", flag, "a", "b", "--splits", "train", "test", "--out", "w", *SETTINGS)
    assert found["shards_train"] == [Path("a"), Path("b")]
    assert found["splits"] == ["train", "test"]


def test_a_file_may_list_the_paths(tmp_path):
    listed = tmp_path / "shards.txt"
    listed.write_text("".join(f"shards/{number}.parquet\n" for number in range(10_000)))
    found = given("train", f"@{listed}", "--out", "w", *SETTINGS)
    assert found["shards_train"][-1] == Path("shards/9999.parquet")


@pytest.mark.parametrize("name", ["mine.yaml", "mine.json"])
@pytest.mark.parametrize("equals", [True, False])
def test_settings_come_from_a_file_and_single_ones_beside_it(tmp_path, name, equals):
    file = tmp_path / name
    file.write_text('{"epochs": 4, "augmentation": {"shift_px": 9}}')
    words = [f"--settings={file}"] if equals else ["--settings", str(file)]
    found = given("train", "a", "--out", "w", *words, "--settings.learning-rate", "0.5")
    assert found["settings"] == Settings(4, 0.5, Augmentation(9))


def test_a_mapping_without_types_keeps_those_of_the_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("{seed: 1, container: null, fonts: {bright: {splits: [test]}}}")
    found = given("train", "a", "--out", "w", *SETTINGS, "--everything", str(file))
    assert found["everything"] == {
        "seed": 1, "container": None, "fonts": {"bright": {"splits": ["test"]}}
    }  # fmt: skip


def test_a_list_without_types_is_json_or_a_word(tmp_path):
    file = tmp_path / "looks.yaml"
    file.write_text("[{staff_mm: 7, font: null}, {}]")
    words = ["train", "a", "--out", "w", *SETTINGS, "--looks", str(file)]
    assert given(*words)["looks"] == [{"staff_mm": 7, "font": None}, {}]
    assert given(*words, "--parts", "first")["parts"] == "first"
    assert given(*words, "--parts", '["Piano", 2]')["parts"] == ["Piano", 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file of settings"),
        ("words", "a name and a value on each line"),
        ("{", "neither JSON nor YAML"),
        ("Müller", "mine.yaml: not UTF-8 text"),
        ("epoch: 4", 'Unknown field "epoch"'),
        ("epochs: many", 'unable to convert "many" into int'),
    ],
)
def test_a_bad_file_of_settings_is_told_in_one_line(tmp_path, monkeypatch, capsys, text, said):
    file = tmp_path / "mine.yaml"
    if text is not None:
        file.write_text(text, encoding="latin-1")
    told = message(
        "train", "a", "--out", "w", "--settings", str(file), monkeypatch=monkeypatch, capsys=capsys
    )
    assert said in told
    assert "\n" not in told


def test_an_argument_that_may_be_none_is_optional():
    assert given("train", "a", "--out", "w", *SETTINGS)["shares"] is None


def test_what_only_code_can_pass_is_no_flag(monkeypatch, capsys):
    told = message("train", "a", "--network", "dict", monkeypatch=monkeypatch, capsys=capsys)
    assert "Unknown option: --network" in told
    given("train", "--help")
    assert "network" not in capsys.readouterr().out.lower().replace("train a network.", "")


def test_help_has_the_sentences_of_the_docstring(capsys):
    given("train", "--help")
    said = capsys.readouterr().out
    for sentence in ("Parquet files.", "The weights file.", "Of the first epoch."):
        assert sentence in said


def test_an_expected_error_is_one_sentence(monkeypatch, capsys):
    said = message("fail", monkeypatch=monkeypatch, capsys=capsys)
    assert said == "error: the shards hold no onset"


def test_an_unknown_command_suggests_the_nearest(monkeypatch, capsys):
    assert 'Did you mean "train"?' in message("trian", monkeypatch=monkeypatch, capsys=capsys)
    assert 'Did you mean "re-train"?' in message(
        "retrieval", "retrain", monkeypatch=monkeypatch, capsys=capsys
    )


def test_commands_may_be_written_with_underscores():
    assert given("retrieval", "re_train", "a", "--out", "w", *SETTINGS)["out"] == Path("w")


def test_help_of_all_imports_no_command():
    """Not even slow packages of theirs: it answers in a fraction of a second."""
    code = """
import sys
from partimento import cli
cli.run(["--help"])
heavy = {"torch", "numpy", "pandas", "pyarrow", "snakemake", "music21"} & sys.modules.keys()
assert not heavy, heavy
"""
    start = time.process_time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert name.split()[0] in done.stdout
    assert time.process_time() - start < 1


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_of_every_command_has_a_sentence(name, monkeypatch):
    monkeypatch.undo()
    app, functions = cli.application(name.split())
    (function,) = functions.values()
    assert inspect.getdoc(function)
    for word in name.split():
        app = app[word]
    arguments = app.assemble_argument_collection(parse_docstring=True)
    untold = [a.name for a in arguments if a.show and not a.parameter.help]
    assert not untold
