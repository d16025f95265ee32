"""Notes into sound: FluidSynth plays every performance offline, in this process, into a FLAC file.

A performance is a piece played with one preset of one sound font: at one tempo ratio (B 3.1), or as
a person played it; dry, or in a room.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
import soundfile
from tqdm import tqdm

from pipeline import performing, rooms, tables, tempo
from pipeline.constants import AUDIO_RATE_HZ
from pipeline.levels import loudness, normalise
from pipeline.performing import Performance, Unplayable
from pipeline.reading.fonts import font_path
from pipeline.rendering import Instrument, render
from pipeline.replacing import replacing

SILENCE = 0.5 / 32_768  # a peak below half a step of 16 bits; reverb alone leaves 1e-8
DRY = rooms.Room()


def _performances(
    pieces: Iterable[performing.Piece],
    manner: performing.Manner,
    instrument: Instrument,
    font: str,
    seed: int,
    loudness_db: float | None,
    room: tuple[str | None, rooms.Room],
    folder: Path,
) -> Iterator[dict]:
    """Write a FLAC file into `folder` for each performance, and yield its row of PERFORMANCES."""
    for piece in tqdm(pieces, desc="synthesize", unit="piece", disable=None):
        for performance in performing.performances(piece, manner, font, seed):
            row = {
                "piece_id": piece.piece_id,
                "font": font,
                "tempo_ratio": performance.tempo_ratio,
                "performer": performance.performer,
                "room": room[0],
            }
            try:
                drawn = f"room:{seed}:{room[0]}:{piece.piece_id}:{font}:{performance.performer}"
                samples = _sound(performance, instrument, room[1], drawn)
            except Unplayable as reason:
                yield row | {"reason": str(reason)}
                continue
            if loudness_db is not None:
                samples = normalise(samples, loudness_db)
            name = performing.file_name(piece.piece_id, performance.performer)
            samples = np.clip(samples, -1, 1, out=samples)
            soundfile.write(folder / name, samples, AUDIO_RATE_HZ, subtype="PCM_16")
            yield row | {
                "audio": name,
                "duration_s": len(samples) / AUDIO_RATE_HZ,
                "loudness_db": loudness(samples),
                "onsets": performance.onsets,
            }


def _sound(
    performance: Performance, instrument: Instrument, room: rooms.Room, seed: str
) -> np.ndarray:
    """The recording of a performance. Raises Unplayable if it cannot be made."""
    if performance.reason:
        raise Unplayable(performance.reason)
    ratio = 1.0 if performance.tempo_ratio is None else performance.tempo_ratio
    samples = render(performance.notes, instrument, ratio, performance.pedals, room.tuning_cents)
    if np.abs(samples).max() < SILENCE:
        raise Unplayable("the sound font is silent at these pitches")
    return samples if room == DRY else rooms.record(samples, AUDIO_RATE_HZ, room, seed)


def _pieces(
    notes: Path | str,
    pieces: Path | str,
    noteheads: Path | str | None,
    splits: list[str],
    manner: performing.Manner,
) -> Iterator[performing.Piece]:
    """The pieces of these splits as they are needed: in the order of the table of NOTES, or, if
    people play, in that of PIECES, those alone that have performances."""
    known = tables.read(pieces, tables.PIECES, ["piece_id", "split"]).to_pylist()
    chosen = {row["piece_id"] for row in known if row["split"] in splits}
    if manner.tempo_ratio == performing.HUMAN:
        if noteheads is None:
            raise ValueError("performances by people need the table of noteheads")
        yield from _played_by_people(Path(pieces), Path(noteheads), chosen)
        return
    columns = [name for name in tables.NOTES.names if name != "program" or manner.programs]
    table = tables.read(notes, tables.NOTES, columns)
    found: dict[str, list[dict]] = defaultdict(list)
    for row in table.to_pylist():
        if (piece_id := row.pop("piece_id")) in chosen:
            found[piece_id].append(row)
    for piece_id, rows in found.items():
        yield performing.Piece(piece_id, rows)


def _played_by_people(
    pieces: Path, noteheads: Path, chosen: set[str]
) -> Iterator[performing.Piece]:
    """Pieces with printed notes that people play, one at a time: match files may be large."""
    heads: dict[str, list[dict]] = defaultdict(list)
    columns = ["piece_id", "notehead_id", "source_id", "pitch"]
    for row in tables.read(noteheads, tables.NOTEHEADS, columns).to_pylist():
        heads[row["piece_id"]].append(row)
    tables.read(pieces, tables.PIECES, columns=[])
    playable = chosen & heads.keys()
    for group in pq.ParquetFile(pieces).iter_batches(1, columns=["piece_id", "performances"]):
        (row,) = group.to_pylist()
        if row["piece_id"] in playable and row["performances"]:
            yield performing.Piece(row["piece_id"], [], heads[row["piece_id"]], row["performances"])


def synthesize(
    notes: Path | str,
    pieces: Path | str,
    splits: list[str],
    font: str,
    font_file: str,
    bank: int,
    preset: int,
    tempo_ratio: str,
    seed: int,
    loudness_db: float | None,
    audio: Path | str,
    out: Path | str,
    instruments: Literal["piano", "score"] = "piano",
    noteheads: Path | str | None = None,
    expression: Literal["none", "phrased"] = "none",
    velocities: Literal["human", "fixed"] = "human",
    room: str | None = None,
    room_settings: dict | None = None,
) -> None:
    """Play the notes of a chunk with a sound font.

    Writes a FLAC file for each performance, mono, 16 bit, 44.1 kHz, named after the piece (and its
    performer), and a table of PERFORMANCES. A performance that cannot be played has a reason in the
    table instead of a file. The folder is written completely, or not created.

    Args:
        notes: Parquet table of NOTES.
        pieces: Parquet table of PIECES, for the splits.
        splits: The splits whose pieces are played; there may be none.
        font: Name of the font in the table.
        font_file: The font: a file (sf2 or sf3), or PACKAGE:FILE for one that a package brings.
        bank: Number of the bank in the font.
        preset: Number of the preset in the bank.
        tempo_ratio: A number, 2 is twice as fast; or a range like 0.9-1.1, from which each piece's
            ratio is drawn by seed; or `human` for the performances by people that the source has.
        seed: Of all that is drawn.
        loudness_db: Loudness of every recording (dBFS); by default FluidSynth's own.
        audio: Folder to write the recordings to.
        out: Parquet table to write.
        instruments: `piano` plays all with the preset, `score` each part with the General MIDI
            program that the score gives it, if the font has it.
        noteheads: Parquet table of NOTEHEADS, for performances by people.
        expression: `none`, or `phrased`: tempo and loudness follow phrases, chords are spread, the
            end slows down. Not for performances by people.
        velocities: `human` keeps those of people and of expression, `fixed` plays all notes alike.
        room: Name of the room that it is recorded in; None for none.
        room_settings: What it is like, see `pipeline.rooms.Room`.

    Raises:
        FileNotFoundError: If there is no such font.
        ValueError: If the font, its preset or the tempo ratio cannot be used.
    """
    if tempo_ratio != performing.HUMAN:
        tempo.span(tempo_ratio)
    manner = performing.Manner(tempo_ratio, expression, velocities, instruments == "score")
    recorded = room, rooms.from_settings(room_settings)
    with (
        Instrument(font_path(font_file), bank, preset) as instrument,
        replacing(audio) as folder,
    ):
        folder.mkdir()
        chosen = _pieces(notes, pieces, noteheads, splits, manner)
        rows = _performances(chosen, manner, instrument, font, seed, loudness_db, recorded, folder)
        tables.write(rows, tables.PERFORMANCES, out)
