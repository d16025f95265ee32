"""Recordings whose every onset is known, followed by notes: `python -m benchmarks.follow`.

Twelve performances by people of (n)ASAP and Vienna 4x22, played with the piano of FluidR3 as their
match files say, dry and in a room. Cut, repeated and clapped at, they test the way through the
score; beside the scores of the next three, whether a wrong piece is told. The scores are read from
MusicXML and not engraved. The archives come from the mirror.
"""

import sys
import time

import numpy as np

from benchmarks import sureness_weights
from benchmarks.performances import (
    FONT,
    ROOM,
    halved,
    mirror,
    recorded,
    sources,
    tables_of,
    truth,
)
from benchmarks.sounds import applause
from models.following import by_notes, features, route, score, sureness, synchronise, words
from pipeline import rendering, rooms
from pipeline.constants import AUDIO_RATE_HZ, SPECTROGRAM_RATE_HZ

CLAPPED_S = 10.0
NEAR_S = 0.2  # of a bar line, within which either bar counts as right
WRONG = 3  # scores of others beside each recording


def errors(found: list[synchronise.Onset], true: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Of each true note: s from its estimated time (inf if none), and the place in `found`."""
    times: dict[int, list[tuple[float, int]]] = {}
    for number, onset in enumerate(found):
        for note in onset.notes:
            for head in note.noteheads:
                times.setdefault(head, []).append((onset.time, number))
    off, which = [], []
    for row in true:
        near = min(
            times.get(row["notehead_id"], [(np.inf, -1)]),
            key=lambda pair: abs(pair[0] - row["onset_s"]),
        )
        off.append(near[0] - row["onset_s"])
        which.append(near[1])
    return np.array(off), np.array(which)


def bars_right(
    way: route.Route, printed: score.Score, heads: list[dict], true: list[dict], parts: list[tuple]
) -> float:
    """Share of the notes that are in the right bar, the recording cut into parts (start, end)."""
    starts = np.array([visit.start for visit in way.visits])
    right, moved = [], 0.0
    for begin, end in parts:
        for row in true:
            if begin <= row["onset_s"] < end:
                at = row["onset_s"] - begin + moved
                bars = {
                    printed.bars[way.visits[max(np.searchsorted(starts, at + d) - 1, 0)].bar].number
                    for d in (-NEAR_S, NEAR_S)
                }
                right.append(heads[row["notehead_id"]]["bar"] in bars)
        moved += end - begin
    return float(np.mean(right))


def versions(samples: np.ndarray, heads: list[dict], true: list[dict]) -> dict[str, tuple]:
    """Parts (start, end) in s of a recording, cut at bar lines, and what is put behind them."""
    seconds = len(samples) / SPECTROGRAM_RATE_HZ
    firsts: list[float] = []
    bar = None
    for row in sorted(true, key=lambda row: row["onset_s"]):
        if heads[row["notehead_id"]]["bar"] != bar:
            bar = heads[row["notehead_id"]]["bar"]
            firsts.append(row["onset_s"] - 0.03)

    def near(share: float) -> float:
        return min(firsts, key=lambda first: abs(first - share * seconds))

    none = np.zeros(0, np.float32)
    return {
        "begun in the middle": ([(near(0.35), seconds)], none),
        "stopped early, applause": ([(0.0, near(0.6))], 2 * applause(CLAPPED_S)),
        "a quarter left out": ([(0.0, near(0.35)), (near(0.6), seconds)], none),
        "first half twice": ([(0.0, near(0.5)), (0.0, seconds)], none),
    }


def joined(samples: np.ndarray, parts: list[tuple], behind: np.ndarray) -> np.ndarray:
    cut = [
        samples[round(a * SPECTROGRAM_RATE_HZ) : round(b * SPECTROGRAM_RATE_HZ)] for a, b in parts
    ]
    return np.concatenate([*cut, behind])


def spread(off: np.ndarray) -> str:
    """Median in ms, and shares within 50 and 100 ms."""
    off = np.abs(off)
    near = [f"{np.mean(off < limit):.3f}" for limit in (0.05, 0.1)]
    return f"{1000 * np.median(off):.0f} | {near[0]} | {near[1]}"


def main() -> None:
    archives = mirror()
    if archives is None:
        return
    pieces = sources(archives)
    scores = [score.read(*tables_of(text)) for _, text, _ in pieces]
    gathered: dict[str, list] = {}
    judged: dict[str, list[tuple[float, float, bool]]] = {"right": [], "wrong": []}
    print(
        "| performance | s | CPU s/min | dry: ms | < 50 | < 100 | room: ms | < 50 | < 100 | way |"
    )
    print("|" + "---|" * 10, flush=True)
    with rendering.Instrument(archives / FONT) as font:
        for number, (name, text, match) in enumerate(pieces):
            heads = tables_of(text)[0]
            rows, printed, true = heads.to_pylist(), scores[number], truth(match, heads)
            dry = recorded(match, font)
            seconds = len(dry) / AUDIO_RATE_HZ
            cells, way = [], None
            for kind, sound in (
                ("dry", dry),
                ("room", rooms.record(dry, AUDIO_RATE_HZ, ROOM, name)),
            ):
                samples = halved(sound)
                begin = time.process_time()
                heard, found_way = by_notes.listen(printed, samples)
                found = synchronise.onsets(printed, found_way, heard)
                evidence = sureness.evidence(found, heard)
                if kind == "dry":
                    taken, way = time.process_time() - begin, found_way
                off, which = errors(found, true)
                gathered.setdefault(kind, []).append(off)
                known = which[which >= 0]
                gathered.setdefault("evidence", []).append(
                    {name: values[known] for name, values in evidence.items()}
                )
                gathered.setdefault("near", []).append(np.abs(off[which >= 0]) < 0.1)
                gathered.setdefault("piece", []).append(name)
                cells.append(spread(off))
                judged["right"].append(judge(printed, found_way, found, heard))
            print(f"| {name} | {seconds:.0f} | {taken * 60 / seconds:.1f} | {' | '.join(cells)} | "
                  f"{words.spoken(printed, way)} |", flush=True)  # fmt: skip
            samples = halved(dry)
            for other in range(1, WRONG + 1):
                wrong = scores[(number + other) % len(scores)]
                heard, found_way = by_notes.listen(wrong, samples)
                found = synchronise.onsets(wrong, found_way, heard)
                judged["wrong"].append(judge(wrong, found_way, found, heard))
            told = [f"{fit:.2f} {sure:.2f} {taken}" for fit, sure, taken in judged["right"][-2:]
                    + judged["wrong"][-WRONG:]]  # fmt: skip
            print(f"  fit, sureness, taken: {'; '.join(told)}", file=sys.stderr)
            for kind, (parts, behind) in versions(samples, rows, true).items():
                _, found_way = by_notes.listen(printed, joined(samples, parts, behind))
                share = bars_right(found_way, printed, rows, true, parts)
                gathered.setdefault(kind, []).append(share)
                print(f"  {kind}: {words.spoken(printed, found_way)} {share:.3f}",
                      file=sys.stderr, flush=True)  # fmt: skip
    report(gathered, judged)


def judge(
    printed: score.Score,
    way: route.Route,
    found: list[synchronise.Onset],
    heard: features.Features,
) -> tuple[float, float, bool]:
    """Fit and mean sureness of a recording, and whether it is taken for one of the score."""
    sure = sureness.of_onsets(found, heard)
    mean = float(sure.mean()) if len(sure) else 0.0
    return sureness.fit(way), mean, sureness.fits(printed, way, sure)


def report(gathered: dict[str, list], judged: dict[str, list[tuple]]) -> None:
    """Print what is found over all."""
    for kind in ("dry", "room"):
        print(f"\nall {kind}: {spread(np.concatenate(gathered[kind]))}")
    print("\n| recording | bars right, mean | worst |\n|---|---|---|")
    for kind in ("begun in the middle", "stopped early, applause", "a quarter left out",
                 "first half twice"):  # fmt: skip
        shares = gathered[kind]
        print(f"| {kind} | {np.mean(shares):.3f} | {min(shares):.3f} |")
    evidence, near = gathered["evidence"], gathered["near"]
    print("\nsureness, of each piece by weights fitted to the others:")
    held_out = sureness_weights.held_out(gathered["piece"], evidence, near)
    print(sureness_weights.table(held_out, np.concatenate(near)))
    intercept, weights = sureness_weights.fit(evidence, near)
    print(f"fitted to all: {intercept:.2f}", {name: round(w, 2) for name, w in weights.items()})
    print()
    for kind, values in judged.items():
        fit, sure, taken = np.array(values, float).T
        print(f"{kind} pieces: fit {fit.min():.2f} to {fit.max():.2f}, mean sureness "
              f"{sure.min():.2f} to {sure.max():.2f}, taken {taken.sum():.0f} of "
              f"{len(taken)}")  # fmt: skip


if __name__ == "__main__":
    main()
