"""Every command on a page is understood, by our command line, Snakemake's or the Makefile.

None is run here: tests/workflow/test_how_to.py runs them, or says why it does not.
"""

import contextlib
import re

import pytest
from cyclopts import MissingArgumentError
from snakemake.cli import get_argument_parser

from partimento import cli
from tests.support.documents import PAGES, ROOT, commands, split

OTHERS = {  # programs that are not ours
    "apptainer", "cd", "cp", "docker", "find", "git", "pip", "podman", "pre-commit", "pytest",
    "source", "zcat",
}  # fmt: skip
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def found() -> list:
    """Each command of each page, once."""
    seen: dict[tuple[str, ...], str] = {}
    for page in PAGES:
        for words in commands(page.read_text()):
            seen.setdefault(tuple(words), page.relative_to(ROOT).as_posix())
    return [
        pytest.param(words, id=f"{page}: {' '.join(words)[:70]}") for words, page in seen.items()
    ]


def values(words: tuple[str, ...]) -> list[str]:
    """Words with an argument in the place of what a shell would put there."""
    return [re.sub(r"\$\{?\w+\}?|\{[\w.,]+\}", "x", word) for word in words]


@pytest.mark.parametrize("words", found())
def test_a_command_on_a_page_is_understood(words, tmp_path, monkeypatch):
    program, *rest = values(words)
    if program in ("python", "python3") and rest[0] == "-m":
        program, *rest = rest[1:]
    if program == "partimento":
        for name in rest:  # files that are read while the words are
            if name.startswith("@") and not name.startswith("@/"):
                (tmp_path / name[1:]).write_text("a.parquet\n")
            if re.fullmatch(r"[\w-]+\.ya?ml", name):
                (tmp_path / name).write_text("epochs: 1\n")
            if name == "shards.json":
                (tmp_path / name).write_text('{"as written": ["a.parquet"]}')
        monkeypatch.chdir(tmp_path)
        if set(rest) & {"--help", "@/dev/stdin"} or not rest:
            return
        app, understood = cli.prepared([word for word in rest if word != "..."])
        shortened = MissingArgumentError if "..." in rest else ()
        with contextlib.suppress(shortened):
            app.parse_args(understood)
    elif program == "snakemake":
        get_argument_parser().parse_args(rest)
        for word in rest:
            assert not re.match(r"(config|profiles)/", word) or (ROOT / word).exists()
    elif program == "make":
        for word in rest:
            name, equals, value = word.partition("=")
            assert equals or name in TARGETS, word
            if name == "CONFIG" and value.startswith("config/"):
                assert all((ROOT / file).is_file() for file in value.split())
    elif program.startswith("benchmarks."):
        assert (ROOT / f"{program.replace('.', '/')}.py").is_file()
    else:
        assert program.rpartition("/")[2] in OTHERS


def test_a_wrong_option_would_be_found():
    app, words = cli.prepared(["publish", "data", "--output", "x"])
    with pytest.raises(cli.CycloptsError, match="output"):
        app.parse_args(words)


def test_lines_are_split_as_a_shell_does():
    line = 'A=1 make run CONFIG="a b" && for x in *; do partimento query "$x" > out; done # so'
    assert split(line) == [["make", "run", "CONFIG=a b"], ["partimento", "query", "$x"]]
