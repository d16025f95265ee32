"""Tables of a tune and of a piano score, value by value as they were when they were first checked.

What moves a notehead by a thousandth of a pixel, or an onset at all, shows here first. If such a
change is meant, write the values anew: `python -m tests.pipeline.test_golden_tables`.
"""

import json
import tempfile
from pathlib import Path

import pytest

from pipeline import engrave, select, tables
from tests.support import piano, scores

GOLDEN = Path(__file__).parent / "data" / "golden_tables.json"
COLUMNS = {
    "systems": ["image", "system", "left", "right", "top", "bottom"],
    "noteheads": ["notehead_id", "system", "staff", "x", "y", "width", "height", "pitch", "moment"],
    "notes": ["note_id", "onset", "onset_s", "duration", "pitch", "notehead_id"],
}
SCHEMAS = {
    "images": tables.IMAGES,
    "systems": tables.SYSTEMS,
    "noteheads": tables.NOTEHEADS,
    "notes": tables.NOTES,
}
DIGITS = 3  # thousandths of a pixel, of a second and of a quarter
TIED = [(0, 1.5, 65), (1.5, 3, 67), (3, 5, 69), (5, 6, 70), (6, 8, 65)]  # over bar lines, in F


def write_sources(folder: Path) -> None:
    """Two melodies as MIDI files and a piano score as a LilyPond file."""
    for name in ("tunes", "piano"):
        (folder / name).mkdir()
    (folder / "tunes" / "scale.mid").write_bytes(scores.midi(scores.scale(40)))
    (folder / "tunes" / "tied.mid").write_bytes(scores.midi(TIED, key="F"))
    (folder / "piano" / "little.ly").write_text(piano.LITTLE)


def made(folder: Path, collection: str, layout: str) -> dict[str, list]:
    """The rows of each table, numbers rounded, of a folder's scores."""
    pieces = folder / f"{collection}.parquet"
    select.select(
        str(folder / collection), "downloads", collection, layout, 0, 1, 1.0,
        {"train": 1.0, "valid": 0.0, "test": 0.0}, 7, "warn", pieces,
        durations=[0.5, 1, 1.5, 2, 3], tempo=100.0,
    )  # fmt: skip
    files = {name: folder / f"{collection}-{name}.parquet" for name in SCHEMAS}
    engrave.engrave(
        pieces, layout, "unfold", "warn", **files, engraved=folder / f"{collection}-all.parquet"
    )
    return {
        name: [
            [row["piece_id"], *(_rounded(row[column]) for column in columns)]
            for row in tables.read(files[name], SCHEMAS[name]).to_pylist()
        ]
        for name, columns in COLUMNS.items()
    }


def _rounded(value):
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return round(value, DIGITS) if isinstance(value, float) else value


@pytest.mark.parametrize(("collection", "layout"), [("tunes", "staves"), ("piano", "pages")])
def test_tables_are_those_that_were_checked(tmp_path, collection, layout):
    write_sources(tmp_path)
    expected = json.loads(GOLDEN.read_text())[collection]
    actual = json.loads(json.dumps(made(tmp_path, collection, layout)))
    assert actual.keys() == expected.keys()
    for name in expected:
        assert actual[name] == expected[name], name


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        write_sources(Path(name))
        golden = {
            collection: made(Path(name), collection, layout)
            for collection, layout in (("tunes", "staves"), ("piano", "pages"))
        }
    GOLDEN.write_text(json.dumps(golden, separators=(",", ":")).replace("],[", "],\n[") + "\n")
