"""Download what the catalogue lists, from a mirror or its URL, and compare its digest."""

import http.client
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path

from pipeline.reading import catalogue
from pipeline.reading.archives import contents_digest, members
from pipeline.reading.catalogue import suffix_of
from pipeline.replacing import replacing

MIRROR = "PARTIMENTO_MIRROR"  # environment variable: a folder or URL that is tried first
TIMEOUT_S = 60


def _locations(entry: dict) -> list[str]:
    mirror = os.environ.get(MIRROR)
    mirrored = [f"{mirror.rstrip('/')}/{entry['file']}"] if mirror else []
    return [*mirrored, entry["url"]]


def _copy(location: str, target: Path) -> None:
    if "://" in location:
        with urllib.request.urlopen(location, timeout=TIMEOUT_S) as reply, target.open("wb") as out:
            shutil.copyfileobj(reply, out)
    else:
        shutil.copyfile(location, target)


def _bring(location: str, entry: dict, target: Path) -> None:
    """Copy a file; if it lies inside an archive upstream, take it out of there."""
    suffix = suffix_of(location)
    if "member" not in entry or suffix == suffix_of(entry["file"]):
        return _copy(location, target)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        archive = Path(folder, f"archive{suffix}")
        _copy(location, archive)
        for name, content in members(archive):
            if name == entry["member"]:
                target.write_bytes(content)
                return None
    raise ValueError(f"it has no member {entry['member']}")


def fetch(name: str, path: Path | str) -> None:
    """Download a file of the catalogue, from the mirror or its URL, and check its contents.

    Args:
        name: Its name in `catalogue.yaml`.
        path: Where to write it.

    Raises:
        ValueError: If the catalogue has no such file, or with each place that was tried and why it
            failed.
    """
    entry = catalogue.catalogue().get(name, {})
    if "file" not in entry:
        known = ", ".join(name for name, entry in catalogue.catalogue().items() if "file" in entry)
        raise ValueError(f"{name}: nothing to fetch; there is {known}")
    failures = []
    for location in _locations(entry):
        try:
            with replacing(path) as temporary:
                _bring(location, entry, temporary)
                if (found := contents_digest(temporary, entry.get("members"))) != entry["digest"]:
                    raise ValueError(f"its contents have the digest {found}, not {entry['digest']}")
            return
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"  {location}: {error}")
    raise ValueError(
        f"could not fetch {entry['file']} ({entry['title']}):\n"
        + "\n".join(failures)
        + f"\nSet {MIRROR} to a folder or URL that holds {entry['file']}."
    )
