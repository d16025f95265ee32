"""Settings of a user are laid over the default's; what does not fit is said in one sentence."""

import json
import subprocess
import sys
import time

import pytest
import yaml

from pipeline.planning import settings


def fault(tmp_path, text: str) -> str:
    """The message about a file of settings."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        settings.complete(settings.read(path), [path])
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sed: 3", "sed: there is no such setting; did you mean 'seed'?"),
        ("collections: {tunes: {chunk: 3}}", "collections.tunes.chunk: there is no such setting;"
         " did you mean 'chunks'?"),
        ("chunks: 3", "chunks: there is no such setting here; it belongs to collections.NAME"),
        ("retrieval: {colour: red}", "retrieval.colour: there is no such setting; those here are"),
        ("seed: three", "seed: must be a whole number, not 'three'"),
        ("seed: null", "seed: must be a whole number, not null"),
        ("seed: true", "seed: must be a whole number, not true"),
        ("seed: .nan", "seed: nan is not a usable number"),
        ("max_failures: .inf", "max_failures: inf is not a usable number"),
        ("memory_mb: 1.0e+300", "memory_mb: 1e+300 is not a usable number"),
        ("seed: 2016-01-01", "seed: 2016-01-01 is read as a date; put it in quotes"),
        ("seed: !!binary aGk=", "seed: a value of the kind bytes is not a setting"),
        ("seed: !!set {a, b}", "seed: a value of the kind set is not a setting"),
        ("collections: 5", "collections: must be a group of settings, not 5"),
        ("collections: null", "collections: must be a group of settings, not null"),
        ("fonts: null", "fonts: must be a group of settings, not null"),
        ("fonts: []", "fonts: must be a group of settings, not []"),
        ("performances: null", "performances: must be a group of settings, not null"),
        ("collections: {tunes: {split: null}}", "collections.tunes.split: must be `source`"),
        ("collections: {tunes: {split: {train: 2}}}", "collections.tunes.split.train: must be at"
         " most 1, not 2"),
        ("collections: {tunes: {splits: [tets]}}", "collections.tunes.splits.0: must be one of"
         " train, valid, test, extra, not 'tets'; did you mean 'test'?"),
        ("collections: {tunes: {chunks: 100000}}", "collections.tunes.chunks: must be at most"
         " 10,000, not 100000"),
        ("collections: {mine: {source: x}}", "collections.mine: 'layout' is missing (`staves`"),
        ("collections: {..: {}}", "collections: '..' cannot be a name; letters, digits and dashes"),
        ("collections: {-x: {}}", "collections: '-x' cannot be a name"),
        ("collections: {a/b: {}}", "collections: 'a/b' cannot be a name"),
        ("fonts: {a b: {file: x}}", "fonts: 'a b' cannot be a name"),
        ("fonts: {.hidden: {file: x}}", "fonts: '.hidden' cannot be a name"),
        ('"se\\ned": 3', "'se\\ned': a key must be plain text"),
        ("1: 3", "1: a key must be plain text"),
        ("performances: {tempo_ratios: [1-2-3]}", "performances.tempo_ratios.0: '1-2-3' does not"
         " fit; expected a range is written slowest-fastest"),
        ("performances: {tempo_ratios: [0]}", "performances.tempo_ratios.0: must be above 0"),
        ("performances: {tempo_ratios: []}", "performances.tempo_ratios: must not be empty"),
        ("fonts: {electric: {collections: [pinao]}}", "fonts.electric.collections: 'pinao' is not"
         " one of tunes, piano; did you mean 'piano'?"),
        ("results: ''", "results: must not be empty"),
    ],
)  # fmt: skip
def test_setting_that_does_not_fit_is_named_with_its_remedy(tmp_path, text, sentence):
    lines = fault(tmp_path, text).splitlines()
    assert lines[0].removeprefix(f"{tmp_path / 'mine.yaml'}: ").startswith(sentence)
    assert len(lines) <= 5 and all(len(line) < 400 for line in lines)


def test_file_in_which_a_fault_stands_is_named(tmp_path):
    assert fault(tmp_path, "seed: x").endswith(f"(in {tmp_path / 'mine.yaml'})")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", r"mine.yaml: not readable as YAML \(line 1, column"),
        ("- 1", "mine.yaml: settings are written as 'key: value' lines"),
        ("just text", "mine.yaml: settings are written as 'key: value' lines"),
        ("a: !!python/object:os.system {}", "mine.yaml: not readable as YAML"),
        ("[" * 5_000, "mine.yaml: not readable as YAML"),
        ("{a: " * 30 + "1" + "}" * 30, "mine.yaml: settings are nested deeper than 20 levels"),
        ("a: &a [*a]", "mine.yaml: settings are nested deeper than 20 levels"),
        ("a: &a {b: *a}", "mine.yaml: settings are nested deeper than 20 levels"),
        ("#" * 2_000_000, "mine.yaml: larger than 1,000,000 bytes"),
    ],
)
def test_file_that_is_not_settings_is_named(tmp_path, text, sentence):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        settings.read(path)


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_alias_bomb_is_refused_at_once(tmp_path, brackets):
    left, right = brackets
    lines = ["a0: &a0 1"]
    for level in range(1, 16):
        inner = ", ".join(
            f"*a{level - 1}" if left == "[" else f"k{n}: *a{level - 1}" for n in range(10)
        )
        lines.append(f"a{level}: &a{level} {left}{inner}{right}")
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    begun = time.monotonic()
    with pytest.raises(ValueError, match="more than 20,000 values, its aliases spelled out"):
        settings.read(path)
    assert time.monotonic() - begun < 2


def test_aliases_that_people_write_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("fonts:\n a: &font {file: x.sf2, preset: 1}\n b: {<<: *font, preset: 2}\n")
    assert settings.read(path)["fonts"] == {
        "a": {"file": "x.sf2", "preset": 1},
        "b": {"file": "x.sf2", "preset": 2},
    }


def test_default_fits_its_schema_and_says_nothing():
    found, said = settings.complete({})
    assert said == []
    assert found["collections"]["piano"]["repeats"] == "unfold"
    assert found["fonts"]["TimGM6mb"] == {
        "file": "pretty_midi:TimGM6mb.sf2", "bank": 0, "preset": 0,
    }  # fmt: skip


def test_key_that_stands_twice_is_refused_since_the_first_would_be_lost(tmp_path):
    text = "fonts: {steinway: {file: a.sf2}}\nseed: 1\nfonts: {electric: null}\n"
    assert "line 1, column 1: 'fonts' is there twice" in fault(tmp_path, text)
    assert "'a' is there twice" in fault(tmp_path, "fonts: {a: {file: x}, a: {file: y}}")
    path = tmp_path / "merged.yaml"
    path.write_text("a: &a {x: 1}\nb: &b {y: 2}\nc: {<<: *a, <<: *b, x: 3}\n")
    assert settings.read(path)["c"] == {"x": 3, "y": 2}


def test_values_of_a_command_line_are_read_as_in_a_file():
    """Snakemake's `--config` gives what stands inside groups, and null, as text."""
    given = {
        "retrieval": "null", "collections": {"piano": "null", "tunes": {"chunks": "3"}},
        "performances": {"tempo_ratios": ["0.5", "0.9-1.1"], "keep_audio": "false"},
        "memory_mb": "null",
    }  # fmt: skip
    found, _ = settings.complete(given)
    assert found["retrieval"] is None and found["memory_mb"] is None
    assert list(found["collections"]) == ["tunes"] and found["collections"]["tunes"]["chunks"] == 3
    assert found["performances"]["tempo_ratios"] == [0.5, "0.9-1.1"]
    assert found["performances"]["keep_audio"] is False


def test_whole_numbers_with_a_point_are_whole_numbers():
    found, _ = settings.complete({"collections": {"tunes": {"chunks": 2.0}}, "seed": 7.0})
    assert isinstance(found["collections"]["tunes"]["chunks"], int)
    assert isinstance(found["seed"], int)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"max_failures": ".nan"}, "max_failures: nan is not a usable number"),
        ({"unconfined": "no"}, "unconfined: must be one of warn, refuse, not 'no'"),
        ({"collections": {"tunes": {"metre": "6:8"}}}, "collections.tunes.metre: '6:8' does not"),
    ],
)
def test_text_that_is_no_better_as_a_value_stays_text(given, sentence):
    with pytest.raises(ValueError) as error:
        settings.complete(given)
    assert str(error.value).startswith(sentence)


def test_null_as_text_is_null_where_text_would_be_read_too():
    found, _ = settings.complete({"container": "null", "collections": {"tunes": {"track": "null"}}})
    assert found["container"] is None and found["collections"]["tunes"]["track"] is None


def test_file_is_named_only_for_what_it_says(tmp_path):
    """The faulty value comes from a command line, the file has another one."""
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 3\n")
    with pytest.raises(ValueError) as error:
        settings.complete({"seed": "three"}, [path])
    assert str(error.value) == "seed: must be a whole number, not 'three'"
    path.write_text("retrieval: {test_font: bright}\n")
    with pytest.raises(ValueError) as error:
        settings.complete({"retrieval": 5}, [path])
    assert str(error.value) == "retrieval: must be a group of settings or null, not 5"


def test_null_takes_an_entry_away_and_others_stay():
    found, _ = settings.complete({"fonts": {"bright": None}, "retrieval": None})
    assert list(found["fonts"]) == ["TimGM6mb", "electric"]
    assert found["retrieval"] is None


CONFIGS = [  # of the project, each on top of the ones before it
    ["nottingham"],
    ["asap"],
    ["human"],
    ["msmd", "msmd-segments", "msmd-extra", "msmd-second"],
    ["msmd", "msmd-segments", "msmd-third"],
    ["msmd", "msmd-segments", "msmd-fourth"],
    ["msmd", "msmd-two-cores"],
]


@pytest.mark.parametrize(
    "names",
    sorted({tuple(names[:count]) for names in CONFIGS for count in range(1, len(names) + 1)}),
    ids=lambda names: names[-1],
)
def test_configs_of_the_project_fit(monkeypatch, tmp_path, names):
    """Files on top of others, too, as their first lines say."""
    monkeypatch.chdir(tmp_path)
    files = [settings.PROJECT / f"config/{name}.yaml" for name in names]
    assert settings.load(files)["results"] == f"results/{names[0]}"
    command = " ".join(f"config/{name}.yaml" for name in names)
    assert len(names) == 1 or f'CONFIG="{command}"' in files[-1].read_text()


def test_every_config_of_the_project_is_tried():
    tried = {name for names in CONFIGS for name in names}
    assert tried | {"schema"} == {path.stem for path in settings.PROJECT.glob("config/*.yaml")}


def test_later_files_lie_on_top_and_the_folders_own_below(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("config.yaml", 1), ("a.yaml", 2), ("b.yaml", 3)):
        (tmp_path / name).write_text(f"seed: {seed}\nresults: {name[0]}\n")
    (tmp_path / "b.yaml").write_text("seed: 3")
    found = settings.load(["a.yaml", "b.yaml"])
    assert (found["seed"], found["results"]) == (3, "a")
    assert settings.load()["seed"] == 1


@pytest.mark.parametrize("order", [["old", "new"], ["new", "old"]])
def test_earlier_names_of_settings_hold_as_their_present_ones(tmp_path, order):
    texts = {"old": {"take": 0.5, "batches": 7}, "new": {"fraction": 0.25, "chunks": 3}}
    files, merged = [], {}
    for name in order:
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump({"collections": {"tunes": texts[name]}}))
        merged = settings.merge(merged, settings.read(files[-1]))
    found, said = settings.complete(merged, files)
    tunes = found["collections"]["tunes"]
    assert (tunes["fraction"], tunes["chunks"]) == ((0.25, 3) if order[1] == "new" else (0.5, 7))
    assert said[0] == "collections.tunes.take: this setting is now called 'fraction'"


def test_one_setting_is_printed_as_it_is(tmp_path):
    (tmp_path / "config.yaml").write_text('results: "it\'s $(x)"')

    def printed(key: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "partimento", "settings", key]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True,
            env={"PYTHONPATH": str(settings.PROJECT), "PATH": ""},
        )  # fmt: skip

    assert printed("results").stdout == "it's $(x)\n"
    assert json.loads(printed("collections.tunes.durations").stdout)[0] == 0.25
    assert printed("result").stderr == (
        "error: result: 'result' is not one of "
        + ", ".join(settings.complete({})[0])
        + "; did you mean 'results'?\n"
    )
