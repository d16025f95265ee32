"""How a recording finds its score, loud or out of tune: `python -m benchmarks.query [DATA FONT]`.

DATA is a collection's folder that the workflow made, FONT one that was held out; the default is
what `make` leaves. Each test work is asked for with its recording among all of them, by the
weights that come with the project: made louder or softer, or played a little slower or faster, and
so lower or higher, as an instrument out of tune sounds. The peer is the vote of the published
identification, at the level and the pitch as recorded.
"""

import math
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from models.retrieval import answers, audio, search
from models.retrieval.identify import NEIGHBOURS, rank_of, votes
from models.retrieval.index import Index, index, read_index
from models.retrieval.inference import (
    DEFAULT_WEIGHTS,
    embed_windows,
    load_network,
)
from models.retrieval.windows import read_windows, recording_windows, window_centres
from pipeline.constants import AUDIO_RATE_HZ

DATA, FONT = "results/data/piano", "bright"
GAINS_DB = (-24, -12, 0, 12, 24)
OTHER_RATES_HZ = (43_200, 45_000)  # 36 cents lower and 35 higher, and quick to resample
CHANGES = [(gain, AUDIO_RATE_HZ) for gain in GAINS_DB] + [(0, rate) for rate in OTHER_RATES_HZ]


def windows(recording: Path, context: int) -> np.ndarray:
    """Excerpts (n, 1, 92, context) of a recording as the published identification hears them."""
    with audio.open_recording(recording) as sound:
        frames = window_centres(audio.count_frames(sound), context)
        cut = read_windows(sound, frames, context)
    return np.ascontiguousarray(cut.transpose(0, 2, 1)[:, None])


def ranks(recording: Path, collection: Index, embed, context: int) -> dict[str, float | bool]:
    """Rank of the right piece by its fit and by votes, whether it is refused, and seconds."""
    truth = collection.pieces.index(recording.stem)
    begin = time.perf_counter()
    frames, excerpts = recording_windows(recording, context)
    fit, backwards = answers.both_ways(collection, embed(excerpts), frames)
    seconds = time.perf_counter() - begin
    known = answers.calibration(DEFAULT_WEIGHTS)
    told = known is not None and len(frames) >= answers.LEAST_WINDOWS
    refused = told and answers.evidence(fit, backwards) < known["threshold"]
    plain = embed(windows(recording, context))
    _, places = search.nearest(plain, collection.vectors, NEIGHBOURS)
    counts = votes(collection.piece[places], len(collection.pieces))
    ranked = {"fit": rank_of(fit, truth), "votes": rank_of(counts, truth)}
    return ranked | {"refused": refused, "seconds": seconds}


def measure(data: Path, font: str, folder: Path) -> pd.DataFrame:
    """A row for each recording and change."""
    index(sorted(data.glob(f"shards/test/{font}-1.0-*.parquet")), folder / "scores.index")
    collection = read_index(folder / "scores.index", DEFAULT_WEIGHTS)
    fabric, module = load_network()
    embed = partial(embed_windows, fabric, module)
    rows = []
    for path in sorted(data.glob(f"audio/{font}/1.0/*/*.flac")):
        if path.stem not in collection.pieces:
            continue
        sound, _ = soundfile.read(path, dtype="float32")
        recording = folder / f"{path.stem}.wav"
        for gain, rate in CHANGES:
            soundfile.write(recording, sound * 10 ** (gain / 20), rate, subtype="FLOAT")
            own = ranks(recording, collection, embed, module.context)
            cents = round(1200 * math.log2(rate / AUDIO_RATE_HZ))
            rows.append({"gain_db": gain, "cents": cents} | own)
        recording.unlink()
    return pd.DataFrame(rows)


def main() -> None:
    data, font = sys.argv[1:] or (DATA, FONT)
    if not any(Path(data).glob(f"audio/{font}/1.0/*/*.flac")):
        print(f"{data}: no recordings of {font}; run `make` first, or name others")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(data), font, Path(folder))
    seconds = found[found.cents == 0].seconds.median()
    print(f"{len(found) // len(CHANGES)} recordings, {seconds:.2f} s each")
    for (gain, cents), own in found.groupby(["gain_db", "cents"]):
        shares = [
            f"{method}: first {(own[method] <= 1).mean():.0%}, in the first five "
            f"{(own[method] <= 5).mean():.0%}"
            for method in ("fit", "votes")
        ]
        shares.insert(1, f"refused {own.refused.mean():.1%}")
        print(f"{gain:+4d} dB {cents:+4d} cents   {'   '.join(shares)}", flush=True)


if __name__ == "__main__":
    main()
