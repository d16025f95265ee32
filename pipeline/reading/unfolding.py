"""In which order the bars of a score are played: repeats, numbered endings, da capo, dal segno,
coda and fine."""

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

MAX_PLAYED = 20_000  # bars; a score that asks for more is taken for a damaged one


@dataclass
class Bar:
    """What a bar says about the order of bars. Signs for a jump stand at its end, those that a jump
    leads to at its beginning."""

    name: str = ""  # its id
    number: str = ""  # as printed
    start_repeat: bool = False
    end_repeat: int = 0  # how often the section is played; 0: no repeat ends here
    endings: set[int] = field(default_factory=set)
    segno: str | None = None  # name of the sign
    coda: str | None = None
    to_coda: str | None = None
    dalsegno: str | None = None
    dacapo: bool = False
    fine: bool = False
    repeats_after_jump: bool = True


def ending_numbers(text: str) -> list[int]:
    """The numbers of an ending: of `1`, `1, 2` or `1.-3.`."""
    found: list[int] = []
    for first, last in re.findall(r"(\d+)(?:\s*\.?\s*[-–]\s*(\d+))?", text or ""):
        begin, end = int(first), int(last or first)
        found += range(begin, min(end, begin + 99) + 1)
    return found


def _group(bars: list[Bar], place: int) -> set[int]:
    """All numbers of the endings that stand side by side about a bar."""
    found = set(bars[place].endings)
    for step in (-1, 1):
        at = place + step
        while 0 <= at < len(bars) and bars[at].endings:
            found |= bars[at].endings
            at += step
    return found


def _target(bars: list[Bar], sign: str, name: str | None, before: int | None) -> int | None:
    """Where a sign stands that a jump leads to: the one of that name, else the nearest before."""
    places = [place for place, bar in enumerate(bars) if getattr(bar, sign)]
    named = [place for place in places if getattr(bars[place], sign) == name]
    if before is not None:
        places = [place for place in places if place <= before] or places
        return next(iter(named or places[-1:]), None)
    return next(iter(named or places), None)


def _passes(bars: list[Bar], place: int) -> int:
    """How often the section is played whose repeat ends with a bar."""
    bar = bars[place]
    if not bar.endings:
        return bar.end_repeat
    group = _group(bars, place)
    return max(group) + (group == bar.endings and len(group) == 1)


def play_order(bars: list[Bar]) -> list[int]:
    """Numbers of the bars in the order in which they are played.

    A repeat is played again after a jump unless it says otherwise; of endings that no pass has
    the number of, none is played. A jump is taken once, when the repeat it stands in is done.

    Raises:
        ValueError: more than `MAX_PLAYED` bars would be played.
    """
    order: list[int] = []
    place = start = 0
    count = 1  # of the pass through the section that began at `start`
    jumped = False
    taken: set[int] = set()
    while place < len(bars):
        bar = bars[place]
        if bar.start_repeat and place != start:
            start, count = place, 1
        if bar.endings:
            group = _group(bars, place)
            final = jumped and not bar.repeats_after_jump
            wanted = max(group) if final else count
            if wanted not in bar.endings:
                place += 1
                if place < len(bars) and not bars[place].endings:
                    start, count = place, 1
                continue
        order.append(place)
        if len(order) > MAX_PLAYED:
            raise ValueError(f"its repeats play more than {MAX_PLAYED:,} bars")
        again = bar.end_repeat and not (jumped and not bar.repeats_after_jump)
        if again and count < _passes(bars, place):
            count += 1
            place = start
            continue
        if jumped and bar.fine:
            break
        if jumped and bar.to_coda:
            coda = _target(bars, "coda", bar.to_coda, None)
            if coda is not None and coda > place:
                place = start = coda
                count = 1
                continue
        if (bar.dacapo or bar.dalsegno) and place not in taken:
            target = 0 if bar.dacapo else _target(bars, "segno", bar.dalsegno, place)
            if target is not None:
                taken.add(place)
                jumped = True
                place = start = target
                count = 1
                continue
        ended = bar.end_repeat or bar.endings
        place += 1
        if ended and place < len(bars) and not bars[place].endings:
            start, count = place, 1
    return order


# --- of MusicXML
def of_musicxml(root: ET.Element) -> list[Bar]:
    """What the bars of a MusicXML score say about their order, from all its parts together."""
    bars: list[Bar] = []
    for part in root.findall("part"):
        endings: set[int] = set()
        for place, measure in enumerate(part.findall("measure")):
            if place == len(bars):
                bars.append(Bar(number=measure.get("number", "")))
            endings = _read_measure(measure, bars[place], endings)
    _close_endings(bars)
    return bars


def _read_measure(measure: ET.Element, bar: Bar, endings: set[int]) -> set[int]:
    """Take over a bar's signs; gives the endings that go on in the next bar."""
    closed = False
    for line in measure.findall("barline"):
        for ending in line.findall("ending"):
            if ending.get("type") == "start":
                endings = set(ending_numbers(ending.get("number", "")))
            else:
                closed = True
        repeat = line.find("repeat")
        if repeat is not None and repeat.get("direction") == "forward":
            bar.start_repeat = True
        elif repeat is not None:
            times = repeat.get("times", "")
            bar.end_repeat = int(times) if times.isdecimal() and int(times) > 0 else 2
            bar.repeats_after_jump = repeat.get("after-jump") != "no"
    bar.endings |= endings
    for sound in measure.iter("sound"):
        bar.dacapo |= sound.get("dacapo") == "yes"
        bar.fine |= bool(sound.get("fine"))
        bar.dalsegno = sound.get("dalsegno") or bar.dalsegno
        bar.segno = sound.get("segno") or bar.segno
        bar.coda = sound.get("coda") or bar.coda
        bar.to_coda = sound.get("tocoda") or bar.to_coda
    return set() if closed else endings


def _close_endings(bars: list[Bar]) -> None:
    """End an ending that was never stopped where its repeat ends, or a new section begins."""
    open_since: set[int] = set()
    ended = False
    for bar in bars:
        if not bar.endings:
            open_since, ended = set(), False
            continue
        if bar.endings != open_since:
            open_since, ended = set(bar.endings), False
        if ended or bar.start_repeat:
            bar.endings = set()
        ended = ended or bool(bar.end_repeat)
