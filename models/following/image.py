"""Follow a recording on page images alone, by the networks' embeddings of sound and image.

No symbols are needed: pages may be a scan. Windows slide over the systems and over the recording;
the way over the print (`image_path`) maps each moment to a position.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.following import (
    alignment,
    image_path,
    recording,
    staff_finding,
    staff_systems,
    words,
)
from models.following.alignment import About, Alignment, Sheet, Span, What
from models.retrieval import audio, inference
from models.retrieval.align import STEP_FRAMES, window_positions
from pipeline import strips
from pipeline.constants import RETRIEVAL, STRIP_HEIGHT_PX, onset_times
from pipeline.images import grey
from pipeline.reading.pieces import printable

STEP_PX = 10  # between windows over the print, about; all that follows was set with it
CLEF_PX = 35  # at the left of a system, five staff spaces: no note is printed there
MOST_CELLS = 2**26  # frames times windows; 13 bytes each
LONGEST_SILENCE_S = 0.7  # that is part of the music
AROUND_S = 5.0  # a moment, where a steady sound is no music
NEAR_S = 1.0  # about a moment, over which similarities are averaged
BESIDE_PX = (60, 400)  # beside the path, where other positions are compared with it
LEAST_FIT = 0.88  # mean cosine along the path of a recording of these pages; docs/scans.md
# Log odds that a position is right; set by hand, not calibrated (docs/scans.md).
INTERCEPT, COSINE, MARGIN = -2.0, 4.0, 12.0


@dataclass(frozen=True)
class Print:
    """The systems joined from left to right, as windows slide over them.

    Attributes:
        strip: (200, width) uint8.
        x: (windows,) px in the strip.
        system: (windows,) index into `systems`.
        page_x: (windows,) px in the page.
        systems: Rows of SYSTEMS in order.
        bar: (windows,) number of the bar, from 0.
        begins: (bars,) first window of each bar.
        ends: (bars,) last window of each bar.
        numbers: (bars,) the printed numbers of the bars; None if the sheet does not tell them.
    """

    strip: np.ndarray
    x: np.ndarray
    system: np.ndarray
    page_x: np.ndarray
    systems: list[dict]
    bar: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    numbers: list[str] | None


def align(path: Path, sheet: Sheet, weights: Path | str = inference.DEFAULT_WEIGHTS) -> Alignment:
    """Align a recording with page images.

    Args:
        path: Any sound file, or a video.
        sheet: Pages and their systems; noteheads and notes are not looked at, but for the numbers
            of bars.
        weights: Of the retrieval network.

    Returns:
        The table has a row for each tenth of a second that is in the print.

    Raises:
        FileNotFoundError: If there is no such recording.
        ValueError: If it cannot be followed; the message names the remedy.
    """
    with tqdm(total=4, desc=f"follow {path.name}", disable=None, file=sys.stderr) as progress:
        with recording.opened(path) as sound_file:
            heard = audio.whole_spectrogram(sound_file, path)
        printed = read_print(sheet)
        progress.update()
        frames = window_positions(len(heard), STEP_FRAMES)
        if len(frames) * len(printed.x) > MOST_CELLS:
            raise ValueError(
                f"{path}: {len(heard) / RETRIEVAL.fps / 60:.0f} minutes over "
                f"{len(printed.systems)} systems are too much at once; cut both into parts"
            )
        fabric, network = inference.load_network(weights)
        paper = inference.embed_strip(fabric, network, printed.strip, printed.x)
        progress.update()
        level = audio.normalise_level(heard[None])[0]
        sound = inference.embed_spectrogram(fabric, network, level, frames)
        progress.update()
        silent = _silent(heard, frames)
        noise = inference.steady(sound, round(AROUND_S * RETRIEVAL.fps / STEP_FRAMES))
        cosine = sound @ paper.T
        cosine[noise] = 0  # some window is always like it
        way = image_path.find(1 - cosine, printed.begins, printed.ends, silent | noise)
        seconds = onset_times(frames, RETRIEVAL.fps).clip(min=0)
        sure, fit = sureness(cosine, way)
        found = rows(printed, way, seconds, sure)
        about = About(
            recording=printable(path.name),
            duration=len(heard) / RETRIEVAL.fps,
            method="image",
            route=route(printed, way),
            unaligned=unaligned(way, seconds, silent),
            sureness=float(np.mean([row["sureness"] for row in found])) if found else 0.0,
            fit=round(fit, 3),
            fits=bool(fit >= LEAST_FIT and found),
            verdict=_verdict(fit),
        )
        progress.update()
    table = alignment.table(found, about)
    return Alignment(table=table, about=about, recording=path, **vars(sheet))


def _verdict(fit: float) -> str:
    if fit >= LEAST_FIT:
        return f"this is a recording of these pages (fit {fit:.2f})"
    return (
        f"this does not seem to be a recording of these pages (fit {fit:.3f}; the limit is "
        f"{LEAST_FIT:.2f})"
    )


def read_print(sheet: Sheet) -> Print:
    """Join the systems of a sheet, and find their bars in the image.

    Raises:
        ValueError: If there are no systems.
    """
    systems = sheet.systems.to_pylist()
    if not systems:
        raise ValueError("the pages show no staves")
    pages = [grey(page) for page in sheet.pages]
    dark = [staff_finding.darkness(page) for page in pages]
    lines = [staff_systems.barlines(dark[system["image"]], system) for system in systems]
    strip, shifts = strips.strip(pages, systems)
    above = (len(strip) - STRIP_HEIGHT_PX) // 2
    strip = strip[above : above + STRIP_HEIGHT_PX]
    x, of_system = [], []
    for number, system in enumerate(systems):
        left, _, right, _ = strips.box(system)
        first = max(0, left) + shifts[system["system"]]
        width = min(right, pages[system["image"]].shape[1]) - max(0, left)
        skipped = min(CLEF_PX, width // 2)
        places = first + skipped + window_positions(width - skipped, STEP_PX)
        x.append(places)
        of_system.append(np.full(len(places), number))
    strip_x, system_of = np.concatenate(x), np.concatenate(of_system)
    shift = np.array([shifts[system["system"]] for system in systems])
    page_x = (strip_x - shift[system_of]).astype(float)
    bars = staff_systems.bars(lines, systems)
    number_of = np.zeros(len(page_x), int)
    for number, (system, begin, _) in enumerate(bars):
        number_of[(system_of == system) & (page_x >= begin - STEP_PX / 2)] = number
    _, begins, bar = np.unique(number_of, return_index=True, return_inverse=True)
    kept = [bars[number] for number in np.unique(number_of)]
    ends = np.append(begins[1:], len(bar)) - 1
    numbers = _bar_numbers(sheet, systems, kept)
    return Print(strip, strip_x, system_of, page_x, systems, bar, begins, ends, numbers)


def _bar_numbers(
    sheet: Sheet, systems: list[dict], bars: list[tuple[int, float, float]]
) -> list[str] | None:
    """Numbers of bars: those of the noteheads printed in them, and of others by counting on.

    None if no number is known: a pickup, or a bar that a repeat sign divides, has none, and a
    picture does not tell which bars these are.
    """
    known: dict[int, Counter[str]] = {}
    if "bar" in sheet.noteheads.column_names:
        for row in sheet.noteheads.select(["system", "x", "bar"]).to_pylist():
            for number, (system, begin, end) in enumerate(bars):
                inside = begin <= row["x"] < end and systems[system]["system"] == row["system"]
                if inside and row["bar"]:
                    known.setdefault(number, Counter())[row["bar"]] += 1
    if not known:
        return None
    found: list[str] = []
    for number in range(len(bars)):
        if number in known:
            found.append(known[number].most_common(1)[0][0])
        else:
            before = found[-1] if found else "0"
            found.append(str(int(before) + 1) if before.isdigit() else str(number + 1))
    return found


def _silent(heard: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Whether nothing sounds about each frame: (frames,) bool."""
    half = round(LONGEST_SILENCE_S * RETRIEVAL.fps / 2)
    loud = np.pad(heard, ((half, half), (0, 0)))
    windows = loud[frames[:, None] + np.arange(2 * half + 1)]
    return ~audio.audible(windows)


# --- what is found ---------------------------------------------------------------------------
def sureness(cosine: np.ndarray, way: image_path.Path) -> tuple[np.ndarray, float]:
    """How sure the position at each frame is, and the mean cosine along the way.

    What counts is the cosine about a moment, and by how much it exceeds that of the best way beside
    it, so many px before or after.

    Args:
        cosine: (frames, windows).
        way: The way over the print.

    Returns:
        (frames,) 0 to 1, and the mean over the frames in the print.
    """
    inside = np.flatnonzero(way.windows != image_path.NOWHERE)
    if not len(inside):
        return np.zeros(len(cosine)), 0.0
    size = 2 * round(NEAR_S * RETRIEVAL.fps / STEP_FRAMES) + 1
    windows = way.windows[inside]
    along = _mean(cosine[inside, windows], size)
    least, most = (px // STEP_PX for px in BESIDE_PX)
    beside = np.full(len(inside), -1.0)
    for shift in (*range(-most, -least + 1), *range(least, most + 1)):
        other = windows + shift
        valid = (other >= 0) & (other < cosine.shape[1])
        values = np.where(valid, cosine[inside, np.clip(other, 0, cosine.shape[1] - 1)], -1.0)
        beside = np.maximum(beside, _mean(values, size))
    odds = INTERCEPT + COSINE * along + MARGIN * (along - beside)
    sure = np.zeros(len(cosine))
    sure[inside] = 1 / (1 + np.exp(-odds))
    return sure, float(cosine[inside, windows].mean())


def _mean(values: np.ndarray, size: int) -> np.ndarray:
    """Moving average over `size` values, fewer at the ends."""
    kernel = np.ones(min(size, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")


def visits(printed: Print, way: image_path.Path) -> list[tuple[int, int]]:
    """The bars heard, in order: first frame, and number of the bar."""
    found: list[tuple[int, int]] = []
    before = image_path.NOWHERE
    for frame, window in enumerate(way.windows.tolist()):
        if window == image_path.NOWHERE:
            before = window
            continue
        bar = int(printed.bar[window])
        if not found or before == image_path.NOWHERE or way.jumped[frame]:
            found.append((frame, bar))
        elif bar != printed.bar[before]:
            skipped = range(int(printed.bar[before]) + 1, bar)
            found += [(frame, other) for other in skipped]
            found.append((frame, bar))
        before = window
    return found


def route(printed: Print, way: image_path.Path) -> str:
    """The way in words: "bars 1-16, 1-16, 17-32"; with "(counted)" if numbers are not known."""
    runs: list[list[int]] = []
    for _, bar in visits(printed, way):
        if runs and bar == runs[-1][1] + 1:
            runs[-1][1] = bar
        else:
            runs.append([bar, bar])
    numbers = printed.numbers or [str(bar + 1) for bar in range(len(printed.begins))]
    said = words.runs([(numbers[first], numbers[last]) for first, last in runs])
    return said if printed.numbers or not runs else f"{said} (counted)"


def positions(printed: Print, way: image_path.Path, seconds: np.ndarray) -> np.ndarray:
    """x in the page at each frame, between windows interpolated: (frames,) px, NaN outside.

    A window on which the way waits is reached in the middle of that time.
    """
    x = np.full(len(seconds), np.nan)
    inside = way.windows != image_path.NOWHERE
    system = np.where(inside, printed.system[np.maximum(way.windows, 0)], -1)
    new = way.jumped | (np.diff(system, prepend=-2) != 0)
    starts = np.flatnonzero(new)
    for start, stop in pairwise([*starts.tolist(), len(seconds)]):
        if not inside[start]:
            continue
        windows = way.windows[start:stop]
        unique, index = np.unique(windows, return_inverse=True)
        when = np.bincount(index, seconds[start:stop]) / np.bincount(index)
        x[start:stop] = np.interp(seconds[start:stop], when, printed.page_x[unique])
    return x


def rows(printed: Print, way: image_path.Path, seconds: np.ndarray, sure: np.ndarray) -> list[dict]:
    """Rows of ALIGNMENT, one for each frame in the print."""
    x = positions(printed, way, seconds)
    first = printed.bar[np.searchsorted(printed.system, printed.system)]  # of each window's system
    heard: Counter[int] = Counter()
    pass_at = {}
    for frame, bar in visits(printed, way):
        heard[bar] += 1
        pass_at[frame] = heard[bar]
    found, number = [], 1
    for frame in np.flatnonzero(way.windows != image_path.NOWHERE).tolist():
        number = pass_at.get(frame, number)
        window = way.windows[frame]
        system = printed.systems[printed.system[window]]
        bar = printed.bar[window]
        found.append(
            {
                "time": round(float(seconds[frame]), 4),
                "page": system["image"],
                "system": system["system"],
                "bar": printed.numbers[bar] if printed.numbers else None,
                "system_bar": None if printed.numbers else int(bar - first[window]) + 1,
                "x": float(x[frame]),
                "y": (min(system["top"]) + max(system["bottom"])) / 2,
                "pass": number,
                "note_ids": [],
                "notehead_ids": [],
                "sureness": float(sure[frame]),
            }
        )
    return found


def unaligned(way: image_path.Path, seconds: np.ndarray, silent: np.ndarray) -> list[Span]:
    """The parts of the recording that are not in the print: silence, or something else."""
    outside = way.windows == image_path.NOWHERE
    edges = np.flatnonzero(np.diff(np.pad(outside, 1).astype(int)))
    step = STEP_FRAMES / RETRIEVAL.fps
    found = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if (stop - start) * step < LONGEST_SILENCE_S:
            continue
        what: What = "silence" if silent[start:stop].mean() > 0.5 else "not in the score"
        found.append(Span(float(seconds[start]), float(seconds[stop - 1] + step), what))
    return found
