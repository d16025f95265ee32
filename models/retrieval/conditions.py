"""Compare how the same pieces are found and aligned under several conditions: as written, with
expression, played by people, dry and in a room; and how retrieval depends on the local tempo.

All conditions have the same candidates: the printed positions of the pairs of all of them.
"""

import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from models import table_output
from models.dataset import count_examples, evenly_spaced, shard_columns, whole
from models.retrieval import align, audio, search
from models.retrieval.inference import (
    DEFAULT_WEIGHTS,
    embed_excerpts,
    embed_snippets,
    embed_spectrogram,
    embed_strip,
    in_batches,
    load_network,
)
from models.retrieval.metrics import expected_hit, expected_reciprocal
from models.retrieval.reading import read_examples
from models.retrieval.sampling import Examples
from models.retrieval.weights import AnyNetwork
from pipeline.constants import RETRIEVAL, onset_times
from pipeline.replacing import replacing

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

PAIRS_PER_PIECE = 200
LOCAL_S = 2.0  # over which the local tempo is taken
FEWEST_S = 0.5  # a shorter time tells no tempo
BINS = (0.0, 0.7, 0.85, 0.95, 1.05, 1.2, 1.5, np.inf)  # of local tempo, relative to the median
WITHIN_PX = (25, 50)
NOTE = (
    "MRR and R@1: audio queries among the same {candidates} printed positions of {pieces} pieces. "
    "Alignment by DTW over whole recordings: median error, and share of the onsets within 25 and "
    "50 px. Recordings are brought to one level. Local tempo: over {seconds:g} s, relative to the "
    "median of its performance."
)


class Query(NamedTuple):
    """The pairs of one condition."""

    piece: np.ndarray  # (n,) names
    x: np.ndarray  # (n,) px
    tempo: np.ndarray  # (n,) local tempo relative to the performance's median; nan if not known
    vectors: np.ndarray  # (n, 32)


def local_tempo(seconds: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Tempo about each onset, relative to the median of the performance.

    Args:
        seconds: (n,) of the onsets, ascending.
        moment: (n,) in the printed score, quarters; it falls where the music goes back.

    Returns:
        (n,) ratios; nan where too little music is near.
    """
    seconds = np.asarray(seconds)
    moment = np.asarray(moment, np.float64)
    run = np.concatenate([[0], np.cumsum(np.diff(moment) < 0)])  # between jumps back
    first = np.searchsorted(seconds, seconds - LOCAL_S / 2)
    last = np.searchsorted(seconds, seconds + LOCAL_S / 2, side="right") - 1
    first = np.maximum(first, np.searchsorted(run, run))
    last = np.minimum(last, np.searchsorted(run, run, side="right") - 1)
    passed, quarters = seconds[last] - seconds[first], moment[last] - moment[first]
    tempo = np.where(passed >= FEWEST_S, quarters / np.maximum(passed, FEWEST_S), np.nan)
    return tempo / np.nanmedian(tempo) if np.isfinite(tempo).any() else tempo


def _tempi(shards: list[Path]) -> np.ndarray:
    """The local tempo of each example, in the order of `read_examples`."""
    found = []
    columns = ["piece_id", "onset_s", "moment", "reason"]
    for path in shards:
        for row in shard_columns(path, columns):
            kept = [index for index, reason in enumerate(row["reason"]) if reason is None]
            seconds = np.array([row["onset_s"][index] for index in kept])
            if row["moment"] is None or not kept:
                found.append(np.full(len(kept), np.nan))
            else:
                moment = np.array([row["moment"][index] for index in kept])
                found.append(local_tempo(seconds, moment))
    return np.concatenate(found)


def _bring_to_level(data: Examples) -> None:
    """Bring each recording to the level of the training data; silence and tuning stay."""
    for start, frames in zip(data.start, data.frames, strict=True):
        recording = data.spectrogram[start : start + frames][None].astype(np.float32)
        if audio.level(recording)[0] > 0:
            data.spectrogram[start : start + frames] = audio.normalise_level(recording)[0]


def _queries(fabric: "Fabric", network: AnyNetwork, data: Examples, tempo: np.ndarray) -> Query:
    """Evenly spaced pairs of each piece, over all its performances, and their audio's vectors."""
    inside = data.inside(network.context)
    chosen = np.concatenate(
        [
            own[evenly_spaced(len(own), PAIRS_PER_PIECE)]
            for piece in range(len(data.pieces))
            for own in [np.flatnonzero(inside & (data.piece == piece))]
        ]
    )
    batches = in_batches(lambda part: data.excerpt_batch(part, network.context), chosen)
    return Query(
        np.array(data.pieces)[data.piece[chosen]],
        data.x[chosen],
        tempo[chosen],
        embed_excerpts(fabric, network, batches),
    )


def _alignment(fabric: "Fabric", network: AnyNetwork, data: Examples) -> np.ndarray:
    """Error of the onsets of all recordings that are aligned with their strips, px."""
    errors, strips = [], {}
    for performance in range(len(data.start)):
        own = data.performance == performance
        piece = int(data.piece[own][0])
        recording = data.recording(performance)
        try:
            x, frames = align.windows_over(int(data.width[piece]), len(recording))
        except ValueError as error:
            tqdm.write(f"{data.pieces[piece]}: not aligned, {error}", file=sys.stderr)
            continue
        if (piece, len(x)) not in strips:
            strips[piece, len(x)] = embed_strip(fabric, network, data.strip(piece), x)
        heard = embed_spectrogram(fabric, network, recording, frames)
        path = align.alignment_path(1 - strips[piece, len(x)] @ heard.T, x)
        seconds = onset_times(frames, RETRIEVAL.fps)
        distance, _ = align.position_errors(data.onset_s[own], data.x[own], seconds, path)
        errors.append(distance)
    return np.concatenate(errors) if errors else np.empty(0)


def _candidates(
    fabric: "Fabric", network: AnyNetwork, data: Examples, queries: list[Query]
) -> tuple[dict[tuple[str, float], int], np.ndarray]:
    """The printed positions of all pairs: their numbers, and their vectors."""
    number = {name: index for index, name in enumerate(data.pieces)}
    places = sorted(
        {
            (str(piece), float(x))
            for query in queries
            for piece, x in zip(query.piece, query.x, strict=True)
        }
    )
    piece = np.array([number[name] for name, _ in places])
    x = np.array([x for _, x in places])
    vectors = embed_snippets(fabric, network, in_batches(data.snippets_at, piece, x))
    return {place: index for index, place in enumerate(places)}, vectors


def conditions(
    shards: dict[str, list[Path]], out_stem: Path, *, weights: Path = DEFAULT_WEIGHTS
) -> None:
    """Write the tables of retrieval and alignment by condition and by local tempo.

    Args:
        shards: Parquet shards of the same pieces, by name of the condition; any number of
            performances of a piece.
        out_stem: `.md` and `.csv` are written, and `_local_tempo.csv`.
        weights: of a network; by default those that come with the package.

    Raises:
        ValueError: if shards are not valid, a condition has no example, or a piece is missing in
            the first condition.
    """
    fabric, network = load_network(weights)
    queries, rows, first = {}, [], None
    for name, paths in tqdm(shards.items(), desc="conditions", disable=None):
        files = [Path(path) for path in paths]
        if not sum(count_examples(whole(path)) for path in files):
            raise ValueError(f"condition '{name}': no example in its shards; leave it out")
        data = read_examples(files)
        first = first or data
        _bring_to_level(data)
        if missing := set(data.pieces) - set(first.pieces):
            raise ValueError(f"{sorted(missing)[0]}: in '{name}', but not in the first condition")
        queries[name] = _queries(fabric, network, data, _tempi(files))
        errors = _alignment(fabric, network, data)
        rows.append(
            {
                "condition": name,
                "performances": len(data.start),
                "hours": float(data.frames.sum() / RETRIEVAL.fps / 3600),
                "median_px": float(np.median(errors)),
                **{f"within_{px}": float((errors <= px).mean()) for px in WITHIN_PX},
            }
        )
    if first is None:
        raise ValueError("no condition is given")
    place, vectors = _candidates(fabric, network, first, list(queries.values()))
    pairs = []
    for name, query in queries.items():
        match = [place[str(piece), float(x)] for piece, x in zip(query.piece, query.x, strict=True)]
        better, equal = search.ranks(query.vectors, vectors, np.array(match))
        pairs.append(
            pd.DataFrame(
                {
                    "condition": name,
                    "tempo": query.tempo,
                    "mrr": expected_reciprocal(better, equal),
                    "r1": expected_hit(better, equal, 1),
                }
            )
        )
    note = NOTE.format(candidates=len(vectors), pieces=len(first.pieces), seconds=LOCAL_S)
    _write(pd.DataFrame(rows), pd.concat(pairs), out_stem, note)


def by_local_tempo(pairs: pd.DataFrame) -> pd.DataFrame:
    """Mean reciprocal rank of pairs by their local tempo, relative to the performance's median.

    Args:
        pairs: columns tempo, mrr and r1.
    """
    known = pairs[pairs["tempo"].notna()]
    bins = pd.cut(known["tempo"], list(BINS), right=False)
    return known.groupby(bins, observed=False).agg(
        pairs=("mrr", "size"), mrr=("mrr", "mean"), r1=("r1", "mean")
    )


def _write(rows: pd.DataFrame, pairs: pd.DataFrame, out_stem: Path, note: str) -> None:
    means = pairs.groupby("condition", sort=False)[["mrr", "r1"]].mean()
    rows = rows.join(means, on="condition")
    local = by_local_tempo(pairs)
    header = ["condition", "recordings", "hours", "MRR", "R@1", "median px", "≤ 25 px", "≤ 50 px"]
    lines = [
        [
            row.condition,
            str(row.performances),
            f"{row.hours:.2f}",
            f"{row.mrr:.3f}",
            f"{row.r1:.3f}",
            f"{row.median_px:.1f}",
            f"{row.within_25:.1%}",
            f"{row.within_50:.1%}",
        ]
        for row in rows.itertuples()
    ]
    ends = [
        f"{low:g} to {high:g}" if np.isfinite(high) else f"from {low:g}"
        for low, high in pairwise(BINS)
    ]
    tempi = [
        [name, str(row.pairs), f"{row.mrr:.3f}", f"{row.r1:.3f}"]
        for name, row in zip(ends, local.itertuples(), strict=True)
        if row.pairs
    ]
    grids = [
        table_output.Grid(header, lines, "By condition"),
        table_output.Grid(["local tempo", "pairs", "MRR", "R@1"], tempi, "By local tempo"),
    ]
    table_output.write(out_stem, {".md": table_output.markdown(grids, note)})
    for suffix, table in ((".csv", rows), ("_local_tempo.csv", local.assign(local_tempo=ends))):
        with replacing(f"{out_stem}{suffix}") as temporary:
            table.to_csv(temporary, index=False)
