"""Read a score a second time, by another program than its engraver, and compare what sounds.

partitura reads MusicXML, MEI and Humdrum; music21 reads ABC, and what partitura cannot. Compared
are the onset and pitch of every note, where bars begin, and the tempo.
"""

import warnings
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate, pairwise, zip_longest
from pathlib import Path
from xml.etree import ElementTree as ET

from pipeline.reading.libraries import partitura

MOST_DIFFERENT = 0.005  # of the notes; more leave a piece out
SAME_ONSET = 0.02  # quarters; a sixty-fourth note is 0.0625
GRACE_LEADS = 2.0  # quarters by which a grace note may begin before its main note
SAME_TEMPO = 0.01  # relative


@dataclass
class Reading:
    """A score, its repeats not played; times in quarters from the beginning of its first bar."""

    bars: list[float] = field(default_factory=list)  # where each begins, and where the last ends
    notes: list[tuple[float, int, bool]] = field(default_factory=list)  # onset, pitch, grace
    tempi: list[tuple[float, float]] = field(default_factory=list)  # when, quarters a minute
    order: list[int] | None = None  # in which the bars are played, if it tells
    endings: dict[int, list[int]] = field(default_factory=dict)  # numbers by bar, of ABC


@dataclass(frozen=True)
class Comparison:
    """How far what sounds is from what a second reader found."""

    notes: int  # that either has
    different: int  # that only one of them has
    first_bar: int | None  # the first that differs, counted from 1 in the printed score
    tempi_different: int  # bars in which the tempo is another


def read(path: Path) -> Reading:
    """Read a score with partitura, or with music21 if that cannot read it.

    Raises:
        ValueError: neither can read it.
    """
    failed = ""
    if path.suffix != ".abc":
        try:
            return _by_partitura(path)
        except MemoryError:
            raise
        except Exception as error:  # it raises whatever an odd score makes it
            failed = f"partitura: {type(error).__name__}: {error}; "
    try:
        return _by_music21(path)
    except MemoryError:
        raise
    except Exception as error:
        said = " ".join(f"{failed}music21: {type(error).__name__}: {error}".split())
        raise ValueError(f"no second reader can read it ({said[:160]})") from None


# --- partitura
def _by_partitura(path: Path) -> Reading:
    library = partitura()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".musicxml":
            score = library.load_musicxml(str(path))
            root = ET.parse(path).getroot()
            hidden, transposed = _hidden(root), _transposed(root)
        else:
            loaders = {".mei": library.load_mei, ".krn": library.load_kern}
            score = loaders[path.suffix](str(path))
            hidden, transposed = set(), {}
        parts = list(score.parts)
        if not parts:
            raise ValueError("no parts")
        reading = Reading(bars=_bars(library, parts))
        for part in parts:
            _add_part(library, part, hidden, transposed, reading)
        longest = max(parts, key=lambda part: len(list(part.iter_all(library.score.Measure))))
        _add_order(library, longest, reading)
    return reading


def _own_bars(library, part) -> list[float]:
    """Where the bars of a part begin, and where the last ends, in its own quarters."""
    measures = list(part.iter_all(library.score.Measure))
    marks = [measure.start.t for measure in measures] + [m.end.t for m in measures[-1:]]
    return [float(quarter) for quarter in part.quarter_map(marks)] if marks else []


def _bars(library, parts: list) -> list[float]:
    """Where the bars of a score begin, and where the last ends: all parts begin each together.

    partitura lets a part whose bar is shorter than another's run ahead.
    """
    own = [[end - begin for begin, end in pairwise(_own_bars(library, part))] for part in parts]
    lengths = [max(of_bar) for of_bar in zip_longest(*own, fillvalue=0.0)]
    return list(accumulate(lengths, initial=0.0))


def _add_part(
    library, part, hidden: set[str], transposed: dict[str, int], reading: Reading
) -> None:
    quarters = part.quarter_map  # made anew each time it is asked for
    own = _own_bars(library, part)

    def shared(times: list[int]) -> list[float]:
        """Quarters of the score, from times of the part."""
        if not times:
            return []
        found = []
        for quarter in map(float, quarters(times)):
            bar = max(bisect_right(own[:-1], quarter + SAME_ONSET) - 1, 0)
            found.append(reading.bars[bar] + quarter - own[bar] if own else quarter)
        return found

    found: list[tuple[int, int, bool]] = []
    for note in part.iter_all(library.score.GenericNote, include_subclasses=True):
        silent = (library.score.Rest, library.score.UnpitchedNote)
        if isinstance(note, silent) or not hasattr(note, "midi_pitch"):
            continue
        if note.id in hidden or (note.tie_prev is not None and note.tie_prev.id not in hidden):
            continue
        grace = isinstance(note, library.score.GraceNote)
        found.append((note.start.t, int(note.midi_pitch) + transposed.get(note.id, 0), grace))
    onsets = shared([when for when, _, _ in found])
    reading.notes += [
        (onset, pitch, grace) for onset, (_, pitch, grace) in zip(onsets, found, strict=True)
    ]
    marks = list(part.iter_all(library.score.Tempo))
    for when, tempo in zip(shared([mark.start.t for mark in marks]), marks, strict=True):
        reading.tempi.append((when, 60e6 / tempo.microseconds_per_quarter))
    reading.tempi.sort(key=lambda tempo: tempo[0])


def _add_order(library, part, reading: Reading) -> None:
    starts = [measure.start.t for measure in part.iter_all(library.score.Measure)]
    try:
        paths = library.score.get_paths(part, all_repeats=True, ignore_leap_info=True)
        segments = [paths[0].segments[name] for name in paths[0].path]
        reading.order = [
            bar
            for segment in segments
            for bar, start in enumerate(starts)
            if segment.start.t <= start < segment.end.t
        ]
    except Exception:  # repeats that it cannot follow, or without end
        reading.order = None


def _hidden(root: ET.Element) -> set[str]:
    """Ids of the notes of a MusicXML score that are not printed."""
    return {
        note.get("id", "")
        for note in root.iter("note")
        if note.get("print-object") == "no" or note.findtext("notehead") == "none"
    }


def _transposed(root: ET.Element) -> dict[str, int]:
    """Semitones from written to sounding pitch by id of the note, of a MusicXML score."""
    found: dict[str, int] = {}
    for part in root.findall("part"):
        shifts: dict[str, int] = {}  # by number of the staff; "" is all
        for element in part.iterfind("measure/*"):
            for transpose in element.findall("transpose"):
                chromatic = int(float(transpose.findtext("chromatic") or 0))
                octaves = int(float(transpose.findtext("octave-change") or 0))
                shifts[transpose.get("number", "")] = chromatic + 12 * octaves
            if element.tag == "note":
                staff = element.findtext("staff") or "1"
                found[element.get("id", "")] = shifts.get(staff, shifts.get("", 0))
    return found


# --- music21
def _by_music21(path: Path) -> Reading:
    from music21 import converter, harmony, stream, tempo

    score = converter.parse(path, forceSource=True, storePickle=False)
    if not isinstance(score, stream.Score):
        score = next(score.recurse().getElementsByClass(stream.Score))
    score = score.toSoundingPitch()
    reading = Reading()
    for part in score.parts:
        measures = list(part.getElementsByClass(stream.Measure))
        begin = measures[0].offset if measures else 0.0
        for element in part.recurse().notes:
            if element.style.hideObjectOnPrint or isinstance(element, harmony.ChordSymbol):
                continue
            onset = float(element.getOffsetInHierarchy(part) - begin)
            for note in getattr(element, "notes", [element]):
                tie = note.tie or element.tie
                if hasattr(note, "pitch") and (tie is None or tie.type == "start"):
                    grace = element.duration.isGrace
                    reading.notes.append((onset, note.pitch.midi, grace))
        if len(measures) >= len(reading.bars):
            bars = [float(measure.offset - begin) for measure in measures]
            last = measures[-1].highestTime if measures else 0.0
            reading.bars = [*bars, (bars[-1] if bars else 0.0) + float(last)]
            _add_repeats(part, measures, reading)
    for mark in score.recurse().getElementsByClass(tempo.MetronomeMark):
        if (bpm := mark.getQuarterBPM()) is not None:
            reading.tempi.append((float(mark.getOffsetInHierarchy(score)), float(bpm)))
    reading.tempi.sort(key=lambda found: found[0])
    return reading


def _add_repeats(part, measures: list, reading: Reading) -> None:
    """Read endings and the order of bars from a part of music21's."""
    from music21 import repeat, spanner

    for number, measure in enumerate(measures):
        measure.number = number
    reading.endings = {
        number: sorted(bracket.numberRange)
        for bracket in part.recurse().getElementsByClass(spanner.RepeatBracket)
        if (spanned := [measure.number for measure in bracket.getSpannedElements()])
        for number in range(min(spanned), max(spanned) + 1)
    }
    try:
        expanded = repeat.Expander(part).process()
        reading.order = [measure.number for measure in expanded.getElementsByClass("Measure")]
    except Exception:  # repeats that it cannot follow
        reading.order = None


# --- comparison
def played(reading: Reading, order: list[int]) -> list[tuple[float, int, bool, int]]:
    """Notes of a reading, its bars played in an order: (onset, pitch, grace, bar)."""
    in_bar: dict[int, list[tuple[float, int, bool]]] = defaultdict(list)
    for onset, pitch, grace in reading.notes:
        bar = max(bisect_right(reading.bars, onset + SAME_ONSET) - 1, 0)
        in_bar[min(bar, len(reading.bars) - 2)].append((onset, pitch, grace))
    found = []
    now = 0.0
    for bar in order:
        if bar + 1 >= len(reading.bars):
            continue
        begin = reading.bars[bar]
        found += [(now + onset - begin, p, grace, bar) for onset, p, grace in in_bar[bar]]
        now += reading.bars[bar + 1] - begin
    return found


def _unmatched(
    ours: list[tuple[float, int]], theirs: list[tuple[float, int]], early: float
) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """What only one of two lists of (onset, pitch) has; ours may be `early` before theirs."""
    by_pitch: dict[int, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for which, notes in enumerate((ours, theirs)):
        for onset, pitch in notes:
            by_pitch[pitch][which].append(onset)
    left: tuple[list[tuple[float, int]], list[tuple[float, int]]] = ([], [])
    for pitch, (own, other) in by_pitch.items():
        own.sort()
        other.sort()
        i = j = 0
        while i < len(own) and j < len(other):
            if other[j] - own[i] > early:
                left[0].append((own[i], pitch))
                i += 1
            elif own[i] - other[j] > SAME_ONSET:
                left[1].append((other[j], pitch))
                j += 1
            else:
                i, j = i + 1, j + 1
        left[0].extend((onset, pitch) for onset in own[i:])
        left[1].extend((onset, pitch) for onset in other[j:])
    return left


def compare(
    notes: list[tuple[float, int, bool]],
    tied: list[tuple[float, int]],
    tempi: list[tuple[float, float]],
    reading: Reading,
    order: list[int],
) -> Comparison:
    """Compare what an engraver plays with a second reading of the source.

    Args:
        notes: (onset in quarters, pitch, whether a grace note) of every note, repeats played.
        tied: (onset, pitch) at which a tie prolongs one of them; a reader may not follow it.
        tempi: (quarter of the printed score, quarters a minute), as the engraver has them.
        reading: the second reading; `order` is the order in which its bars are played.
    """
    expected = played(reading, order)
    starts, now = [], 0.0
    for bar in order:
        starts.append(now)
        now += reading.bars[bar + 1] - reading.bars[bar] if bar + 1 < len(reading.bars) else 0.0
    different = 0
    at: list[float] = []
    for grace, early in ((False, SAME_ONSET), (True, GRACE_LEADS)):
        ours = [(onset, pitch) for onset, pitch, kind in notes if kind == grace]
        theirs = [(onset, pitch) for onset, pitch, kind, _ in expected if kind == grace]
        extra, missing = _unmatched(ours, theirs, early)
        _, missing = _unmatched(tied, missing, SAME_ONSET)
        different += max(len(extra), len(missing))
        at += [onset for onset, _ in extra + missing]
    first_bar = None
    if at and starts:
        first_bar = order[max(bisect_right(starts, min(at) + SAME_ONSET) - 1, 0)] + 1
    return Comparison(
        max(len(notes), len(expected)), different, first_bar, _tempi_different(tempi, reading)
    )


def _tempi_different(tempi: list[tuple[float, float]], reading: Reading) -> int:
    """Bars at whose beginning the tempo is another; a score that states none has none."""
    if not reading.tempi:
        return 0

    def at(quarter: float, changes: list[tuple[float, float]]) -> float | None:
        return next((bpm for when, bpm in reversed(changes) if when <= quarter + SAME_ONSET), None)

    found = 0
    for begin, _ in pairwise(reading.bars):
        ours, theirs = at(begin, tempi), at(begin, reading.tempi)
        if ours is not None and theirs is not None:
            found += abs(ours / theirs - 1) > SAME_TEMPO
    return found
