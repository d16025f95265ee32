"""What is fetched from elsewhere: archives, lists and sound fonts with a digest and a licence.

`catalogue.yaml` names them. They come from a mirror or their URL into the folder of downloads, and
are read from there as they are: nothing is unpacked.
"""

import hashlib
import importlib.util
import os
import posixpath
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import yaml

from pipeline import tables

MIRROR = "PARTIMENTO_MIRROR"  # environment variable: a folder or URL that is tried first
MUSIC21 = "music21:"  # before the name of a folder of music21's corpus
TIMEOUT_S = 60
DRAWN = ("train", "valid", "test")  # the splits that may be drawn
SPLITS = (*DRAWN, "extra")  # extra: pieces that no published split holds
MAX_MEMBER_BYTES = 100_000_000  # of an archive; the largest we know is a sound font of 37 MB
MAX_ARCHIVE_BYTES = 2_000_000_000  # of all members together
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError)


@dataclass(frozen=True)
class Item:
    """One piece of a source, not yet read."""

    piece_id: str
    source: str  # file or work, for the table of pieces and for messages
    split: str | None  # where the source has one
    read: Callable[[], object]  # MIDI bytes, path of a work, or LilyPond texts by name


@cache
def catalogue() -> dict[str, dict]:
    """The table of sources, by name."""
    return yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text())


def entry_of(source: str) -> dict | None:
    """What is known of a source: its row of the table, or a folder of music21's corpus."""
    if source.startswith(MUSIC21):
        works = source.removeprefix(MUSIC21)
        return {"layout": "staves", "works": works, "licence": "as music21 states it"}
    return catalogue().get(source)


def _suffix(name: str) -> str:
    tar = [suffix for suffix in (".tar.gz", ".tar.bz2") if name.endswith(suffix)]
    return tar[0] if tar else PurePosixPath(name).suffix


def archive(name: str, downloads: Path | str) -> Path | None:
    """Where a row of the table lies once it is fetched; None for what is not fetched."""
    entry = entry_of(name) or {}
    return Path(downloads, name + _suffix(entry["file"])) if "file" in entry else None


def needed(source: str, downloads: Path | str) -> dict[str, Path]:
    """The fetched files that a source is read from, by what they are to it."""
    if path := archive(source, downloads):
        return {"archive": path}
    parts = (entry_of(source) or {}).get("scores", {})
    return {part: archive(name, downloads) for part, name in parts.items()}


# --- files of one's own
def piece_id(name: str) -> str:
    """The id of a piece from its file's name, relative to the source."""
    return posixpath.splitext(name)[0].replace("/", "__")


def split_of(name: str) -> str | None:
    """The split of a piece: the first folder on the way to its file that has a split's name."""
    return next((part for part in name.split("/")[:-1] if part in SPLITS), None)


def suffixed(folder: Path | str, suffixes: Iterable[str]) -> list[str]:
    """The files below a folder with one of some suffixes, in any case: names relative to it, with
    slashes, sorted. No file is opened or asked for more than its kind, and no `Path` is made: each
    job of a selection lists the whole source."""
    wanted, found, waiting = tuple(suffixes), [], [""]
    while waiting:
        place = waiting.pop()
        with os.scandir(f"{folder}/{place}") as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{place}{entry.name}/")
                elif entry.name.lower().endswith(wanted) and entry.is_file():
                    found.append(place + entry.name)
    return sorted(found)


def read_file(path: Path, limit: int) -> bytes:
    """The first `limit` + 1 bytes of a file. Raises ValueError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None


# --- archives
def _zip_members(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield member.filename, member.file_size, lambda member=member: archive.read(member)


def _tar_members(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile():  # a link might lead anywhere: links are left alone
                yield member.name, member.size, lambda m=member: archive.extractfile(m).read()


def members(path: Path, folder: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a zip or tar archive, in one pass, nothing unpacked.

    Where `folder` is given, only the files below it, and their names do without the archive's
    outermost folder. Raises ValueError that names the file where the archive is damaged, or a
    member is too large or has a name that leads outside.
    """
    total = 0
    name = ""
    try:
        for name, size, read in (_zip_members if path.suffix == ".zip" else _tar_members)(path):
            if folder is not None:
                name = "/".join(PurePosixPath(name).parts[1:])
                if not name.startswith(f"{folder}/"):
                    continue
            if name.startswith("/") or ".." in PurePosixPath(name).parts:
                raise ValueError(f"{path}: {name} leads outside of the archive")
            total += size
            if size > MAX_MEMBER_BYTES or total > MAX_ARCHIVE_BYTES:
                raise ValueError(f"{path}: {name} is too large ({size:,} bytes) or one too many")
            yield name, read()
    except _DAMAGED as error:
        where = f"{name} is damaged" if name else "not a whole archive"
        raise ValueError(f"{path}: {where} ({error}); delete it and run again") from None


def digest(path: Path, folder: str | None = None) -> str:
    """sha256 of a file; of an archive, over the names and contents of its files in order of name
    (those below `folder`), for hosts repack archives."""
    if _suffix(path.name) not in (".zip", ".tar.gz", ".tar.bz2"):
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    contents = {name: hashlib.sha256(c).hexdigest() for name, c in members(path, folder)}
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(f"{name}\0{contents[name]}\n".encode())
    return total.hexdigest()


# --- fetch
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


def _bring(place: str, entry: dict, target: Path) -> None:
    """Copy a file; where it lies inside an archive upstream, take it out of there."""
    suffix = _suffix(place)
    if "member" not in entry or suffix == _suffix(entry["file"]):
        return _copy(place, target)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        archive = Path(folder, f"archive{suffix}")
        _copy(place, archive)
        for name, content in members(archive):
            if name == entry["member"]:
                target.write_bytes(content)
                return None
    raise ValueError(f"no {entry['member']} in it")


def fetch(name: str, path: Path | str) -> None:
    """Bring a file of the table to `path`, from the mirror or its URL, and check its contents.

    Raises ValueError where the table has no such file, or that tells each place tried and why it
    did not serve.
    """
    entry = catalogue().get(name, {})
    if "file" not in entry:
        known = ", ".join(name for name, entry in catalogue().items() if "file" in entry)
        raise ValueError(f"{name}: nothing to fetch; there is {known}")
    failures = []
    for place in _places(entry):
        try:
            with tables.replacing(path) as temporary:
                _bring(place, entry, temporary)
                if (found := digest(temporary, entry.get("members"))) != entry["digest"]:
                    raise ValueError(f"its contents have the digest {found}, not {entry['digest']}")
            return
        except (OSError, urllib.error.URLError, ValueError) as error:
            failures.append(f"  {place}: {error}")
    raise ValueError(
        f"could not fetch {entry['file']} ({entry['title']}):\n"
        + "\n".join(failures)
        + f"\nSet {MIRROR} to a folder or URL that holds {entry['file']}."
    )


def packaged(name: str) -> bool:
    """Whether a sound font is named as `package:file`, one inside a package."""
    package, colon, _ = name.partition(":")
    return bool(colon) and package.isidentifier()


def font_path(name: str, downloads: Path | str = "downloads") -> Path:
    """The sound font that a config names: a path, `package:file` for one inside a package, or a
    name of the table for one that is fetched into `downloads`.

    Raises FileNotFoundError that names the font where there is no such file.
    """
    path = archive(name, downloads) or Path(name)
    if packaged(name):
        package, _, file = name.partition(":")
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"sound font {name}: package '{package}' is not installed")
        path = Path(spec.origin).parent / file
    if not path.is_file():
        raise FileNotFoundError(f"sound font {name}: no file {path}")
    return path
