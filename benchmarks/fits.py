"""Calibrate when a recording fits nothing in an index: `python -m benchmarks.fits SHARDS --write`.

SHARDS are a collection's, of one sound font and tempo, with pieces that the network was not trained
on (the workflow writes them to DATA/shards/test). Each performance is searched among all scores,
and then among all but its own, which needs no second index: so one run gives both error rates, the
right pieces that are refused and the wrong ones that are taken, for several statistics. The
threshold of `answers.evidence` at which both are equally rare is written beside the weights with
`--write`. Without SHARDS, those of the held-out font that `make` leaves are taken.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.dataset import shard_rows, whole
from models.retrieval import answers, audio
from models.retrieval.index import Index, index, read_index
from models.retrieval.inference import (
    DEFAULT_WEIGHTS,
    embed_windows,
    load_network,
)
from models.retrieval.windows import crop_excerpts, window_centres
from models.weights import digest
from pipeline.constants import RETRIEVAL
from pipeline.replacing import replacing

FEWEST_SCORES = 3  # without its own, a recording has a best one and a runner-up
SHARDS = "results/data/piano/shards/test/bright-1.0-*.parquet"
STATISTICS = {
    "evidence": answers.evidence,
    "score": lambda scores, _: scores.max(),
    "margin": lambda scores, _: np.subtract(*np.sort(scores)[[-1, -2]]),
    "z": lambda scores, _: (scores.max() - scores.mean()) / scores.std(),
}


def recordings(
    shards: list[Path], embed, context: int, seconds: float | None
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Piece, frames and vectors of each performance, heard as `query` hears one that is in tune.

    With `seconds` that much from its middle is heard; shorter performances are left out.
    """
    for path in shards:
        for row in shard_rows(whole(path)):
            spectrogram = row["spectrogram"].reshape(-1, row["bins"])
            if seconds is not None:
                length = round(seconds * RETRIEVAL.fps)
                first = (len(spectrogram) - length) // 2
                if first < 0:
                    continue
                spectrogram = spectrogram[first : first + length]
            frames = window_centres(len(spectrogram), context)
            excerpts = crop_excerpts(spectrogram, frames, context)[:, 0].transpose(0, 2, 1)
            heard = audio.audible(excerpts)
            levelled = audio.normalise_level(excerpts[heard]).transpose(0, 2, 1)[:, None]
            yield row["piece_id"], frames[heard], embed(np.ascontiguousarray(levelled))


def statistics(collection: Index, performances) -> tuple[list[dict], list[dict], list[int]]:
    """The statistics with and without the right piece, and its ranks."""
    right, wrong, ranks = [], [], []
    for piece_id, frames, windows in performances:
        scores, backwards = answers.both_ways(collection, windows, frames)
        others = np.ones(len(scores), bool)
        if piece_id in collection.pieces:
            truth = collection.pieces.index(piece_id)
            others[truth] = False
            ranks.append(1 + int((scores > scores[truth]).sum()))
            right.append({name: f(scores, backwards) for name, f in STATISTICS.items()})
        wrong.append({name: f(scores[others], backwards[others]) for name, f in STATISTICS.items()})
    return right, wrong, ranks


def equal_errors(right: np.ndarray, wrong: np.ndarray) -> tuple[float, float, float]:
    """The threshold at which both errors are as equal as can be, refused and taken.

    Of all thresholds that do equally well the middle one is taken.
    """
    values = np.sort(np.concatenate([right, wrong]))
    thresholds = (values[1:] + values[:-1]) / 2
    refused = (right[None] < thresholds[:, None]).mean(axis=1)
    taken = (wrong[None] >= thresholds[:, None]).mean(axis=1)
    worst = np.maximum(refused, taken)
    equal = np.flatnonzero(worst == worst.min())
    best = equal[len(equal) // 2]
    return float(thresholds[best]), float(refused[best]), float(taken[best])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards", nargs="*", type=Path, default=sorted(Path().glob(SHARDS)))
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--write", action="store_true", help="the threshold, beside the weights")
    parser.add_argument("--seconds", type=float, help="hear so many from the middle of each")
    arguments = parser.parse_args()
    if arguments.seconds and arguments.write:
        parser.error("--write: the threshold is for whole recordings; leave --seconds away")
    if not arguments.shards:
        print(f"{SHARDS}: no shards of pages; run `make` first, or name others")
        return
    fabric, network = load_network(arguments.weights)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "scores.index"
        index(arguments.shards, made, weights=arguments.weights, precision="32-true")
        collection = read_index(made, arguments.weights)
    embed = partial(embed_windows, fabric, network)
    performances = recordings(arguments.shards, embed, network.context, arguments.seconds)
    total = len(collection.pieces)
    if total < FEWEST_SCORES:
        print(f"{total} scores in the shards; name {FEWEST_SCORES} or more")
        return
    right, wrong, ranks = statistics(
        collection, tqdm(performances, desc="fits", unit="recording", disable=None)
    )
    print(
        f"{len(right)} recordings among {total} scores; first: {np.mean(np.array(ranks) == 1):.1%}"
    )
    print("statistic   threshold  refused although there  taken although not there")
    for name in STATISTICS:
        errors = equal_errors(*(np.array([row[name] for row in rows]) for rows in (right, wrong)))
        print(f"{name:<10}  {errors[0]:9.3f}  {errors[1]:22.1%}  {errors[2]:24.1%}")
        if name == "evidence" and (known := answers.calibration(arguments.weights)):
            at = known["threshold"]
            refused = np.mean([row[name] < at for row in right])
            taken = np.mean([row[name] >= at for row in wrong])
            print(f"  as it is  {at:9.3f}  {refused:22.1%}  {taken:24.1%}")
        if name == "evidence" and arguments.write:
            write(arguments.weights, errors, len(right), total)


def write(weights: Path, errors: tuple[float, float, float], recordings: int, scores: int) -> None:
    """Write the calibration beside the weights."""
    path = answers.calibration_file(weights)
    found = {
        "weights": digest(weights),
        "threshold": round(errors[0], 4),
        "refused": errors[1],
        "taken": errors[2],
        "recordings": recordings,
        "scores": scores,
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(found, indent=2) + "\n")
    print(f"{path}: written")


if __name__ == "__main__":
    main()
