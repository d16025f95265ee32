"""Settings as the arguments of a command line."""

import json
import os


def text(value: object) -> str:
    """A value as one argument: text as it is, anything else as JSON (`null` for None)."""
    return value if isinstance(value, str) else json.dumps(value)


def option(name: str, value: object) -> list[str]:
    """A setting as `--name=value`; nothing if it is None, for which the command has its default."""
    return [] if value is None else [f"--{name}={text(value)}"]


def stem(wildcards, output) -> str:
    """Params function: what the names of a rule's outputs have in common, up to their suffix."""
    return output[0].rsplit(".", 1)[0]


def folder(wildcards, output) -> str:
    """Params function: the folder that a rule's outputs share."""
    return os.path.dirname(output[0])  # noqa: PTH120 - text, as Snakemake has it
