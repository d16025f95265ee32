"""MusicXML as LilyPond, by LilyPond's own musicxml2ly."""

import re
import tempfile
from pathlib import Path

from pipeline.sandbox import lilypond as program

MAX_BYTES = 50_000_000  # a symphony has some 20 million
SECONDS = 120  # a movement for piano takes two

# What musicxml2ly writes of the day, of its input's name, and of playing ornaments out: the music
# is to sound as printed, and equal input is to give equal output.
_UNWANTED = re.compile(
    r'^(?:% automatically converted.*|[^\S\n]*encoding\w+ = .*|\\include "articulate.ly")\n',
    re.MULTILINE,
)


def lilypond(content: bytes) -> str:
    """A MusicXML file (plain or compressed) as a LilyPond file with pages and MIDI.

    Raises ValueError where musicxml2ly cannot read it.
    """
    if not content:
        raise ValueError("the file is empty")
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes, no score")
    compressed = content.startswith(b"PK")
    with tempfile.TemporaryDirectory() as folder:
        name = "score.mxl" if compressed else "score.xml"
        Path(folder, name).write_bytes(content)
        said = program.tool(
            "musicxml2ly",
            ["--midi", "--no-page-layout", "--output=score.ly", name],
            Path(folder),
            SECONDS,
        )
        result = Path(folder, "score.ly")
        text = result.read_text() if result.exists() else ""
    if not re.search(r"^[^\S\n]*\\midi\b", text, re.MULTILINE):
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "no output")
        raise ValueError(f"musicxml2ly cannot read it ({last.strip()[:200]})")
    return _UNWANTED.sub("", text).replace(r"\unfoldRepeats \articulate", r"\unfoldRepeats")
