"""Verovio beside LilyPond on the same scores: `python -m benchmarks.verovio`.

Four ways, one after another on each score. Two only engrave and draw: LilyPond as anybody would
call it, and Verovio. Two are those of the workflow, within the walls, with all checks and tables:
LilyPond's with glyphs remembered and notes logged, Verovio's with a second reading of the source.
LilyPond has the scores from its own musicxml2ly, which loses much; only its pages count here.
Of the first two the processor's time is told, too: other work on the machine makes that on the
clock longer. Of programs within the walls it cannot be told.
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
            raise ValueError(failure)
        extraction.extract(
            extractor, piece_id="p", layout="pages", folder=Path(name).name, score=score
        )
        return len(list(Path(name).glob("*.svg")))  # though a check may leave the piece out


def by_verovio_workflow(text: str, engraver: worker.Worker) -> int:
    """Engrave, draw, link and check a score; gives the number of pages."""
    file = {"name": "score.musicxml", "text": text}
    found = verovio_runs.engrave(engraver, "p", file, "unfold", Look(), "all")
    if isinstance(found, str):
        raise ValueError(found)
    return found[0]["images"].num_rows


def converted(text: str, folder: Path) -> str:
    """A MusicXML score as LilyPond's converter has it."""
    (folder / "score.xml").write_text(text)
    lilypond.tool(
        "musicxml2ly", ["--midi", "--no-page-layout", "--output=score.ly", "score.xml"], folder, 120
    )
    return (folder / "score.ly").read_text()


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
            kept.await_ready()
        by_verovio_workflow(texts[0], engraver)
        for number, text in enumerate(texts):
            folder = Path(name, str(number))
            folder.mkdir()
            score = converted(text, folder)
            for path in folder.iterdir():
                path.unlink()
            ways: dict[str, Callable[[], int]] = {
                WAYS[0]: lambda score=score, folder=folder: by_lilypond(score, folder),
                WAYS[1]: lambda text=text: by_verovio(text, fonts),
                WAYS[2]: lambda score=score: by_lilypond_workflow(score, extractor),
                WAYS[3]: lambda text=text: by_verovio_workflow(text, engraver),
            }
            for way, engrave in ways.items():
                begin, before = time.perf_counter(), sum(os.times()[:4])
                pages[way] += engrave()
                taken[way] += time.perf_counter() - begin
                worked[way] += sum(os.times()[:4]) - before
    walls = "confined" if confined.hindrance() is None else "unconfined"
    print(f"{len(texts)} piano works of music21's corpus, pages {PAGE_WIDTH_PX} px wide, {walls}")
    for way in WAYS:
        print(f"{way:20} {pages[way]:4.0f} pages, {taken[way] / pages[way]:6.2f} s a page")
    for what, slow, fast in RATIOS:
        print(f"ratio, {what}: {_ratio(taken, pages, slow, fast):.1f}")
    print(f"ratio, {RATIOS[0][0]}, of a processor: {_ratio(worked, pages, *WAYS[:2]):.1f}")


def _ratio(used: dict[str, float], pages: dict[str, float], slow: str, fast: str) -> float:
    return used[slow] / pages[slow] / (used[fast] / pages[fast])


if __name__ == "__main__":
    main()
