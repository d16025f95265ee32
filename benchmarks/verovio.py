"""Verovio beside LilyPond on the same scores, to pages of pixels: `python -m benchmarks.verovio`.

One process at a time. LilyPond is called as anybody would call it, and has the scores from its own
musicxml2ly, which loses much; only its pages count here. Processor time is told beside the time on
the clock, which other work on the machine makes longer.
"""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from pipeline.constants import PAGE_WIDTH_PX
from pipeline.engraving import svg, text_fonts, verovio_engraver, verovio_svg
from pipeline.engraving.looks import Look
from pipeline.reading import music21_piano
from pipeline.sandbox import lilypond

SCORES = 20
VIEW_BOX = r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"'


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


def converted(text: str, folder: Path) -> str:
    """A MusicXML score as LilyPond's converter has it."""
    (folder / "score.xml").write_text(text)
    lilypond.tool(
        "musicxml2ly", ["--midi", "--no-page-layout", "--output=score.ly", "score.xml"], folder, 120
    )
    return (folder / "score.ly").read_text()


def main() -> None:
    texts = []
    for work in music21_piano.works():
        ((name, text),) = music21_piano.read(work).items()
        if name == "score.musicxml":
            texts.append(text)
        if len(texts) == SCORES:
            break
    pages: dict[str, int] = {"LilyPond": 0, "Verovio": 0}
    taken: dict[str, float] = dict.fromkeys(pages, 0.0)
    worked: dict[str, float] = dict.fromkeys(pages, 0.0)
    with tempfile.TemporaryDirectory() as name:
        files = [
            str(path)
            for font in (text_fonts.TEXT, Look().music_font)
            for path in text_fonts.unpack(font, Path(name))
        ]
        for number, text in enumerate(texts):
            folder = Path(name, str(number))
            folder.mkdir()
            score = converted(text, folder)
            for path in folder.iterdir():
                path.unlink()
            for program, engrave in (
                ("LilyPond", lambda score=score, folder=folder: by_lilypond(score, folder)),
                ("Verovio", lambda text=text: by_verovio(text, files)),
            ):
                begin, before = time.perf_counter(), sum(os.times()[:4])
                pages[program] += engrave()
                taken[program] += time.perf_counter() - begin
                worked[program] += sum(os.times()[:4]) - before
    print(f"{len(texts)} piano works of music21's corpus to pages {PAGE_WIDTH_PX} px wide")
    for program, number in pages.items():
        print(
            f"{program:10} {number:4} pages, {taken[program] / number:6.2f} s a page, "
            f"{worked[program] / number:6.2f} s of a processor"
        )
    for what, seconds in (("time", taken), ("processor", worked)):
        ratio = seconds["LilyPond"] / pages["LilyPond"] / (seconds["Verovio"] / pages["Verovio"])
        print(f"ratio of {what:10} {ratio:6.1f}")


if __name__ == "__main__":
    main()
