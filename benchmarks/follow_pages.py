"""How well staves are found on page images, and recordings followed on them.

`python -m benchmarks.follow_pages [DATA [PIECES]]`: DATA is the folder of a collection of pages
that the workflow engraved, PIECES how many of it are taken, evenly spaced. Pages are taken as they
are, as a copier and as a phone's camera degrade them; the truth is that of the engraving.
Recordings are the notes played by a sound font at a varying tempo.
"""

import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import soundfile
from PIL import Image

from models.following import image, sheet_images, staff_finding
from models.following.alignment import Alignment, Sheet
from pipeline import performing, rendering
from pipeline.constants import AUDIO_RATE_HZ
from pipeline.describing import last_run
from pipeline.engraving import degrade
from pipeline.reading import fonts

DATA, PIECES = "results/data/piano", 6
FONT = "pretty_midi:TimGM6mb.sf2"
CONDITIONS = (None, "copier", "phone")
NEAR_PX = 50
MOST_PAGES, LONGEST_S = 4, 240
TABLES = ("images", "systems", "noteheads", "notes")


def pieces(data: Path, count: int) -> dict[str, dict[str, pa.Table]]:
    """Tables of some short pieces by their ids."""
    found: dict[str, dict[str, pa.Table]] = {}
    for path in last_run.files(data, "images"):
        tables = {name: pq.read_table(data / name / path.name) for name in TABLES}
        for piece in dict.fromkeys(tables["images"]["piece_id"].to_pylist()):
            own = {name: t.filter(pc.field("piece_id") == piece) for name, t in tables.items()}
            last = max(own["notes"]["onset_s"].to_pylist(), default=np.inf)
            if own["images"].num_rows <= MOST_PAGES and last <= LONGEST_S:
                found[piece] = own
    names = sorted(found)
    return {name: found[name] for name in names[:: max(1, len(names) // count)][:count]}


# --- staves ----------------------------------------------------------------------------------
def staff_errors(pages: dict[str, pa.Table], condition: str | None) -> list[dict]:
    """A row for each true staff, found or missed, and for each false one; px of the page."""
    rows = []
    for page in pages["images"].to_pylist():
        truth = [s for s in pages["systems"].to_pylist() if s["image"] == page["image"]]
        pixels = np.asarray(Image.open(io.BytesIO(page["png"])).convert("L"))
        begin = time.perf_counter()
        found = staff_finding.find_staves(pixels)
        seconds = time.perf_counter() - begin
        staves = [_corners(found, staff, pixels) for staff in found.staves]
        for system in truth:
            for top, bottom in zip(system["top"], system["bottom"], strict=True):
                true = np.array([system["left"], system["right"], top, bottom])
                near = [s for s in staves if abs((s[2:] - true[2:]).mean()) < 3.5]
                row = {"condition": condition or "clean", "page": (page["piece_id"], page["image"])}
                if near:
                    staves = [s for s in staves if s is not near[0]]
                    errors = dict(
                        zip(("left", "right", "top", "bottom"), near[0] - true, strict=True)
                    )
                    rows.append(row | {"result": "found"} | errors)
                else:
                    rows.append(row | {"result": "missed"})
        rows += [{"condition": condition or "clean", "result": "false"} for _ in staves]
        if rows:
            rows[-1]["seconds"] = seconds
    return rows


def _corners(found: staff_finding.Staves, staff: staff_finding.Staff, page: np.ndarray):
    """Left, right, top and bottom of a staff in px of the page that was searched."""
    height, width = found.page.shape
    zoom = width / page.shape[1]
    angle = np.radians(found.degrees)
    middle = (staff.left + staff.right) / 2
    points = np.array(
        [
            (staff.left, staff.middle[int(staff.left)]),
            (staff.right, staff.middle[int(staff.right) - 1]),
            (middle, staff.middle[int(middle)] + 0.5 - 2 * staff.space),
            (middle, staff.middle[int(middle)] + 0.5 + 2 * staff.space),
        ]
    ) - np.array([width / 2, height / 2])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    x, y = ((points @ turn.T + np.array([width / 2, height / 2])) / zoom).T
    return np.array([x[0], x[1], y[2], y[3]])


def staff_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Staves by condition: how many, and medians and 95 % quantiles of the edges' errors."""

    def summary(part: pd.DataFrame) -> pd.Series:
        known = part[part.result == "found"]
        off = {edge: known[edge].abs() for edge in ("left", "right", "top", "bottom")}
        edges = {
            f"{edge} / px": f"{values.median():.1f} ({values.quantile(0.95):.1f})"
            for edge, values in off.items()
        }
        counts = part.result.value_counts()
        names = ("found", "missed", "false")
        return pd.Series(
            {"pages": part.page.nunique()}
            | {name: int(counts.get(name, 0)) for name in names}
            | edges
            | {"s a page": f"{part.seconds.mean():.2f}"}
        )

    return rows.groupby("condition", sort=False)[rows.columns.tolist()].apply(summary)


# --- following -------------------------------------------------------------------------------
def recorded(tables: dict[str, pa.Table], path: Path, seed: int) -> pd.DataFrame:
    """Play a piece at a tempo that sways; gives its notes, `onset_s` as played."""
    notes = tables["notes"].to_pandas()
    random = np.random.default_rng(seed)
    grid = np.arange(0, notes.onset_s.max() + 8, 2.0)
    speed = np.exp(0.12 * np.convolve(random.normal(size=len(grid) + 4), np.ones(5) / 2, "valid"))
    played = np.concatenate([[0], np.cumsum(2.0 / speed[:-1])])
    begin = np.interp(notes.onset_s, grid, played)
    end = np.interp(notes.onset_s + notes.duration_s, grid, played)
    sounding = [
        performing.Note(float(a), float(b - a), int(pitch))
        for a, b, pitch in zip(begin, end, notes.pitch, strict=True)
    ]
    with rendering.Instrument(fonts.font_path(FONT)) as instrument:
        soundfile.write(path, rendering.render(sounding, instrument), AUDIO_RATE_HZ)
    return notes.assign(onset_s=begin)


def sheet_of(pages: dict[str, pa.Table], scanned: bool, folder: Path) -> Sheet:
    """The pages as engraved, their systems known; or as a PDF file in which they are looked for."""
    pngs = pages["images"]["png"].to_pylist()
    if not scanned:
        kept = [pages[name].drop_columns(["piece_id"]) for name in TABLES[1:]]
        return Sheet(pngs, *kept)
    pictures = [Image.open(io.BytesIO(png)).convert("L") for png in pngs]
    path = folder / "pages.pdf"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], resolution=101)
    return sheet_images.read_pages(path)


def errors(aligned: Alignment, tables: dict[str, pa.Table], notes: pd.DataFrame) -> dict:
    """How far the cursor is from each onset's notehead, px; another system counts as far."""
    heads = tables["noteheads"].to_pandas().set_index("notehead_id")
    true_systems = tables["systems"].to_pandas().set_index("system")
    found = aligned.table.to_pandas()
    systems = aligned.systems.to_pandas().set_index("system")
    if not len(found) or len(systems) != len(true_systems):
        return {"systems": f"{len(systems)} of {len(true_systems)}"}
    linked = notes.dropna(subset="notehead_id")
    nearest = np.abs(found.time.to_numpy()[:, None] - linked.onset_s.to_numpy()).argmin(axis=0)
    at = found.iloc[nearest].reset_index(drop=True)
    head = heads.loc[linked.notehead_id.astype(int)].reset_index(drop=True)

    def along(x: pd.Series, system: pd.Series, frame: pd.DataFrame) -> np.ndarray:
        edges = frame.loc[system]
        return (x.to_numpy() - edges.left.to_numpy()) / (edges.right - edges.left).to_numpy()

    width = (true_systems.right - true_systems.left).loc[head.system].to_numpy()
    here, there = along(at.x, at.system, systems), along(head.x, head.system, true_systems)
    distance = np.where(at.system == head.system, np.abs(here - there) * width, np.inf)
    result = {
        "median px": float(np.median(distance)),
        f"within {NEAR_PX} px": float(np.mean(distance <= NEAR_PX)),
        "system right": float(np.mean(at.system == head.system)),
        "fit": aligned.about.fit,
        "sureness": aligned.about.sureness,
        "distance": distance,
        "sure": at.sureness.to_numpy(),
    }
    if "bar" in head.columns and (numbered := head.bar.notna()).any():
        if at.bar.notna().any():
            right = head.bar == at.bar
        else:
            truth = bars_of_systems(heads).loc[linked.notehead_id.astype(int)]
            right = pd.Series(truth.to_numpy() == at.system_bar.to_numpy())
        result["bar right"] = float(np.mean(right[numbered]))
    return result


def bars_of_systems(heads: pd.DataFrame) -> pd.Series:
    """Which bar of its system each notehead stands in, from 1, by `notehead_id`."""
    numbers = pd.Series(0, heads.index)
    for _, system in heads.groupby("system"):
        order = system.sort_values("x").bar.dropna().unique()
        numbers[system.index] = [1 + list(order).index(bar) if bar else 0 for bar in system.bar]
    return numbers


def degraded(tables: dict[str, pa.Table], condition: str | None, piece: str) -> dict:
    if condition is None:
        return tables
    return tables | degrade.tables_of(
        {name: tables[name] for name in TABLES[:3]}, condition, 0, piece
    )


def main(data: str = DATA, count: str = str(PIECES)) -> None:
    if not list(Path(data).glob("images/*.parquet")):
        print(f"{data}: no engraved pages; run `make` first, or name others")
        return
    staves, followed = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (piece, tables) in enumerate(pieces(Path(data), int(count)).items()):
            notes = recorded(tables, folder / "recording.wav", number)
            for condition in (*CONDITIONS, "engraved"):
                pages = degraded(tables, None if condition == "engraved" else condition, piece)
                if condition != "engraved":
                    staves += staff_errors(pages, condition)
                begin = time.perf_counter()
                sheet = sheet_of(pages, condition != "engraved", folder)
                aligned = image.align(folder / "recording.wav", sheet)
                row = {"pages": condition or "clean PDF", "piece": piece}
                row |= errors(aligned, tables, notes) | {"s": time.perf_counter() - begin}
                row["music s"] = aligned.about.duration
                followed.append(row)
                kept = {k: v for k, v in row.items() if k not in ("distance", "sure")}
                print(kept, aligned.about.route[:80], file=sys.stderr, flush=True)
    print(staff_table(pd.DataFrame(staves)).to_markdown())
    table = pd.DataFrame(followed)
    print(
        table.drop(columns=["distance", "sure"])
        .groupby("pages", sort=False)
        .mean(numeric_only=True)
        .to_markdown()
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
