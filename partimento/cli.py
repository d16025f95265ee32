"""The command line: arguments from the signatures and docstrings of the functions that do the work.

A command's module is imported only if that command is named, so that help and mistyped names
answer at once.
"""

import collections.abc
import inspect
import json
import pkgutil
import sys
import typing
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated

import yaml
from cyclopts import App, CycloptsError, Group, Parameter, Token

from partimento.commands import COMMANDS, DATA, LEARNING, PARENTS, PEOPLE

SETTINGS_FILES = {".json", ".yaml", ".yml"}
ABOUT = "Turn scores into exactly aligned audio and sheet music, and find the score of a recording."
SETTINGS = "--settings FILE reads settings from JSON or YAML; single ones lie on top."
EPILOGUE = (
    "A list takes several values (--pieces a b c). @FILE stands for the lines of a file, and"
    " @/dev/stdin for those of the standard input. Settings are given one by one"
    " (--settings.epochs 3), as a JSON or YAML file (--settings mine.yaml), or both."
)


def main() -> None:
    """Run the command that the command line names.

    Exits with code 1 and one sentence if the words cannot be understood, or if the command raises
    an error that it foresees.
    """
    try:
        run(sys.argv[1:])
    except (CycloptsError, ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def run(words: list[str]) -> None:
    """Run the command that `words` name."""
    app, words = prepared(words)
    app(words)


def prepared(words: list[str]) -> tuple[App, list[str]]:
    """Give the application and the words as it understands them.

    `msmd_counts` becomes `msmd-counts`; a file of settings is replaced by its contents.
    """
    depth = 1 + (words[:1] != [] and words[0].replace("_", "-") in PARENTS)
    words = [word.replace("_", "-") for word in words[:depth]] + words[depth:]
    app, functions = application(words)
    for name, function in functions.items():
        after = len(name.split())
        words = words[:after] + with_files(words[after:], function)
    return app, words


def application(words: list[str]) -> tuple[App, dict[str, Callable]]:
    """Build the application, in which only the command that `words` name has its arguments.

    Returns:
        The application, and the function of the named command by the command's name.
    """
    root = _gathering("partimento", ABOUT, help_epilogue=EPILOGUE)
    groups = {name: Group.create_ordered(name) for name in (PEOPLE, DATA, LEARNING)}
    parents = {
        name: _gathering(name, about, group=groups[LEARNING], help_epilogue="")
        for name, about in PARENTS.items()
    }
    functions = {}
    for number, (name, command) in enumerate(COMMANDS.items()):
        parent, _, own = name.rpartition(" ")
        if words[: len(name.split())] == name.split():
            functions[name] = as_command(pkgutil.resolve_name(command.target))
            about = SETTINGS if "settings" in functions[name].__annotations__ else ""
            app = App(own, default_command=functions[name], version_flags=[], help_epilogue=about)
        else:
            app = App(own, help=command.help, version_flags=[], group=groups[command.group])
        app.sort_key = number
        (parents[parent] if parent else root).command(app)
    for app in parents.values():
        root.command(app)
    return root, functions


def _gathering(name: str, about: str, **options) -> App:
    """An application that gathers others."""
    return App(
        name,
        help=about,
        help_format="markdown",
        version_flags=[],
        default_parameter=Parameter(
            consume_multiple=True, json_list=True, json_dict=True, negative=()
        ),
        argfile_prefix="@",
        result_action="return_value",
        print_error=False,
        exit_on_error=False,
        **options,
    )


def as_command(function: Callable) -> Callable:
    """Wrap a function so that the command line shows no more of it than people need.

    The first argument needs no flag, nor does one that can be given by its position alone; all
    others do. One that may be None is optional. What only
    code can pass, such as a function, is left out.
    """
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function, include_extras=True)
    parameters: list[inspect.Parameter] = []
    absent: dict[
        str, None
    ] = {}  # what is given to the function if the command line does not name it
    for parameter in signature.parameters.values():
        hint = hints.get(parameter.name, str)
        if parameter.kind is parameter.VAR_KEYWORD or _only_code(hint):
            continue
        kind = parameter.kind
        if kind not in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            kind = parameter.KEYWORD_ONLY if parameters else parameter.POSITIONAL_OR_KEYWORD
        if _untyped(hint):
            hint = Annotated[
                hint,
                Parameter(
                    converter=_loaded,
                    accepts_keys=False,
                    n_tokens=1,
                    consume_multiple=False,
                    json_list=False,
                ),
            ]
        parameter = parameter.replace(kind=kind, annotation=hint)
        if parameter.default is parameter.empty and type(None) in _kinds(hint):
            absent[parameter.name] = None
            parameter = parameter.replace(default=None)
        parameters.append(parameter)

    def command(*values, **options):
        return function(*values, **(absent | options))

    command.__name__, command.__doc__ = function.__name__, inspect.getdoc(function)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def _untyped(hint) -> bool:
    """Whether an argument is, or holds, a mapping or a list of whatever there may be."""
    return hint in (dict, list) or any(map(_untyped, typing.get_args(hint)))


def _loaded(_, tokens: Sequence[Token]):
    """Convert a mapping or a list in JSON; anything else is a word."""
    value = tokens[0].value
    return json.loads(value) if value[:1] in ("{", "[") else value


def _kinds(hint) -> list:
    """The type of an argument, or the types of a union."""
    if typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    return [typing.get_origin(kind) or kind for kind in (hint, *typing.get_args(hint))]


def _only_code(hint) -> bool:
    return collections.abc.Callable in _kinds(hint)


def with_files(words: list[str], function: Callable) -> list[str]:
    """Replace the name of each file of settings by its contents, as JSON.

    Files of settings are JSON or YAML; arguments that are a mapping or a dataclass take them.
    Raises ValueError if there is no such file or there are no settings in it.
    """
    takes = {
        f"--{name}".replace("_", "-")
        for name, hint in function.__annotations__.items()
        if _untyped(hint) or any(kind is dict or is_dataclass(kind) for kind in _kinds(hint))
    }
    found = []
    for before, word in zip(["", *words], words, strict=False):
        flag, equals, value = word.partition("=")
        if before.replace("_", "-") in takes and Path(word).suffix in SETTINGS_FILES:
            found.append(_json(Path(word)))
        elif equals and flag.replace("_", "-") in takes and Path(value).suffix in SETTINGS_FILES:
            found += [flag, _json(Path(value))]
        else:
            found.append(word)
    return found


def _json(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"{path}: no such file of settings")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; is it a file of settings?") from None
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{path}: neither JSON nor YAML ({why})") from None
    if not isinstance(settings, dict | list):
        raise ValueError(f"{path}: a file of settings has a name and a value on each line")
    return json.dumps(settings)
