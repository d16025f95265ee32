"""Run LilyPond and its tools, each score within limits and all its processes under control.

A LilyPond file is a program; see `pipeline.sandbox.confined` for what keeps it in its own folder.
"""

import shutil
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pipeline.sandbox import confined

FONTS = Path(__file__).with_name("fonts.conf")


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
    reason = confined.hindrance()
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


def tell_unconfined(unconfined: str, rules: Iterable[str]) -> None:
    """Warn on the console of the workflow, once, if jobs of these rules will run scores unconfined.

    What the jobs themselves say goes to their logs. With `refuse` they stop by themselves.
    """
    if unconfined == "warn" and {"select", "engrave", "scans"} & set(rules):
        confine(require=False)


def run(names: list[str], folder: Path, seconds: float, settings: Path) -> confined.Outcome:
    """Compile files of `folder` to SVG, MIDI and log, with the settings read before each.

    Never raises for a score that fails: what it did not write is missing. Raises only where
    LilyPond itself cannot be started.
    """
    settings = settings.resolve()
    given = {FONTS, settings, *settings.parent.glob("*.ily")}
    shown = {path: Path("/settings", path.name) for path in given} | dict([_home()])
    command = [
        str(confined.seen(*_home()) / "bin" / "lilypond"),
        "--silent",
        "-dbackend=svg",
        "-dno-point-and-click",
        f"-dinclude-settings={confined.seen(settings, shown[settings])}",
        *names,
    ]
    fonts = {"FONTCONFIG_FILE": str(confined.seen(FONTS, shown[FONTS]))}
    return confined.run(command, folder, seconds, shown, fonts)


def tool(name: str, arguments: list[str], folder: Path, seconds: float) -> str:
    """Run `convert-ly` of LilyPond's distribution in `folder`; gives its stderr.

    Where it is ended by a limit, the reason is the last line.
    """
    python = sorted(_root().glob("libexec/python3*"))
    home = confined.seen(*_home())
    command = [str(home / "bin" / name)]
    if python:  # what the shell script of that name in bin/ would start
        command = [str(home / "libexec" / python[0].name), str(home / "libexec" / name)]
    outcome = confined.run([*command, *arguments], folder, seconds, dict([_home()]))
    return outcome.said + (f"\n{name} {outcome.ended}" if outcome.ended else "")
