"""Records of provenance: how they are named, which files they list, and digests of these."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

NAME = "provenance.json"
NAMES = (NAME, f"data/{NAME}")  # of a whole run, and of its data half
ASIDE = ".damaged"  # ends the name of what was set aside, with a number if there are several
_ASIDE = re.compile(rf"{re.escape(ASIDE)}(\.\d+)?$")


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, but for links, what was set aside, and hidden ones.

    A name that begins with a dot is of a job that was killed while it wrote.
    """

    def listed(name: str) -> bool:
        return not name.startswith(".") and not _ASIDE.search(name)

    for place, folders, names in os.walk(folder):
        folders[:] = filter(listed, folders)
        paths = (Path(place, name) for name in names if listed(name))
        yield from (path for path in paths if path.is_file() and not path.is_symlink())
