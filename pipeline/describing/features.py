"""Columns as Hugging Face's `datasets` knows them, so that the hub shows pages and plays sound.

`datasets` is not needed for it: a feature is a word in the metadata of a column, and all of them
stand in the metadata of the file under the key `huggingface`, and in the front matter of the card.
"""

import json

import pyarrow as pa

from pipeline import tables

FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # how an image or a sound is kept
VALUES = {
    pa.string(): "string",
    pa.large_string(): "large_string",
    pa.bool_(): "bool",
    pa.int16(): "int16",
    pa.int32(): "int32",
    pa.float32(): "float32",
    pa.float64(): "float64",
}


def image(name: str, description: str) -> pa.Field:
    """A column of lists of images."""
    return _marked(tables.field(name, pa.list_(FILE), description), "image")


def audio(name: str, description: str) -> pa.Field:
    """A column of recordings."""
    return _marked(tables.field(name, FILE, description), "audio")


def matrix(name: str, columns: int, description: str, unit: str) -> pa.Field:
    """A column of matrices with any number of rows."""
    kind = pa.list_(pa.list_(pa.float32()))
    return _marked(tables.field(name, kind, description, unit), f"matrix {columns}")


def _marked(column: pa.Field, feature: str) -> pa.Field:
    return column.with_metadata({**(column.metadata or {}), b"feature": feature.encode()})


def feature(column: pa.Field) -> str | None:
    """What a column is beyond its type: `image`, `audio`, `matrix N`, or nothing."""
    word = (column.metadata or {}).get(b"feature")
    if word is None and column.type == pa.list_(pa.binary()):
        return "image"  # PNG files, as shards hold them
    return word.decode() if word else None


def with_metadata(schema: pa.Schema) -> pa.Schema:
    """The schema with its features in the metadata."""
    found = {column.name: _as_json(column.type, feature(column)) for column in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": found}})})


def _as_json(kind: pa.DataType, word: str | None = None) -> dict:
    """A feature as `datasets` writes it into Parquet files."""
    if word == "image":
        return {"feature": {"_type": "Image"}, "_type": "List"}
    if word == "audio":
        return {"decode": False, "_type": "Audio"}  # decoding wants torchcodec, bytes want nothing
    if word:
        return {"shape": [None, _columns(word)], "dtype": "float32", "_type": "Array2D"}
    if pa.types.is_list(kind):
        inner = kind.value_type
        if pa.types.is_struct(inner):
            return {"feature": {part.name: _as_json(part.type) for part in inner}, "_type": "List"}
        return {"feature": _as_json(inner), "_type": "List"}
    return {"dtype": VALUES[kind], "_type": "Value"}


def listed(schema: pa.Schema) -> list[dict]:
    """The features as the front matter of a card lists them."""
    return [_as_yaml(column.name, column.type, feature(column)) for column in schema]


def _as_yaml(name: str, kind: pa.DataType, word: str | None = None) -> dict:
    if word == "image":
        return {"name": name, "list": "image"}
    if word == "audio":
        return {"name": name, "dtype": {"audio": {"decode": False}}}
    if word:
        shape = {"shape": [None, _columns(word)], "dtype": "float32"}
        return {"name": name, "dtype": {"array2_d": shape}}
    if pa.types.is_list(kind):
        inner = kind.value_type
        if pa.types.is_struct(inner):
            return {"name": name, "list": [_as_yaml(part.name, part.type) for part in inner]}
        return {"name": name, "list": VALUES[inner]}
    return {"name": name, "dtype": VALUES[kind]}


def _columns(word: str) -> int:
    return int(word.split()[1])
