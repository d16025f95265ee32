"""Both ways to follow, on the same recordings: `python -m benchmarks.follow_both_ways [PIECE ...]`.

Performances by people whose every onset is known (`performances`) are played by a sound font and
followed on their engraved scores by notes and by image. What is measured is what a user sees: where
the cursor of page and video stands when a note sounds, and when the cursor reaches its notehead;
and how well recordings fit by image, dry, in a room and out of tune, to their own pages and to
those of the other pieces.
PIECE is a part of a performance's name; by default some short ones are taken.
"""

import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from benchmarks.follow import ROOM
from benchmarks.performances import FONT, mirror, recorded, sources, truth
from models.following import by_notes, image, timeline
from models.following.alignment import Alignment, Sheet
from partimento import scores
from pipeline import rendering, rooms
from pipeline.constants import AUDIO_RATE_HZ

PIECES = ("bwv_860", "D783", "bwv_884", "op10_no3")
NEAR_S, NEAR_PX = (0.05, 0.1), 50
AT_BARLINE_S = 0.2  # of a bar line, within which either bar counts as right
LONGEST_S, STEP_S = 3.0, 0.005  # about an onset, in which the cursor is looked for; how finely
ROUNDING_PX = 0.5
LOW_RATE_HZ = round(AUDIO_RATE_HZ * 2 ** (-30 / 1200))  # slows down, and lowers by 30 cents
SURENESS = (0, 0.5, 0.8, 0.9, 0.95, 1)  # edges of the classes that are told
WAYS = {"notes": by_notes.align, "image": image.align}


def engraved(text: str) -> Sheet:
    """The pages of a MusicXML score, by Verovio."""
    made = scores.engraved_tables(text, suffix=".musicxml")
    pages = made["images"].sort_by("image")["png"].to_pylist()
    known = [made[name].drop_columns(["piece_id"]) for name in scores.TABLES[1:]]
    return Sheet(pages, *known)


def goals(sheet: Sheet, true: list[dict]) -> pd.DataFrame:
    """Of each note that was played: `time`, and the `system`, `x` and `bar` of its chord."""
    heads = sheet.noteheads.to_pandas()
    chord = heads.groupby(["system", "moment", "grace"])
    heads = heads.assign(x=chord["x"].transform("mean")).set_index("notehead_id")
    found = heads.loc[[row["notehead_id"] for row in true], ["system", "x", "bar"]]
    found = found.assign(time=[row["onset_s"] for row in true])
    return found.sort_values("time").reset_index(drop=True)


def cursor(aligned: Alignment, times: np.ndarray) -> pd.DataFrame:
    """What a page shows at each time: `system`, `x`, `bar`, `sureness`."""
    stops = timeline.stops(aligned)
    right = {row["system"]: row["right"] for row in aligned.systems.to_pylist()}
    end = timeline.end_s(stops, timeline.soundings(aligned), aligned.about.duration)
    index, x = timeline.positions(stops, right, end, times)
    rows = aligned.table.to_pandas()[["system", "bar", "sureness"]]
    return rows.iloc[index].assign(x=x).reset_index(drop=True)


def errors(aligned: Alignment, true: pd.DataFrame) -> pd.DataFrame:
    """Of each note: `ms` from its onset to when the cursor reaches its chord, and `px` from there
    to the cursor at its onset, both inf if too far; whether the bar is right, and the sureness."""
    grid = np.arange(0, aligned.about.duration, STEP_S)
    shown = cursor(aligned, grid)
    # Before the first onset the cursor waits there.
    begun = grid >= aligned.table["time"].to_numpy().min() - STEP_S / 2
    system, x = np.where(begun, shown["system"], -1), shown["x"].to_numpy()
    back = np.diff(x) < 0  # to a repeat, or on to the next system
    reach = round(LONGEST_S / STEP_S)
    found = []
    for note in true.itertuples():
        at = round(note.time / STEP_S)
        first = max(at - reach, 1)
        part = slice(first - 1, at + reach)
        beyond = (system[part] == note.system) & (x[part] >= note.x - ROUNDING_PX)
        there = beyond[1:] & (~beyond[:-1] | back[first - 1 : first + len(beyond) - 2])
        moments = (first + np.flatnonzero(there)) * STEP_S
        found.append(np.abs(moments - note.time).min(initial=np.inf))
    now = cursor(aligned, true["time"].to_numpy())
    bars = [
        cursor(aligned, true["time"].to_numpy() + shift)["bar"]
        for shift in (-AT_BARLINE_S, AT_BARLINE_S)
    ]
    apart = np.where(now["system"] == true["system"], np.abs(now["x"] - true["x"]), np.inf)
    return pd.DataFrame(
        {
            "ms": 1000 * np.array(found),
            "px": apart,
            "bar": np.logical_or(*(bar == true["bar"] for bar in bars)),
            "sureness": now["sureness"],
        }
    )


def summary(rows: pd.DataFrame) -> str:
    """The cells of a row of the table."""
    cells = [f"{rows['ms'].median():.0f}"]
    cells += [f"{np.mean(rows['ms'] <= 1000 * limit):.3f}" for limit in NEAR_S]
    cells += [f"{rows['px'].median():.1f}", f"{np.mean(rows['px'] <= NEAR_PX):.3f}"]
    return " | ".join([*cells, f"{rows['bar'].mean():.3f}"])


def fits_of(paths: list[Path], sheets: list[Sheet]) -> np.ndarray:
    """How well each recording (rows) fits each piece's pages (columns), by image."""
    return np.array([[image.align(path, sheet).about.fit for sheet in sheets] for path in paths])


def main(*wanted: str) -> None:
    archives = mirror()
    if archives is None:
        return
    chosen = [
        (name, text, match)
        for name, text, match in sources(archives)
        if any(part in name for part in wanted or PIECES)
    ]
    if not chosen:
        raise SystemExit(f"no performance is named {' or '.join(wanted)}")
    print("| performance | s | by | CPU s a minute | ms | < 50 ms | < 100 | px | < 50 px | bar |")
    print("|" + "---|" * 10, flush=True)
    gathered: dict[str, list[pd.DataFrame]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, rendering.Instrument(archives / FONT) as font:
        paths = [Path(folder, f"{number}.wav") for number in range(len(chosen))]
        sheets = [engraved(text) for _, text, _ in chosen]
        for path, sheet, (name, _, match) in zip(paths, sheets, chosen, strict=True):
            true = goals(sheet, truth(match, sheet.noteheads))
            samples = recorded(match, font)
            soundfile.write(path, samples, AUDIO_RATE_HZ)
            minutes = len(samples) / AUDIO_RATE_HZ / 60
            for way, align in WAYS.items():
                begin = time.process_time()
                aligned = align(path, sheet)
                seconds = time.process_time() - begin
                gathered[way].append(errors(aligned, true))
                print(f"| {name} | {60 * minutes:.0f} | {way} | {seconds / minutes:.1f} | "
                      f"{summary(gathered[way][-1])} |", flush=True)  # fmt: skip
                print(f"  {aligned.about.route}; fit {aligned.about.fit:.2f}; "
                      f"sureness {aligned.about.sureness:.2f}", file=sys.stderr)  # fmt: skip
        fits = {"dry": fits_of(paths, sheets)}
        for path, (name, _, match) in zip(paths, chosen, strict=True):
            heard = rooms.record(recorded(match, font), AUDIO_RATE_HZ, ROOM, name)
            soundfile.write(path, heard, AUDIO_RATE_HZ)
        fits["room"] = fits_of(paths, sheets)
        for path, (_, _, match) in zip(paths, chosen, strict=True):
            soundfile.write(path, recorded(match, font), LOW_RATE_HZ)
        fits["out of tune"] = fits_of(paths, sheets)
    print("\n| by | sureness | notes | within 100 ms | within 50 px |\n|---|---|---|---|---|")
    for way, parts in gathered.items():
        rows = pd.concat(parts)
        for low, high in pairwise(SURENESS):
            ends = "both" if high == SURENESS[-1] else "left"
            inside = rows[rows.sureness.between(low, high, inclusive=ends)]
            print(f"| {way} | {low:g} to {high:g} | {len(inside)}"
                  f" | {(inside.ms <= 100).mean():.3f}"
                  f" | {(inside.px <= NEAR_PX).mean():.3f} |")  # fmt: skip
    for way, parts in gathered.items():
        print(f"all, by {way}: {summary(pd.concat(parts))}")
    for condition, matrix in fits.items():
        own = np.eye(len(matrix), dtype=bool)
        right, wrong = (" ".join(f"{fit:.3f}" for fit in sorted(matrix[of])) for of in (own, ~own))
        print(f"fit by image, {condition}: right {right}; wrong {wrong}")


if __name__ == "__main__":
    main(*sys.argv[1:])
