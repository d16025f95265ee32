"""Recordings whose every onset is known, followed by notes: `python -m benchmarks.follow`.

Twelve performances by people of (n)ASAP and Vienna 4x22, played with the piano of FluidR3 as their
match files say, dry and in a room. Cut, repeated and clapped at, they test the way through the
score; beside the scores of the next three, whether a wrong piece is told. The scores are read from
MusicXML and not engraved. The archives come from the mirror.
"""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from models.following import features, route, score, sureness, synchronise, words
from pipeline import performing, rendering, rooms, tables
from pipeline.constants import AUDIO_RATE_HZ, SPECTROGRAM_RATE_HZ
from pipeline.engraving import playing
from pipeline.engraving.extract_worker import number_passes
from pipeline.reading import match_files, musicxml_notes, score_text, unfolding
from pipeline.reading.archives import members
from pipeline.reading.fetching import MIRROR
from tests.support.tiny_scores import applause

FONT = "soundfonts/FluidR3_GM.sf3"
ARCHIVES = {
    "vienna4x22-decce45.tar.xz": [
        ("Chopin_op10_no3", "p03"),
        ("Chopin_op38", "p03"),
        ("Mozart_K331_1st-mov", "p03"),
        ("Schubert_D783_no15", "p03"),
    ],
    "asap-dataset-4097b45.tar.xz": [
        ("Bach/Prelude/bwv_860", "Ko04M"),
        ("Bach/Prelude/bwv_858", "Zhang01M"),
        ("Bach/Prelude/bwv_857", "Bult-ItoS02M"),
        ("Bach/Fugue/bwv_884", "LiA01M"),
        ("Bach/Fugue/bwv_889", "Giesbrecht01M"),
        ("Beethoven/Piano_Sonatas/9-2_no_trio", "Tysman05"),
        ("Chopin/Etudes_op_25/12", "Atzinger03"),
        ("Chopin/Etudes_op_10/2", "JeonH02M"),
    ],
}
ROOM = rooms.Room(rt60_s=0.6, distance_m=3.0, noise_db=-40.0, band_hz=(80.0, 12_000.0))
CLAPPED_S = 10.0
NEAR_S = 0.2  # of a bar line, within which either bar counts as right
WRONG = 3  # scores of others beside each recording


def sources(folder: Path, archives: Iterable[str] = ARCHIVES) -> list[tuple[str, str, str]]:
    """Name, MusicXML and match file of each performance in some archives of a folder."""
    found = []
    for archive in archives:
        named = ARCHIVES[archive]
        wanted: dict[str, tuple[str, str]] = {}
        for piece, who in named:
            vienna = "/" not in piece
            xml = f"musicxml/{piece}.musicxml" if vienna else f"{piece}/xml_score.musicxml"
            match = f"match/{piece}_{who}.match" if vienna else f"{piece}/{who}.match"
            wanted[f"{piece} {who}"] = (xml, match)
        names = {name for pair in wanted.values() for name in pair}
        texts = {
            name.partition("/")[2]: content
            for name, content in members(folder / archive)
            if name.partition("/")[2] in names
        }
        for name, (xml, match) in wanted.items():
            (text,) = score_text.read(texts[xml], xml).values()
            found.append((name, text, match_files.text(texts[match])))
    return found


def tables_of(text: str) -> tuple[pa.Table, pa.Table]:
    """Noteheads, without their places, and notes of a MusicXML score."""
    written = musicxml_notes.read(ElementTree.fromstring(text))
    order = written.order or unfolding.play_order(written.bars)
    heads = [
        {
            "piece_id": "", "notehead_id": number, "image": 0, "system": 0, "staff": 0,
            "pitch": note.pitch, "moment": float(note.begin), "grace": note.grace is not None,
            "bar": written.bars[note.bar].number or None,
            "beat": float(note.begin - written.begins[note.bar]), "source_id": note.name,
        }
        for number, note in enumerate(
            note for note in written.notes if note.left_out is None and note.pitch is not None
        )
    ]  # fmt: skip
    number_of = {head["source_id"]: head["notehead_id"] for head in heads}
    notes = [
        {
            "piece_id": "", "note_id": number, "onset": float(note.onset),
            "onset_s": note.onset_s, "duration": float(note.end - note.onset),
            "duration_s": note.end_s - note.onset_s, "pitch": note.pitch,
            "notehead_id": number_of.get(note.note),
        }
        for number, note in enumerate(playing.play(written, order))
    ]  # fmt: skip
    number_passes(notes)
    return (
        pa.Table.from_pylist(heads, tables.NOTEHEADS),
        pa.Table.from_pylist(notes, tables.NOTES),
    )


def truth(match: str, heads: pa.Table) -> list[dict]:
    """The notes that were played as the score has them."""
    linked = performing.link(match_files.read(match), heads.to_pylist())
    return [row for row in linked if row.get("notehead_id") is not None and "onset_s" in row]


def recorded(match: str, font: rendering.Instrument) -> np.ndarray:
    """A performance as sound: (n,) float32, 44.1 kHz."""
    played = match_files.read(match)
    notes = [
        performing.Note(n.onset_s, n.duration_s, n.pitch, velocity=n.velocity) for n in played.notes
    ]
    return rendering.render(notes, font, pedals=played.pedals)


def halved(samples: np.ndarray) -> np.ndarray:
    """44.1 kHz as 22.05 kHz."""
    assert AUDIO_RATE_HZ == 2 * SPECTROGRAM_RATE_HZ
    spectrum = np.fft.rfft(samples[: len(samples) // 2 * 2])
    return (np.fft.irfft(spectrum[: len(spectrum) // 2 + 1]) / 2).astype(np.float32)


def listened(samples: np.ndarray) -> features.Features:
    return features.of_recording(samples, features.tuning_of(samples))


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
    mirror = os.environ.get(MIRROR)
    if not mirror or not all(Path(mirror, name).is_file() for name in ARCHIVES):
        print(f"left out: set {MIRROR} to a folder with {' and '.join(ARCHIVES)}")
        return
    pieces = sources(Path(mirror))
    scores = [score.read(*tables_of(text)) for _, text, _ in pieces]
    gathered: dict[str, list] = {}
    fits: dict[str, list[float]] = {"right": [], "wrong": []}
    print(
        "| performance | s | CPU s/min | dry: ms | < 50 | < 100 | room: ms | < 50 | < 100 | way |"
    )
    print("|" + "---|" * 10, flush=True)
    with rendering.Instrument(Path(mirror, FONT)) as font:
        for number, (name, text, match) in enumerate(pieces):
            heads = tables_of(text)[0]
            rows, printed, true = heads.to_pylist(), scores[number], truth(match, heads)
            dry = recorded(match, font)
            seconds = len(dry) / AUDIO_RATE_HZ
            cells, way, heard = [], None, None
            for kind, sound in (
                ("dry", dry),
                ("room", rooms.record(dry, AUDIO_RATE_HZ, ROOM, name)),
            ):
                samples = halved(sound)
                begin = time.process_time()
                this = listened(samples)
                found_way = route.find(printed, this)
                found = synchronise.onsets(printed, found_way, this)
                sure = sureness.of_onsets(found, this)
                if kind == "dry":
                    taken, way, heard = time.process_time() - begin, found_way, this
                off, which = errors(found, true)
                gathered.setdefault(kind, []).append(off)
                gathered.setdefault("sure", []).append(np.where(which >= 0, sure[which], 0.0))
                gathered.setdefault("near", []).append(np.abs(off) < 0.1)
                cells.append(spread(off))
                fits["right"].append(sureness.fit(found_way))
            print(f"| {name} | {seconds:.0f} | {taken * 60 / seconds:.1f} | {' | '.join(cells)} | "
                  f"{words.spoken(printed, way)} |", flush=True)  # fmt: skip
            for other in range(1, WRONG + 1):
                wrong = route.find(scores[(number + other) % len(scores)], heard)
                fits["wrong"].append(sureness.fit(wrong))
            fitted = [f"{fit:.2f}" for fit in fits["right"][-2:] + fits["wrong"][-WRONG:]]
            print(f"  fits: {' '.join(fitted)}", file=sys.stderr)
            samples = halved(dry)
            for kind, (parts, behind) in versions(samples, rows, true).items():
                found_way = route.find(printed, listened(joined(samples, parts, behind)))
                share = bars_right(found_way, printed, rows, true, parts)
                gathered.setdefault(kind, []).append(share)
                print(f"  {kind}: {words.spoken(printed, found_way)} {share:.3f}",
                      file=sys.stderr, flush=True)  # fmt: skip
    report(gathered, fits)


def report(gathered: dict[str, list], fits: dict[str, list[float]]) -> None:
    """Print what is found over all."""
    for kind in ("dry", "room"):
        print(f"\nall {kind}: {spread(np.concatenate(gathered[kind]))}")
    print("\n| recording | bars right, mean | worst |\n|---|---|---|")
    for kind in ("begun in the middle", "stopped early, applause", "a quarter left out",
                 "first half twice"):  # fmt: skip
        shares = gathered[kind]
        print(f"| {kind} | {np.mean(shares):.3f} | {min(shares):.3f} |")
    sure, near = np.concatenate(gathered["sure"]), np.concatenate(gathered["near"])
    print("\n| sureness | notes | within 100 ms |\n|---|---|---|")
    for low, high in ((0, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 0.98), (0.98, 1.01)):
        inside = (sure >= low) & (sure < high)
        share = f"{near[inside].mean():.3f}" if inside.any() else "-"
        print(f"| {low:g} to {min(high, 1):g} | {inside.sum()} | {share} |")
    right, wrong = np.array(fits["right"]), np.array(fits["wrong"])
    print(f"\nright pieces: {right.min():.2f} to {right.max():.2f}, refused "
          f"{(right < sureness.LEAST_FIT).sum()} of {len(right)}; wrong pieces: {wrong.min():.2f} "
          f"to {wrong.max():.2f}, taken {(wrong >= sureness.LEAST_FIT).sum()} of "
          f"{len(wrong)}")  # fmt: skip


if __name__ == "__main__":
    main()
