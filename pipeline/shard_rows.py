"""Check that rows of SHARDS lack nothing that an example needs."""

from pathlib import Path

import pyarrow as pa

_OF_ONSETS = (
    "note_id", "onset_s", "frame", "image", "x", "pitch", "first_frame", "last_frame", "moment",
)  # fmt: skip
_MAY_LACK = ("reason", "tempo_ratio", "performer", "room")


def checked_rows(batch: pa.RecordBatch, path: Path | str) -> list[dict]:
    """The rows of some columns of SHARDS as dicts, without the spectrogram.

    Args:
        batch: rows as they were read.
        path: the file that they were read from.

    Raises:
        ValueError: names the file and the piece of a row that lacks a value which only an onset
            with a reason may lack, or whose onsets have lists of different lengths.
    """
    names = batch.schema.names
    rows = batch.select([name for name in names if name != "spectrogram"]).to_pylist()
    if "spectrogram" in names:
        for row, values in zip(rows, batch.column("spectrogram"), strict=True):
            if values.values is None or values.values.null_count:
                raise ValueError(f"{path}: {row.get('piece_id')}: 'spectrogram' lacks values")
    for row in rows:
        reasons = row.get("reason") or []
        for name, value in row.items():
            whole = value is not None
            if name in _MAY_LACK or (name == "moment" and value is None):
                continue
            if isinstance(value, list) and name in _OF_ONSETS and "reason" in row:
                whole = len(value) == len(reasons) and all(
                    entry is not None or reason is not None
                    for entry, reason in zip(value, reasons, strict=True)
                )
            elif isinstance(value, list) and name not in _OF_ONSETS:
                whole = None not in value
            if not whole:
                raise ValueError(f"{path}: {row.get('piece_id')}: '{name}' lacks values")
    return rows
