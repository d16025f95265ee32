"""Write a page to look at a piece and listen to it: its images with systems, staves and noteheads
marked, and its recording, in one self-contained HTML file."""

import difflib
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import performing, rendering, spectrogram, tables
from pipeline.constants import AUDIO_RATE_HZ
from pipeline.describing import last_run, page
from pipeline.reading.fonts import font_path
from pipeline.replacing import require_writable, unclaimed

SCRIPT = Path(__file__).with_name("inspect.js")
RESULTS = Path("results")
FONT_FILE = "pretty_midi:TimGM6mb.sf2"  # plays the notes if no recording was kept
ABOUT = ("piece_id", "collection", "split", "composer", "title", "licence")


def _rows(path: Path, schema: pa.Schema, piece: str) -> list[dict]:
    """The rows of one piece in a table."""
    if not path.is_file():
        raise ValueError(f"{path}: not found; let the workflow finish, then inspect")
    return tables.read(path, schema).filter(pc.field("piece_id") == piece).to_pylist()


def _piece_ids(path: Path) -> list[str]:
    return tables.read(path, tables.PIECES, ["piece_id"])["piece_id"].to_pylist()


def find(piece: str, data: Path | None) -> tuple[Path, str]:
    """Find the data folder and the chunk that hold a piece.

    Args:
        piece: Its id.
        data: The data folder; None searches all of results/.

    Raises:
        ValueError: The piece is not found (the message names similar ones), or is in several data
            sets, or in several chunks of one whose run goes on.
    """
    where = f"{data or RESULTS}/"
    folders = [data] if data else [path.parent for path in RESULTS.glob("**/data/*/pieces")]
    found, known = [], set()
    paths = [path for folder in sorted(folders) for path in last_run.files(folder, "pieces")]
    if not paths:
        raise ValueError(
            f"{where}: no tables of pieces; run the workflow, or name a folder with --data"
        )
    for path in paths:
        piece_ids = _piece_ids(path)
        known.update(piece_ids)
        if piece in piece_ids:
            found.append((path.parents[1], path.stem))
    holders = sorted({str(folder) for folder, _ in found})
    if len(holders) > 1:
        named = ", ".join(holders)
        raise ValueError(f"piece '{piece}' is in several data sets: {named}; choose with --data")
    if len(found) > 1:
        raise ValueError(
            f"{holders[0]}/pieces: piece '{piece}' is in several chunks, of runs with different"
            " numbers of them; let the last run finish, or remove the chunks that are not of it"
        )
    if not found:
        close = difflib.get_close_matches(piece, known, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"no piece '{piece}' among the {len(known):,} in {where}{hint}")
    return found[0]


def _recording(
    piece: str, data: Path, chunk: str, font: str | None, tempo_ratio: float | None
) -> tuple[Path, dict] | None:
    """The kept recording of a piece nearest to tempo ratio 1, and its row of PERFORMANCES."""
    folder = data / "performances"
    kept = []
    for path in sorted(folder.glob(f"*/*/{chunk}.parquet")):
        audio = data / "audio" / path.relative_to(folder).with_suffix("")
        for row in _rows(path, tables.PERFORMANCES, piece):
            # The page follows a tempo ratio.
            if row["onsets"] is not None or row["tempo_ratio"] is None:
                continue
            wanted = font in (None, row["font"]) and (
                tempo_ratio is None or math.isclose(row["tempo_ratio"], tempo_ratio, rel_tol=1e-6)
            )
            if wanted and row["audio"] and (audio / row["audio"]).is_file():
                kept.append((audio / row["audio"], row))
    return min(kept, key=lambda found: abs(math.log(found[1]["tempo_ratio"])), default=None)


def _sound(
    piece: str,
    data: Path,
    chunk: str,
    notes: list[dict],
    font: str | None,
    tempo_ratio: float | None,
    font_file: str | None,
) -> tuple[np.ndarray, int, float, str]:
    """Read a kept recording, or play the notes now.

    Returns:
        Samples float32 (n,), their rate (Hz), the tempo ratio, and a name for what is heard.

    Raises:
        ValueError: No recording of the font that is asked for was kept, or the notes cannot be
            played.
    """
    if font and font_file:
        raise ValueError("give --font, for a recording that was kept, or --font_file, not both")
    if not font_file and (found := _recording(piece, data, chunk, font, tempo_ratio)):
        path, row = found
        samples = spectrogram.load(path, AUDIO_RATE_HZ)
        return samples, AUDIO_RATE_HZ, row["tempo_ratio"], row["font"]
    if font is not None:
        raise ValueError(
            f"{data}/audio: no recording of '{piece}' with font {font}"
            + (f" at tempo_ratio {tempo_ratio:g}" if tempo_ratio else "")
            + " was kept; name a sound font file with --font_file instead"
        )
    tempo_ratio = 1.0 if tempo_ratio is None else tempo_ratio
    played = [performing.Note(n["onset_s"], n["duration_s"], n["pitch"]) for n in notes]
    path = font_path(font_file or FONT_FILE)
    with rendering.Instrument(path) as instrument:
        try:
            samples = rendering.render(played, instrument, tempo_ratio)
        except performing.Unplayable as reason:
            raise ValueError(f"piece '{piece}' cannot be played: {reason}") from None
    return np.clip(samples, -1, 1), AUDIO_RATE_HZ, tempo_ratio, path.stem


def stops(notes: list[dict], noteheads: dict[int, dict]) -> list[dict]:
    """Where the cursor stands at each onset, in order of time: {onset_s, system, x (px)}.

    Of the noteheads that sound together the highest pitch leads, as in the data set's map of
    onsets. system and x are None if no note of the onset has a notehead.

    Args:
        notes: Rows of NOTES.
        noteheads: Rows of NOTEHEADS by their id.
    """
    together = defaultdict(list)
    for note in notes:
        together[note["onset_s"]].append(note)
    found = []
    for onset_s, chord in sorted(together.items()):
        printed = [note for note in chord if note["notehead_id"] is not None]
        highest = max(printed, key=lambda note: note["pitch"], default={"notehead_id": None})
        notehead = noteheads.get(highest["notehead_id"], {})
        found.append({"onset_s": onset_s, "system": notehead.get("system"), "x": notehead.get("x")})
    return found


def inspect(
    piece: str,
    data: Path | None = None,
    out: Path | None = None,
    font: str | None = None,
    tempo_ratio: float | None = None,
    font_file: str | None = None,
) -> None:
    """Write one HTML page of a piece: its images with all that is marked on them, and its sound.

    Args:
        piece: Its id, as in the tables.
        data: Folder of a data set, as results/data/tunes; by default all of results/ is searched.
        out: The page, which is replaced; by default PIECE.html in this folder, unless another
            file has that name.
        font: Name of a sound font of which a recording was kept; by default any.
        tempo_ratio: Tempo ratio; by default that of the recording nearest to 1.
        font_file: Sound font that plays the notes now; by default a kept recording is heard, and
            if there is none, the notes are played with the font of pretty_midi.
    """
    folder, chunk = find(piece, data)
    out = out or unclaimed(Path(piece.replace("/", "__") + ".html"), page.MARK, "page")
    require_writable(out)

    def rows(name: str, schema: pa.Schema) -> list[dict]:
        return _rows(folder / name / f"{chunk}.parquet", schema, piece)

    (about,) = rows("pieces", tables.PIECES)
    if about["reason"]:
        raise ValueError(f"piece '{piece}' was left out in selection: {about['reason']}")
    for outcome in rows("engraved", tables.ENGRAVED):
        if outcome["reason"]:
            raise ValueError(f"piece '{piece}' was not engraved: {outcome['reason']}")
    notes = rows("notes", tables.NOTES)
    noteheads = {row["notehead_id"]: row for row in rows("noteheads", tables.NOTEHEADS)}
    samples, rate, ratio, name = _sound(piece, folder, chunk, notes, font, tempo_ratio, font_file)
    for note in notes:  # from here on in seconds of this recording
        note["onset_s"] = round(note["onset_s"] / ratio, 6)
        note["duration_s"] = round(note["duration_s"] / ratio, 6)

    images, systems = rows("images", tables.IMAGES), rows("systems", tables.SYSTEMS)
    content = {
        **{key: about[key] for key in ABOUT},
        "unit": "image" if len(images) == len(systems) else "page",
        "sound": f"{name}, tempo ratio {ratio:g}",
        "audio": page.data_url("audio/ogg", page.vorbis(samples, rate)),
        "duration_s": len(samples) / rate,
        "end_s": max(note["onset_s"] + note["duration_s"] for note in notes),
        "images": [
            {"image": row["image"], "src": page.data_url("image/png", row["png"]),
             "width": row["width"], "height": row["height"]}
            for row in images
        ],
        "systems": systems,
        "heads": [{key: row[key] for key in page.NOTEHEAD} for row in noteheads.values()],
        "notes": [
            {"onset_s": note["onset_s"], "duration_s": note["duration_s"],
             "pitch": note["pitch"], "head": note["notehead_id"], "reason": note["reason"]}
            for note in notes
        ],
        "stops": stops(notes, noteheads),
    }  # fmt: skip
    page.write(content, SCRIPT, out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
