"""Partimento for notebooks: values in, values out, no files in between. See docs/api.md.

Names are imported when they are first used, so that engraving works without torch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.retrieval.index import index
    from partimento.following import follow_score
    from partimento.matching import align, embed_recording, embed_strip, search
    from partimento.scores import Score, engrave, play
    from partimento.shards import Shards

_HOMES = {
    "Score": "partimento.scores",
    "engrave": "partimento.scores",
    "play": "partimento.scores",
    "Shards": "partimento.shards",
    "follow_score": "partimento.following",
    "embed_recording": "partimento.matching",
    "embed_strip": "partimento.matching",
    "search": "partimento.matching",
    "align": "partimento.matching",
    "index": "models.retrieval.index",
}

__all__ = [
    "Score",
    "Shards",
    "align",
    "embed_recording",
    "embed_strip",
    "engrave",
    "follow_score",
    "index",
    "play",
    "search",
]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'partimento' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
