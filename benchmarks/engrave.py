"""Our batched LilyPond beside one bare `lilypond` call a tune: `python -m benchmarks.engrave`.

The peer draws SVG and MIDI without our logs, as anybody would call it.
"""

import subprocess
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from pipeline.engraving import compilation
from pipeline.reading import melody
from pipeline.reading.melody import Bar, Element, Melody, spell
from pipeline.sandbox import lilypond

TUNES = 12
BARS = 32  # of eight eighth notes


def tune(number: int) -> str:
    """A tune of 256 eighth notes as LilyPond text."""
    pitches = [60 + (5 * i * (number + 1)) % 20 for i in range(8 * BARS)]
    elements = [Element(Fraction(1, 2), spell(pitch, 0)) for pitch in pitches]
    bars = [Bar((4, 4), elements[i : i + 8]) for i in range(0, len(elements), 8)]
    return melody.lilypond(Melody(bars, 0, False, [(Fraction(0), 120.0)]))


def bare(texts: dict[str, str], folder: Path) -> None:
    """One call of the program for each tune."""
    for name, text in texts.items():
        (folder / f"{name}.ly").write_text(text)
        command = [lilypond.program(), "--silent", "-dbackend=svg", f"{name}.ly"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def main() -> None:
    texts = {f"tune{number}": tune(number) for number in range(TUNES)}
    taken = {}
    for name, way in (("bare lilypond", bare), ("ours", compilation.compile_all)):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            way(texts, Path(folder))
            taken[name] = time.perf_counter() - begin
    print(f"{TUNES} tunes of {8 * BARS} notes to SVG, MIDI and, ours, the logs; one core")
    for name, seconds in taken.items():
        print(f"{name:14} {seconds / TUNES:6.2f} s a tune")
    print(f"ratio          {taken['bare lilypond'] / taken['ours']:6.1f}")


if __name__ == "__main__":
    main()
