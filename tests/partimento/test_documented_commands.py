"""Every command on a page is understood, by our command line, Snakemake's or the Makefile.

None is run here. Those of docs/api.md, of docs/regenerate.md and the evaluation of docs/commands.md
run in tests of their own.
"""

import contextlib
import re
import shlex
from pathlib import Path

import pytest
from cyclopts import MissingArgumentError
from snakemake.cli import get_argument_parser

from partimento import cli
from tests.partimento.test_documentation import blocks

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = ("", "sh", "bash", "console", "shell")
OTHERS = {  # programs that are not ours
    "apptainer", "cd", "docker", "find", "git", "pip", "podman", "pre-commit", "pytest", "source",
    "zcat", "done",
}  # fmt: skip
ENDS = {"|", "||", "&&", ";", "&"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def commands(text: str) -> list[list[str]]:
    """The commands of the shell blocks of a page, each as words."""
    found = []
    for language in LANGUAGES:
        for block in blocks(text, language):
            for line in block.replace("\\\n", " ").splitlines():
                found += split(line)
    return found


def split(line: str) -> list[list[str]]:
    """The commands of a line, without assignments, loops and what it is redirected to."""
    parts: list[list[str]] = [[]]
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    for word in lexer:
        if word in ENDS:
            parts.append([])
        elif word == "do" and not parts[-1]:
            continue
        elif parts[-1] or not re.fullmatch(r"\w+=.*", word):
            parts[-1].append(word)
    commands = [part[: part.index(">")] if ">" in part else part for part in parts]
    return [part for part in commands if part and part[0] != "for"]


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
    assert split(line) == [["make", "run", "CONFIG=a b"], ["partimento", "query", "$x"], ["done"]]
