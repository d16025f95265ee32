"""Read a tune of music21's corpus as a melody: its first part, bars and repeats as notated."""

from fractions import Fraction
from pathlib import Path

from music21 import bar as m21bar
from music21 import (
    chord,
    converter,
    corpus,
    expressions,
    key,
    meter,
    note,
    repeat,
    spanner,
    stream,
    tempo,
)

from pipeline.reading.melody import Bar, Element, Melody, Spelling


def work_paths(folder: str) -> list[Path]:
    """Files of one folder of the corpus, sorted. Raises ValueError if it has none."""
    root = Path(corpus.__file__).parent / folder
    found = sorted(path for path in root.glob("*") if path.suffix in (".abc", ".krn", ".mxl"))
    if not found:
        known = ", ".join(sorted(p.name for p in root.parent.iterdir() if p.is_dir())[:8])
        raise ValueError(f"music21's corpus has no works in '{folder}'; it has {known}, ...")
    return found


def _exact(length) -> Fraction:
    """A quarter length as the fraction it stands for (music21 stores thirds as floats)."""
    return Fraction(length).limit_denominator(192)


def _element(item: note.GeneralNote) -> Element:
    duration = _exact(item.duration.quarterLength)
    if isinstance(item, chord.Chord):
        raise ValueError("polyphonic: a chord")
    if item.duration.isGrace:
        raise ValueError("a grace note")
    if any(isinstance(mark, expressions.Ornament) for mark in item.expressions):
        raise ValueError("an ornament")
    if isinstance(item, note.Rest):
        return Element(duration)
    if not isinstance(item, note.Note):
        raise ValueError(f"a {type(item).__name__.lower()} instead of a note")
    pitch = item.pitch
    spelling = Spelling(pitch.step.lower(), int(pitch.alter), pitch.implicitOctave)
    return Element(duration, spelling, item.tie is not None and item.tie.type != "stop")


def _bar(measure: stream.Measure, metre: tuple[int, int]) -> Bar:
    if measure.voices:
        raise ValueError("polyphonic: more than one voice")
    bar = Bar(metre, [_element(item) for item in measure.notesAndRests])
    left, right = measure.leftBarline, measure.rightBarline
    bar.repeat_start = isinstance(left, m21bar.Repeat) and left.direction == "start"
    bar.repeat_end = isinstance(right, m21bar.Repeat) and right.direction == "end"
    return bar


def parse_work(path: Path) -> stream.Part:
    """Parse a work and return its first part. Raises ValueError if music21 cannot read it."""
    try:
        work = converter.parse(path)
    except Exception as error:  # the parsers raise whatever a malformed work makes them
        raise ValueError(f"music21 cannot read it ({type(error).__name__}: {error})") from None
    if isinstance(work, stream.Opus):
        raise ValueError("more than one tune in the file")
    part = work.parts[0] if work.parts else work
    part.metadata = work.metadata
    return part


def melody_of_part(part: stream.Part, name: str, default_tempo: float) -> Melody:
    """Read a part as a melody.

    Args:
        part: first part of a work, as music21 parsed it.
        name: title if the work has none.
        default_tempo: in quarter notes a minute, if the work states none.

    Raises:
        ValueError: if the part is not one notated melody.
    """
    measures = list(part.getElementsByClass(stream.Measure))
    if not measures:
        raise ValueError("no bar lines")
    endings = {
        id(measure): int(bracket.numberRange[0])
        for bracket in part.recurse().getElementsByClass(spanner.RepeatBracket)
        for measure in bracket.getSpannedElements()
    }
    bars: list[Bar] = []
    metre = (4, 4)
    for measure in measures:
        if measure.timeSignature:
            metre = (measure.timeSignature.numerator, measure.timeSignature.denominator)
        bar = _bar(measure, metre)
        bar.ending = endings.get(id(measure), 0)
        if bar.elements:
            bars.append(bar)
        elif bars:  # an empty bar only carries a repeat sign of its neighbours
            bars[-1].repeat_end |= bar.repeat_end
    if not any(element.pitch for bar in bars for element in bar.elements):
        raise ValueError("no notes")
    if len(list(part.recurse().getElementsByClass(meter.TimeSignature))) == 0:
        raise ValueError("no metre")
    signature = next(iter(part.recurse().getElementsByClass(key.KeySignature)), key.KeySignature(0))
    mark = next(iter(part.recurse().getElementsByClass(tempo.MetronomeMark)), None)
    quarters = mark.getQuarterBPM() if mark else None
    metadata = part.metadata
    return Melody(
        bars,
        signature.sharps,
        getattr(signature, "mode", None) == "minor",
        [(Fraction(0), quarters or default_tempo)],
        (metadata.title if metadata else None) or name,
        (metadata.composer if metadata else None) or "",
    )


def expanded_notes(part: stream.Part) -> list[tuple[Fraction, Fraction, int]]:
    """(onset, duration, pitch) of each note after music21 has expanded the repeats, ties joined.

    An independent check of our own repeats. Raises ValueError if music21 cannot follow the repeat
    signs.
    """
    try:
        expanded = part.expandRepeats().stripTies()
    except repeat.ExpanderException as error:
        raise ValueError(f"repeat signs that music21 cannot follow ({error})") from None
    return [
        (_exact(item.getOffsetInHierarchy(expanded)), _exact(item.quarterLength), item.pitch.midi)
        for item in expanded.recurse().notes
    ]
