"""Gather a LilyPond file with all files that it includes, and convert them to the current syntax.

Nothing is compiled here, and the user's files are not changed.
"""

import os
import posixpath
import re
import stat
import tempfile
from collections import deque
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pipeline.reading.listing import files_below, read_file
from pipeline.sandbox import lilypond

MAIN = ".ly"
SUFFIXES = (MAIN, ".ily")  # in small letters, as all of them are compared
# Of a piece with its includes, and bytes of one file; the largest of Mutopia has 1.5 million.
MAX_CHARACTERS = 20_000_000
FILES_A_CALL = 64  # of convert-ly, whose start takes as long as some ten files
SECONDS_A_FILE = 20

# Every expression takes time in proportion to the text, whatever the text is: what may repeat never
# gives back what it took (*+, ++), and a string that is not closed is read once, to the end.
STRING = r'"(?:[^"\\]++|\\.)*+"'
_UNCLOSED = r'"(?:[^"\\]++|\\.)*+\\?\Z'
_COMMENT = r"%\{.*?(?:%\}|\Z)|%[^\n]*"
_PARTS = re.compile(f"({STRING})|({_UNCLOSED})|{_COMMENT}", re.DOTALL)
_COMMENTS = re.compile(_COMMENT, re.DOTALL)
_INCLUDE = re.compile(r'\\include\s*+#?+\s*+"([^"]++)"')
_VERSION = re.compile(r'\\version\s*+#?+\s*+"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?')
# A setting was music that a context could be given; convert-ly has no rule for it.
_SETTING_ALONE = re.compile(
    r'(\\(?:context|new)\s++\w++\s*+=\s*+#?"[^"]*+")(?=\s++\\(?:once|override|revert|set|unset)\b)'
)
_BRACES = re.compile(rf"{STRING}|\{{\{{*|\}}\}}*|<<(?:<<)*|>>(?:>>)*", re.DOTALL)
_BLOCK = re.compile(r"\\(header|paper|layout|midi)\Z")
_SIMPLE = re.compile(rf"=\s*+#*+(?:{STRING}|[\d.]++|[tf]\b)", re.DOTALL)  # `x = 1` names a value
_NAME_ENDS = re.compile(r"[\w\"'.-]\Z")


def decode(content: bytes) -> str:
    """The text of a file: UTF-8, or Latin-1 as LilyPond read it before 2.6."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def code(text: str) -> str:
    """A file without its comments. Quotes that open a string which is never closed become '."""

    def kept(match: re.Match) -> str:
        if match[2]:
            return _COMMENTS.sub(" ", match[2]).replace('"', "'")
        return match[1] or " "

    return _PARTS.sub(kept, text)


def strings(text: str) -> list[str]:
    """What stands between quotes in a text, in order."""
    found = re.finditer(f"({STRING})|{_UNCLOSED}", text, re.DOTALL)
    return [match[1][1:-1] for match in found if match[1]]


def includes(text: str) -> list[str]:
    """Names that a file includes, in order."""
    return _INCLUDE.findall(code(text)) if "\\include" in text else []


@cache
def own_includes() -> frozenset[str]:
    """Names of the include files that come with LilyPond, such as `english.ly`."""
    share = Path(lilypond.program()).resolve().parent.parent / "share" / "lilypond"
    return frozenset(path.name for path in share.glob("*/ly/*.ly"))


class Folder(Mapping):
    """The files of a folder by name relative to it, read on access.

    Files outside of the folder that a link leads to do not count. Reading raises ValueError if a
    file cannot be read or is too large.
    """

    def __init__(self, root: Path):
        self.root = os.path.realpath(root)
        self.resolved = cache(os.path.realpath)  # asked for a tree's few folders, not its files

    def _path(self, name: str) -> str | None:
        """The path of a file; None if it does not exist or lies outside."""
        folder, base = posixpath.split(name)
        path = f"{self.resolved(f'{self.root}/{folder}')}/{base}"
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                path = os.path.realpath(path)
                mode = Path(path).stat().st_mode
        except OSError:
            return None
        return path if stat.S_ISREG(mode) and path.startswith(f"{self.root}/") else None

    def __contains__(self, name) -> bool:
        return self._path(name) is not None

    def __getitem__(self, name: str) -> bytes:
        if (path := self._path(name)) is None:
            raise KeyError(name)
        try:
            content = read_file(path, MAX_CHARACTERS)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if len(content) > MAX_CHARACTERS:
            raise ValueError(f"{name}: more than {MAX_CHARACTERS:,} bytes, more than any score has")
        return content

    def __iter__(self):
        names = files_below(self.root, [""])
        return (name for name in names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _beside(name: str, folders: Iterable[str], files: Mapping[str, bytes]) -> str | None:
    """The included file, in the first of some folders that has it."""
    paths = (posixpath.normpath(posixpath.join(folder, name)) for folder in folders)
    return next((path for path in paths if path in files), None)


def _namesake(name: str, folder: str, files: Iterable[str], within: str) -> str | None:
    """The file under the folder `within` whose path ends like an include, in any case of letters.

    Of several, the one whose path shares most with `folder`.
    """
    ending = "/" + posixpath.normpath(name).replace("../", "").lower()
    found = [p for p in files if p.startswith(within) and f"/{p}".lower().endswith(ending)]

    def apart(path: str) -> tuple[int, int, str]:
        return -len(posixpath.commonpath([folder or ".", path])), path.count("/"), path

    return min(found, key=apart, default=None)


def gather(
    main: str, files: Mapping[str, bytes], own: Iterable[str], within: str | None = None
) -> dict[str, str]:
    """Find all files that a file includes, directly or not: name in the tree, by name for LilyPond.

    An include is looked for beside the file that names it, then in the folder of `main`, then, if
    `within` is given, anywhere below that folder; it takes the name under which LilyPond looks for
    it first. Includes that are not beside and whose name is in `own` come with LilyPond.

    Args:
        main: the file to compile, a key of `files`.
        files: content by name relative to the root of the tree.
        own: names of the include files that come with LilyPond.
        within: a folder of the tree.

    Raises:
        ValueError: if a file is missing, cannot be read, or lies outside of the tree.
    """
    found: dict[str, str] = {}
    waiting = deque([(main, main)])
    while waiting:
        name, place = waiting.popleft()
        if name in found:
            continue
        found[name] = place
        inner = []
        for include in dict.fromkeys(includes(decode(files[place]))):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), include))
            if posixpath.isabs(target) or target.split("/")[0] == "..":
                raise ValueError(f"{place} includes {include}, which lies outside its source")
            folder = posixpath.dirname(name)
            path = _beside(include, [folder, posixpath.dirname(place)], files)
            if path is None and include not in own:
                path = _beside(include, [posixpath.dirname(main)], files)
                if path is None and within is not None:
                    path = _namesake(include, folder, files, within)
                if path is None:
                    raise ValueError(f"{place} includes {include}, which is not there")
            if path is not None:
                inner.append((target, path))
        waiting.extendleft(reversed(inner))
    return found


def included(name: str, files: Mapping[str, bytes]) -> set[str]:
    """The files that a file of a tree includes, itself not counted; none if it cannot be read."""
    folders = [posixpath.dirname(name)]
    try:
        content = files[name]
    except (KeyError, ValueError):
        return set()
    found = {_beside(include, folders, files) for include in includes(decode(content))}
    return found - {None, name}


def texts_of(
    main: str, files: Mapping[str, bytes], own: Iterable[str], within: str | None = None
) -> dict[str, str]:
    """The texts of a file and its includes, by name relative to their common folder.

    Arguments are those of `gather`.

    Raises:
        ValueError: if a file is missing or cannot be read, or the texts are too long or hold no
            music.
    """
    found = gather(main, files, own, within)
    texts = {name: decode(files[place]) for name, place in found.items()}
    if (length := sum(map(len, texts.values()))) > MAX_CHARACTERS:
        raise ValueError(f"{length:,} characters, more than any score has")
    if not any(map(has_music, texts.values())):
        raise ValueError("no score and no music in it")
    root = posixpath.commonpath([posixpath.dirname(name) for name in texts])
    return {posixpath.relpath(name, root or "."): text for name, text in texts.items()}


def has_music(text: str) -> bool:
    """Whether a file has a score block, or music that is not only assigned to a variable."""
    text = code(text)
    if re.search(r"\\score(?![A-Za-z])", text):
        return True
    depth, start = 0, 0
    for braces in _BRACES.finditer(text):
        if braces[0][0] in "{<":
            if not depth and not _named_or_block(text[start : braces.start()]):
                return True
            depth += _count(braces[0])
        elif braces[0][0] in "}>":
            depth, start = max(0, depth - _count(braces[0])), braces.end()
    return False


def _count(braces: str) -> int:
    return len(braces) if braces[0] in "{}" else len(braces) // 2


def _named_or_block(before: str) -> bool:
    """Whether what follows is given a name, or is a block that holds no music."""
    before = _SIMPLE.sub("", before)
    name, assigned, _ = before.rpartition("=")
    return bool(_BLOCK.search(before.rstrip()) or (assigned and _NAME_ENDS.search(name.rstrip())))


def version(text: str) -> str | None:
    """The version of LilyPond that a file states, with three numbers; None if it states none."""
    match = _VERSION.search(code(text))
    return match and ".".join(number or "0" for number in match.groups())


def convert(pieces: list[dict[str, str]]) -> list[dict[str, str]]:
    """Convert the files of many pieces to the current LilyPond syntax with convert-ly.

    A file without a version takes that of its piece. A file that convert-ly cannot read, and a
    piece that states no version, stay as they are: LilyPond then reports what is wrong. A setting
    that is a context's only music, for which convert-ly has no rule, is moved behind the context.

    Args:
        pieces: for each piece its texts by name, the compiled one first.

    Returns:
        The same with converted texts.
    """
    converted: dict[tuple[str, str | None], str] = {}  # by text and version
    ages = []
    for texts in pieces:
        known = [version(text) for text in texts.values()]
        main = next(filter(None, known), None)
        ages.append([age or main for age in known])
        converted.update(
            {(text, age): text for text, age in zip(texts.values(), ages[-1], strict=True)}
        )
    calls: dict[str, list[tuple[str, str]]] = {}  # by what convert-ly is to be told
    for text, age in converted:
        if age:
            calls.setdefault("" if _named(text) == age else age, []).append((text, age))
    for told, keys in calls.items():
        for start in range(0, len(keys), FILES_A_CALL):
            part = keys[start : start + FILES_A_CALL]
            new = _converted([text for text, _ in part], told)
            converted.update(zip(part, new, strict=True))
    return [
        {
            name: _SETTING_ALONE.sub(r"\1 { }", converted[text, age])
            for (name, text), age in zip(texts.items(), known, strict=True)
        }
        for texts, known in zip(pieces, ages, strict=True)
    ]


def _named(text: str) -> str | None:
    """The version that convert-ly itself finds in a file."""
    match = re.search(r'\\version *"(\d+\.\d+\.\d+)"', text)
    return match and match[1]


def _stops(said: str) -> dict[int, str]:
    """Files by number that convert-ly gave up, each with the last rule that it tried."""
    stops = {}
    for part in said.split("Processing `")[1:]:
        number = re.match(r"(\d{1,9})\.ly'", part)
        tried, stopped, _ = part.partition("Stopping at")
        rules = [line.rstrip(" ")[-20:] for line in tried.split("\n")[:-1]]
        rule = next(filter(None, (re.search(r"([\d.]+),\Z", line) for line in rules)), None)
        if number and stopped and rule:
            stops[int(number[1])] = rule[1]
    return stops


def _converted(texts: list[str], age: str) -> list[str]:
    """Convert texts of one version (empty: the one that each states) in one call of convert-ly.

    A text on which it fails stays as it is. If it stops at a rule that needs a human, the text is
    converted from that rule on.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.ly") for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        said = lilypond.tool(
            "convert-ly",
            ["--edit", *([f"--from={age}"] if age else []), *[path.name for path in paths]],
            Path(folder),
            SECONDS_A_FILE * len(paths),
        )
        # convert-ly keeps a backup of what it has converted; the rest may have ended it
        done = [Path(f"{path}~").exists() for path in paths]
        new = [path.read_text() for path in paths]
    stops = _stops(said)
    result = []
    for number, before in enumerate(texts):
        if not done[number]:
            result.append(before if len(texts) == 1 else _converted([before], age)[0])
        elif (rule := stops.get(number)) and rule != age:
            result.append(_converted([new[number]], rule)[0])
        else:
            result.append(new[number])
    return result
