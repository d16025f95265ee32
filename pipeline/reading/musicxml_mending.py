"""Mend what a MusicXML score leaves to a musician's eyes, so that programs play and print it alike:
tuplets that never stop, staves that are not declared, jumps that are only words, bars that are
printed as repeats of others."""

import re
from xml.etree import ElementTree as ET

JUMPS = ("dacapo", "dalsegno", "segno", "coda", "tocoda", "fine")  # attributes of `sound`
_WORDS = (  # what is printed, and the attribute that plays it
    (r"(al )?fine", "fine"),
    (r"(to|alla) coda", "tocoda"),
    (r"(d ?c|da capo)( (al|sin).*)?", "dacapo"),
    (r"(d ?s|dal segno)( (al|sin).*)?", "dalsegno"),
)


def mend(root: ET.Element) -> None:
    """Mend a partwise score in place."""
    _play_words(root)
    for part in root.findall("part"):
        _close_tuplets(part)
        _declare_staves(part)
        _write_out(part)


# --- staves
_BEFORE_STAVES = ("footnote", "level", "divisions", "key", "time")  # in `attributes`


def _declare_staves(part: ET.Element) -> None:
    """Say how many staves a part has if its notes stand on several and it does not say: engravers
    draw no clef and no key on staves that nobody declares."""
    numbers = [staff.text or "" for staff in part.iter("staff")]
    most = max((int(text) for text in numbers if text.strip().isdecimal()), default=1)
    attributes = part.find("measure/attributes")
    if most == 1 or attributes is None or part.find("measure/attributes/staves") is not None:
        return
    staves = ET.Element("staves")
    staves.text = str(most)
    attributes.insert(sum(child.tag in _BEFORE_STAVES for child in attributes), staves)


# --- tuplets
def _close_tuplets(part: ET.Element) -> None:
    """End tuplets that never stop where their last note is: engravers draw them on and on."""
    opened: dict[tuple[str, str], ET.Element] = {}  # by voice and number: the last note within
    for measure in part.findall("measure"):
        for note in measure.findall("note"):
            if note.find("chord") is not None or note.find("grace") is not None:
                continue
            voice = note.findtext("voice") or ""
            marks = {
                mark.get("number", "1"): mark.get("type")
                for mark in note.findall("notations/tuplet")
            }
            inside = note.find("time-modification") is not None
            for key in [key for key in opened if key[0] == voice]:
                if not inside or marks.get(key[1]) == "start":
                    _stop_tuplet(opened.pop(key), key[1])
                elif marks.get(key[1]) == "stop":
                    del opened[key]
                else:
                    opened[key] = note
            opened |= {(voice, number): note for number, kind in marks.items() if kind == "start"}
        for (_, number), last in opened.items():
            _stop_tuplet(last, number)
        opened.clear()


def _stop_tuplet(note: ET.Element, number: str) -> None:
    notations = note.find("notations")
    if notations is None:
        notations = ET.SubElement(note, "notations")
    ET.SubElement(notations, "tuplet", {"type": "stop", "number": number})


# --- jumps
def _jump(direction: ET.Element) -> str | None:
    """The attribute that plays what a direction prints, if it prints a jump or its goal.

    Words come first: with "To Coda" its sign is no goal.
    """
    words = " ".join("".join(w.itertext()) for w in direction.findall("direction-type/words"))
    plain = " ".join(words.casefold().replace(".", " ").split())
    said = next((name for pattern, name in _WORDS if re.fullmatch(pattern, plain)), None)
    signs = (s for s in ("segno", "coda") if direction.find(f"direction-type/{s}") is not None)
    return said or next(signs, None)


def _jumps_of(part: ET.Element) -> list[tuple[ET.Element, str]]:
    """The directions of a part that print jumps or their goals, with what plays each.

    A sign of the coda in a bar that says "To Coda" belongs to these words. If no words say so, the
    first of several signs is where the jump to the coda leaves.
    """
    bars = [
        [(element, name) for element in bar.iter("direction") if (name := _jump(element))]
        for bar in part.findall("measure")
    ]
    leaving = [any(name == "tocoda" for _, name in bar) for bar in bars]
    signs = [index for index, bar in enumerate(bars) if any(name == "coda" for _, name in bar)]
    if not any(leaving) and len(signs) > 1:
        first = bars[signs[0]]
        bars[signs[0]] = [(element, {"coda": "tocoda"}.get(name, name)) for element, name in first]
        return [found for bar in bars for found in bar]
    return [
        (element, name)
        for bar, leaves in zip(bars, leaving, strict=True)
        for element, name in bar
        if not (leaves and name == "coda")
    ]


def _play_words(root: ET.Element) -> None:
    """Say as sound which jumps are printed, in a score that says of none how it sounds.

    Signs alone are no jump: a segno that nothing leads to stays silent.
    """
    if any(sound.get(name) for sound in root.iter("sound") for name in JUMPS):
        return
    found = [jump for part in root.findall("part") for jump in _jumps_of(part)]
    if not {"dacapo", "dalsegno"} & {name for _, name in found}:
        return
    for direction, name in found:
        sound = direction.find("sound")
        if sound is None:
            sound = ET.SubElement(direction, "sound")
        sound.set(name, "yes" if name in ("dacapo", "fine") else "1")


# --- bars that repeat others
def _write_out(part: ET.Element) -> None:
    """Print the notes of bars that are marked as repeats of the bars before, if they have any."""
    for measure in part.findall("measure"):
        if not any(note.find("rest") is None for note in measure.findall("note")):
            continue
        for style in measure.iterfind("attributes/measure-style"):
            for repeat in style.findall("measure-repeat"):
                style.remove(repeat)
