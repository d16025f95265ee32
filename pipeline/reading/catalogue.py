"""The table of sources and downloads: what there is, where it is fetched from, under which licence.

The rows stand in `catalogue.yaml`. A fetched file lies in the folder of downloads under its row's
name, and is read from there as it is: nothing is unpacked.
"""

from functools import cache
from pathlib import Path, PurePosixPath

import yaml

MUSIC21 = "music21:"  # before the name of a folder of music21's corpus
DRAWN = ("train", "valid", "test")  # the splits that may be drawn
SCORE = "xml_score.musicxml"  # in each folder of the (n)ASAP data set
SPLITS = (*DRAWN, "extra")  # extra: pieces that no published split holds


@cache
def catalogue() -> dict[str, dict]:
    """The table, by name of the row; `members` are spelled out if a file beside it lists them."""
    table = yaml.safe_load(Path(__file__).with_name("catalogue.yaml").read_text())
    for row in table.values():
        if "listed" in row:
            row["members"] = _listed(row["listed"])
    return table


def _listed(name: str) -> list[str]:
    """The scores and match files that a list of folders and performers stands for."""
    folders = yaml.safe_load(Path(__file__).with_name(name).read_text())
    return [
        f"{folder}/{file}"
        for folder, performers in folders.items()
        for file in (SCORE, *(f"{performer}.match" for performer in performers))
    ]


def entry_of(source: str) -> dict | None:
    """The row of a source, or one made up for a folder of music21's corpus; None for a path."""
    if source.startswith(MUSIC21):
        works = source.removeprefix(MUSIC21)
        return {"layout": "staves", "works": works, "licence": "as music21 states it"}
    return catalogue().get(source)


def suffix_of(name: str) -> str:
    """The suffix of a file's name, with `.tar` if that is part of it."""
    tar = [suffix for suffix in (".tar.gz", ".tar.bz2", ".tar.xz") if name.endswith(suffix)]
    return tar[0] if tar else PurePosixPath(name).suffix


def archive(name: str, downloads: Path | str) -> Path | None:
    """Path of a row's file after it is fetched; None if the row is not fetched."""
    entry = entry_of(name) or {}
    return Path(downloads, name + suffix_of(entry["file"])) if "file" in entry else None


def needed(source: str, downloads: Path | str) -> dict[str, Path]:
    """The fetched files that a source is read from, by their role: archive, pieces, split."""
    if path := archive(source, downloads):
        return {"archive": path}
    parts = (entry_of(source) or {}).get("scores", {})
    return {part: archive(name, downloads) for part, name in parts.items()}
