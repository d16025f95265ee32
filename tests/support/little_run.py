"""A run of the data half on three tiny works and two tunes."""

import random
from pathlib import Path

import yaml

from tests.support import musicxml, piano, scores

SONATA = "test__sonata"  # id of the work that is a MusicXML file and may be handed on
SONATA_BARS = 8  # of eighths at 120 quarters a minute: 16 s
BRIGHT = {"collections": ["piano"], "splits": ["test"], "tempo_ratios": [1.0]}
SETTINGS = {
    "collections": {
        "tunes": {"source": "tunes", "fraction": 1.0, "chunks": 1, "split": "source"},
        "piano": {"source": "works", "fraction": 1.0, "chunks": 1, "split": "source"},
    },
    "fonts": {"electric": None, "bright": BRIGHT},
    "score_following": None,
    "retrieval": None,
}
HEAD = (
    "<work><work-title>Sonata</work-title></work><identification>"
    '<creator type="composer">Nobody</creator><rights>CC0</rights></identification>'
)


def sonata() -> str:
    """A score of one part in MusicXML."""
    draw = random.Random(0)
    bars = [
        "".join(musicxml.note(f"{draw.choice('CDEFGAB')}{draw.choice('45')}", 0.5)
                for _ in range(8))
        for _ in range(SONATA_BARS)
    ]  # fmt: skip
    return musicxml.score(bars, head=HEAD)


def write_sources(folder: Path) -> None:
    """Write tunes, works, and the settings that read them."""
    for split in ("train", "test"):
        tune = folder / "tunes" / split / f"{split}.mid"
        work = folder / "works" / split / f"{split}.ly"
        for path in (tune, work):
            path.parent.mkdir(parents=True)
        tune.write_bytes(scores.midi(scores.scale(16)))
        work.write_text(piano.varied(8, seed=len(split)))
    (folder / "works/test/sonata.musicxml").write_text(sonata())
    (folder / "config.yaml").write_text(yaml.safe_dump(SETTINGS))
