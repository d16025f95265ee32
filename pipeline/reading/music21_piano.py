"""Piano works of music21's corpus: Bach's chorales on two staves, and the few movements for piano
that are there."""

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from music21 import clef, converter, corpus, layout, stream
from music21.musicxml.m21ToXml import GeneralObjectExporter

from pipeline.reading import score_text

CHORALES = 7  # one in so many is taken: there are four hundred, much alike
VOICES = ["Soprano", "Alto", "Tenor", "Bass"]

# The works for one player at two staves in the corpus (10.5); most files name no title.
MOVEMENTS = {
    "bach/bwv846.mxl": ("Johann Sebastian Bach", "Prelude and Fugue in C major, BWV 846"),
    "chopin/mazurka06-2.krn": ("Frédéric Chopin", "Mazurka in C sharp minor, Op. 6 No. 2"),
    "cpebach/h186.mxl": ("Carl Philipp Emanuel Bach", "Sonata in A major, H. 186, Poco adagio"),
    "joplin/maple_leaf_rag.mxl": ("Scott Joplin", "Maple Leaf Rag"),
    "mozart/k545/movement1_exposition.mxl": (
        "Wolfgang Amadeus Mozart",
        "Sonata in C major, KV 545, beginning",
    ),
    "schoenberg/opus19/movement2.mxl": ("Arnold Schoenberg", "Little Piano Piece, Op. 19 No. 2"),
    "schoenberg/opus19/movement6.mxl": ("Arnold Schoenberg", "Little Piano Piece, Op. 19 No. 6"),
    **{
        f"schumann_clara/polonaise_op1n{number}.mxl": (
            "Clara Schumann",
            f"Polonaise, Op. 1 No. {number}",
        )
        for number in range(1, 5)
    },
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
                voice.id = str(number)  # equal names could count as one voice
        for item in part.recurse().notes:
            item.lyrics = []
    return merged


def _chorale(work: Work) -> bytes:
    """A chorale as MusicXML, one part on two staves. Raises ValueError unless it is one."""
    try:
        score = _merged(converter.parse(_root() / work.path))
        staves = [stream.PartStaff(part.elements) for part in score.parts]
        grand = stream.Score([*staves, layout.StaffGroup(staves, symbol="brace")])
        text = GeneralObjectExporter(grand).parse().decode()
    except ValueError:
        raise
    except Exception as error:  # music21 raises whatever an odd work makes it
        raise ValueError(f"music21 cannot write it ({type(error).__name__}: {error})") from None
    # music21 draws the part's name anew each time, and names itself and the day
    text = re.sub(r"<identification>.*?</identification>", "", text, flags=re.DOTALL)
    return re.sub(r"\bP[0-9a-f]{32}\b", "P1", text).encode()


def _named(text: str, work: Work) -> str:
    """A MusicXML score that names its composer and title."""
    root = ET.fromstring(text)
    for place in ("work", "movement-title", "identification", "credit"):
        for old in root.findall(place):
            root.remove(old)
    title = ET.Element("movement-title")
    title.text = work.title
    identification = ET.Element("identification")
    ET.SubElement(identification, "creator", {"type": "composer"}).text = work.composer
    root[:0] = [title, identification]
    return ET.tostring(root, encoding="unicode")


def read(work: Work) -> dict[str, str]:
    """A work as a score by its name. Raises ValueError if it is not such a work."""
    if work.path in MOVEMENTS:
        files = score_text.read((_root() / work.path).read_bytes(), work.path)
    else:
        files = score_text.read(_chorale(work), "chorale.musicxml")
    ((name, text),) = files.items()
    return {name: _named(text, work) if name.endswith(".musicxml") else text}
