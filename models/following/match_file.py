"""Write an alignment as a match file, by partitura: the format of (n)ASAP, MATCH and parangonar.

The score is written as it was heard, repeats played. Its notes keep the ids of the score's file,
with the pass behind them as in (n)ASAP: `n12-2`. No loudness is known: every velocity is the same.
Notes are held as long as they are written, at the recording's own tempo.
"""

from fractions import Fraction
from itertools import groupby
from pathlib import Path

from models.following import score, timeline
from models.following.alignment import Alignment, Sheet
from pipeline.constants import VELOCITY
from pipeline.reading.libraries import partitura
from pipeline.replacing import replacing

DIVISIONS = 480  # of a quarter
SHORTEST_S = 0.05  # of a performed note
STEPS = ("C", 0), ("C", 1), ("D", 0), ("D", 1), ("E", 0), ("F", 0), ("F", 1), ("G", 0), ("G", 1), \
        ("A", 0), ("A", 1), ("B", 0)  # fmt: skip


def require_bars(sheet: Sheet, path: Path) -> None:
    """Check that a match file can be written of a score.

    Raises:
        ValueError: If no notes or no bars are known, as of a scan.
    """
    bars = sheet.noteheads.select(["bar", "beat"]).to_pylist()
    if not sheet.notes.num_rows or not any(row["bar"] and row["beat"] is not None for row in bars):
        raise ValueError(f"{path}: a match file needs the notes and bars of the score, and these "
                         "pages have none; write .csv or .svl")  # fmt: skip


def write_match(alignment: Alignment, path: Path) -> None:
    """Write the match file.

    Raises:
        ValueError: If no notes or no bars are known, as of a scan, or nothing is aligned with them.
    """
    require_bars(alignment, path)
    heads = {row["notehead_id"]: row for row in alignment.noteheads.to_pylist()}
    lengths = {
        note["notehead_id"]: (note["duration"], note["pitch"])
        for note in alignment.notes.to_pylist()
    }
    held = {
        (note.stop, note.notehead_id): float(note.duration_s)
        for note in timeline.soundings(alignment)
    }
    rows = [
        row | {"stop": stop}
        for stop, row in enumerate(alignment.table.to_pylist())
        if row["bar"] and row["beat"] is not None
    ]
    if not rows:
        raise ValueError(f"{path}: no note is aligned, so there is nothing to match")
    library = partitura()
    part = library.score.Part("P0", quarter_duration=DIVISIONS)
    part.add(library.score.TimeSignature(4, 4), 0)
    played: list[dict] = []
    matched: list[dict] = []
    for (number, start, end), inside in _bars(rows, heads):
        part.add(library.score.Measure(number=number), start, end)
        for at, row in inside:
            for head in row["notehead_ids"]:
                if head not in lengths:
                    continue
                quarters, pitch = lengths[head]
                name = f"{heads[head].get('source_id') or f'n{head}'}-{row['pass']}"
                step, alter = STEPS[pitch % 12]
                note = library.score.Note(step, pitch // 12 - 1, alter or None, id=name)
                part.add(note, at, at + max(round(quarters * DIVISIONS), 1))
                performed = f"p{len(played)}"
                off = row["time"] + max(held[row["stop"], head], SHORTEST_S)
                played.append({"id": performed, "midi_pitch": pitch, "note_on": row["time"],
                               "note_off": off, "sound_off": off, "velocity": VELOCITY,
                               "track": 0, "channel": 0})  # fmt: skip
                matched.append({"label": "match", "score_id": name, "performance_id": performed})
    performance = library.performance.PerformedPart(played)
    with replacing(path) as temporary:
        library.save_match(
            matched,
            performance,
            part,
            out=temporary,
            piece=alignment.title or "-",
            composer=alignment.composer or "-",
            performance_filename=alignment.about.recording,
        )


def _bars(rows: list[dict], heads: dict[int, dict]) -> list[tuple[tuple[int, int, int], list]]:
    """The bars as they are heard: number, start and end in divisions, and the onsets of each with
    their places in divisions."""
    position = score.positions(list(heads.values()))
    lines = sorted(
        {
            _quarters(position[number] - (head["beat"] or 0.0))  # in a pickup, where it ends
            for number, head in heads.items()
            if head["bar"] is not None
        }
    )
    found: list[tuple[tuple[int, int, int], list]] = []
    now = 0
    for _, group in groupby(rows, lambda row: (row["bar"], row["pass"], _in_pickup(row, heads))):
        bar = list(group)
        pickup = _in_pickup(bar[0], heads)
        begin = _quarters(bar[0]["onset"] - (0.0 if pickup else bar[0]["beat"]))
        places = [max(round((row["onset"] - begin) * DIVISIONS), 0) for row in bar]
        length = next((line - begin for line in lines if line > begin), None)
        if length is None:  # of the last printed bar
            length = max(Fraction(4), Fraction(max(places), DIVISIONS) + 1)
        start, now = now, now + max(round(length * DIVISIONS), 1)
        onsets = [(start + place, row) for place, row in zip(places, bar, strict=True)]
        found.append(((len(found) + 1, start, now), onsets))
    return found


def _in_pickup(row: dict, heads: dict[int, dict]) -> bool:
    """Whether an onset is in a pickup; else a negative beat is that of a grace note."""
    return row["beat"] < 0 and all((heads[head]["beat"] or 0.0) < 0 for head in row["notehead_ids"])


def _quarters(value: float) -> Fraction:
    return Fraction(value).limit_denominator(960)
