"""Piano works of music21's corpus as MusicXML: Bach's chorales on two staves, and the few movements
for piano that are there."""

import re
from dataclasses import dataclass
from pathlib import Path

from music21 import clef, converter, corpus, layout, metadata, stream
from music21.musicxml.m21ToXml import GeneralObjectExporter

CHORALES = 7  # one in so many is taken: there are four hundred, much alike
VOICES = ["Soprano", "Alto", "Tenor", "Bass"]

# The corpus (10.5) has a dozen works for one player at two staves; their files name no title. In
# these, repeats played out, LilyPond sounds as many notes as music21; the others (Chopin, Joplin,
# Schoenberg, more of Clara Schumann) lose or gain notes and bars in musicxml2ly.
MOVEMENTS = {
    "bach/bwv846.mxl": ("Johann Sebastian Bach", "Prelude and Fugue in C major, BWV 846"),
    "cpebach/h186.mxl": ("Carl Philipp Emanuel Bach", "Sonata in A major, H. 186, Poco adagio"),
    "mozart/k545/movement1_exposition.mxl": (
        "Wolfgang Amadeus Mozart",
        "Sonata in C major, KV 545, beginning",
    ),
    "schumann_clara/polonaise_op1n1.mxl": ("Clara Schumann", "Polonaise, Op. 1 No. 1"),
    "verdi/laDonnaEMobile.mxl": ("Giuseppe Verdi", "La donna è mobile, for piano"),
}


@dataclass(frozen=True)
class Work:
    """A work of the corpus that two staves can show."""

    path: str  # in the corpus
    composer: str
    title: str

    @property
    def piece_id(self) -> str:
        return "__".join(Path(self.path).with_suffix("").parts)


def _root() -> Path:
    return Path(corpus.__file__).parent


def works() -> list[Work]:
    """The piano movements of the corpus, and every seventh of its chorales."""
    chorales = sorted(p.name for p in (_root() / "bach").glob("bwv*.mxl"))[::CHORALES]
    found = [Work(path, *names) for path, names in MOVEMENTS.items()]
    return found + [
        Work(f"bach/{name}", "Johann Sebastian Bach", f"Chorale, BWV {name[3:-4]}")
        for name in chorales
        if f"bach/{name}" not in MOVEMENTS
    ]


def _merged(score: stream.Score) -> stream.Score:
    """Soprano and alto on the upper staff, tenor and bass on the lower, without words."""
    voices = [part for part in score.parts if part.partName in VOICES]
    if [part.partName for part in voices] != VOICES:
        names = ", ".join(str(part.partName) for part in score.parts)
        raise ValueError(f"no chorale of four voices, but {names}")
    merged = stream.Score(voices).implode()
    for staff, (part, sign) in enumerate(
        zip(merged.parts, (clef.TrebleClef(), clef.BassClef()), strict=True)
    ):
        for old in list(part.recurse().getElementsByClass(clef.Clef)):
            old.activeSite.remove(old)
        bars = part.getElementsByClass(stream.Measure)
        bars.first().insert(0, sign)
        for bar in bars:
            for number, voice in enumerate(bar.voices, 1 + 2 * staff):
                voice.id = str(number)  # musicxml2ly takes equal names for one voice
        for item in part.recurse().notes:
            item.lyrics = []
    return merged


def _mark_short_bars(score: stream.Score) -> None:
    """Mark pickups and bars that a repeat sign divides as such; others are filled up with rests."""
    for bar in score.recurse().getElementsByClass(stream.Measure):
        if bar.highestTime < bar.barDuration.quarterLength:
            bar.showNumber = stream.enums.ShowNumber.NEVER


def musicxml(work: Work) -> bytes:
    """A work as MusicXML, one part on two staves. Raises ValueError where it is not such a work."""
    try:
        score = converter.parse(_root() / work.path)
        if work.path not in MOVEMENTS:
            score = _merged(score)
        _mark_short_bars(score)
        staves = [stream.PartStaff(part.elements) for part in score.parts]
        grand = stream.Score([*staves, layout.StaffGroup(staves, symbol="brace")])
        grand.metadata = metadata.Metadata(movementName=work.title, composer=work.composer)
        text = GeneralObjectExporter(grand).parse().decode()
    except ValueError:
        raise
    except Exception as error:  # music21 raises whatever an odd work makes it
        raise ValueError(f"music21 cannot write it ({type(error).__name__}: {error})") from None
    # music21 draws the part's name anew each time
    return re.sub(r"\bP[0-9a-f]{32}\b", "P1", text).encode()
