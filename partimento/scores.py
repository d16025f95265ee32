"""Engrave one score and play it."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

import pipeline.engrave
import pipeline.select
from pipeline import images, performing, rendering, strips
from pipeline.constants import AUDIO_RATE_HZ
from pipeline.reading import fonts, score_sources

FONT = "pretty_midi:TimGM6mb.sf2"
NULLABLE = {pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype()}  # a notehead may be missing
TABLES = ("images", "systems", "noteheads", "notes")


@dataclass(frozen=True)
class Score:
    """An engraved score. docs/data.md describes the columns of its tables.

    Attributes:
        pages: Grey images, 835 px wide.
        systems: A row for each system, with the boxes of its staves in px of its page.
        noteheads: A row for each printed notehead, with its box in px of its page.
        notes: A row for each sounding note, with the notehead that prints it.
    """

    pages: list[Image.Image]
    systems: pd.DataFrame
    noteheads: pd.DataFrame
    notes: pd.DataFrame

    def strip(self) -> np.ndarray:
        """Join the systems from left to right: (200, width) uint8, white is 255."""
        pages = [np.asarray(page) for page in self.pages]
        return strips.strip(pages, self.systems.to_dict("records"))[0]


def engrave(
    score: Path | str,
    *,
    suffix: str = ".ly",
    repeats: Literal["unfold", "once"] = "unfold",
) -> Score:
    """Engrave a score.

    A score of LilyPond is a program. It runs confined if this machine allows that, else a warning
    says that it does not.

    Args:
        score: A file, of any format that a collection of scores may have, or the text of one.
        suffix: The suffix of the file that a text would be in.
        repeats: `unfold` plays repeats out, `once` plays what is printed once.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: With the reason, if the score cannot be read or engraved.
    """
    made = engraved_tables(score, suffix=suffix, repeats=repeats)
    printed, systems, noteheads, notes = (_frame(made[table]) for table in TABLES)
    pages = [Image.fromarray(images.grey(png)) for png in printed["png"]]
    return Score(pages, systems, noteheads, notes)


def engraved_tables(
    score: Path | str, *, suffix: str = ".ly", repeats: Literal["unfold", "once"] = "unfold"
) -> dict[str, pa.Table]:
    """Engrave a score, and give the tables that the workflow would write of it.

    Args:
        score: As for `engrave`.
        suffix: As for `engrave`.
        repeats: As for `engrave`.

    Returns:
        One row in `pieces`; `images`, `systems`, `noteheads` and `notes`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: With the reason, if the score cannot be read or engraved.
    """
    with tempfile.TemporaryDirectory(prefix="score-") as name:
        source, made = Path(name, "source"), Path(name)
        source.mkdir()
        _gather(score, source, suffix)
        _select(source, made / "pieces.parquet")
        files: dict[str, Any] = {
            table: made / f"{table}.parquet" for table in (*TABLES, "engraved")
        }
        pipeline.engrave.engrave(made / "pieces.parquet", "pages", repeats, "warn", **files)
        _check(files["engraved"])
        return {table: pq.read_table(made / f"{table}.parquet") for table in ("pieces", *TABLES)}


def _gather(score: Path | str, folder: Path, suffix: str) -> None:
    """Put a score, and the files that it includes, into a folder of its own."""
    if isinstance(score, str) and not _names_file(score):
        (folder / f"score{suffix}").write_text(score)
        return
    path = Path(score)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such score")
    if path.suffix.lower() not in score_sources.SUFFIXES:
        known = ", ".join(score_sources.SUFFIXES)
        raise ValueError(f"{path}: not a score; scores are {known} files")
    for file in score_sources.with_includes([path], path.parent):
        copy = folder / file.relative_to(path.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def is_text(score: str) -> bool:
    """Whether a string is the text of a score: it has several lines, or braces as music has."""
    return "\n" in score or bool(set(score) & set("{}<>"))


def _names_file(text: str) -> bool:
    """Whether a text is the name of a file rather than a score: one line without music in it."""
    return not is_text(text) and bool(Path(text).suffix)


def _select(source: Path, out: Path) -> None:
    """Read the only score in a folder into a table of pieces."""
    pipeline.select.select(
        source=str(source),
        downloads="",
        collection="",
        layout="pages",
        chunk=0,
        chunks=1,
        fraction=1.0,
        shares={"train": 0.0, "valid": 0.0, "test": 1.0},
        seed=0,
        unconfined="warn",
        out=out,
    )
    _check(out)


def _check(table: Path) -> None:
    """Raise ValueError with the reason why the only piece of a table was left out, if it was."""
    (reason,) = pq.read_table(table, columns=["reason"])["reason"].to_pylist()
    if reason is not None:
        raise ValueError(reason)


def _frame(table: pa.Table) -> pd.DataFrame:
    return table.drop_columns(["piece_id"]).to_pandas(types_mapper=NULLABLE.get)


def play(
    score: Score, *, tempo_ratio: float = 1.0, font: str = FONT, preset: int = 0
) -> tuple[np.ndarray, int]:
    """Play a score with a sound font.

    Args:
        score: What `engrave` returned.
        tempo_ratio: 2 is twice as fast as written.
        font: A file (sf2 or sf3), or a font that a Python package brings (package:file).
        preset: Number of the instrument, 0 is a grand piano in most fonts.

    Returns:
        Mono samples, (n,) float32, and how many there are in a second.

    Raises:
        FileNotFoundError: If there is no such font.
        ValueError: If the file is no font, or the score cannot be played.
    """
    columns = score.notes[["onset_s", "duration_s", "pitch"]]
    notes = [performing.Note(**row) for row in columns.to_dict("records")]
    with rendering.Instrument(fonts.font_path(font), preset=preset) as instrument:
        return rendering.render(notes, instrument, tempo_ratio), AUDIO_RATE_HZ
