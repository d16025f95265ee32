"""Load, merge and check the settings of a run.

Settings come from the project's own `config.yaml`; a file of the user names only what differs.
Everything here raises ValueError with one sentence that names the key and, if known, its file.
"""

import contextlib
import datetime
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from pipeline.planning import folders, messages

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT, SCHEMA = PROJECT / "config.yaml", PROJECT / "config/schema.yaml"
LOCAL = Path("config.yaml")  # read if it lies in the working directory, as Snakemake does
MAX_BYTES = 1_000_000  # of one file of settings
MAX_VALUES = 20_000  # of all settings, aliases spelled out
MAX_DEPTH = 20  # groups inside groups
MAX_NUMBER = 10**12  # beyond any count, size or seed
SCALARS = (str, int, float, bool, type(None))

# Earlier names of settings, by place; `*` stands for a name that the user chose.
RENAMED = {
    ("collections", "*", "take"): "fraction",
    ("collections", "*", "batches"): "chunks",
    ("fonts", "*", "rho"): "tempo_ratios",
    ("performances", "rho"): "tempo_ratios",
}


MERGE = "tag:yaml.org,2002:merge"  # of the key `<<`


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in a group, of which the first would be lost."""

    def compose_mapping_node(self, anchor):
        node = super().compose_mapping_node(anchor)
        keys = Counter((key.tag, str(key.value)) for key, _ in node.value)
        for (tag, key), times in keys.items():
            if times > 1 and tag != MERGE:
                raise yaml.composer.ComposerError(
                    None, None, f"'{key}' is there twice", node.start_mark
                )
        return node


def read(path: Path | str) -> dict:
    """Read one file of settings; an empty one has none.

    Raises ValueError if it is not a file of YAML with keys at its top level, or if it is too large.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file of settings")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path}: larger than {MAX_BYTES:,} bytes; is it a file of settings?")
    try:
        found = yaml.load(content.decode(), _Loader)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text; is it a file of settings?") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"{path}: not readable as YAML ({messages.where(error)})") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{path}: settings are written as 'key: value' lines")
    try:
        return plain(found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def plain(value: Mapping) -> dict:
    """Copy settings as plain dicts and lists, aliases spelled out.

    Raises ValueError if there are too many values, a number is not finite or absurdly large, or a
    key or value is of a kind that settings do not have.
    """
    _check_size(value)
    return _copied(value, ())


def _check_size(root: object) -> None:
    """Raise ValueError if settings hold too many values once their aliases are spelled out.

    Each object is counted once and its count reused, so that an alias bomb costs no time.
    """
    counts: dict[int, int] = {}

    def count(value: object, depth: int) -> int:
        if not isinstance(value, Mapping | list | tuple):
            return 1
        if depth > MAX_DEPTH:  # also where a group contains itself
            raise ValueError(f"settings are nested deeper than {MAX_DEPTH} levels")
        if id(value) not in counts:
            inner = value.values() if isinstance(value, Mapping) else value
            counts[id(value)] = 1 + sum(count(item, depth + 1) for item in inner)
        return counts[id(value)]

    if count(root, 0) > MAX_VALUES:
        raise ValueError(f"more than {MAX_VALUES:,} values, its aliases spelled out")


def _copied(value: object, path: tuple):
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or not key.isprintable():
                raise ValueError(f"{messages.dotted((*path, key))}: a key must be plain text")
        return {str(key): _copied(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item, (*path, number)) for number, item in enumerate(value)]
    if isinstance(value, datetime.date):  # YAML takes 2016-01-01 for a date
        raise ValueError(f"{messages.dotted(path)}: {value} is read as a date; put it in quotes")
    if not isinstance(value, SCALARS):
        kind = type(value).__name__
        raise ValueError(f"{messages.dotted(path)}: a value of the kind {kind} is not a setting")
    if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= MAX_NUMBER):
        raise ValueError(f"{messages.dotted(path)}: {messages.short(value)} is not a usable number")
    return value


def merge(base: Mapping, *others: Mapping) -> dict:
    """Lay the settings of `others` over those of `base`, group by group, the last one on top."""
    merged = dict(base)
    for other in others:
        for key, value in other.items():
            if isinstance(value, Mapping):
                below = merged.get(key)
                value = merge(below if isinstance(below, Mapping) else {}, value)
            merged[key] = value
    return merged


def rename(given: dict, files: Sequence[Path | str] = ()) -> list[str]:
    """Give settings their present names, in place.

    If both names occur, the one in the later of `files` holds.

    Returns:
        A sentence for each earlier name.
    """
    said = []
    for (*parents, old), new in RENAMED.items():
        for path, group in _groups(given, parents, ()):
            if old not in group:
                continue
            value = group.pop(old)
            if _last(files, (*path, old)) >= _last(files, (*path, new)) or new not in group:
                group[new] = value
            said.append(f"{messages.dotted((*path, old))}: this setting is now called '{new}'")
    return said


def _groups(value: object, parents: list[str], path: tuple) -> Iterator[tuple[tuple, dict]]:
    """The groups of settings at a place, with their paths."""
    if not isinstance(value, dict):
        return
    if not parents:
        yield path, value
        return
    for name in list(value) if parents[0] == "*" else parents[:1]:
        yield from _groups(value.get(name), parents[1:], (*path, name))


def complete(
    given: Mapping,
    files: Iterable[Path | str] = (),
    default: Path | str = DEFAULT,
    schema: Path | str = SCHEMA,
) -> tuple[dict, list[str]]:
    """Lay settings over the project's own, take away what is null, check all, and fill in defaults.

    Args:
        given: what the user's files and command line say, merged.
        files: files that it came from, the last one on top; messages name them.
        default: the project's `config.yaml`.
        schema: the JSON schema of all settings, a YAML file.

    Returns:
        The settings, and sentences that a user should see.

    Raises:
        ValueError: one sentence for each setting that does not fit.
    """
    files = list(files)
    for file in files:
        if Path(file).suffix != ".json":
            read(file)  # Snakemake, which has read it, takes the last of two equal keys
    own = plain(given)
    said = rename(own, files)
    merged = merge(own, read(default), own)  # names in the order that the user gives them
    rules = yaml.safe_load(Path(schema).read_text())
    _read_text(merged, rules)
    merged = plain(merged)
    entries = merged["collections"]
    known = list(entries) if isinstance(entries, dict) else []  # fonts may name one taken away
    for section in ("collections", "fonts"):
        if isinstance(entries := merged[section], dict):
            merged[section] = {name: entry for name, entry in entries.items() if entry is not None}
    if faults := messages.faults(merged, rules, lambda path: _origin(files, merged, path)):
        raise ValueError("\n".join(faults))
    _fill_in(merged, rules)
    for font, entry in merged["fonts"].items():
        for name in set(entry.get("collections", [])) - set(known):
            raise ValueError(messages.not_one_of(f"fonts.{font}.collections", name, known))
    for name in ("results", "downloads"):
        merged[name] = folders.own_folder(name, merged[name])
    return merged, said


def load(files: Iterable[Path | str] = ()) -> dict:
    """The settings that `snakemake --configfile FILES` would run with in the working directory."""
    files = [*([LOCAL] if LOCAL.exists() else []), *files]
    return complete(merge({}, *map(read, files)), files)[0]


def _fill_in(value: object, rules: dict) -> None:
    """Give settings that are absent the default of the schema, and make 2.0 a 2 where whole numbers
    are wanted and the text `null` null where it may be that, in place."""
    if not isinstance(value, dict):
        return
    for name, inner in rules.get("properties", {}).items():
        if "default" in inner:
            value.setdefault(name, inner["default"])
        if isinstance(value.get(name), float) and "integer" in inner.get("type", ""):
            value[name] = int(value[name])
        if value.get(name) == "null" and "null" in inner.get("type", ""):
            value[name] = None
        _fill_in(value.get(name), inner)
    if isinstance(others := rules.get("additionalProperties"), dict):
        for item in value.values():
            _fill_in(item, others)


def _read_text(settings: dict, rules: dict) -> None:
    """Read text as YAML where the schema has no text, in place.

    Snakemake gives `null`, numbers and truth values inside groups of its `--config` as text.
    """
    from jsonschema import Draft202012Validator  # jobs, which check nothing, may lack it

    validator = Draft202012Validator(rules)
    for error in validator.iter_errors(settings):
        text = error.instance
        if not isinstance(text, str) or not text or "propertyNames" in error.absolute_schema_path:
            continue
        *path, key = error.absolute_path
        group = settings
        for name in path:
            group = group[name]
        with contextlib.suppress(yaml.YAMLError, ValueError):
            value = yaml.safe_load(text)
            if value is None or validator.evolve(schema=error.schema).is_valid(value):
                group[key] = value


def _last(files: Sequence[Path | str], path: tuple) -> int:
    """Which of some files is the last that says something at a place; -1 if none does."""
    for number in reversed(range(len(files))):
        try:
            value: object = read(files[number])
            for key in path:
                value = value[key]  # type: ignore[index]
        except (ValueError, OSError, LookupError, TypeError):
            continue
        return number
    return -1


def _origin(files: Sequence[Path | str], merged: dict, path: tuple) -> str | None:
    """The file that a setting comes from; None if it comes from none, as on the command line."""
    number = _last(files, path)
    if number < 0:
        return None
    value, said = merged, read(files[number])
    for key in path:
        value, said = value[key], said[key]
    groups = isinstance(said, dict) and isinstance(value, dict)
    return str(files[number]) if said == value or groups else None
