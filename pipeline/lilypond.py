"""Run LilyPond on a batch of scores, with a time limit and all its processes under control."""

import contextlib
import os
import shutil
import signal
import subprocess
from functools import cache
from pathlib import Path

SETTINGS = Path(__file__).with_name("engrave.ily")
SECONDS_A_SCORE = 60  # a tune takes half a second
SCORES_A_RUN = 16  # one start of LilyPond (0.4 s) serves them all


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


def run(names: list[str], folder: Path, seconds: float) -> str:
    """Compile `<name>.ly` for each name in `folder` to SVG, MIDI and log; gives what LilyPond said.

    Never raises for a score that fails: what it did not write is missing. Raises only where
    LilyPond itself cannot be started.
    """
    command = [
        program(),
        "--silent",
        "-dbackend=svg",
        "-dno-point-and-click",
        f"-dinclude-settings={SETTINGS}",
        *[f"{name}.ly" for name in names],
    ]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=seconds)[1]
    except subprocess.TimeoutExpired:
        return f"ended after the time limit of {seconds:.0f} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _done(name: str, folder: Path) -> bool:
    return all((folder / f"{name}.{kind}").exists() for kind in ("svg", "midi", "log"))


def _whole(name: str, folder: Path) -> bool:
    with (folder / f"{name}.svg").open("rb") as file:
        file.seek(-min(20, file.seek(0, os.SEEK_END)), os.SEEK_END)
        return file.read().rstrip().endswith(b"</svg>")


def _clear(name: str, folder: Path) -> None:
    for kind in ("svg", "midi", "log"):
        (folder / f"{name}.{kind}").unlink(missing_ok=True)


def compile_all(texts: dict[str, str], folder: Path) -> dict[str, str]:
    """Compile scores (text by name) in `folder`; gives the reason for each one that failed.

    Many scores share a run; one that leaves nothing behind is tried once more on its own, so that
    a score which ends LilyPond does not take its neighbours along. Raises OSError where a file is
    cut short, which is no fault of the score.
    """
    names = list(texts)
    for name, text in texts.items():
        (folder / f"{name}.ly").write_text(text)
    for start in range(0, len(names), SCORES_A_RUN):
        group = names[start : start + SCORES_A_RUN]
        run(group, folder, SECONDS_A_SCORE * len(group))
    failures = {}
    for name in names:
        if not _done(name, folder):
            _clear(name, folder)
            said = run([name], folder, SECONDS_A_SCORE)
            if not _done(name, folder):
                lines = [line for line in said.splitlines() if line.strip()]
                failures[name] = "LilyPond: " + (lines[0] if lines else "no output")
        if name not in failures and not _whole(name, folder):
            raise OSError(f"{folder}/{name}.svg: LilyPond could not write all; is the disk full?")
    return failures
