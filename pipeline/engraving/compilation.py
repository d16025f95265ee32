"""Compile scores with LilyPond: pages, MIDI files and a log of what sounds, or the reason why not.

Foreign scores run one by one; our own tunes share a run.
"""

import os
import re
import shutil
from pathlib import Path, PurePosixPath

from pipeline.engraving import complaints
from pipeline.sandbox import confined, lilypond

NO_MIDI = "no sound: the score has no \\midi block"
SETTINGS = Path(__file__).with_name("engrave.ily")
SECONDS_A_TUNE = 60  # it takes half a second
SECONDS_A_SCORE = 300  # the longest pieces of Mutopia take under three minutes
SCORES_A_RUN = 16  # tunes; one start of LilyPond (0.4 s) serves them all
ROOM_MIB = 64  # free on the disk where scores are compiled; with less it counts as full
REASON_LENGTH = 200  # characters
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.ly")


def as_compiled(score: list[dict]) -> list[dict]:
    """The files of a score under the names that LilyPond is given.

    A main file whose name a program might take for an option, a pattern or markup, or that leaves
    no room for `-1.svg`, is called `score.ly` or, where another file has that name, `score_.ly`.
    """
    name = PurePosixPath(score[0]["name"])
    if _PLAIN_NAME.fullmatch(name.name):
        return score
    taken = {file["name"] for file in score}
    neutral = name.with_name("score.ly")
    while str(neutral) in taken:
        neutral = neutral.with_stem(f"{neutral.stem}_")
    return [score[0] | {"name": str(neutral)}, *score[1:]]


def _reason(outcome: confined.Outcome, otherwise: str) -> str:
    """Why a run failed, in one line without paths: the first error, else the first words."""
    lines = [" ".join(line.split()) for line in outcome.said.splitlines()]
    lines = [line for line in lines if line and not line.startswith("Fontconfig")]
    place = next((i for i, line in enumerate(lines) if "error" in line.lower()), 0)
    said = " ".join(lines[place : place + 1 + lines[place].endswith(":")]) if lines else otherwise
    return f"LilyPond: {outcome.ended or re.sub('^/[^ ]*/', '', said)}"[:REASON_LENGTH]


def _whole(svg: Path) -> bool:
    with svg.open("rb") as file:
        file.seek(-min(20, file.seek(0, os.SEEK_END)), os.SEEK_END)
        return file.read().rstrip().endswith(b"</svg>")


def _check_room(folder: Path) -> None:
    """OSError where the disk is as good as full: what failed there is no fault of a score."""
    if shutil.disk_usage(folder).free < ROOM_MIB * confined.MIB:
        raise OSError(
            f"{folder}: LilyPond could not write all, less than {ROOM_MIB} MiB are free there; "
            "TMPDIR names another folder"
        )


def _outputs(name: str, folder: Path) -> list[Path]:
    return [folder / f"{name}.{kind}" for kind in ("svg", "midi", "log")]


def compile_all(texts: dict[str, str], folder: Path) -> dict[str, str]:
    """Compile our own one-page scores (text by name); gives the reason for each that failed.

    Many scores share a run; one that leaves something out is tried once more on its own, so that
    a score which ends LilyPond does not take its neighbours along. Raises OSError where a file is
    cut short, which is no fault of the score.
    """
    names = list(texts)
    for name, text in texts.items():
        (folder / f"{name}.ly").write_text(text)
    for start in range(0, len(names), SCORES_A_RUN):
        group = [f"{name}.ly" for name in names[start : start + SCORES_A_RUN]]
        lilypond.run(group, folder, SECONDS_A_TUNE * len(group), SETTINGS)
    failures = {}
    for name in names:
        outputs = _outputs(name, folder)
        if not all(path.is_file() for path in outputs):
            for path in outputs:
                path.unlink(missing_ok=True)
            outcome = lilypond.run([f"{name}.ly"], folder, SECONDS_A_TUNE, SETTINGS)
            if not all(path.is_file() for path in outputs):
                _check_room(folder)
                failures[name] = _reason(outcome, "no output")
        if name not in failures and not _whole(outputs[0]):
            raise OSError(f"{outputs[0]}: LilyPond could not write all; is the disk full?")
    return failures


def write(files: list[dict], folder: Path) -> None:
    """Write the files ({name, text}) of a score; ValueError for a name that leaves the folder."""
    for file in files:
        name = PurePosixPath(file["name"])
        if name.is_absolute() or ".." in name.parts or not name.name or "\\" in file["name"]:
            raise ValueError(f"a file of the score is named '{file['name']}', outside its folder")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["text"])


def compile_score(
    files: list[dict], folder: Path, settings: Path = SETTINGS
) -> tuple[str | None, list[str]]:
    """Compile a foreign score ({name, text} of its files, the first the main one) in `folder`.

    Leaves there the pages (`<stem>.svg`, or `<stem>-1.svg` and so on; a second book's are
    `<stem>-b1...`), `*.midi` and `<stem>.log`; gives the reason if that failed, and what LilyPond
    complained of, which is no failure as long as it writes pages. A score that is killed, and not
    by its own limits, is tried once more. Raises OSError if it fails and the disk is full.
    """
    compiled = as_compiled(files)
    try:
        write(compiled, folder)
    except ValueError as error:
        return str(error), []
    main = compiled[0]["name"]
    outcome = lilypond.run([main], folder, SECONDS_A_SCORE, settings)
    if outcome.ended == confined.KILLED:
        outcome = lilypond.run([main], folder, SECONDS_A_SCORE, settings)
    pages = sorted(path for path in folder.glob("*.svg") if path.is_file())
    if outcome.ended or not pages:
        _check_room(folder)
        ours, theirs = (PurePosixPath(part[0]["name"]).name for part in (compiled, files))
        return _reason(outcome, "no printed score").replace(ours, theirs), []
    said = complaints.complaints(outcome.said)
    if not all(map(_whole, pages)):  # a score can cut its own pages, and must not stop others by it
        _check_room(folder)
        return "LilyPond: a page is cut short", said
    if not (folder / PurePosixPath(main).with_suffix(".log").name).is_file():
        if any(folder.glob("*.midi")):
            return "no sound: the score plays no note", said
        return NO_MIDI, said
    return None, said
