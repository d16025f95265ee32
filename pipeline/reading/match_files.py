"""Read match files: what a person played, note by note, and which note of the score each one is.

The format is that of partitura, which reads it: (n)ASAP and the Vienna 4x22 corpus have such files.
"""

import contextlib
import io
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.reading.libraries import partitura

SUFFIX = ".match"
MAX_BYTES = 50_000_000  # an hour of dense music has some 4 million
MAX_LINE = 2_000  # characters; a pair of notes has some 200
MAX_PADDED = 50_000_000  # characters if all lines were as long as the longest, as partitura does
HIGHEST_PITCH = 127  # of MIDI
SUSTAIN, SOFT = 64, 67  # MIDI controllers
MICROSECONDS = 1e-6  # s
EXTRA = "played, not in the score"
ORNAMENT = "an ornament's note, printed as a sign"


@dataclass(frozen=True)
class PerformedNote:
    """A note as a person played it."""

    onset_s: float
    duration_s: float  # from key down to key up
    pitch: int  # MIDI number
    velocity: int
    score_id: str | None = None  # of the score's note that it is; None: of none
    score_pitch: int | None = None  # of that note, as the match file says
    reason: str | None = None  # why it is none of the score's


@dataclass
class HumanPerformance:
    """What a person played.

    Attributes:
        notes: In order of onset.
        missing: Ids and pitches of the score's notes that were not played.
        pedals: Time (s), MIDI controller and value.
    """

    notes: list[PerformedNote] = field(default_factory=list)
    missing: list[tuple[str, int]] = field(default_factory=list)
    pedals: list[tuple[float, int, int]] = field(default_factory=list)


def text(content: bytes) -> str:
    """The text of a match file.

    Raises:
        ValueError: if it is empty, too large or no text.
    """
    if not content.strip():
        raise ValueError("the match file is empty")
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes, no match file")
    try:
        found = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        found = content.decode("latin-1")
    if "\0" in found:
        raise ValueError("holds null bytes, no match file")
    return found


def read(match: str) -> HumanPerformance:
    """Read the text of a match file.

    Raises:
        ValueError: if it cannot be read, or nothing is played in it.
    """
    lines = _lines(match)
    seconds = _clock(lines.info("midiClockUnits"), lines.info("midiClockRate"))
    found = HumanPerformance()
    try:
        for line in lines.lines:
            _add(line, seconds, found)
    except (TypeError, OverflowError) as error:  # a number is absent, or has hundreds of digits
        raise ValueError(f"no match file: a number in it is unusable ({error})") from None
    if not found.notes:
        raise ValueError("nothing is played in the match file")
    found.notes.sort(key=lambda note: (note.onset_s, note.pitch))
    found.pedals.sort()
    return found


def _lines(match: str):
    """The lines of a match file as partitura reads them."""
    lines = match.splitlines()
    longest = max(map(len, lines), default=0)
    if longest > MAX_LINE or longest * len(lines) > MAX_PADDED:
        raise ValueError(
            f"no match file: {len(lines):,} lines of up to {longest:,} characters are too much"
        )
    reader = partitura().io.importmatch
    with tempfile.TemporaryDirectory(prefix="match-") as folder:
        path = Path(folder, "performance.match")
        path.write_text(match, encoding="utf-8")
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                return reader.load_matchfile(path)
        except MemoryError:
            raise
        except Exception as error:  # it raises whatever an odd file makes it
            said = " ".join(f"{type(error).__name__}: {error}".split())[:160]
            raise ValueError(f"no match file that partitura can read ({said})") from None


def _clock(units: object, rate: object) -> float:
    """Seconds of a tick: `units` ticks are a quarter, which lasts `rate` microseconds."""
    try:
        seconds = MICROSECONDS * float(rate) / float(units)  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError):
        seconds = 0.0
    if not 0 < seconds < 1:
        raise ValueError(f"no match file: its clock ({units} ticks, {rate} us) is unusable")
    return seconds


def _add(line, seconds: float, found: HumanPerformance) -> None:
    """Add what a line says to a performance."""
    kind = type(line).__name__
    if hasattr(line, "note"):
        found.notes.append(_note(line, seconds))
    elif hasattr(line, "snote"):
        pitch = _score_pitch(line.snote)
        if pitch is not None and "leftOutTied" not in line.snote.ScoreAttributesList:
            found.missing.append((str(line.snote.Anchor), pitch))
    elif kind in ("MatchSustainPedal", "MatchSoftPedal"):
        number = SUSTAIN if kind == "MatchSustainPedal" else SOFT
        value = min(max(int(line.Value), 0), 127)
        found.pedals.append((seconds * int(line.Time), number, value))


def _score_pitch(snote) -> int | None:
    """MIDI pitch of a note of the score; None for a rest.

    Raises:
        ValueError: if MIDI has no such pitch.
    """
    pitch = snote.MidiPitch
    if pitch is not None and not 0 <= pitch <= HIGHEST_PITCH:
        raise ValueError("no match file: a note of the score has a pitch that MIDI does not know")
    return pitch


def _note(line, seconds: float) -> PerformedNote:
    """A performed note, whether of the score or not."""
    played = line.note
    onset, end = int(played.Onset), int(played.Offset)
    about: dict = {"reason": EXTRA}
    if hasattr(line, "snote"):
        about = {"score_id": str(line.snote.Anchor), "score_pitch": _score_pitch(line.snote)}
    elif hasattr(line, "Anchor"):
        about = {"reason": ORNAMENT}
    return PerformedNote(
        onset_s=seconds * onset,
        duration_s=seconds * max(end - onset, 0),
        pitch=int(played.MidiPitch),
        velocity=min(max(int(played.Velocity), 1), 127),
        **about,
    )
