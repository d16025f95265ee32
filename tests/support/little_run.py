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
    """A score for piano in MusicXML: eighths above, quarters below."""
    draw = random.Random(0)

    def notes(count: int, octaves: str, **where: int) -> str:
        names = [f"{draw.choice('CDEFGAB')}{draw.choice(octaves)}" for _ in range(count)]
        return "".join(musicxml.note(name, 4 / count, **where) for name in names)

    bars = [
        notes(8, "45") + musicxml.backup(4) + notes(4, "23", voice=2, staff=2)
        for _ in range(SONATA_BARS)
    ]
    return musicxml.score(bars, head=HEAD, staves=2)


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
