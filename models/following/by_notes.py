"""Follow a recording by the notes of its score: route, fine synchronisation, and the table."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.following import (
    alignment,
    features,
    recording,
    route,
    score,
    spans,
    sureness,
    synchronise,
    words,
)
from models.following.alignment import About, Alignment, Sheet
from models.following.synchronise import Onset
from models.retrieval.audio import tuning_of
from pipeline.reading.pieces import printable

STEPS = 4
MOVED_FIT = 0.72  # least fit of a recording that is a semitone too high or low


def align(path: Path, sheet: Sheet) -> Alignment:
    """Align a recording with a score whose notes are known.

    Args:
        path: Any sound file, or a video.
        sheet: The engraved score, repeats played in its notes.

    Raises:
        FileNotFoundError: If there is no such recording.
        ValueError: If it cannot be followed; the message names the remedy.
    """
    with tqdm(total=STEPS, desc=f"follow {path.name}", disable=None, file=sys.stderr) as progress:
        printed = score.read(sheet.noteheads, sheet.notes)
        samples = recording.read(path)
        progress.update()
        heard, way = listen(printed, samples)
        progress.update()
        found = synchronise.onsets(printed, way, heard)
        progress.update()
        sure = sureness.of_onsets(found, heard)
        fit = sureness.fit(way)
        fits = sureness.fits(printed, way, sure)
        about = About(
            recording=printable(path.name),
            duration=recording.seconds(samples),
            method="notes",
            route=words.spoken(printed, way),
            unaligned=spans.unaligned(way, samples, heard),
            sureness=float(sure.mean()) if len(sure) else 0.0,
            fit=round(fit, 3),
            fits=fits,
            verdict=verdict(way, fits),
        )
        rows = _rows(printed, way, found, sure, sheet)
        progress.update()
    table = alignment.table(rows, about)
    return Alignment(table=table, about=about, recording=path, **vars(sheet))


def listen(printed: score.Score, samples: np.ndarray) -> tuple[features.Features, route.Route]:
    """Features of a recording, and its way through the score.

    The tuning is known but for whole semitones: if it is no recording of the score at its own
    pitch, it is tried a semitone higher and lower, as of an old piano.
    """
    tuning = tuning_of(samples)

    def tuned(semitones: float) -> tuple[float, features.Features, route.Route]:
        heard = features.of_recording(samples, semitones)
        way = route.find(printed, heard)
        return sureness.fit(way), heard, way

    fit, heard, way = tuned(tuning)
    for moved in (-1, 1) if fit < sureness.LEAST_FIT else ():
        other = tuned(tuning + moved)
        if other[0] >= MOVED_FIT and other[0] > fit:
            fit, heard, way = other
    return heard, way


def verdict(way: route.Route, fits: bool) -> str:
    """Whether a recording is of the score, in one sentence."""
    fit = sureness.fit(way)
    if fits and fit >= sureness.LEAST_FIT:
        return f"this is a recording of this score (fit {fit:.2f})"
    if fits:
        return (
            f"{sureness.inside_s(way):.0f} s of this are a recording of this score "
            f"(fit {1 - way.cost:.2f} there)"
        )
    why = f"recordings of the right piece reach {sureness.LEAST_FIT:.2f} or more"
    if fit >= sureness.LEAST_FIT:
        why = "but few of its onsets are heard, or hardly one is sure"
    return f"this does not seem to be a recording of this score (fit {fit:.3f}; {why})"


def passes(way: route.Route) -> list[int]:
    """How often the bar of each visit has been heard by then, this time counted."""
    heard: Counter[int] = Counter()
    found = []
    for visit in way.visits:
        heard[visit.bar] += 1
        found.append(heard[visit.bar])
    return found


def _rows(
    printed: score.Score, way: route.Route, found: list[Onset], sure: np.ndarray, sheet: Sheet
) -> list[dict]:
    """Rows of ALIGNMENT in the order heard."""
    heads = {row["notehead_id"]: row for row in sheet.noteheads.to_pylist()}
    middle = {
        row["system"]: (min(row["top"]) + max(row["bottom"])) / 2
        for row in sheet.systems.to_pylist()
    }
    times_heard = passes(way)
    rows = []
    for onset, certain in zip(found, sure.tolist(), strict=True):
        bar = printed.bars[way.visits[onset.visit].bar]
        ids = list(dict.fromkeys(head for note in onset.notes for head in note.noteheads))
        row = {
            "time": round(onset.time, 4),
            "bar": bar.number,
            "beat": round(bar.first_beat + onset.notes[0].position - bar.position, 6),
            "pass": times_heard[onset.visit],
            "onset": onset.notes[0].position,
            "note_ids": _names(onset, heads),
            "notehead_ids": ids,
            "sureness": certain,
        }
        rows.append(row | _place([heads[head] for head in ids]))
    rows.sort(key=lambda row: row["time"])
    _fill(rows, middle)
    return rows


def _names(onset: Onset, heads: dict[int, dict]) -> list[str]:
    """Ids of an onset's notes in the score's file, or their numbers in the table of notes."""
    found: dict[str, None] = {}
    for note in onset.notes:
        ids = [heads[head].get("source_id") for head in note.noteheads]
        found |= dict.fromkeys([name for name in ids if name] or [str(note.note_id)])
    return list(found)


def _place(heads: list[dict]) -> dict:
    """Page, system and centre of some noteheads; those of the first system count."""
    if not heads:
        return {}
    system = min(head["system"] for head in heads)
    heads = [head for head in heads if head["system"] == system]
    return {
        "page": heads[0]["image"],
        "system": system,
        "x": float(np.mean([head["x"] for head in heads])),
        "y": float(np.mean([head["y"] for head in heads])),
    }


def _fill(rows: list[dict], middle: dict[int, float]) -> None:
    """Give onsets without noteheads the page and system of the onset before, and an x between."""
    known = [number for number, row in enumerate(rows) if "page" in row]
    for number, row in enumerate(rows):
        if "page" in row or not known:
            continue
        before = max((k for k in known if k < number), default=known[0])
        after = next((k for k in known if k > number), before)
        same = rows[after]["system"] == rows[before]["system"]
        x = [rows[before]["x"], rows[after]["x"] if same else rows[before]["x"]]
        part = [rows[before]["time"], max(rows[after]["time"], rows[before]["time"] + 1e-6)]
        row |= {key: rows[before][key] for key in ("page", "system")}
        row["x"] = float(np.interp(row["time"], part, x))
        row["y"] = middle[row["system"]]
