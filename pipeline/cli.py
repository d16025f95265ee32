"""Functions as commands: arguments from their signatures, failures in one sentence."""

import itertools
import json
import pkgutil
import re
import sys

_NUMBERED = re.compile(r"(.*?)(\d+)(\.parquet)")
_RANGE = re.compile(r"(\d+)\.\.(\d+)(?=\.parquet\b)")


def short(value):
    """A list of paths, also inside a mapping, with `0.parquet` to `9.parquet` as `0..9.parquet`.

    A command line has room for some thousand paths only; `run` makes the list whole again.
    """
    if isinstance(value, dict):
        return {name: short(inner) for name, inner in value.items()}
    if not (isinstance(value, list) and all(isinstance(path, str) for path in value)):
        return value
    runs: list[list[str]] = []
    for path in value:
        if runs and _next(runs[-1][-1]) == path:
            runs[-1].append(path)
        else:
            runs.append([path])
    return [_ranged(run) for run in runs]


def _next(path: str) -> str | None:
    """The path whose number at the end of the name is one higher."""
    match = _NUMBERED.fullmatch(path)
    if not match or match[2] != str(int(match[2])):
        return None
    return f"{match[1]}{int(match[2]) + 1}{match[3]}"


def _ranged(run: list[str]) -> str:
    if len(run) == 1:
        return run[0]
    first, last = (_NUMBERED.fullmatch(path) for path in (run[0], run[-1]))
    return f"{first[1]}{first[2]}..{last[2]}{first[3]}"


def whole(value):
    """What `short` was given."""
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    if not isinstance(value, list):
        return value
    return list(itertools.chain.from_iterable(map(_spelled_out, value)))


def _spelled_out(path) -> list:
    match = _RANGE.search(path) if isinstance(path, str) else None
    if not match:
        return [path]
    before, after = path[: match.start()], path[match.end() :]
    return [f"{before}{number}{after}" for number in range(int(match[1]), int(match[2]) + 1)]


def _argument(text: str) -> str:
    """An argument of the command line, lists in it made whole."""
    if text[:1] not in ("[", "{") or not _RANGE.search(text):
        return text
    return json.dumps(whole(json.loads(text)))


def run(commands: dict[str, str | dict[str, str]], by_hand: tuple[str, ...] = ()) -> None:
    """Run the command (a function as `module:name`, or one of a group) that the command line names.

    Only its module is imported. The commands of `by_hand` take what they require without a flag,
    all others by flags alone. A failure that is foreseen ends with one sentence and exit code 1.
    """
    from jsonargparse import auto_cli  # slow to import, and the workflow wants `short` alone

    sys.argv[1:] = map(_argument, sys.argv[1:])
    wanted = [name for name in sys.argv[1:2] if name in commands] or commands
    try:
        functions = {name: _functions(commands[name], sys.argv[2:3]) for name in wanted}
        auto_cli(functions, as_positional=set(wanted) <= set(by_hand))
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _functions(command: str | dict[str, str], following: list[str]):
    """The function of a command; of a group those that `following` names, else all."""
    if isinstance(command, str):
        return pkgutil.resolve_name(command)
    wanted = [name for name in following if name in command] or command
    return {name: pkgutil.resolve_name(command[name]) for name in wanted}
