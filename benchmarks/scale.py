"""What the data half costs a piece, from a hundred to ten thousand: `python -m benchmarks.scale`.

Tiny tunes of twelve notes, a hundred a batch, from MIDI to shards. `python -m benchmarks.scale
PICTURE SIZES...` measures other sizes and draws the cost of a piece. The peer is the work itself:
`overhead` is the share of the cores' time in which none of the jobs' own commands ran.
"""

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mido
import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
SIZES = (100, 1_000)
PIECES_A_BATCH = 100
CORES = os.cpu_count()
NOTES = 12
CONFIG = {"piano": None, "tunes": {"source": "tunes", "take": 1.0}}


def tune(draw: random.Random) -> mido.MidiFile:
    """A melody of twelve quavers on its second track."""
    file = mido.MidiFile(ticks_per_beat=480)
    conductor, melody = file.add_track(), file.add_track()
    conductor.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    for _ in range(NOTES):
        pitch = draw.randint(60, 79)
        melody.append(mido.Message("note_on", note=pitch, velocity=80))
        melody.append(mido.Message("note_off", note=pitch, time=240))
    return file


def prepare(folder: Path, pieces: int) -> None:
    """Tunes, and a config that makes shards of them."""
    (folder / "tunes").mkdir(parents=True)
    draw = random.Random(0)
    for number in range(pieces):
        tune(draw).save(folder / "tunes" / f"tune{number:06d}.mid")
    config = {"collections": CONFIG | {"tunes": CONFIG["tunes"] | {
        "batches": max(1, pieces // PIECES_A_BATCH)}},
        "score_following": None, "retrieval": None}  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def snakemake(folder: Path, *arguments: str) -> float:
    """Seconds that a call of the workflow takes."""
    profile = ["--workflow-profile", str(ROOT / "profiles" / "default")]
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), *profile]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    begin = time.perf_counter()
    done = subprocess.run(
        [*command, "--cores", str(CORES), *arguments, "--", "data"],
        cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - begin


def measure(pieces: int) -> dict[str, float]:
    """Seconds of a dry run, a run and a run that finds nothing to do, and what the jobs took."""
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        folder = Path(name)
        prepare(folder, pieces)
        dry_s = snakemake(folder, "--dry-run", "--quiet")
        run_s = snakemake(folder)
        again_s = snakemake(folder)
        logs = (folder / "results/logs/tunes").rglob("*.tsv")
        jobs = pd.concat([pd.read_csv(path, sep="\t") for path in logs])
        return {
            "pieces": pieces,
            "jobs": len(jobs),
            "dry_run_s": dry_s,
            "run_s": run_s,
            "again_s": again_s,
            "ms_a_piece": 1000 * jobs.s.sum() / pieces,
            "overhead": 1 - jobs.s.sum() / CORES / run_s,
            "job_mb": jobs.max_rss.max() * 1.048576,
            "snakemake_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1.024e-3,
        }


def draw(table: pd.DataFrame, picture: Path) -> None:
    """The time of all jobs, and of the run on all cores, over the number of pieces."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
    cores = f"{CORES} cores"
    axes.semilogx(table.pieces, table.ms_a_piece, "o-", label="all jobs, summed")
    axes.semilogx(
        table.pieces, 1000 * table.run_s * CORES / table.pieces, "s--", label=f"the run x {cores}"
    )
    axes.set(xlabel="pieces", ylabel="ms a piece", ylim=(0, None))
    axes.legend()
    figure.savefig(picture, dpi=150)


def main() -> None:
    picture, sizes = sys.argv[1:2], [int(size) for size in sys.argv[2:]] or SIZES
    rows = []
    for size in sizes:
        rows.append(measure(size))
        print(pd.DataFrame(rows).round(2).to_string(index=False), flush=True)
    if picture:
        draw(pd.DataFrame(rows), Path(picture[0]))


if __name__ == "__main__":
    main()
