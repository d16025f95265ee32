"""Recordings of a collection's pieces as performances: aligned with their scores by notes.

What is aligned surely enough becomes a row of PERFORMANCES with the onsets as they are heard, so
that all stages after it take a recording for any other performance.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import soundfile
from scipy.signal import resample_poly
from tqdm import tqdm

from models.following import by_notes, features, recording, route, score, sureness, synchronise
from models.following.synchronise import Onset
from models.retrieval import audio as recorded_sound
from pipeline import levels, performing, tables
from pipeline.constants import AUDIO_RATE_HZ
from pipeline.engraving.looks import SEPARATOR
from pipeline.reading import recording_files
from pipeline.reading.pieces import printable
from pipeline.reading.recording_files import Recording
from pipeline.replacing import replacing

LEAST_SURE = 0.8  # of an onset's time
FEWEST_SURE = 0.5  # share of the onsets that must be sure
NO_NOTES = "its score has no notes to follow; was it engraved?"
SHORTEST_S = 0.05  # of a note
BLOCK_SAMPLES = 2**20  # of all channels, that are read at once
# What a recording may raise; of a full disk, say, the run ends.
UNREADABLE = (ValueError, FileNotFoundError, ChildProcessError, soundfile.LibsndfileError)
BREAK_S = 1.25  # of music about a break, in which onsets are left out
NEAR_BREAK = f"within {BREAK_S:g} s of where the recording begins, ends or is cut in the score"
BEHIND_S = 0.1  # of sound behind an onset, which must have a frame in its recording


def align_recordings(
    recordings: Path | str,
    pieces: Path | str,
    notes: Path | str,
    noteheads: Path | str,
    audio: Path | str,
    out: Path | str,
    *,
    least_sureness: float = LEAST_SURE,
    loudness_db: float | None = None,
) -> None:
    """Align the recordings of a chunk's pieces with their scores, and make performances of them.

    Writes a FLAC file for each, mono, 16 bit, 44.1 kHz, named after piece and performer, and a
    table of PERFORMANCES. A recording that cannot be read, or does not fit its score, has a reason
    in the table instead of a file; so has each onset whose time is not sure. The recordings
    themselves are only read.

    Args:
        recordings: Folder of recordings named as the scores are, or a CSV table with the columns
            `piece`, `file` and, if wanted, `performer`.
        pieces: Parquet table of PIECES.
        notes: Parquet table of NOTES.
        noteheads: Parquet table of NOTEHEADS.
        audio: Folder to write the recordings to.
        out: Parquet table to write.
        least_sureness: Of an onset, 0 to 1, below which it is left out.
        loudness_db: Loudness of every recording (dBFS); by default its own.

    Raises:
        ValueError: If the folder or the table of recordings cannot be used.
    """
    named = list(_of_pieces(recording_files.find(recordings), Path(pieces)))
    with replacing(audio) as folder:
        folder.mkdir()
        rows = _performances(
            named, Path(notes), Path(noteheads), folder, least_sureness, loudness_db
        )
        tables.write(rows, tables.PERFORMANCES, out)


def _of_pieces(recordings: list[Recording], pieces: Path) -> Iterator[tuple[str, str, Recording]]:
    """The recordings of those pieces that were kept: piece, performer and recording.

    A piece in several looks has its recordings in each.
    """
    columns = ["piece_id", "look", "reason"]
    for row in tables.read(pieces, tables.PIECES, columns).to_pylist():
        names = {row["piece_id"], row["piece_id"].removesuffix(f"{SEPARATOR}{row['look']}")}
        if row["reason"] is None:
            for performer, one in recording_files.of_piece(recordings, names).items():
                yield row["piece_id"], performer, one


def _performances(
    named: list[tuple[str, str, Recording]],
    notes: Path,
    noteheads: Path,
    folder: Path,
    least_sureness: float,
    loudness_db: float | None,
) -> Iterator[dict]:
    """Write a FLAC file into `folder` for each recording, and yield its row of PERFORMANCES."""
    wanted = {piece_id for piece_id, *_ in named}
    sounding = _by_piece(notes, tables.NOTES, wanted)
    heads = _by_piece(noteheads, tables.NOTEHEADS, wanted)
    for piece_id, performer, one in tqdm(
        named, desc="align", unit="recording", disable=None, file=sys.stderr
    ):
        row = {"piece_id": piece_id, "font": recording_files.RECORDINGS, "performer": performer}
        name = performing.file_name(piece_id, performer)
        try:
            onsets = aligned(one.path, heads[piece_id], sounding[piece_id], least_sureness)
            samples = _samples(one.path, loudness_db)
        except UNREADABLE as error:
            tqdm.write(f"{printable(str(one.path))}: left out, {_reason(error, one)}", sys.stderr)
            yield row | {"reason": _reason(error, one)}
            continue
        soundfile.write(folder / name, samples, AUDIO_RATE_HZ, subtype="PCM_16")
        yield row | {
            "audio": name,
            "duration_s": len(samples) / AUDIO_RATE_HZ,
            "loudness_db": levels.loudness(samples),
            "onsets": onsets,
        }


def _reason(error: Exception, one: Recording) -> str:
    """An error on one line, without the folders of the user's disk: tables are handed on."""
    text = " ".join(str(error).split()).removeprefix(f"{one.path}: ")
    return printable(text.replace(str(one.path), one.path.name))


def _by_piece(path: Path, schema: pa.Schema, wanted: set[str]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = defaultdict(list)
    table = tables.read(path, schema)
    for row in table.filter(pc.is_in(table["piece_id"], pa.array(wanted, pa.string()))).to_pylist():
        found[row["piece_id"]].append(row)
    return found


def aligned(
    path: Path, noteheads: list[dict], notes: list[dict], least_sureness: float = LEAST_SURE
) -> list[dict]:
    """The onsets of a recording, as PERFORMANCES has them: those heard in order, then those of
    printed notes that are not.

    Args:
        path: Any sound file, or a video.
        noteheads: Rows of NOTEHEADS of the piece.
        notes: Rows of NOTES of the piece.
        least_sureness: Below it an onset has a reason.

    Raises:
        FileNotFoundError: If there is no such recording.
        ValueError: If it cannot be read, or is not one of this piece.
    """
    if not notes or not noteheads:
        raise ValueError(NO_NOTES)
    printed = score.read(
        pa.Table.from_pylist(noteheads, tables.NOTEHEADS), pa.Table.from_pylist(notes, tables.NOTES)
    )
    samples = recording.read(path)
    # At its own pitch alone: a semitone off, its notes would not be those that are heard.
    heard = features.of_recording(samples, recorded_sound.tuning_of(samples))
    way = route.find(printed, heard)
    fit = sureness.fit(way)
    if fit < sureness.LEAST_FIT:
        raise ValueError(by_notes.verdict(way, fits=False))
    last = recording.seconds(samples) - BEHIND_S
    found = [onset for onset in synchronise.onsets(printed, way, heard) if onset.time <= last]
    if len(found) < sureness.FEWEST_ONSETS:  # a few seconds of any music fit some score
        raise ValueError(
            f"too few onsets of the score are heard in it ({len(found)};"
            f" {sureness.FEWEST_ONSETS} are"
            " needed to tell that it is this piece)"
        )
    sure = sureness.of_onsets(found, heard)
    share = float(np.mean(sure >= least_sureness))
    if share < FEWEST_SURE:
        raise ValueError(
            f"too few of its onsets are sure ({share:.0%} reach {least_sureness:g};"
            f" {FEWEST_SURE:.0%} are needed)"
        )
    near = _near_breaks(found, way, printed)
    return _onsets(found, sure.tolist(), near, way, notes, noteheads, least_sureness)


def _near_breaks(found: list[Onset], way: route.Route, printed: score.Score) -> list[bool]:
    """Whether each onset is near where a recording begins, ends or is cut within the score.

    There, notes that it does not have may be found among those that it has.
    """
    with_notes = [number for number, notes in enumerate(printed.notes) if notes]
    times = np.array([onset.time for onset in found])
    visits = np.array([onset.visit for onset in found])
    near = np.zeros(len(found), bool)
    for number, visit in enumerate(way.visits):
        after, until = visits >= number, visits <= number
        if (visit.cut if number else visit.bar > with_notes[0]) and after.any():
            near |= after & (times - times[after].min() < BREAK_S)
        following = way.visits[number + 1 :][:1]
        if (following[0].cut if following else visit.bar < with_notes[-1]) and until.any():
            near |= until & (times[until].max() - times < BREAK_S)
    return near.tolist()


def _onsets(
    found: list[Onset],
    sure: list[float],
    near: list[bool],
    way: route.Route,
    notes: list[dict],
    noteheads: list[dict],
    least_sureness: float,
) -> list[dict]:
    reasons = {note["note_id"]: note["reason"] for note in notes}
    passes = by_notes.passes(way)
    rows = []
    for onset, certain, broken in zip(found, sure, near, strict=True):
        unsure = f"less sure than {least_sureness:g}" if certain < least_sureness else None
        unsure = NEAR_BREAK if broken else unsure
        for note in onset.notes:
            heard = {
                "onset_s": max(onset.time, 0.0),
                "duration_s": max((note.end - note.begin) / way.tempo, SHORTEST_S),
                "pitch": note.pitch,
                "pass": passes[onset.visit],
                "sureness": certain,
            }
            rows += [
                heard | {"notehead_id": head, "reason": unsure} for head in note.noteheads
            ] or [heard | {"reason": reasons.get(note.note_id) or unsure}]
    rows.sort(key=lambda row: (row["onset_s"], row["pitch"]))
    played = {row.get("notehead_id") for row in rows}
    meant = {note["notehead_id"] for note in notes} - {None}
    rows += [
        {"notehead_id": head["notehead_id"], "pitch": head["pitch"],
         "reason": performing.NOT_PLAYED}
        for head in noteheads
        if head["notehead_id"] in meant - played
    ]  # fmt: skip
    return [{"note_id": number} | row for number, row in enumerate(rows)]


def _samples(path: Path, loudness_db: float | None) -> np.ndarray:
    """A recording, mono, 44.1 kHz: (n,) float32."""
    with recorded_sound.open_recording(path) as sound:
        rate = sound.samplerate
        blocks = sound.blocks(BLOCK_SAMPLES, dtype="float32", always_2d=True)
        samples = np.concatenate([block.mean(axis=1) for block in blocks])
    if rate != AUDIO_RATE_HZ:
        common = math.gcd(rate, AUDIO_RATE_HZ)
        samples = resample_poly(samples, AUDIO_RATE_HZ // common, rate // common)
    if loudness_db is not None:
        samples = levels.normalise(samples, loudness_db)
    return (samples / max(1.0, np.abs(samples).max(initial=0.0))).astype(np.float32)
