"""Functions as commands: arguments from their signatures, failures in one sentence."""

import pkgutil
import sys

from jsonargparse import auto_cli


def run(commands: dict[str, str | dict[str, str]], by_hand: tuple[str, ...] = ()) -> None:
    """Run the command (a function as `module:name`, or one of a group) that the command line names.

    Only its module is imported. The commands of `by_hand` take what they require without a flag,
    all others by flags alone. A failure that is foreseen ends with one sentence and exit code 1.
    """
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
