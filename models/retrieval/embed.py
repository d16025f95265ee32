"""Embed the chosen pairs: the vectors of each snippet and each excerpt, one table a network."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from models.retrieval.inference import load_network, run_batches, shown_name, weights_path
from models.retrieval.network import Network
from models.retrieval.pairs import EVERY_CONTEXT, PAIRS, group_by_tempo
from models.retrieval.reading import read_examples
from models.retrieval.sampling import Examples
from models.retrieval.weights import AnyNetwork
from models.weights import digest
from pipeline import tables
from pipeline.constants import EMBEDDING
from pipeline.replacing import replacing
from pipeline.strips import Cropping

if TYPE_CHECKING:
    from lightning.fabric import Fabric  # takes seconds to import

BATCH = 200  # snippets or excerpts in one forward pass
CROPPINGS: dict[str, Cropping] = {"fixed": "padded", "2019": "2019"}  # of the snippets, by protocol
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
        tables.field("x", pa.float32(), "of the onset's notehead in the strip", "px"),
        tables.field("snippet", pa.int64(), "hash of the pixels that the network sees"),
        tables.field("onsets", pa.int32(), "frames with an onset up to half an excerpt away"),
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
    weights: Path,
    shards: list[Path],
    pairs: Path,
    out: Path,
    *,
    precision: str = "bf16-mixed",
) -> None:
    """Embed the snippets and excerpts of the chosen pairs with a network.

    The vectors are those before the projection, so that both projections can be applied later.
    Equal snippets get the very same vector. One tempo is in memory at a time.

    Args:
        weights: safetensors file that a training wrote, or `shipped` for that of the project.
        shards: Parquet shards that the pairs were chosen from.
        pairs: Parquet table that `choose` wrote.
        out: Parquet table to write, a row a pair.
        precision: `bf16-mixed` or `32-true`.

    Raises:
        ValueError: if weights, shards and pairs do not belong together.
        FloatingPointError: if the network gives values that are not finite.
    """
    by_tempo = group_by_tempo(shards)
    fabric, network = load_network(weights, precision)
    wanted = _wanted(pairs, network, by_tempo)
    model = shown_name(network.name, weights)
    schema = EMBEDDINGS.with_metadata({"model": model, "weights": digest(weights_path(weights))})
    sheets: dict[int, np.ndarray] = {}
    with replacing(out) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for tempo_ratio, part in wanted.items():
            try:
                for table in _embed_tempo(
                    network, fabric, by_tempo[tempo_ratio], tempo_ratio, part, sheets
                ):
                    writer.write_table(table.replace_schema_metadata(schema.metadata))
            except FloatingPointError as error:
                raise FloatingPointError(f"{weights}, tempo {tempo_ratio:g}: {error}") from None
            except LookupError as error:
                raise ValueError(f"{pairs}, tempo {tempo_ratio:g}: {error.args[0]}") from None


def audio_with_entropy(
    network: AnyNetwork,
    fabric: "Fabric",
    batches: Iterable[np.ndarray],
    description: str | None = None,
    total: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Embed excerpts and compute the entropy of the attention to them.

    Args:
        network: in evaluation mode.
        fabric: its device.
        batches: (n, 1, 92, T) float32.
        description, total: of the progress bar.

    Returns:
        (all, 32) embeddings before the projection; (all,) entropies in nats, None if the network
        has no attention.
    """
    if not isinstance(network, Network) or not network.attends:
        return run_batches(network.audio, batches, fabric, description, total), None

    def with_entropy(excerpts: torch.Tensor) -> torch.Tensor:
        weights = network.attention(excerpts)
        entropy = attention_entropy(weights.float())
        return torch.cat([network.audio(excerpts, weights).float(), entropy[:, None]], dim=1)

    joined = run_batches(with_entropy, batches, fabric, description, total)
    return joined[:, :EMBEDDING], joined[:, EMBEDDING]


def attention_entropy(attention: torch.Tensor) -> torch.Tensor:
    """Entropy (n,) in nats of weights (n, T) that sum to 1; log T where all are equal (B 4.4)."""
    return -(attention * (attention + ENTROPY_EPSILON).log()).sum(dim=1)


def snippet_hash(images: np.ndarray) -> np.ndarray:
    """A 64-bit number (n,) int64 of each image (n, ...), the same in every run."""
    digests = (
        hashlib.blake2b(np.ascontiguousarray(image), digest_size=HASH_BYTES).digest()
        for image in images
    )
    return np.array([int.from_bytes(digest, "little", signed=True) for digest in digests], np.int64)


def _wanted(
    pairs: Path, network: AnyNetwork, shards: dict[float, list[Path]]
) -> dict[float, pd.DataFrame]:
    """The pairs of the network's context by tempo ratio."""
    table = tables.read(pairs, PAIRS).to_pandas()
    table = table[table["context"].isin([EVERY_CONTEXT, network.context])]
    if table.empty:
        raise ValueError(
            f"{pairs}: no pairs for the {network.context} frames of {network.name}; choose some"
        )
    if unknown := sorted(set(table["protocol"]) - set(CROPPINGS)):
        raise ValueError(f"{pairs}: protocol '{unknown[0]}'; there are {', '.join(CROPPINGS)}")
    by_tempo = {float(ratio): part for ratio, part in table.groupby("tempo_ratio")}
    for tempo_ratio in by_tempo:
        if tempo_ratio not in shards:
            given = ", ".join(f"{ratio:g}" for ratio in shards)
            raise ValueError(
                f"{pairs}: has pairs of tempo {tempo_ratio:g}, and shards are given for {given}"
            )
    return by_tempo


def _embed_tempo(
    network: AnyNetwork,
    fabric: "Fabric",
    paths: list[Path],
    tempo_ratio: float,
    pairs: pd.DataFrame,
    sheets: dict[int, np.ndarray],
) -> Iterator[pa.Table]:
    """A table for each protocol; new snippets are added to `sheets`, vectors by hash."""
    data = read_examples(paths)
    for protocol, part in pairs.sort_values("pair").groupby("protocol"):
        examples = _find(data, part, np.float32(tempo_ratio))
        name = f"{network.name}, tempo {tempo_ratio:g}, {protocol}"
        hashes = _embed_new_snippets(
            network, fabric, data, examples, CROPPINGS[protocol], sheets, name
        )
        excerpts = (data.excerpt_batch(part, network.context) for part in _in_parts(examples))
        audio, entropy = audio_with_entropy(
            network, fabric, excerpts, f"{name}: excerpts", len(examples)
        )
        columns = {column: part[column].to_numpy() for column in PAIRS.names}
        columns |= {
            "snippet": hashes,
            "onsets": data.onsets_within(examples, network.context),
            "entropy": pa.nulls(len(examples)) if entropy is None else entropy,
            "sheet": _lists(np.stack([sheets[key] for key in hashes.tolist()])),
            "audio": _lists(audio),
        }
        arrays = [pa.array(columns[field.name]).cast(field.type) for field in EMBEDDINGS]
        yield pa.Table.from_arrays(arrays, schema=EMBEDDINGS)


def _embed_new_snippets(
    network: AnyNetwork,
    fabric: "Fabric",
    data: Examples,
    examples: np.ndarray,
    cropping: str,
    sheets: dict[int, np.ndarray],
    name: str,
) -> np.ndarray:
    """Hashes (examples,) of the snippets; those new to `sheets` are embedded and added."""

    def snippets(chosen: np.ndarray) -> Iterator[np.ndarray]:
        return (data.snippet_batch(part, cropping=cropping) for part in _in_parts(chosen))

    hashes = np.concatenate([snippet_hash(images) for images in snippets(examples)])
    distinct, first = np.unique(hashes, return_index=True)
    new = np.array([key not in sheets for key in distinct.tolist()])
    batches = snippets(examples[first[new]])
    embedded = run_batches(network.sheet, batches, fabric, f"{name}: snippets", int(new.sum()))
    sheets.update(zip(distinct[new].tolist(), embedded, strict=True))
    return hashes


def _find(data: Examples, pairs: pd.DataFrame, tempo_ratio: np.float32) -> np.ndarray:
    """The example of each pair; raises LookupError, naming the piece, if one is not found."""
    performance = data.performance
    known = pd.DataFrame(
        {
            "piece_id": np.array(data.pieces, object)[data.piece],
            "font": np.array(data.font, object)[performance],
            "note_id": data.note_id,
            "frame": data.frame,
            "example": np.arange(len(data)),
        }
    )[data.tempo_ratio[performance] == tempo_ratio]
    matched = pairs[KEY].merge(known.drop_duplicates(KEY), on=KEY, how="left")
    missing = matched[matched["example"].isna()]
    if len(missing):
        first = missing.iloc[0]
        raise LookupError(
            f"the shards lack {len(missing)} of {len(matched)} pairs, first note "
            f"{first['note_id']} of "
            f"'{first['piece_id']}', font '{first['font']}', in frame {first['frame']}; choose the "
            "pairs again from these shards"
        )
    return matched["example"].to_numpy(np.int64)


def _in_parts(examples: np.ndarray) -> list[np.ndarray]:
    """Batches for a forward pass."""
    return [examples[begin : begin + BATCH] for begin in range(0, len(examples), BATCH)]


def _lists(rows: np.ndarray) -> pa.ListArray:
    """(n, d) float32 as a column of lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(offsets, rows.ravel())
