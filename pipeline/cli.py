"""Functions as commands: arguments from their signatures, failures in one sentence."""

import inspect
import itertools
import json
import pkgutil
import re
import sys
import typing
from collections.abc import Callable

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


def gathered(words: list[str], function: Callable) -> list[str]:
    """The words of a command line as jsonargparse takes them: one value after each flag.

    Several values after the flag of a parameter that is a list become one list in JSON; a flag of
    a parameter that is true or false may stand alone, for true.

    Args:
        words: what follows the command's name.
        function: the command, whose annotations say which parameters are lists.
    """
    hints = {f"--{name}": hint for name, hint in typing.get_type_hints(function).items()}
    found: list[str] = []
    while words:
        flag, *words = words
        found.append(flag)
        if not (item := _item(hints.get(flag))) and hints.get(flag) is not bool:
            continue
        end = next((n for n, word in enumerate(words) if word.startswith("--")), len(words))
        values, words = words[:end], words[end:]
        if hints[flag] is bool:
            found += values or ["true"]
        elif len(values) == 1 and (values[0] == "null" or values[0].startswith("[")):
            found += values
        else:
            plain = item in (int, float)
            found.append(f"[{','.join(values)}]" if plain else json.dumps(values))
    return found


def _item(hint) -> type | None:
    """The type of a list's items, also of a list that may be None; None if it is no list."""
    for kind in typing.get_args(hint) or ():
        if typing.get_origin(kind) is list:
            return typing.get_args(kind)[0]
    return typing.get_args(hint)[0] if typing.get_origin(hint) is list else None


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
        if len(wanted) == 1:
            chosen, depth = functions[wanted[0]], 2
            if isinstance(chosen, dict) and len(chosen) == 1:
                (chosen,), depth = chosen.values(), 3
            if inspect.isfunction(chosen):
                sys.argv[depth:] = gathered(sys.argv[depth:], chosen)
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
