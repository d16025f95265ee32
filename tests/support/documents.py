"""The pages of the documentation, and the commands that they tell people to type."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELLS = ("", "sh", "bash", "console", "shell")  # languages of blocks of commands
ENDS = {"|", "||", "&&", ";", "&"}


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and text of the blocks of code of a page; commands have no language."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def written_in(text: str, language: str) -> list[str]:
    """The blocks of code of a page in one language."""
    return [block for kind, block in blocks(text) if kind == language]


def lines(block: str) -> list[str]:
    """The lines of a block of commands, without what is remarked behind them."""
    joined = block.replace("\\\n", " ").splitlines()
    return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined) if line]


def commands(text: str) -> list[list[str]]:
    """The commands of the shell blocks of a page, each as words."""
    return [
        words
        for language, block in blocks(text)
        if language in SHELLS
        for line in lines(block)
        for words in split(line)
    ]


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
    found = [part[: part.index(">")] if ">" in part else part for part in parts]
    return [part for part in found if part and part[0] not in ("for", "done")]
