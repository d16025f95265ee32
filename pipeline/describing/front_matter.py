"""The front matter of a data-set card: what the Hugging Face hub reads before the text."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import yaml

from pipeline.describing import features
from pipeline.describing.markdown import plain
from pipeline.reading import licences

HUGGING_FACE = {"valid": "validation"}  # its name of a split, if it differs from ours
TAGS = [
    "music",
    "sheet-music",
    "music-information-retrieval",
    "optical-music-recognition",
    "audio-score-alignment",
    "score-following",
    "croissant",
]
TASKS = ["feature-extraction", "object-detection", "other"]  # of the hub's list
SIZES = (  # rows below a number, and what the hub calls them
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
)


@dataclass(frozen=True)
class Part:
    """Files with one schema: a configuration of the data set, as the hub calls it.

    Attributes:
        name: Of the configuration.
        schema: Of its files.
        files: Pattern of the files of each split.
        rows: Number of rows of each split.
        bytes: Size of each split in memory; empty if it is not known.
    """

    name: str
    schema: pa.Schema
    files: dict[str, str]
    rows: dict[str, int]
    bytes: dict[str, int]


def hub_split(split: str) -> str:
    """The hub's name of a split."""
    return HUGGING_FACE.get(split, split)


def front_matter(title: str, parts: list[Part], stated: Iterable[str | None]) -> str:
    """Write the front matter of a card as YAML between lines of dashes.

    Args:
        title: Of the data set.
        parts: What it holds; the first is loaded if nobody names one.
        stated: Licences as the scores state them.
    """
    rows = sum(parts[0].rows.values())
    front = {
        "pretty_name": plain(title),
        **_licence(stated),
        "task_categories": TASKS,
        "tags": TAGS,
        "size_categories": [next((name for most, name in SIZES if rows < most), "n>1M")],
        "configs": [
            {
                "config_name": part.name,
                **({"default": True} if part is parts[0] else {}),
                "data_files": [
                    {"split": hub_split(split), "path": path} for split, path in part.files.items()
                ],
            }
            for part in parts
        ],
        "dataset_info": [_info(part) for part in parts],
    }
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{text}---\n"


def _info(part: Part) -> dict:
    info: dict = {"config_name": part.name, "features": features.listed(part.schema)}
    if part.bytes:
        info["splits"] = [
            {
                "name": hub_split(split),
                "num_bytes": part.bytes[split],
                "num_examples": part.rows[split],
            }
            for split in part.files
        ]
        info["dataset_size"] = sum(part.bytes.values())
    return info


def _licence(stated: Iterable[str | None]) -> dict:
    """The hub's names of the licences; `other` points at the column that has their words."""
    names = sorted({licences.identifier(licence) or "other" for licence in stated}) or ["other"]
    found: dict = {"license": names[0] if len(names) == 1 else names}
    if "other" in names:
        found["license_name"] = "per-piece"
        found["license_link"] = "README.md"
    return found
