"""What the data half costs a piece, from a hundred to ten thousand: `python -m benchmarks.scale`.

Tiny tunes of twelve notes, or tiny scores of two bars, a hundred a chunk, from MIDI or LilyPond to
shards. `python -m benchmarks.scale tunes|scores PICTURE SIZES...` measures other sizes and draws
the cost of a piece: processor time of everything that the run starts, Snakemake too. The peer is a
loop of Python that runs now and then beside it (`probe_ms`), since a machine's speed swings;
`overhead` is the share of the cores' time in which none of the jobs' own commands ran.
"""

import ctypes
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import mido
import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
SIZES = (100, 1_000)
PIECES_A_BATCH = 100
CORES = os.cpu_count()
NOTES = 12
STAGES = ("select", "engrave", "synthesize", "spectrogram", "shard")
PROBE_EVERY_S = 5
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


def tune(draw: random.Random, path: Path) -> None:
    """A melody of twelve quavers on the second track of a MIDI file."""
    file = mido.MidiFile(ticks_per_beat=480)
    conductor, melody = file.add_track(), file.add_track()
    conductor.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    for _ in range(NOTES):
        pitch = draw.randint(60, 79)
        melody.append(mido.Message("note_on", note=pitch, velocity=80))
        melody.append(mido.Message("note_off", note=pitch, time=240))
    file.save(path)


def score(draw: random.Random, path: Path) -> None:
    """Twelve quavers over six crotchets on two staves, as LilyPond."""
    upper = " ".join(f"{draw.choice('cdefgab')}''8" for _ in range(NOTES))
    lower = " ".join(f"{draw.choice('cdefgab')}4" for _ in range(NOTES // 2))
    path.write_text(
        '\\version "2.24.0"\n'
        f"\\score {{ \\new PianoStaff << \\new Staff {{ \\time 3/4 {upper} }} "
        f"\\new Staff {{ \\clef bass {lower} }} >> \\layout {{ }} \\midi {{ }} }}\n"
    )


# collection, suffix, writer
KINDS: dict[str, tuple[str, str, Callable]] = {
    "tunes": ("tunes", ".mid", tune),
    "scores": ("piano", ".ly", score),
}


def prepare(folder: Path, kind: str, pieces: int) -> None:
    """Tunes or scores, and a config that makes shards of them."""
    (folder / "pieces").mkdir(parents=True)
    collection, suffix, write = KINDS[kind]
    draw = random.Random(0)
    for number in range(pieces):
        write(draw, folder / "pieces" / f"piece{number:06d}{suffix}")
    settings = {"source": "pieces", "fraction": 1.0, "chunks": max(1, pieces // PIECES_A_BATCH)}
    config = {
        "collections": {"tunes": None, "piano": None} | {collection: settings},
        "fonts": {"electric": None, "bright": None},
        "score_following": None,
        "retrieval": None,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def snakemake(folder: Path, *arguments: str) -> tuple[float, float, float]:
    """A call of the workflow: seconds by the clock, seconds of processor time of all processes that
    it starts, and the most memory of Snakemake or of a process that it waits for (MB).

    A confined LilyPond outlives the process that began it; as their subreaper we see those too.
    """
    profile = ["--workflow-profile", str(ROOT / "profiles" / "default")]
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), *profile]
    command += ["--directory", str(folder), "--cores", str(CORES), *arguments, "--", "data"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    log = folder / "said.txt"
    said = [(os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)]
    begin = time.perf_counter()
    main = os.posix_spawn(
        sys.executable, command, os.environ | {"PATH": path},
        file_actions=[*said, (os.POSIX_SPAWN_DUP2, 1, 2)],
    )  # fmt: skip
    took, cpu_s, peak_mb, code = 0.0, 0.0, 0.0, None
    while True:
        try:
            pid, status, used = os.wait4(-1, 0)
        except ChildProcessError:
            break
        cpu_s += used.ru_utime + used.ru_stime
        peak_mb = max(peak_mb, used.ru_maxrss * 1.024e-3)
        if pid == main:
            took, code = time.perf_counter() - begin, os.waitstatus_to_exitcode(status)
    if code:
        sys.exit(log.read_text())
    return took, cpu_s, peak_mb


def probe(over: threading.Event, found: list[float]) -> None:
    """Now and then, the processor time (ms) of one and the same work."""
    while not over.wait(PROBE_EVERY_S):
        begin = time.thread_time()
        sorted(str(number) for number in range(100_000))
        found.append(1000 * (time.thread_time() - begin))


def measure(kind: str, pieces: int) -> dict[str, float]:
    """What a dry run, a run, and a run that finds nothing to do take, and what the jobs took."""
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        folder = Path(name)
        prepare(folder, kind, pieces)
        dry_s, _, _ = snakemake(folder, "--dry-run", "--quiet")
        over, probes = threading.Event(), []
        beside = threading.Thread(target=probe, args=(over, probes))
        beside.start()
        run_s, cpu_s, peak_mb = snakemake(folder)
        over.set()
        beside.join()
        again_s, _, _ = snakemake(folder)
        logs = folder / "results/logs" / KINDS[kind][0]
        jobs = {
            stage: pd.concat([pd.read_csv(p, sep="\t") for p in (logs / stage).glob("*.tsv")])
            for stage in STAGES
        }
        work_s = sum(part.s.sum() for part in jobs.values())
        probe_ms = sum(probes) / len(probes)
        return {
            "pieces": pieces,
            "jobs": sum(map(len, jobs.values())),
            "dry_run_s": dry_s,
            "run_s": run_s,
            "again_s": again_s,
            "cpu_ms_a_piece": 1000 * cpu_s / pieces,
            "probe_ms": probe_ms,
            "probes_a_piece": 1000 * cpu_s / pieces / probe_ms,
            "overhead": 1 - work_s / CORES / run_s,
            "process_mb": peak_mb,
            **{stage: 1000 * part.s.sum() / pieces for stage, part in jobs.items()},
        }


def draw(table: pd.DataFrame, picture: Path) -> None:
    """Processor time of a piece over the number of pieces, alone and in units of the probe."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
    axes.semilogx(table.pieces, table.cpu_ms_a_piece, "o-", label="as measured")
    typical = table.probe_ms.mean()
    label = f"at one speed of the machine (probe {typical:.0f} ms)"
    axes.semilogx(table.pieces, table.probes_a_piece * typical, "s--", label=label)
    axes.set(xlabel="pieces", ylabel="processor time a piece / ms", ylim=(0, None))
    axes.legend()
    figure.savefig(picture, dpi=150)


def main() -> None:
    kind = (sys.argv[1:] or ["tunes"])[0]
    picture, sizes = sys.argv[2:3], [int(size) for size in sys.argv[3:]] or SIZES
    rows = []
    for size in sizes:
        rows.append(measure(kind, size))
        print(pd.DataFrame(rows).round(2).to_string(index=False), flush=True)
    if any(picture):
        draw(pd.DataFrame(rows), Path(picture[0]))


if __name__ == "__main__":
    main()
