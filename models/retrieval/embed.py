"""Vectors of the chosen pairs: what a network makes of each snippet and of each excerpt.

One file a model, all tempi and protocols. The vectors are those before the projection, so that
an unrefined and a refined one can be applied without another pass of the network.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from lightning.fabric import Fabric
from tqdm import tqdm

from models.retrieval import sampling
from models.retrieval.network import Network, digest, load
from models.retrieval.pairs import EVERY_CONTEXT, PAIRS
from models.training import one_device
from pipeline import tables
from pipeline.constants import EMBEDDING

AT_ONCE = 200  # snippets or excerpts in one forward pass
CROPPINGS = {"fixed": "padded", "2019": "2019"}  # of the snippets, by protocol
ENTROPY_EPSILON = 1e-9  # keeps log() finite (authors' code)
HASH_BYTES = 8
KEY = ["piece_id", "font", "note_id", "frame"]  # of an onset among performances of one tempo


EMBEDDINGS = pa.schema(
    [
        tables.field("protocol", pa.string(), "how pairs are chosen and snippets cropped"),
        *(tables.SHARDS.field(name) for name in ("tempo_ratio", "font")),
        tables.field("pair", pa.int32(), "running number in protocol and tempo"),
        tables.SHARDS.field("piece_id"),
        tables.field("note_id", pa.int32(), "of the piece"),
        tables.field("frame", pa.int32(), "first frame at or after the onset", "frames"),
        tables.field("x", pa.float32(), "of the onset's head in the strip", "px"),
        tables.field("snippet", pa.int64(), "hash of the pixels that the network sees"),
        tables.field("onsets", pa.int32(), "frames with an onset in the excerpt"),
        tables.field("entropy", pa.float32(), "of the attention; null where there is none", "nats"),
        tables.field(
            "sheet", pa.list_(pa.float32()), "vector of the snippet before the projection"
        ),
        tables.field(
            "audio", pa.list_(pa.float32()), "vector of the excerpt before the projection"
        ),
    ]
)  # the schema's metadata names the model and the SHA-256 of its weights file


def embed(
    weights: Path | str,
    shards: dict[str, list[Path | str]],
    pairs: Path | str,
    out: Path | str,
    *,
    precision: str = "bf16-mixed",
    accelerator: str = "auto",
) -> None:
    """Embed the pairs that concern a model and write the table `EMBEDDINGS` to `out`.

    weights: what `train` wrote; shards: Parquet files by tempo ("0.5", ...); pairs: a table
    `PAIRS`. Equal snippets get the very same vector. One tempo is in memory at a time.

    Raises ValueError where weights, shards and pairs do not fit, FloatingPointError where the
    network gives values that are not finite.
    """
    fabric = one_device(accelerator, precision)
    network = load(weights)
    wanted = _wanted(pairs, network, shards)
    network = fabric.to_device(network.to(memory_format=torch.channels_last))
    schema = EMBEDDINGS.with_metadata({"model": network.name, "weights": digest(weights)})
    sheets: dict[int, np.ndarray] = {}
    with tables.replacing(out) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for tempo_ratio, part in wanted.items():
            try:
                for table in _tempo(
                    network, fabric, shards[tempo_ratio], tempo_ratio, part, sheets
                ):
                    writer.write_table(table.replace_schema_metadata(schema.metadata))
            except FloatingPointError as error:
                raise FloatingPointError(f"{weights}, tempo {tempo_ratio}: {error}") from None
            except LookupError as error:
                raise ValueError(f"{pairs}, tempo {tempo_ratio}: {error.args[0]}") from None


def embed_sheet(
    network: Network,
    fabric: Fabric,
    batches: Iterable[np.ndarray],
    description: str | None = None,
    total: int | None = None,
) -> np.ndarray:
    """`vectors` of images: batches (n, 1, 80, 100) float32, white 1, to (all, 32)."""
    return vectors(network.sheet, batches, fabric, description, total)


def embed_audio(
    network: Network,
    fabric: Fabric,
    batches: Iterable[np.ndarray],
    description: str | None = None,
    total: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """`vectors` of excerpts: batches (n, 1, 92, T) float32 to (all, 32), before the projection.

    Also gives the entropies (all,) of the attention in nats, None where the network has none.
    """
    if not network.attends:
        return vectors(network.audio, batches, fabric, description, total), None

    def with_entropy(excerpts: torch.Tensor) -> torch.Tensor:
        weights = network.attention(excerpts)
        entropy = attention_entropy(weights.float())
        return torch.cat([network.audio(excerpts, weights).float(), entropy[:, None]], dim=1)

    found = vectors(with_entropy, batches, fabric, description, total)
    return found[:, :EMBEDDING], found[:, EMBEDDING]


@torch.inference_mode()
def vectors(
    function: Callable[[torch.Tensor], torch.Tensor],
    batches: Iterable[np.ndarray],
    fabric: Fabric,
    description: str | None = None,
    total: int | None = None,
) -> np.ndarray:
    """Rows (all, d) float32 that a function makes of batches (n, ...), in the fabric's precision.

    With a `description` a progress bar runs, up to `total` rows. Without any batch there are no
    rows, of 32 values. Raises FloatingPointError where a value is not finite.
    """
    parts = []
    silent = description is None or total == 0
    progress = tqdm(total=total, desc=description, disable=silent, mininterval=1.0)
    with progress, fabric.autocast():
        for batch in batches:
            found = function(fabric.to_device(torch.from_numpy(batch)))
            parts.append(found.float().cpu().numpy())
            if not np.isfinite(parts[-1]).all():
                raise FloatingPointError(
                    "the network's vectors are not finite; train it again with a lower rate"
                )
            progress.update(len(batch))
    return np.concatenate(parts) if parts else np.empty((0, EMBEDDING), np.float32)


def attention_entropy(attention: torch.Tensor) -> torch.Tensor:
    """Entropy (n,) in nats of weights (n, T) that sum to 1; log T where all are equal (B 4.4)."""
    return -(attention * (attention + ENTROPY_EPSILON).log()).sum(dim=1)


def snippet_hash(images: np.ndarray) -> np.ndarray:
    """A 64-bit number (n,) int64 of each image (n, ...), the same in every run."""
    digests = (
        hashlib.blake2b(np.ascontiguousarray(image), digest_size=HASH_BYTES).digest()
        for image in images
    )
    return np.array([int.from_bytes(one, "little", signed=True) for one in digests], np.int64)


def _wanted(pairs: Path | str, network: Network, shards: dict) -> dict[str, pd.DataFrame]:
    """The pairs of the network's context by tempo, as the keys of `shards` name it."""
    table = tables.read(pairs, PAIRS).to_pandas()
    table = table[table["context"].isin([EVERY_CONTEXT, network.context])]
    if table.empty:
        raise ValueError(
            f"{pairs}: no pairs for the {network.context} frames of {network.name}; choose some"
        )
    if unknown := sorted(set(table["protocol"]) - set(CROPPINGS)):
        raise ValueError(f"{pairs}: protocol '{unknown[0]}'; there are {', '.join(CROPPINGS)}")
    names = {float(np.float32(tempo_ratio)): tempo_ratio for tempo_ratio in shards}
    for tempo_ratio in table["tempo_ratio"].unique():
        if float(tempo_ratio) not in names:
            raise ValueError(
                f"{pairs}: has pairs of tempo {tempo_ratio:g}, "
                f"and shards are given for {', '.join(shards)}"
            )
    return {names[float(tempo_ratio)]: part for tempo_ratio, part in table.groupby("tempo_ratio")}


def _tempo(
    network: Network,
    fabric: Fabric,
    paths: list[Path | str],
    tempo_ratio: str,
    pairs: pd.DataFrame,
    sheets: dict[int, np.ndarray],
) -> Iterator[pa.Table]:
    """A table for each protocol; `sheets`, the vectors of snippets by hash, grows."""
    data = sampling.read(paths)
    for protocol, part in pairs.sort_values("pair").groupby("protocol"):
        examples = _find(data, part, np.float32(tempo_ratio))
        name = f"{network.name}, tempo {tempo_ratio}, {protocol}"
        hashes = _sheets(network, fabric, data, examples, CROPPINGS[protocol], sheets, name)
        excerpts = (data.excerpt_batch(some, network.context) for some in _in_parts(examples))
        audio, entropy = embed_audio(network, fabric, excerpts, f"{name}: excerpts", len(examples))
        columns = {column: part[column].to_numpy() for column in PAIRS.names}
        columns |= {
            "snippet": hashes,
            "onsets": data.onsets_within(examples, network.context),
            "entropy": pa.nulls(len(examples)) if entropy is None else entropy,
            "sheet": _lists(np.stack([sheets[one] for one in hashes.tolist()])),
            "audio": _lists(audio),
        }
        arrays = [pa.array(columns[field.name]).cast(field.type) for field in EMBEDDINGS]
        yield pa.Table.from_arrays(arrays, schema=EMBEDDINGS)


def _sheets(
    network: Network,
    fabric: Fabric,
    data: sampling.Examples,
    examples: np.ndarray,
    cropping: str,
    sheets: dict[int, np.ndarray],
    name: str,
) -> np.ndarray:
    """Hashes (examples,) of the snippets; those new to `sheets` are embedded and added."""

    def snippets(of: np.ndarray) -> Iterator[np.ndarray]:
        return (data.snippet_batch(some, cropping=cropping) for some in _in_parts(of))

    hashes = np.concatenate([snippet_hash(images) for images in snippets(examples)])
    distinct, first = np.unique(hashes, return_index=True)
    new = np.array([one not in sheets for one in distinct.tolist()])
    chosen = snippets(examples[first[new]])
    found = embed_sheet(network, fabric, chosen, f"{name}: snippets", int(new.sum()))
    sheets.update(zip(distinct[new].tolist(), found, strict=True))
    return hashes


def _find(data: sampling.Examples, pairs: pd.DataFrame, tempo_ratio: np.float32) -> np.ndarray:
    """The example of each pair; LookupError, naming the piece, where one is not in the data."""
    played = data.performance
    held = pd.DataFrame(
        {
            "piece_id": np.array(data.pieces, object)[data.piece],
            "font": np.array(data.font, object)[played],
            "note_id": data.note_id,
            "frame": data.frame,
            "example": np.arange(len(data)),
        }
    )[data.tempo_ratio[played] == tempo_ratio]
    found = pairs[KEY].merge(held.drop_duplicates(KEY), on=KEY, how="left")
    lacking = found[found["example"].isna()]
    if len(lacking):
        one = lacking.iloc[0]
        raise LookupError(
            f"the shards lack {len(lacking)} of {len(found)} pairs, first note {one['note_id']} of "
            f"'{one['piece_id']}', font '{one['font']}', in frame {one['frame']}; choose the "
            "pairs again from these shards"
        )
    return found["example"].to_numpy(np.int64)


def _in_parts(examples: np.ndarray) -> list[np.ndarray]:
    """Batches for a forward pass."""
    return [examples[begin : begin + AT_ONCE] for begin in range(0, len(examples), AT_ONCE)]


def _lists(rows: np.ndarray) -> pa.ListArray:
    """(n, d) float32 as a column of lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(offsets, rows.ravel())
