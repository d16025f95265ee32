"""Which of the packages that make scores and sound have changed since a run made its data."""

import json
from pathlib import Path

from pipeline.describing import provenance, records

MAKERS = (
    "lilypond", "verovio", "music21", "partitura", "pretty_midi",
    "fluidsynth", "pyroomacoustics", "soundfile", "ducc0", "resvg_py", "pillow",
)  # fmt: skip


def changed(results: Path) -> list[str]:
    """Packages whose version is not the one that the data were made with, in words.

    Snakemake reruns no job for such a change, so a run could mix old and new data.

    Args:
        results: folder of the results; without a readable record of provenance nothing is known.
    """
    try:
        before = json.loads((results / records.NAMES[-1]).read_text())["versions"]
        then = {name: before[name] for name in MAKERS if name in before}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
    now = provenance.versions()
    return [
        f"{name} {version} (now {now[name]})"
        for name, version in then.items()
        if now.get(name, version) != version
    ]
