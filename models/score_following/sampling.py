"""Training examples from Parquet shards, and the order in which the network meets them.

A shard's row is one performance. Its staves' images, its spectrogram and its onsets go into flat
arrays that hold each image once, however often its piece is performed.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from models import dataset, streaming
from pipeline.constants import (
    EXCERPT_FRAMES,
    FRAMES_AFTER_ONSET,
    FRAMES_BEFORE_ONSET,
    SCORE_FOLLOWING,
    STAFF_HEIGHT_PX,
    STAFF_WIDTH_PX,
)
from pipeline.images import grey

WHITE = 255  # of a staff image
SPECTROGRAM_TYPE = np.float16  # half the memory; exact to 1/1000 of log10(1+|X|)
_PER_EXAMPLE = ("note_id", "frame", "image", "x", "first_frame", "last_frame")


@dataclass
class Examples:
    """All examples of one split. Frames count from the start of their performance's recording.

    Per staff: `images` (staves, 40, 390) uint8, white 255, with the ends of the staff lines.
    Per performance: `start`, the row of `spectrogram` that is its frame 0.
    `spectrogram`: (rows, 136), every recording with zeros before and after it.
    Per example, (examples,) each: the rest.
    """

    split: str
    pieces: list[str]  # piece_id by piece index
    images: np.ndarray
    left: np.ndarray  # px
    right: np.ndarray  # px
    spectrogram: np.ndarray
    start: np.ndarray
    font: list[str]  # by performance
    tempo_ratio: np.ndarray  # by performance
    piece: np.ndarray  # index into pieces
    performance: np.ndarray
    staff: np.ndarray  # row of images
    image: np.ndarray  # running number of the staff in its piece
    note_id: np.ndarray
    frame: np.ndarray
    x: np.ndarray  # px
    first_frame: np.ndarray  # first onset of this pass over the staff
    last_frame: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def fingerprint(self) -> str:
        """A digest that differs where the examples, their images or their recordings do."""
        digest = hashlib.sha256(self.split.encode())
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                digest.update(np.ascontiguousarray(value))
        return digest.hexdigest()

    def memory(self) -> int:
        """Bytes of recordings and images."""
        return self.spectrogram.nbytes + self.images.nbytes

    def image_batch(self, staves: np.ndarray) -> np.ndarray:
        """Rows of `images` as the network wants them: (staves, 1, 40, 390) float32, ink is 1."""
        return (WHITE - self.images[staves])[:, None].astype(np.float32) / WHITE

    def excerpt_batch(self, examples: np.ndarray) -> np.ndarray:
        """The 40 frames from 34 before to 5 after each onset (3.2); zeros beyond the recording.

        Returns (examples, 1, 136, 40) float32, bins x frames.
        """
        return excerpts(
            self.spectrogram, self.start[self.performance[examples]], self.frame[examples]
        )


def excerpts(spectrogram: np.ndarray, start: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Cut the network's excerpt around frame `start + frame` for each of n onsets.

    spectrogram: (rows, bins); start, frame: (n,). Returns (n, 1, bins, 40) float32.
    """
    window = np.arange(-FRAMES_BEFORE_ONSET, FRAMES_AFTER_ONSET + 1)
    rows = (start + frame)[:, None] + window
    return spectrogram[rows].astype(np.float32).transpose(0, 2, 1)[:, None]


def read(paths: Iterable[Path | str]) -> Examples:
    """Read the shards of one split; only onsets whose `reason` is null become examples.

    Raises ValueError, naming the file, for another schema, other spectrogram settings, an image
    of another size, two splits in one set, an onset outside its recording, or no example at all.
    """
    return read_parts([dataset.whole(path) for path in paths])


def read_parts(parts: list[dataset.Part]) -> Examples:
    """Read parts of the shards of one split; see `read`."""
    return _Reader(parts).read()


class _Reader:
    """Gathers arrays row by row; `read` joins them."""

    def __init__(self, parts: list[dataset.Part]):
        self.parts = parts
        self.splits: set[str] = set()
        self.pieces: dict[str, int] = {}
        self.staves: dict[tuple, int] = {}  # (piece, PNG's digest, ends) -> row of images
        self.images: list[np.ndarray] = []
        self.performances: list[tuple[int, str, float]] = []  # start, font, tempo_ratio
        self.examples: list[dict[str, np.ndarray]] = []
        # Untouched pages of zeros cost no memory, so an upper bound will do.
        bound = sum(dataset.values(part, "spectrogram") // SCORE_FOLLOWING.bins for part in parts)
        gaps = EXCERPT_FRAMES * (1 + sum(map(dataset.length, parts)))
        self.spectrogram = np.zeros((bound + gaps, SCORE_FOLLOWING.bins), SPECTROGRAM_TYPE)
        self.end = EXCERPT_FRAMES  # first free row; zeros lie between recordings

    def read(self) -> Examples:
        for part in self.parts:
            for row in dataset.rows(part):
                try:
                    self.add(row)
                except ValueError as error:
                    raise ValueError(f"{part[0]}: {row['piece_id']}: {error}") from None
        names = ", ".join(str(path) for path, _ in self.parts) or "no file given"
        if not self.examples:
            raise ValueError(f"no examples in the shards ({names})")
        joined = {
            name: np.concatenate([part[name] for part in self.examples])
            for name in self.examples[0]
        }
        start, font, tempo_ratio = zip(*self.performances, strict=True)
        ends = np.array([key[2:] for key in self.staves], np.float32)
        return Examples(
            split=self.splits.pop(),
            pieces=list(self.pieces),
            images=np.stack(self.images),
            left=ends[:, 0],
            right=ends[:, 1],
            spectrogram=self.spectrogram[: self.end],
            start=np.array(start),
            font=list(font),
            tempo_ratio=np.array(tempo_ratio, np.float32),
            **joined,
        )

    def add(self, row: dict) -> None:
        """Take one performance in."""
        self.splits.add(row["split"])
        if len(self.splits) > 1:
            raise ValueError(f"shards of several splits, {sorted(self.splits)}, are mixed")
        if (row["fps"], row["bins"]) != (SCORE_FOLLOWING.fps, SCORE_FOLLOWING.bins):
            raise ValueError(
                f"spectrogram of {row['fps']} frames a second and {row['bins']} bins; the network "
                f"wants {SCORE_FOLLOWING.fps} and {SCORE_FOLLOWING.bins}"
            )
        kept = [index for index, reason in enumerate(row["reason"]) if reason is None]
        if not kept:
            return
        columns = {name: np.array([row[name][index] for index in kept]) for name in _PER_EXAMPLE}
        spectrogram = row["spectrogram"].reshape(-1, SCORE_FOLLOWING.bins)
        if columns["frame"].min() < 0 or columns["frame"].max() >= len(spectrogram):
            raise ValueError(f"an onset lies outside the recording of {len(spectrogram)} frames")
        piece = self.pieces.setdefault(row["piece_id"], len(self.pieces))
        staves = {image: self.staff(piece, row, image) for image in set(columns["image"].tolist())}
        self.spectrogram[self.end : self.end + len(spectrogram)] = spectrogram
        columns["staff"] = np.array([staves[image] for image in columns["image"].tolist()])
        columns["piece"] = np.full(len(columns["x"]), piece)
        columns["performance"] = np.full(len(columns["x"]), len(self.performances))
        self.examples.append(columns)
        self.performances.append((self.end, row["font"], row["tempo_ratio"]))
        self.end += len(spectrogram) + EXCERPT_FRAMES

    def staff(self, piece: int, row: dict, image: int) -> int:
        """Row of a staff's image, decoded the first time that a piece shows it."""
        png = row["images"][image]
        ends = (row["left"][image], row["right"][image])
        key = (piece, hashlib.sha256(png).digest(), *ends)
        if key not in self.staves:
            pixels = grey(png)
            if pixels.shape != (STAFF_HEIGHT_PX, STAFF_WIDTH_PX):
                raise ValueError(
                    f"staff image {image} is {pixels.shape[1]} x {pixels.shape[0]} px, "
                    f"not {STAFF_WIDTH_PX} x {STAFF_HEIGHT_PX}"
                )
            self.images.append(pixels)
            self.staves[key] = len(self.staves)
        return self.staves[key]


class Order:
    """An endless, seeded sequence of examples in which each pass visits every example once.

    Within a pass the examples of a staff are shuffled and cut into groups of about
    `notes_per_staff`, and the groups are shuffled, so that a batch of consecutive examples
    shows few staves. Pass p depends on (seed, p) alone: any batch can be had again by its number.
    """

    def __init__(self, staff: np.ndarray, notes_per_staff: int, seed: int):
        self.staff = staff
        self.notes_per_staff = notes_per_staff
        self.seed = seed
        self.passes: dict[int, np.ndarray] = {}

    def batch(self, number: int, size: int) -> np.ndarray:
        """Indices of the examples number*size to (number+1)*size of the sequence."""
        positions = np.arange(number * size, (number + 1) * size)
        which, where = np.divmod(positions, len(self.staff))
        needed = np.unique(which).tolist()
        self.passes = {p: self.passes[p] if p in self.passes else self.draw(p) for p in needed}
        return np.concatenate([self.passes[p][where[which == p]] for p in needed])

    def draw(self, number: int) -> np.ndarray:
        """The permutation of all examples that is pass `number`."""
        random = np.random.default_rng([self.seed, number])
        shuffled = random.permutation(len(self.staff))
        shuffled = shuffled[np.argsort(self.staff[shuffled], kind="stable")]
        _, first, count = np.unique(self.staff[shuffled], return_index=True, return_counts=True)
        within = np.arange(len(shuffled)) - np.repeat(first, count)
        groups = np.maximum(1, np.round(count / self.notes_per_staff).astype(int))
        offset = np.cumsum(groups) - groups
        group = np.repeat(offset, count) + within % np.repeat(groups, count)
        place = random.permutation(groups.sum())
        return shuffled[np.argsort(place[group], kind="stable")]


class Batches:
    """Training batches by number: examples, and the indices of the batch's in them, (size,)."""

    def __init__(self, examples: Examples, notes_per_staff: int, size: int, seed: int):
        self.examples = examples
        self.size = size
        self.order = Order(examples.staff, notes_per_staff, seed)

    def __len__(self) -> int:
        """Examples that a pass visits."""
        return len(self.examples)

    def fingerprint(self) -> str:
        """That of the examples."""
        return self.examples.fingerprint()

    def chosen(self, number: int) -> tuple[Examples, np.ndarray]:
        """What a batch is drawn from, and its indices."""
        return self.examples, self.order.batch(number, self.size)


class StreamedBatches:
    """The same from windows of shards that do not fit in memory; each window has its own order, and
    its last batch is filled up from its first examples."""

    def __init__(self, windows: streaming.Stream[Examples], notes_per_staff: int):
        self.windows = windows
        self.notes_per_staff = notes_per_staff

    def __len__(self) -> int:
        """Examples that a pass visits."""
        return len(self.windows)

    def fingerprint(self) -> str:
        """That of the windows' examples."""
        return self.windows.fingerprint()

    def chosen(self, number: int) -> tuple[Examples, np.ndarray]:
        """The window that a batch is drawn from, and its indices."""
        place, size = self.windows.find(number), self.windows.size
        examples = self.windows.read(place)
        seed = np.random.SeedSequence([self.windows.seed, place.run, place.window])
        order = Order(examples.staff, self.notes_per_staff, int(seed.generate_state(1)[0])).draw(0)
        positions = np.arange(place.batch * size, (place.batch + 1) * size)
        return examples, order[positions % len(order)]


def training_batches(
    paths: Iterable[Path | str],
    notes_per_staff: int,
    size: int,
    seed: int,
    memory_mb: int | None,
) -> Batches | StreamedBatches:
    """Batches of all that some shards hold; streamed where that needs more than `memory_mb`."""
    paths, limit = list(paths), memory_mb and memory_mb * 10**6
    if not streaming.too_large(paths, limit):
        return Batches(read(paths), notes_per_staff, size, seed)
    windows = streaming.Stream(paths, read_parts, len, size=size, limit=limit, seed=seed)
    return StreamedBatches(windows, notes_per_staff)
