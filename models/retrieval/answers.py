"""Answer in words which score a recording is of, where it is printed, or that no score fits."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.retrieval import printed
from models.retrieval.index import Index
from models.retrieval.inference import steady
from models.retrieval.sequence import best_path, piece_scores, reaches
from models.weights import digest
from pipeline.constants import RETRIEVAL
from pipeline.reading.pieces import printable

LEAST_WINDOWS = 26  # 15 s; in less, wrong pieces fit well, too (docs/retrieval.md)


@dataclass(frozen=True)
class Match:
    """A window of the recording, and the printed position that matches it."""

    score: float  # cosine
    piece: int  # index into the pieces of the index
    x: float  # px in the strip of the piece
    window: int  # index into the windows of the recording
    entry: int  # row of the index


# --- does it fit -----------------------------------------------------------------------------
def evidence(scores: np.ndarray, backwards: np.ndarray) -> float:
    """How much speaks for the best piece being the right one.

    Its score, and by how much that is better than its score for the same windows in reverse order:
    a wrong piece fits nearly as well backwards. Unlike a margin to the runner-up this does not
    suffer if an index holds two editions of a piece, or only one piece.

    Args:
        scores: (pieces,) of `sequence.piece_scores`.
        backwards: (pieces,) the same of the windows in reverse order.
    """
    best = scores.argmax()
    return float(2 * scores[best] - backwards[best])


def both_ways(
    index: Index, windows: np.ndarray, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (pieces,) of a recording's windows, and of the same in reverse order.

    Args:
        index: from `read_index`.
        windows: (n, 32) unit vectors of the recording.
        frames: (n,) frame of each window, ascending.
    """
    entries = index.vectors, index.piece
    backwards = piece_scores(windows[::-1], frames[-1] - frames[::-1], *entries)
    return piece_scores(windows, frames, *entries), backwards


def _best_both_ways(
    index: Index, windows: np.ndarray, frames: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of `both_ways` what `evidence` needs, the best piece alone: half of the work."""
    best = scores.argmax()
    entries = index.vectors[index.piece == best]
    alone = np.zeros(len(entries), int)
    backwards = piece_scores(windows[::-1], frames[-1] - frames[::-1], entries, alone)
    return scores[[best]], backwards


def calibration_file(weights: Path) -> Path:
    """Where the calibration of some weights lies: beside them."""
    return weights.with_suffix(".fits.json")


def calibration(weights: Path) -> dict | None:
    """The `threshold` of evidence for some weights, with the error rates behind it.

    None if the weights were not calibrated. `benchmarks/fits.py` writes the file.

    Raises:
        ValueError: naming the file, if it is not a calibration.
    """
    path = calibration_file(weights)
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text())
        calibrated, _ = found["weights"], float(found["threshold"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: not a calibration; delete it, or write it again with "
            "`python -m benchmarks.fits SHARDS --write`"
        ) from error
    return found if calibrated == digest(weights) else None


# --- the answer ------------------------------------------------------------------------------
def answer(
    index: Index, windows: np.ndarray, frames: np.ndarray, top: int, calibrated: dict | None
) -> dict:
    """Which pieces fit a recording best, where they are heard and printed, and whether they fit.

    Args:
        index: from `read_index`.
        windows: (n, 32) unit vectors of the recording.
        frames: (n,) frame of each window, ascending.
        top: how many pieces, at most.
        calibrated: of the weights, from `calibration`.

    Returns:
        `searched` and `listened` (counts, and whether all that is heard is a `steady` sound);
        `evidence` and `threshold`; `fits` (None if it cannot be told); `pieces`, each with `score`
        and the `passages` that are heard.
    """
    scores = piece_scores(windows, frames, index.vectors, index.piece)
    speaks = evidence(*_best_both_ways(index, windows, frames, scores))
    threshold = calibrated["threshold"] if calibrated else None
    noise = bool(steady(windows, (len(windows) - 1) // 2).all())
    fits = None
    if threshold is not None and len(windows) >= LEAST_WINDOWS:
        fits = speaks >= threshold and not noise
    return {
        "searched": {"pieces": len(index.pieces), "positions": len(index.x)},
        "listened": {"windows": len(frames), "steady": noise},
        "fits": fits,
        "evidence": round(speaks, 4),
        "threshold": threshold,
        "pieces": [
            _piece(index, piece)
            | {"score": round(float(scores[piece]), 4),
               "passages": _passages(index, piece, windows, frames)}
            for piece in np.argsort(-scores, kind="stable")[:top].tolist()
        ],
    }  # fmt: skip


def matches(index: Index, found: list[Match], frames: np.ndarray) -> list[dict]:
    """The best single matches as dicts."""
    return [
        _piece(index, match.piece)
        | {"cosine": round(match.score, 4), "seconds": float(frames[match.window] / RETRIEVAL.fps)}
        | _position(index, match.entry)
        for match in found
    ]


def _piece(index: Index, piece: int) -> dict:
    return {
        "piece_id": index.pieces[piece],
        "title": index.titles[piece] or None,
        "composer": index.composers[piece] or None,
    }


def _position(index: Index, entry: int) -> dict:
    """A printed position: numbers of page and system from 1."""
    place, x = index.places[entry], float(index.x[entry])
    return {
        "page": None if place.page is None else place.page + 1,
        "system": None if place.system is None else place.system + 1,
        "bar": place.bar,
        "x": x,
        "printed": printed.located(place, x, int(index.widths[index.piece[entry]])),
    }


def _passages(index: Index, piece: int, windows: np.ndarray, frames: np.ndarray) -> list[dict]:
    """What is heard of a piece without a leap, in the order heard."""
    (entries,) = np.nonzero(index.piece == piece)
    path = best_path(windows, frames, index.vectors[entries])
    steps = np.diff(path)
    leaps = np.flatnonzero((steps < 0) | (steps > reaches(frames, len(entries)))) + 1
    seconds = frames / RETRIEVAL.fps
    return [
        {"from_s": float(seconds[part[0]]), "to_s": float(seconds[part[-1]]),
         "from": _position(index, int(entries[path[part[0]]])),
         "to": _position(index, int(entries[path[part[-1]]]))}
        for part in np.split(np.arange(len(path)), leaps)
    ]  # fmt: skip


# --- in words --------------------------------------------------------------------------------
def as_json(answer: dict) -> str:
    """The answer for programs."""
    return json.dumps(answer, ensure_ascii=False, indent=2)


def in_words(answer: dict) -> str:
    """The answer for people; text from scores may have odd characters, which become escapes."""
    searched, listened = answer["searched"], answer["listened"]["windows"]
    best = answer["pieces"][0]
    lines = [
        f"searched {searched['pieces']:,} pieces with {searched['positions']:,} positions, "
        f"listened to {listened} window{'s' * (listened > 1)}",
        "",
        _verdict(answer),
        *(
            f"  heard {_clock(passage['from_s'])} to {_clock(passage['to_s'])}: "
            f"{passage['from']['printed']} to {passage['to']['printed']}"
            for passage in best["passages"]
            if answer["fits"] is not False and listened > 1
        ),
        "",
        " score  piece",
        *(f"{piece['score']:6.3f}  {_name(piece)}" for piece in answer["pieces"]),
        "",
        "cosine  heard at    printed at                      piece",
        *(
            f"{match['cosine']:6.3f}  {match['seconds']:>6,.1f} s    {match['printed']:<30}  "
            f"{_name(match)}"
            for match in answer["matches"]
        ),
        "",
        f"picture: {answer['picture']}",
    ]
    return "\n".join(map(printable, lines))


def _verdict(answer: dict) -> str:
    best = _name(answer["pieces"][0])
    if answer["fits"] is None:
        why = "not calibrated for these weights"
        if answer["threshold"] is not None:
            why = "too few windows to tell if it is the right one"
        return f"best match: {best} ({why})"
    found = f"evidence {answer['evidence']:.2f}, needed {answer['threshold']:.2f}"
    if answer["fits"]:
        return f"found: {best} ({found})"
    if answer["listened"]["steady"]:
        return "nothing in this index fits: the recording is a steady sound, and no music"
    return f"nothing in this index fits the whole recording ({found}); the closest is {best}"


def _name(piece: dict) -> str:
    return printed.named(piece["title"] or "", piece["composer"] or "", piece["piece_id"])


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
