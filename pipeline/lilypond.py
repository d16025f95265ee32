"""Run LilyPond and its tools, each score within limits and all its processes under control.

A LilyPond file is a program; see `pipeline.sandbox` for what keeps it in its own folder.
"""

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path, PurePosixPath

from pipeline import sandbox

NO_MIDI = "no sound: the score has no \\midi block"
SETTINGS = Path(__file__).with_name("engrave.ily")
FONTS = Path(__file__).with_name("fonts.conf")
SECONDS_A_TUNE = 60  # it takes half a second
SECONDS_A_SCORE = 300  # the longest pieces of Mutopia take under three minutes
SCORES_A_RUN = 16  # tunes; one start of LilyPond (0.4 s) serves them all
ROOM_MIB = 64  # free on the disk where scores are compiled; with less it counts as full
REASON_LENGTH = 200  # characters


@cache
def program() -> str:
    """The LilyPond of the Python package; where there is none for the machine, that on the PATH."""
    try:
        import lilypond
    except ImportError:
        found = shutil.which("lilypond")
        if found is None:
            raise FileNotFoundError("LilyPond is missing: install LilyPond 2.24") from None
        return found
    return str(lilypond.executable())


def _root() -> Path:
    """The folder of LilyPond's distribution."""
    return Path(program()).resolve().parents[1]


def _home() -> tuple[Path, Path]:
    """LilyPond's folder, and where it is seen when confined: no path of the machine is told."""
    movable = (_root() / "etc" / "relocate").exists()  # so the Python package's
    return _root(), Path("/lilypond") if movable else _root()


def font_folders() -> list[Path]:
    """Where the fonts lie that LilyPond brings for music and text."""
    return sorted(_root().glob("share/lilypond/*/fonts/otf"))


def confine(require: bool) -> None:
    """Make sure, once a stage, that scores will be confined.

    Where they cannot be, raises OSError if that is required, else warns on stderr.
    """
    reason = sandbox.hindrance()
    if reason is None:
        return
    if require:
        raise OSError(
            f"scores cannot be confined, and the config refuses to run them so: {reason}; "
            "'unconfined: warn' in the config runs scores that you trust"
        )
    print(
        f"WARNING: LilyPond runs UNCONFINED: {reason}. A score is a program, and can read, "
        "change and send all that you can. Run only scores that you trust.",
        file=sys.stderr,
    )


def run(names: list[str], folder: Path, seconds: float, settings: Path) -> sandbox.Outcome:
    """Compile files of `folder` to SVG, MIDI and log, with the settings read before each.

    Never raises for a score that fails: what it did not write is missing. Raises only where
    LilyPond itself cannot be started.
    """
    settings = settings.resolve()
    given = {FONTS, settings, *settings.parent.glob("*.ily")}
    shown = {path: Path("/settings", path.name) for path in given} | dict([_home()])
    command = [
        str(sandbox.seen(*_home()) / "bin" / "lilypond"),
        "--silent",
        "-dbackend=svg",
        "-dno-point-and-click",
        f"-dinclude-settings={sandbox.seen(settings, shown[settings])}",
        *names,
    ]
    fonts = {"FONTCONFIG_FILE": str(sandbox.seen(FONTS, shown[FONTS]))}
    return sandbox.run(command, folder, seconds, shown, fonts)


def tool(name: str, arguments: list[str], folder: Path, seconds: float) -> str:
    """Run `convert-ly` or `musicxml2ly` of LilyPond's distribution in `folder`; gives its stderr.

    Where it is ended by a limit, the reason is the last line.
    """
    python = sorted(_root().glob("libexec/python3*"))
    home = sandbox.seen(*_home())
    command = [str(home / "bin" / name)]
    if python:  # what the shell script of that name in bin/ would start
        command = [str(home / "libexec" / python[0].name), str(home / "libexec" / name)]
    outcome = sandbox.run([*command, *arguments], folder, seconds, dict([_home()]))
    return outcome.said + (f"\n{name} {outcome.ended}" if outcome.ended else "")


def _reason(outcome: sandbox.Outcome, otherwise: str) -> str:
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
    if shutil.disk_usage(folder).free < ROOM_MIB * sandbox.MIB:
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
        run(group, folder, SECONDS_A_TUNE * len(group), SETTINGS)
    failures = {}
    for name in names:
        outputs = _outputs(name, folder)
        if not all(path.is_file() for path in outputs):
            for path in outputs:
                path.unlink(missing_ok=True)
            outcome = run([f"{name}.ly"], folder, SECONDS_A_TUNE, SETTINGS)
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


def compile_score(files: list[dict], folder: Path, settings: Path = SETTINGS) -> str | None:
    """Compile a foreign score ({name, text} of its files, the first the main one) in `folder`.

    Leaves there the pages (`<stem>.svg`, or `<stem>-1.svg` and so on), `*.midi` and
    `<stem>.log`; gives the reason where that failed. What LilyPond complains of while it still
    writes pages is no failure. One that is killed, and not by its own limits, is tried once more.
    Raises OSError where it fails and the disk is full.
    """
    try:
        write(files, folder)
    except ValueError as error:
        return str(error)
    main = files[0]["name"]
    outcome = run([main], folder, SECONDS_A_SCORE, settings)
    if outcome.ended == sandbox.KILLED:
        outcome = run([main], folder, SECONDS_A_SCORE, settings)
    pages = sorted(path for path in folder.glob("*.svg") if path.is_file())
    if outcome.ended or not pages:
        _check_room(folder)
        return _reason(outcome, "no printed score")
    if not all(map(_whole, pages)):  # a score can cut its own pages, and must not stop others by it
        _check_room(folder)
        return "LilyPond: a page is cut short"
    if not (folder / PurePosixPath(main).with_suffix(".log").name).is_file():
        if any(folder.glob("*.midi")):
            return "no sound: the score plays no note"
        return NO_MIDI
    return None
