"""A user's own files among the results, and a way to see that nothing of a folder has changed."""

import os
from pathlib import Path


def plant(results: Path) -> None:
    """Lay down what a user may keep among the results, some of it named as outputs are."""
    texts = {
        "thesis/notes.pt": "notes, in Portuguese",
        "save.state": "level 7",
        "mine.parquet": "not a table",
        "empty.safetensors": "",
        "tables/mine.md": "",
        "figures/mine.png": "no picture",
        "models/mine.pt": "no weights",
        "data/tunes/pieces/mine.parquet": "not a table",
        "data/tunes/pieces/9.parquet": "of an earlier run with more chunks",
        "data/mine/README.md": "",
    }
    for name, text in texts.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(text)
    (results / "link.parquet").symlink_to("mine.parquet")
    (results / "nowhere.parquet").symlink_to("gone.parquet")
    (results / "itself.parquet").symlink_to("itself.parquet")
    os.mkfifo(results / "pipe.parquet")


def snapshot(folder: Path) -> dict[Path, tuple]:
    """Kind, time and contents of everything below a folder, but for Snakemake's own."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if ".snakemake" in path.parts:
            continue
        about = path.lstat()
        content: object = None
        changed = about.st_mtime_ns
        if path.is_dir() and (path / ".snakemake").exists():
            changed = 0
        if path.is_symlink():
            content = path.readlink()
        elif path.is_file():
            content = path.read_bytes()
        found[path] = (about.st_mode, changed, content)
    return found
