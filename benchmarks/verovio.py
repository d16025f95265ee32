"""Verovio beside LilyPond on the same scores: `python -m benchmarks.verovio`.

Four ways, one after another on each score. Two only engrave and draw: LilyPond as anybody would
call it, and Verovio. Two are those of the workflow, within the walls, with all checks and tables:
LilyPond's with glyphs remembered and notes logged, Verovio's with a second reading of the source.
LilyPond has the scores from its own musicxml2ly, which loses much; only its pages count here.
Processor time is told beside the time on the clock, which other work on the machine makes longer.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.constants import PAGE_WIDTH_PX
from pipeline.engraving import (
    compilation,
    extraction,
    svg,
    text_fonts,
    verovio_engraver,
    verovio_runs,
    verovio_svg,
)
from pipeline.engraving.looks import Look
from pipeline.reading import music21_piano
from pipeline.sandbox import confined, lilypond, worker

SCORES = 20
VIEW_BOX = r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"'
WAYS = ("LilyPond", "Verovio", "LilyPond, workflow", "Verovio, workflow")
RATIOS = (
    ("engraving and drawing", "LilyPond", "Verovio"),
    ("Verovio to LilyPond as the workflow runs it", "LilyPond, workflow", "Verovio"),
    ("both as the workflow runs them", "LilyPond, workflow", "Verovio, workflow"),
)
TICKS = os.sysconf("SC_CLK_TCK")  # a second


def by_lilypond(text: str, folder: Path) -> int:
    """Engrave and draw a LilyPond score; gives the number of pages."""
    (folder / "score.ly").write_text(text)
    command = [lilypond.program(), "--silent", "-dbackend=svg", "-dno-point-and-click", "score.ly"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True)
    pages = sorted(folder.glob("*.svg"))
    for page in pages:
        drawn = page.read_text()
        width, height = (float(n) for n in re.search(VIEW_BOX, drawn).groups())
        scale = PAGE_WIDTH_PX / width
        svg.png(svg.draw(drawn, 0, 0, scale, PAGE_WIDTH_PX, round(height * scale)))
    return len(pages)


def by_verovio(text: str, fonts: list[str]) -> int:
    """Engrave and draw a score; gives the number of pages."""
    pages = verovio_engraver.engrave(text, ".musicxml", Look()).pages
    for page in pages:
        svg.png(verovio_svg.draw(page, PAGE_WIDTH_PX, fonts))
    return len(pages)


def by_lilypond_workflow(text: str, extractor: worker.Worker) -> int:
    """Engrave, draw, link and check a LilyPond score; gives the number of pages."""
    score = [{"name": "score.ly", "text": text}]
    with tempfile.TemporaryDirectory(dir=extractor.folder) as name:
        failure, _ = compilation.compile_score(score, Path(name))
        if failure:
            return 0
        extraction.extract(
            extractor, piece_id="p", layout="pages", folder=Path(name).name, score=score
        )
        return len(list(Path(name).glob("*.svg")))  # though a check may leave the piece out


def by_verovio_workflow(text: str, engraver: worker.Worker) -> int:
    """Engrave, draw, link and check a score; gives the number of pages."""
    file = {"name": "score.musicxml", "text": text}
    found = verovio_runs.engrave(engraver, "p", file, "unfold", Look(), "all")
    return 0 if isinstance(found, str) else found[0]["images"].num_rows


def converted(text: str, folder: Path) -> str:
    """A MusicXML score as LilyPond's converter has it."""
    (folder / "score.xml").write_text(text)
    lilypond.tool(
        "musicxml2ly", ["--midi", "--no-page-layout", "--output=score.ly", "score.xml"], folder, 120
    )
    return (folder / "score.ly").read_text()


def processor(kept: worker.Worker | None) -> float:
    """Seconds of a processor that this process, those it has ended and a kept worker have taken."""
    program = None if kept is None else kept.confined.program()
    own = sum(os.times()[:4])
    if program is None:
        return own
    fields = Path(f"/proc/{program}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[11]) + int(fields[12])) / TICKS


def scores(number: int) -> list[str]:
    """The first works of music21's corpus for piano that are MusicXML."""
    found = []
    for work in music21_piano.works():
        ((name, text),) = music21_piano.read(work).items()
        if name == "score.musicxml":
            found.append(text)
        if len(found) == number:
            break
    return found


def main() -> None:
    texts = scores(int(sys.argv[1]) if len(sys.argv) > 1 else SCORES)
    pages, taken, worked = (dict.fromkeys(WAYS, 0.0) for _ in range(3))
    lilypond.confine(require=False)
    with (
        tempfile.TemporaryDirectory() as name,
        tempfile.TemporaryDirectory() as own,
        tempfile.TemporaryDirectory() as other,
        extraction.start(Path(own)) as extractor,
        verovio_runs.start(Path(other)) as engraver,
    ):
        fonts = [
            str(path)
            for font in (text_fonts.TEXT, Look().music_font)
            for path in text_fonts.unpack(font, Path(name))
        ]
        for kept in (extractor, engraver):  # what a chunk of pieces pays once
            kept._await()
        by_verovio_workflow(texts[0], engraver)
        for number, text in enumerate(texts):
            folder = Path(name, str(number))
            folder.mkdir()
            score = converted(text, folder)
            for path in folder.iterdir():
                path.unlink()
            ways: dict[str, tuple[Callable[[], int], worker.Worker | None]] = {
                WAYS[0]: (lambda score=score, folder=folder: by_lilypond(score, folder), None),
                WAYS[1]: (lambda text=text: by_verovio(text, fonts), None),
                WAYS[2]: (lambda score=score: by_lilypond_workflow(score, extractor), extractor),
                WAYS[3]: (lambda text=text: by_verovio_workflow(text, engraver), engraver),
            }
            for way, (engrave, kept) in ways.items():
                begin, before = time.perf_counter(), processor(kept)
                pages[way] += engrave()
                taken[way] += time.perf_counter() - begin
                worked[way] += processor(kept) - before
    walls = "confined" if confined.hindrance() is None else "unconfined"
    print(f"{len(texts)} piano works of music21's corpus, pages {PAGE_WIDTH_PX} px wide, {walls}")
    for way in WAYS:
        print(
            f"{way:20} {pages[way]:4.0f} pages, {taken[way] / pages[way]:6.2f} s a page, "
            f"{worked[way] / pages[way]:6.2f} s of a processor"
        )
    for what, slow, fast in RATIOS:
        clock, busy = (
            used[slow] / pages[slow] / (used[fast] / pages[fast]) for used in (taken, worked)
        )
        print(f"ratio, {what}: {clock:.1f} on the clock, {busy:.1f} of a processor")


if __name__ == "__main__":
    main()
