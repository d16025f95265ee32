"""Where pieces come from: archives with a digest and a licence, one's own files, music21's corpus.

A source is named in the config by a key of `sources.yaml`, or by a path of one's own: a folder or
a zip of MIDI files, or a text file that lists MIDI files line by line. `music21:FOLDER` names the
works of one folder of music21's corpus.
"""

import hashlib
import importlib.util
import os
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from pipeline import midi, tables

MIRROR = "PARTIMENTO_MIRROR"  # environment variable: a folder or URL that is tried first
MUSIC21 = "music21:"  # before the name of a folder of music21's corpus
TIMEOUT_S = 60
MIDI_SUFFIXES = (".mid", ".midi")
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Item:
    """One piece of a source, not yet read."""

    piece_id: str
    source: str  # file or work, for the table of pieces and for messages
    split: str | None  # where the source has one
    read: Callable[[], object]  # bytes of a MIDI file, or path of a work


@cache
def catalogue() -> dict[str, dict]:
    """The table of sources, by name."""
    return yaml.safe_load(Path(__file__).with_name("sources.yaml").read_text())


def entry_of(source: str) -> dict | None:
    """What is known of a source: its row of the table, or a folder of music21's corpus."""
    if source.startswith(MUSIC21):
        return {"works": source.removeprefix(MUSIC21), "licence": "as music21 states it"}
    return catalogue().get(source)


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(
            f"{path}: not a whole zip archive ({error}); delete it and run again"
        ) from None


def digest(path: Path) -> str:
    """sha256 over the names and contents of an archive's files, in order of name."""
    total = hashlib.sha256()
    with _zip(path) as archive:
        for member in sorted(archive.infolist(), key=lambda member: member.filename):
            if not member.is_dir():
                try:
                    content = hashlib.sha256(archive.read(member)).hexdigest()
                except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
                    raise ValueError(f"{path}: {member.filename} is damaged ({error})") from None
                total.update(f"{member.filename}\0{content}\n".encode())
    return total.hexdigest()


def _places(entry: dict) -> list[str]:
    mirror = os.environ.get(MIRROR)
    places = [f"{mirror.rstrip('/')}/{entry['file']}"] if mirror else []
    return [*places, entry["url"]]


def _copy(place: str, target: Path) -> None:
    if "://" in place:
        with urllib.request.urlopen(place, timeout=TIMEOUT_S) as reply, target.open("wb") as file:
            shutil.copyfileobj(reply, file)
    else:
        shutil.copyfile(place, target)


def fetch(name: str, path: Path | str) -> None:
    """Bring the archive of a source to `path`, from the mirror or its URL, and check its contents.

    Raises ValueError that tells each place tried and why it did not serve.
    """
    entry = catalogue()[name]
    failures = []
    for place in _places(entry):
        try:
            with tables.replacing(path) as temporary:
                _copy(place, temporary)
                if (found := digest(temporary)) != entry["digest"]:
                    raise ValueError(f"its contents have the digest {found}, not {entry['digest']}")
            return
        except (OSError, urllib.error.URLError, ValueError) as error:
            failures.append(f"  {place}: {error}")
    raise ValueError(
        f"could not fetch {entry['file']} ({entry['title']}):\n"
        + "\n".join(failures)
        + f"\nSet {MIRROR} to a folder or URL that holds {entry['file']}."
    )


def font_path(name: str) -> Path:
    """The sound font that a config names: a path, or `package:file` for one inside a package.

    Raises FileNotFoundError that names the font where there is no such file.
    """
    package, colon, file = name.partition(":")
    path = Path(name)
    if colon and package.isidentifier():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"sound font {name}: package '{package}' is not installed")
        path = Path(spec.origin).parent / file
    if not path.is_file():
        raise FileNotFoundError(f"sound font {name}: no such file")
    return path


def _piece_id(relative: Path) -> str:
    return "__".join(relative.with_suffix("").parts)


def _split(relative: Path) -> str | None:
    return next((part for part in relative.parts[:-1] if part in SPLITS), None)


def _zip_items(path: Path) -> list[Item]:
    with _zip(path) as archive:
        names = [n for n in archive.namelist() if n.lower().endswith(MIDI_SUFFIXES)]

    def reader(name: str) -> Callable[[], bytes]:
        def read() -> bytes:
            with _zip(path) as archive:
                if archive.getinfo(name).file_size > midi.MAX_BYTES:
                    raise ValueError(f"larger than {midi.MAX_BYTES:,} bytes, no melody")
                try:
                    return archive.read(name)
                except (zipfile.BadZipFile, EOFError, OSError) as error:
                    raise ValueError(f"damaged in the archive ({error})") from None

        return read

    common = os.path.commonpath([Path(name).parent for name in names]) if names else ""
    return [
        Item(
            _piece_id(Path(name).relative_to(common)),
            f"{path.name}/{name}",
            _split(Path(name)),
            reader(name),
        )
        for name in names
    ]


def _file_items(paths: list[Path], root: Path) -> list[Item]:
    return [
        Item(_piece_id(path.relative_to(root)), str(path), _split(path.relative_to(root)), reader)
        for path in paths
        for reader in [lambda path=path: _read_file(path)]
    ]


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(midi.MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None


def _midi_files(path: Path) -> list[Path]:
    """The MIDI files of a folder, or of a list (one path a line, relative to the list)."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix.lower() in MIDI_SUFFIXES)
    lines = (line.strip() for line in path.read_text().splitlines())
    return [path.parent / line for line in lines if line and not line.startswith("#")]


def archive(source: str, downloads: Path | str) -> Path | None:
    """Where the archive of a named source lies once it is fetched; None for other sources."""
    entry = entry_of(source) or {}
    return (
        Path(downloads, source).with_suffix(Path(entry["file"]).suffix) if "file" in entry else None
    )


def files(source: str, downloads: Path | str, chosen: Callable[[str], bool]) -> list[Path]:
    """The files that have to be there to read those pieces whose id is `chosen`.

    Raises ValueError where the source is unknown or holds no pieces.
    """
    if path := archive(source, downloads):
        return [path]
    if entry_of(source):
        return []
    path = Path(source)
    own = [Path(item.source) for item in items(source) if chosen(item.piece_id)]
    return own if path.is_dir() else [path, *own] if path.suffix != ".zip" else [path]


def items(source: str, archive: Path | None = None) -> list[Item]:
    """All pieces of a source, sorted by id. `archive` is the fetched file of a named source.

    Raises ValueError where the source is unknown or holds no pieces.
    """
    entry = entry_of(source)
    if entry and "works" in entry:
        from pipeline import works  # slow to import, and only this source needs it

        found = [
            Item(path.stem, f"music21:{entry['works']}/{path.name}", None, lambda path=path: path)
            for path in works.paths(entry["works"])
        ]
    else:
        path = archive if entry else Path(source)
        if path is None or not path.exists():
            known = ", ".join(catalogue())
            raise ValueError(f"{path or source}: no such folder, zip or list, nor one of {known}")
        if path.suffix == ".zip":
            found = _zip_items(path)
        else:
            paths = _midi_files(path)
            root = (
                path
                if path.is_dir()
                else Path(os.path.commonpath([p.parent for p in paths] or [path.parent]))
            )
            found = _file_items(paths, root)
        if not found:
            raise ValueError(f"{path}: no MIDI files ({', '.join(MIDI_SUFFIXES)}) in it")
    return sorted(found, key=lambda item: item.piece_id)
