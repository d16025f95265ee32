"""Say in one sentence what is wrong with a setting: where it stands, why, and what would fit."""

import difflib
import reprlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from jsonschema import ValidationError

MOST = 5  # sentences at a time
KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a group of settings",
    "null": "null",
}
BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60


def short(value: object) -> str:
    """A value as a user wrote it, cut if it is long."""
    return (
        {True: "true", False: "false", None: "null"}.get(value)
        if (value is None or isinstance(value, bool))
        else _repr.repr(value)
    )


def dotted(path: tuple) -> str:
    """The place of a setting: `collections.tunes.chunks`."""
    return ".".join(str(key) if str(key).isprintable() else short(key) for key in path)


def where(error: Exception) -> str:
    """What a YAML reader complains about, with line and column, in one line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error) or "nested too deeply"
    if isinstance(error, yaml.YAMLError) and mark:
        return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
    return " ".join(str(problem).split())[:200]


def faults(settings: dict, schema: dict, origin: Callable[[tuple], str | None]) -> list[str]:
    """A sentence for each of the first settings that do not fit the schema.

    Args:
        settings: all settings of a run.
        schema: a JSON schema.
        origin: the file in which something stands, by its path; None if that is not known.
    """
    from jsonschema import Draft202012Validator  # jobs, which check nothing, may lack it

    errors = Draft202012Validator(schema).iter_errors(settings)
    said: dict[str, None] = {}  # in order, each once
    for error in sorted(errors, key=lambda error: [str(key) for key in error.absolute_path]):
        for path, text in _sentences(error, schema):
            file = next(filter(None, (origin(path[:end]) for end in range(len(path), 0, -1))), None)
            said[f"{dotted(path)}: {text}" + (f" (in {file})" if file else "")] = None
    return list(said)[:MOST]


def _sentences(error: "ValidationError", schema: dict) -> Iterator[tuple[tuple, str]]:
    """Path and sentence of each fault that one error of the schema stands for."""
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for key in sorted(set(error.instance) - set(known)):
            yield (*path, key), _unknown(key, path, known, schema)
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                about = error.schema["properties"][key].get("description", "").split(";")[0]
                yield (
                    path,
                    f"'{key}' is missing" + (f" ({' '.join(about.split())})" if about else ""),
                )
    elif error.validator == "oneOf" and isinstance(error.instance, dict):
        for inner in error.context:
            if isinstance(inner.schema.get("properties"), dict) or inner.path:
                yield from _sentences(inner, schema)
    else:
        yield path, _misfit(error)


def _unknown(key: str, path: tuple, known: list[str], schema: dict) -> str:
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.6)
    if near:
        return f"there is no such setting; did you mean '{near[0]}'?"
    places = [place for place in _places(schema, key, ()) if place[:-1] != path]
    if places:
        return f"there is no such setting here; it belongs to {dotted(places[0][:-1]) or 'the top'}"
    return f"there is no such setting; those here are {', '.join(known)}"


def _places(schema: dict, key: str, path: tuple) -> Iterator[tuple]:
    """Places of the schema at which there is a setting of some name."""
    for name, inner in schema.get("properties", {}).items():
        if name == key:
            yield (*path, name)
        yield from _places(inner, key, (*path, name))
    if isinstance(others := schema.get("additionalProperties"), dict):
        yield from _places(others, key, (*path, "NAME"))


def _misfit(error: "ValidationError") -> str:
    """Why a value does not fit, and what would."""
    value, expected = error.instance, error.validator_value
    if error.validator == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        return f"must be {' or '.join(KINDS[kind] for kind in kinds)}, not {short(value)}"
    if error.validator in BOUNDS:
        return f"must be {BOUNDS[error.validator]} {expected:,}, not {short(value)}"
    if error.validator in ("enum", "const"):
        choices = [
            str(choice) for choice in (expected if error.validator == "enum" else [expected])
        ]
        near = difflib.get_close_matches(str(value)[:100], choices, n=1, cutoff=0.6)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"must be one of {', '.join(choices)}, not {short(value)}{hint}"
    if error.validator == "oneOf":
        return f"must be {error.schema['description']}, not {short(value)}"
    if "propertyNames" in error.absolute_schema_path:
        return f"{short(value)} cannot be a name; {error.schema['$comment']}"
    if error.validator == "pattern":
        return f"{short(value)} does not fit; expected {error.schema.get('$comment', expected)}"
    if error.validator in ("minItems", "minProperties", "minLength"):
        return "must not be empty" if expected == 1 else f"must have {expected} entries"
    if error.validator == "uniqueItems":
        return f"an entry occurs twice in {short(value)}"
    return error.message[:200]


def not_one_of(place: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a setting that names something which is not there."""
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"{place}: '{name}' is not one of {', '.join(known)}{hint}"
