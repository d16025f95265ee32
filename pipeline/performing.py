"""Who plays a piece, and when notes sound: at a tempo ratio, with expression, or as people did.

The stages after `synthesize` need not know which. If a recording's onsets are not those of the
score divided by a tempo ratio, its row has them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline import expression, tempo
from pipeline.constants import VELOCITY
from pipeline.reading import match_files
from pipeline.reading.pieces import MAX_ID_BYTES, with_digest

AT = "@"  # between piece and performer in the name of a recording
HUMAN = "human"  # in place of a tempo ratio: the tempo of the performers
NONE, PHRASED = "none", "phrased"  # expression
FIXED = "fixed"  # velocities
MOST_WRONG = 0.3  # share of the played notes that the score does not have
NOT_PLAYED = "not played"
NO_ID = "no printed note has its id"
OTHER_PITCH = "the score's note of this id has another pitch"
NO_IDS = "the score's notes have no ids, and match files name notes by them"


class Unplayable(ValueError):
    """A piece that cannot become a recording; the message is its reason."""


@dataclass(frozen=True)
class Note:
    """One sounding note at tempo ratio 1."""

    onset_s: float
    duration_s: float
    pitch: int  # MIDI number
    program: int | None = None  # General MIDI, from 0; None: the preset of the font's entry
    velocity: int = VELOCITY


@dataclass(frozen=True)
class Performance:
    """What is to be played.

    Attributes:
        tempo_ratio: That the notes are still to be played at; None for a person's own tempo.
        performer: A person, by the name of a match file.
        notes: Of the performance.
        pedals: Time (s), MIDI controller and value.
        onsets: As PERFORMANCES has them; None if the tempo ratio tells them.
        reason: Why it cannot be played.
    """

    tempo_ratio: float | None
    performer: str | None = None
    notes: list[Note] = field(default_factory=list)
    pedals: list[tuple[float, int, int]] = field(default_factory=list)
    onsets: list[dict] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Piece:
    """A piece as the tables have it."""

    piece_id: str
    notes: list[dict]  # rows of NOTES
    noteheads: list[dict] = field(default_factory=list)  # rows of NOTEHEADS, if people play
    performances: list[dict] = field(default_factory=list)  # of PIECES


@dataclass(frozen=True)
class Manner:
    """How a font plays.

    Attributes:
        tempo_ratio: A number, a range, or `human`.
        expression: `none` or `phrased`, of what is played at a tempo ratio.
        velocities: `human` keeps those of performers and of expression, `fixed` plays all alike.
        programs: Whether parts keep the instruments that the score names.
    """

    tempo_ratio: str
    expression: str = NONE
    velocities: str = HUMAN
    programs: bool = False


def file_name(piece_id: str, performer: str | None) -> str:
    """The name of a recording's file; no two performances of a chunk share one."""
    name = piece_id.replace("/", "__")
    if performer is not None:
        full = f"{name}{AT}{performer}"
        plain = full.count(AT) == 1 and len(full.encode()) <= MAX_ID_BYTES
        name = full if plain else with_digest(full, f"{piece_id}/{performer}")
    return f"{name}.flac"


def performances(piece: Piece, manner: Manner, font: str, seed: int) -> Iterator[Performance]:
    """The performances of a piece in a manner; `font` and `seed` decide what is drawn."""
    if manner.tempo_ratio == HUMAN:
        for file in piece.performances:
            yield _by_person(file, piece.noteheads, manner)
        return
    ratio = tempo.drawn(manner.tempo_ratio, seed, piece.piece_id, font)
    if manner.expression == PHRASED and piece.notes:
        yield _phrased(piece, manner, ratio, f"expression:{seed}:{piece.piece_id}:{font}")
        return
    yield Performance(ratio, notes=[_note(row, manner) for row in piece.notes])


def _note(row: dict, manner: Manner, **changes) -> Note:
    names = ("onset_s", "duration_s", "pitch", *(["program"] if manner.programs else []))
    return Note(**({name: row[name] for name in names} | changes))


# --- with expression
def _phrased(piece: Piece, manner: Manner, ratio: float, seed: str) -> Performance:
    begins, lengths, velocities = expression.play(piece.notes, seed)
    notes, onsets = [], []
    for row, begin, length, velocity in zip(piece.notes, begins, lengths, velocities, strict=True):
        strength = VELOCITY if manner.velocities == FIXED else int(velocity)
        changes = {"onset_s": float(begin), "duration_s": float(length), "velocity": strength}
        notes.append(_note(row, manner, **changes))
        onsets.append(
            {name: row[name] for name in ("note_id", "notehead_id", "pitch", "pass", "reason")}
            | changes
            | {"onset_s": float(begin) / ratio, "duration_s": float(length) / ratio}
        )
    onsets.sort(key=lambda row: (row["onset_s"], row["note_id"]))
    return Performance(ratio, notes=notes, onsets=onsets)


# --- by people
def _by_person(file: dict, noteheads: list[dict], manner: Manner) -> Performance:
    """A performance from a match file, or the reason why it cannot be played."""
    try:
        if file["reason"]:
            raise ValueError(file["reason"])
        played = match_files.read(file["match"])
        onsets = link(played, noteheads)
        _check(onsets)
    except ValueError as error:
        return Performance(None, file["performer"], reason=str(error))
    notes = [
        Note(
            note.onset_s,
            note.duration_s,
            note.pitch,
            velocity=VELOCITY if manner.velocities == FIXED else note.velocity,
        )
        for note in played.notes
    ]
    return Performance(None, file["performer"], notes, played.pedals, onsets)


def link(played: match_files.HumanPerformance, noteheads: list[dict]) -> list[dict]:
    """The onsets of a performance, each with the notehead that its match file names.

    An id is that of the score, or followed by `-2` for the second pass through a repeat and so on.
    Notes of the score that were not played come last, without a time.

    Raises:
        ValueError: if the score's notes have no ids.
    """
    heads = {head["source_id"]: head for head in noteheads if head["source_id"] is not None}
    if not heads:
        raise ValueError(NO_IDS)
    rows = []
    for number, note in enumerate(played.notes):
        about: dict = {"reason": note.reason}
        if note.score_id is not None:
            about = _notehead(note.score_id, note.score_pitch, heads)
        rows.append(
            {
                "note_id": number,
                "onset_s": note.onset_s,
                "duration_s": note.duration_s,
                "pitch": note.pitch,
                "velocity": note.velocity,
                **about,
            }
        )
    for number, (score_id, pitch) in enumerate(played.missing, len(rows)):
        about = _notehead(score_id, pitch, heads)
        about["reason"] = about.get("reason") or NOT_PLAYED
        rows.append({"note_id": number, "pitch": pitch} | about)
    return rows


def _notehead(score_id: str, pitch: int | None, heads: dict[str, dict]) -> dict:
    """The notehead that an id stands for and the pass, or the reason why there is none."""
    name, times = score_id, "1"
    if score_id not in heads:
        name, _, times = score_id.rpartition("-")
    if name not in heads or not times.isdecimal():
        return {"reason": NO_ID}
    if pitch is not None and heads[name]["pitch"] != pitch:
        return {"reason": OTHER_PITCH}
    return {"notehead_id": heads[name]["notehead_id"], "pass": min(int(times), 32_767)}


def _check(onsets: list[dict]) -> None:
    """Raise ValueError if too many of the notes that sound are not the score's."""
    sounding = [row for row in onsets if row.get("onset_s") is not None]
    wrong = Counter(row["reason"] for row in sounding if row.get("reason"))
    total = wrong.total()
    if total > MOST_WRONG * len(sounding):
        (most, _), *_ = wrong.most_common(1)
        raise ValueError(
            f"too many of its notes are not in the score ({total / len(sounding):.0%}, the limit is"
            f" {MOST_WRONG:.0%}; mostly: {most})"
        )
