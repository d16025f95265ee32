"""Find MSMD's pieces in the Mutopia archive: their ids, splits and files."""

from collections.abc import Iterable
from pathlib import Path

import yaml

FOLDER = "ftp"  # of the archive, that holds the scores by composer
EXTRA = "extra"  # candidates that MSMD dropped


def _lists(path: Path) -> dict[str, list[str]]:
    """A YAML table of lists of pieces."""
    found = yaml.safe_load(path.read_text())
    if not isinstance(found, dict) or not all(isinstance(ids, list) for ids in found.values()):
        raise ValueError(f"{path}: not a table of lists of pieces")
    return found


def splits(pieces: Path, split: Path) -> dict[str, str]:
    """The split of each candidate of MSMD, `extra` for those that MSMD dropped.

    Args:
        pieces: YAML file that lists all candidates, by outcome.
        split: YAML file that lists those kept, by split.
    """
    known = {piece: name for name, ids in _lists(split).items() for piece in ids}
    return {piece: known.get(piece, EXTRA) for ids in _lists(pieces).values() for piece in ids}


def composer_folder(piece_id: str) -> str:
    """The folder of the archive that has the composer's scores."""
    return f"{FOLDER}/{piece_id.split('__')[0]}/"


def file_of(piece_id: str, names: Iterable[str]) -> str:
    """The file of a piece `Composer__Work__name`: Composer/.../Work/.../name.ly, the first of them.

    Raises ValueError if the archive has none.
    """
    _, work, name = piece_id.split("__", 2)
    within = composer_folder(piece_id)
    found = [
        path
        for path in names
        if path.startswith(within) and path.endswith(f"/{name}.ly") and f"/{work}/" in path
    ]
    if not found:
        raise ValueError(f"no {name}.ly in {within} under {work}")
    return min(found)


def source_name(piece_id: str, names: Iterable[str]) -> str:
    """The file of a piece, or its id if it has none: for the table of pieces."""
    try:
        return file_of(piece_id, names)
    except ValueError:
        return piece_id
