"""Follow whole recordings staff by staff, and measure how near and how late the position is.

Three ways: `tracked` (see `tracking`), the plain `arg-max` on the staff that the tracking is on,
and the plain arg-max on the `oracle` staff, the one that truth names.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import torch
from tqdm import tqdm

from models import dataset
from models.device import inference_device
from models.score_following import tracking
from models.score_following.matching import PT
from models.score_following.network import Network
from models.score_following.sampling import excerpts
from models.score_following.tracking import STEP_FRAMES
from models.score_following.weights import load
from models.training import PROGRESS_S
from pipeline import tables
from pipeline.constants import (
    BUCKET_PX,
    BUCKETS,
    EXCERPT_FRAMES,
    FRAMES_AFTER_ONSET,
    SCORE_FOLLOWING,
    SPECTROGRAM_RATE_HZ,
    WHITE,
    WINDOW_SAMPLES,
)
from pipeline.images import grey

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

EXCERPTS_PER_BATCH = 200
WAYS = ("oracle", "arg-max", "tracked")
FRAME_S = WINDOW_SAMPLES / SPECTROGRAM_RATE_HZ  # of sound in a frame, from where it begins
LATEST_S = 3.0  # after an onset: a position that is not there by then is never reached

TRACKS = pa.schema(
    [
        tables.SHARDS.field("piece_id"),
        tables.field("way", pa.string(), "oracle, arg-max, tracked, or truth"),
        tables.field("time", pa.float64(), "until which the recording was heard", "s"),
        tables.field("image", pa.int32(), "staff image, running number in the piece"),
        tables.field("x", pa.float32(), "position in it", "px"),
    ]
)
REACHED = pa.schema(
    [
        tables.SHARDS.field("piece_id"),
        tables.field("way", pa.string(), "oracle, arg-max, or tracked"),
        tables.field("note_id", pa.int32(), "of the piece"),
        tables.field("time", pa.float64(), "of the onset", "s"),
        tables.field("near", pa.bool_(), "within one bucket at the look nearest its excerpt's end"),
        tables.field("same_staff", pa.bool_(), "the same, on its staff"),
        tables.field(
            "lag",
            pa.float64(),
            "from the onset until within one bucket; null if later than 3 s",
            "s",
        ),
    ]
)


@dataclass(frozen=True)
class Tune:
    """A recording of a tune, and where its onsets are printed."""

    piece_id: str
    spectrogram: np.ndarray  # (frames, 136)
    images: np.ndarray  # (staves, 40, 390) uint8
    left: np.ndarray  # (staves,) px
    right: np.ndarray  # (staves,) px
    note_id: np.ndarray  # (onsets,) of those that are printed
    onset_s: np.ndarray  # (onsets,) s
    frame: np.ndarray  # (onsets,)
    image: np.ndarray  # (onsets,)
    x: np.ndarray  # (onsets,) px


def track(
    weights: Path,
    shards: list[Path],
    out: Path,
    tracks: Path,
    *,
    tunes: int = 5,
    precision: str = "bf16-mixed",
) -> None:
    """Follow recordings of tunes from beginning to end.

    Args:
        weights: safetensors file that `train` or `train_matching` wrote.
        shards: Parquet shards.
        out: Parquet table to write, a row for each onset and way.
        tracks: Parquet table to write, a row for each moment and way.
        tunes: how many recordings to follow: of the first pieces, the first of each.
        precision: `bf16-mixed` or `32-true`.

    Raises:
        ValueError: if weights or shards do not fit, or there is no recording.
    """
    fabric = inference_device(precision)
    network = fabric.to_device(load(weights).to(memory_format=torch.channels_last))
    found, moments = [], []
    chosen = list(islice(_one_of_each(read_tunes(shards)), tunes))
    if not chosen:
        raise ValueError("no recording in the shards")
    for tune in tqdm(chosen, desc="track", unit="tune", disable=None, mininterval=PROGRESS_S):
        times, ways = follow(fabric, network, tune)
        for way, (staff, x) in ways.items():
            found += _reached(tune, way, times, staff, x)
            moments += _moments(tune, way, times, staff, x)
        moments += _moments(tune, "truth", times, *true_positions(tune, times))
    tables.write(found, REACHED, out)
    tables.write(moments, TRACKS, tracks)


def read_tunes(shards: list[Path]) -> Iterator[Tune]:
    """The recordings in shards, a few in memory at a time."""
    for path in shards:
        for row in dataset.shard_rows(dataset.whole(path)):
            kept = [n for n, image in enumerate(row["image"]) if image is not None]
            if not kept:
                continue
            columns = {
                name: np.array([row[name][n] for n in kept])
                for name in ("note_id", "onset_s", "frame", "image", "x")
            }
            yield Tune(
                piece_id=row["piece_id"],
                spectrogram=row["spectrogram"].reshape(-1, SCORE_FOLLOWING.bins),
                images=np.stack([grey(png) for png in row["images"]]),
                left=np.array(row["left"]),
                right=np.array(row["right"]),
                **columns,
            )


def _one_of_each(tunes: Iterable[Tune]) -> Iterator[Tune]:
    """The first recording of each piece."""
    seen: set[str] = set()
    for tune in tunes:
        if tune.piece_id not in seen:
            seen.add(tune.piece_id)
            yield tune


def follow(
    fabric: "Fabric", network: Network | PT, tune: Tune
) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Follow a recording.

    Returns:
        (looks,) s, until which the recording was heard; and for each way (looks,) staves and
        (looks,) px.
    """
    probabilities = listen(fabric, network, tune)
    times = np.arange(len(probabilities)) * STEP_FRAMES / SCORE_FOLLOWING.fps + FRAME_S
    best = tracking.track(probabilities, tune.left, tune.right)
    looks = np.arange(len(times))
    true_staff, _ = true_positions(tune, times)
    buckets = probabilities.argmax(axis=2)
    ways = {
        "oracle": (true_staff, buckets[looks, true_staff]),
        "arg-max": (best[:, 0], buckets[looks, best[:, 0]]),
        "tracked": (best[:, 0], best[:, 1]),
    }
    return times, {way: (staff, (b + 0.5) * BUCKET_PX) for way, (staff, b) in ways.items()}


@torch.inference_mode()
def listen(fabric: "Fabric", network: Network | PT, tune: Tune) -> np.ndarray:
    """Probabilities of the buckets of all staves at each look: (looks, staves, 40).

    Those of a look sum to one. Its excerpt ends with the frame of the look, as if nothing came
    after it.
    """
    silence = np.zeros((EXCERPT_FRAMES, tune.spectrogram.shape[1]), tune.spectrogram.dtype)
    padded = np.concatenate([silence, tune.spectrogram])
    last = np.arange(0, len(tune.spectrogram), STEP_FRAMES)
    pixels = (WHITE - tune.images)[:, None].astype(np.float32) / WHITE
    found = np.empty((len(last), len(pixels), BUCKETS), np.float32)
    with fabric.autocast():
        sheet = network.sheet(fabric.to_device(torch.from_numpy(pixels)))
        for begin in range(0, len(last), EXCERPTS_PER_BATCH):
            part = last[begin : begin + EXCERPTS_PER_BATCH] - FRAMES_AFTER_ONSET
            start = np.full(len(part), EXCERPT_FRAMES)
            sound = torch.from_numpy(excerpts(padded, start, part))
            heard = network.audio(fabric.to_device(sound))
            chances = network.compare_staves(sheet, heard)
            found[begin : begin + len(part)] = chances.float().cpu().numpy()
    return found


def true_positions(tune: Tune, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The staff and x that sound at some times, x interpolated between onsets of one staff."""
    onsets = tune.onset_s
    before = np.clip(np.searchsorted(onsets, times, side="right") - 1, 0, len(onsets) - 1)
    after = np.minimum(before + 1, len(onsets) - 1)
    same = (tune.image[after] == tune.image[before]) & (tune.x[after] >= tune.x[before])
    span = np.maximum(onsets[after] - onsets[before], 1e-9)
    share = np.where(same, np.clip((times - onsets[before]) / span, 0, 1), 0)
    x = tune.x[before] + share * (tune.x[after] - tune.x[before])
    return tune.image[before], x


def _moments(tune: Tune, way: str, times, staff, x) -> list[dict]:
    return [
        {"piece_id": tune.piece_id, "way": way, "time": t, "image": int(s), "x": float(p)}
        for t, s, p in zip(times.tolist(), staff, x, strict=True)
    ]


def _reached(tune: Tune, way: str, times, staff, x) -> list[dict]:
    """Rows of REACHED of a way."""
    bucket = np.floor(np.asarray(x) / BUCKET_PX)
    rows = []
    buckets = np.floor(tune.x / BUCKET_PX)
    onsets = zip(tune.note_id, tune.onset_s, tune.frame, tune.image, buckets, strict=True)
    for note, onset, frame, image, true in onsets:
        at_end = min(round((int(frame) + FRAMES_AFTER_ONSET) / STEP_FRAMES), len(times) - 1)
        near = (staff == image) & (np.abs(bucket - true) <= 1)
        soon = np.flatnonzero(near & (times >= onset) & (times <= onset + LATEST_S))
        rows.append(
            {
                "piece_id": tune.piece_id,
                "way": way,
                "note_id": int(note),
                "time": float(onset),
                "near": bool(near[at_end]),
                "same_staff": bool(staff[at_end] == image),
                "lag": float(times[soon[0]] - onset) if len(soon) else None,
            }
        )
    return rows
