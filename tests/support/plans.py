"""Settings of a tiny run, and what its rules would have made."""

import json
from pathlib import Path

from pipeline.describing import records
from pipeline.planning import settings
from pipeline.planning.plan import Plan

FONT_FILE = "pretty_midi:TimGM6mb.sf2"


def font(*ratios, **others) -> dict:
    """A sound font's settings, which plays at these tempo ratios."""
    return {"file": FONT_FILE, "tempo_ratios": list(ratios) or [1.0], **others}


TUNES = {"source": "tunes", "fraction": 1.0, "chunks": 1, "split": "source"}
SONGS = TUNES | {
    "layout": "staves", "spectrogram": "score_following", "tempo": 80, "durations": [1],
}  # fmt: skip


def complete(**changes) -> dict:
    """The default's settings with one tune collection of one chunk and no networks."""
    given = {
        "collections": {"tunes": TUNES, "piano": None},
        "fonts": {"electric": None, "bright": None},
        "score_following": None,
        "retrieval": None,
    }
    for section in {"score_following", "retrieval"} & changes.keys():  # of the default's settings
        del given[section]
    return settings.complete(settings.merge(given, changes))[0]


def plan(folder: Path, **changes) -> Plan:
    """A plan whose results and downloads lie in a folder."""
    places = {"results": str(folder / "results"), "downloads": str(folder / "downloads")}
    return Plan(complete(**places, **changes))


def record(results: Path, name: str = records.NAME) -> None:
    """Write a record of provenance of all files of the results, as a run does at its end."""
    outputs = {
        path.relative_to(results).as_posix(): {"sha256": records.digest(path)}
        for path in records.files(results)
    }
    (results / name).write_text(json.dumps({"outputs": outputs}))


def learned() -> dict:
    """What makes a plan one with score following."""
    return {"score_following": {"collection": "tunes"}}
