"""Lay a collection out as others can load it: a data set folder of the Hugging Face hub, or one
archive for a release."""

import csv
import re
import zipfile
from collections import Counter
from pathlib import Path

from pipeline import card
from pipeline.describing import croissant, records
from pipeline.describing.front_matter import Part, front_matter, hub_split
from pipeline.publishing import collection, files
from pipeline.reading import licences
from pipeline.replacing import replacing

DIGESTS = "SHA256SUMS"
LICENCES = "licences.csv"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of members of an archive: same data, same bytes on one day
RECORDINGS_STAY = "Recordings of people were left out: the licence of a score does not cover them."
LOADING = """
## Load it

```python
from datasets import load_dataset

performances = load_dataset("{name}", split="{split}")
row = performances[0]  # row["images"] are pictures, row["spectrogram"] is frames x bins
scores = load_dataset("{name}", "scores", split="{split}")  # pages, noteheads and notes, linked
```

`{name}` is this folder, or its name on the hub. `row["onset_s"][n]` and `row["x"][n]` are when
the n-th onset sounds and where it is printed, in `row["images"][row["image"][n]]`.
`row["audio"]["bytes"]` is a FLAC file; `performances.cast_column("audio", datasets.Audio())`
decodes it if `torchcodec` is installed. `SHA256SUMS` has a digest of every file, `licences.csv` the
licence of every piece.
"""


def publish(data: Path, *, out: Path, allow: list[str] | None = None) -> None:
    """Lay a collection out as a data set folder of the Hugging Face hub.

    Writes the card, Parquet files whose features the hub's viewer knows, their digests, the licence
    of every piece, and a Croissant description. Two configurations: `performances`, and `scores`
    with pages, noteheads and notes. Pieces whose licence does not allow redistribution are left out
    and listed, recordings of people are left out. Nothing is uploaded, and nothing is overwritten.

    Args:
        data: Data of the collection, as results/data/piano.
        out: The folder; it must not exist.
        allow: Licences, word by word as the card has them, that allow redistribution although they
            are not known to.

    Raises:
        FileExistsError: If `out` is there already.
        ValueError: If there is no collection, or nothing of it may be handed on.
    """
    _refuse(out)
    given = collection.read(data, allow or [])
    with replacing(out) as temporary:
        temporary.mkdir()
        _lay_out(given, temporary, data.resolve().name)
    _tell(given, out)


def release(data: Path, *, out: Path, allow: list[str] | None = None) -> None:
    """Pack a collection into one archive (zip) for a release.

    It holds what `publish` lays out: data, card, Croissant description, licences, digests.

    Args:
        data: Data of the collection, as results/data/piano.
        out: The archive; it must not exist, and its name ends in .zip.
        allow: Licences, word by word as the card has them, that allow redistribution although they
            are not known to.

    Raises:
        FileExistsError: If `out` is there already.
        ValueError: If there is no collection, or nothing of it may be handed on.
    """
    _refuse(out)
    if out.suffix != ".zip":
        raise ValueError(f"{out}: the name of an archive ends in .zip")
    given = collection.read(data, allow or [])
    with replacing(out) as temporary:
        folder = temporary.parent / "folder"
        folder.mkdir()
        _lay_out(given, folder, data.resolve().name)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(records.files(folder)):
                name = f"{out.stem}/{path.relative_to(folder).as_posix()}"
                member = zipfile.ZipInfo(name, EPOCH)
                member.external_attr = 0o644 << 16
                with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as file:
                    while block := source.read(1 << 20):
                        file.write(block)
    _tell(given, out)


def _refuse(out: Path) -> None:
    if out.exists() or out.is_symlink():
        raise FileExistsError(f"{out}: is there already and stays as it is; name another")


def _lay_out(given: collection.Collection, folder: Path, name: str) -> None:
    """Write all files of a published collection into an empty folder."""
    schemas = {
        "performances": collection.performances_schema(given.bins),
        "scores": collection.scores_schema(),
    }
    rows_of = {"performances": collection.performances, "scores": collection.scores}
    parts, sets = [], []
    for part, schema in schemas.items():
        rows, sizes, patterns = {}, {}, {}
        for split in collection.splits(given):
            written = files.write(rows_of[part](given, split), schema, folder / part,
                                  hub_split(split))  # fmt: skip
            if written[0]:
                rows[split], sizes[split] = written
                patterns[split] = f"{part}/{hub_split(split)}-*.parquet"
        parts.append(Part(part, schema, patterns, rows, sizes))
        sets += [
            croissant.Records(
                f"{part}-{hub_split(split)}", schema, pattern, sorted(folder.glob(pattern))
            )
            for split, pattern in patterns.items()
        ]
    if not parts[0].files:
        raise ValueError(f"{given.folder}: no performance of a piece that may be handed on")
    described = card.describe(
        name,
        given.layout(),
        pieces=given.tables("pieces"),
        engraved=given.tables("engraved"),
        notes=given.tables("notes"),
        performances=given.performance_tables(),
        shards=given.shard_files,
        without=given.left_out,
    )
    stated = [row["licence"] for row in given.pieces.values()]
    folder_name = re.sub(r"[^\w.-]", "_", name)
    example = LOADING.format(name=folder_name, split=hub_split(next(iter(parts[0].files))))
    left_out = f"\n{_left_out(given)}\n" if given.left_out else ""
    left_out += f"\n{RECORDINGS_STAY}\n" if given.has_recordings() else ""
    (folder / "README.md").write_text(
        front_matter(f"Partimento {name}", parts, stated) + described.text + left_out + example
    )
    _write_licences(given, folder / LICENCES)
    named = [licence for licence, _ in described.licences.most_common()]
    croissant.write(name, sets, named, folder / "croissant.json")
    listed = sorted(records.files(folder))
    lines = [f"{records.digest(path)}  {path.relative_to(folder).as_posix()}" for path in listed]
    (folder / DIGESTS).write_text("\n".join(lines) + "\n")


def _left_out(given: collection.Collection) -> str:
    number = len(given.left_out)
    total = number + len(given.pieces)
    return f"{number:,} of {total:,} pieces were left out for their licence. {licences.RULE}"


def _write_licences(given: collection.Collection, path: Path) -> None:
    """A line for each piece: its id, composer, title, source and licence, as the score has them."""
    columns = ["piece_id", "composer", "title", "source", "licence"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(given.pieces[name] for name in sorted(given.pieces))


def _tell(given: collection.Collection, out: Path) -> None:
    """Print what was written, and what was left out and why."""
    paths = [out] if out.is_file() else list(records.files(out))
    size = sum(path.stat().st_size for path in paths)
    kept = len(given.pieces)
    print(f"{out}: {kept:,} {'piece' if kept == 1 else 'pieces'}, {size / 1e6:,.1f} MB")
    if not (given.folder / "audio").is_dir():
        print("no recording was kept, so rows have no sound; 'performances.keep_audio' keeps them")
    if given.has_recordings():
        print(RECORDINGS_STAY)
    if given.left_out:
        print(_left_out(given))
        for reason, number in Counter(given.left_out.values()).most_common():
            print(f"  {number:,} {'piece' if number == 1 else 'pieces'}: {reason}")
