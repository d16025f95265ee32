"""Read a score file as text that is safe to hand on: MusicXML (plain or compressed), MEI, Humdrum
or ABC.

What comes in is bounded in size, entities are refused, compressed files are unpacked here, and
whatever the encoding was, text comes out. Every note of MusicXML and MEI gets an id of its own.
"""

import io
import re
import zipfile
import zlib
from collections import Counter
from pathlib import PurePosixPath
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from pipeline.reading import musicxml_mending

SUFFIXES = (".musicxml", ".mxl", ".xml", ".mei", ".krn", ".abc")
MAX_BYTES = 50_000_000  # a symphony has some 20 million
MAX_BARS = 10_000  # the longest movements have under 3,000
MAX_NOTES = 200_000
MUSICXML_TYPE = "application/vnd.recordare.musicxml"  # of a rootfile in a compressed file
MEI_NAMESPACE = "http://www.music-encoding.org/ns/mei"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_REFERENCE = re.compile(r"(?<!\S)#(\S+)")  # to an element, in an attribute of MEI
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")  # of an id that every program takes
_ABC_CHORD = re.compile(r"\[((?:[_^=]*[A-Ga-g][,']*)+)\](\d+(?:/\d*)?|/+\d*)")  # [ce]2
_ABC_NOTE = re.compile(r"[_^=]*[A-Ga-g][,']*")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def read(content: bytes, name: str) -> dict[str, str]:
    """Read a score file: its text by a name that tells the format (`score.musicxml`, ...).

    Args:
        content: the file's bytes, at most `MAX_BYTES` of them.
        name: the file's name; its suffix decides for Humdrum and ABC alone.

    Raises:
        ValueError: the file is no score that can be read; the message is the reason.
    """
    if not content.strip():
        raise ValueError("the file is empty")
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes, no score")
    if content.startswith(b"PK"):
        content = _unpacked(content)
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in (".krn", ".abc") and not content.lstrip().startswith(b"<"):
        return {f"score{suffix}": _checked_plain(_decoded(content), suffix)}
    root = _parsed(content)
    kind = root.tag.removeprefix(f"{{{MEI_NAMESPACE}}}")
    try:
        if kind == "mei":
            ET.register_namespace("", MEI_NAMESPACE)
            return {"score.mei": _mei(root)}
        if kind == "score-timewise":
            root, kind = _partwise(root), "score-partwise"
        if kind == "score-partwise":
            return {"score.musicxml": _musicxml(root)}
    except RecursionError:
        raise ValueError("elements nested too deeply, no score") from None
    raise ValueError(f"neither MusicXML nor MEI: its root element is <{kind[:60]}>")


# --- compressed files
def _unpacked(content: bytes) -> bytes:
    """The score inside a compressed MusicXML file: the first rootfile that is MusicXML."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            for name in _rootfiles(archive, names):
                if name in names:
                    return _member(archive, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        # RuntimeError: encrypted; NotImplementedError, a kind of it: an unknown compression
        raise ValueError(f"the compressed file cannot be unpacked ({error})") from None
    raise ValueError("the compressed file holds no MusicXML")


def _rootfiles(archive: zipfile.ZipFile, names: list[str]) -> list[str]:
    """Names of the files that may be the score, the likeliest first."""
    scores = [
        name
        for name in names
        if name.lower().endswith((".musicxml", ".xml")) and not name.startswith("META-INF/")
    ]
    if "META-INF/container.xml" not in names:
        return scores
    container = _parsed(_member(archive, "META-INF/container.xml"))
    listed = [
        (unquote(file.get("full-path", "")), file.get("media-type", ""))
        for file in container.iter()
        if file.tag.rpartition("}")[2] == "rootfile"
    ]
    typed = [name for name, kind in listed if kind.startswith(MUSICXML_TYPE)]
    untyped = [name for name, kind in listed if not kind or name in scores]
    return typed + untyped + scores


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes when unpacked, no score")
    return content


# --- text
def _decoded(content: bytes) -> str:
    """Text of a file whose encoding is not declared."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _parsed(content: bytes) -> ET.Element:
    """The root element of an XML file; entities and broken XML raise ValueError."""
    try:
        try:
            return defusedxml.ElementTree.fromstring(content)
        except (ET.ParseError, LookupError, UnicodeError):  # it may declare a wrong encoding
            text = _DECLARATION.sub("", _decoded(content)).lstrip("\ufeff \t\r\n")
            return defusedxml.ElementTree.fromstring(text)
    except DefusedXmlException:
        raise ValueError("XML with entities of its own is refused") from None
    except ET.ParseError as error:
        raise ValueError(f"broken XML ({error})") from None


def _checked_plain(text: str, suffix: str) -> str:
    """Humdrum or ABC, if it looks like it and is not too long."""
    if suffix == ".krn" and "**" not in text:
        raise ValueError("no Humdrum: no line begins a spine with **")
    if suffix == ".abc" and not re.search(r"^\s*K:", text, re.MULTILINE):
        raise ValueError("no ABC: no line K: names the key")
    if (tunes := len(re.findall(r"^X:", text, re.MULTILINE))) > 1 and suffix == ".abc":
        raise ValueError(f"holds {tunes} tunes; put each into a file of its own")
    if len(text) > MAX_BYTES // 10:
        raise ValueError(f"larger than {MAX_BYTES // 10:,} characters, no score")
    return _with_lengths(text) if suffix == ".abc" else text


def _with_lengths(text: str) -> str:
    """ABC with the length of a chord at each of its notes: `[c2e2]` for `[ce]2`.

    Verovio reads the latter as if it had no length. Only lines of music are changed.
    """

    def at_notes(match: re.Match) -> str:
        return f"[{''.join(note + match[2] for note in _ABC_NOTE.findall(match[1]))}]"

    return "\n".join(
        line if re.match(r"[A-Za-z]:|%", line) else _ABC_CHORD.sub(at_notes, line)
        for line in text.split("\n")
    )


# --- MusicXML
def _partwise(root: ET.Element) -> ET.Element:
    """A timewise score turned into a partwise one."""
    result = ET.Element("score-partwise", root.attrib)
    parts: dict[str, ET.Element] = {}
    for element in root:
        if element.tag != "measure":
            result.append(element)
            continue
        for part in element.findall("part"):
            name = part.get("id", "")
            if name not in parts:
                parts[name] = ET.Element("part", {"id": name})
            bar = ET.SubElement(parts[name], "measure", element.attrib)
            bar.extend(part)
    result.extend(parts.values())
    return result


def _musicxml(root: ET.Element) -> str:
    """Number the notes of a partwise score; gives it as text."""
    parts = root.findall("part")
    bars = max((len(part.findall("measure")) for part in parts), default=0)
    notes = [note for part in parts for note in part.iter("note")]
    _check_size(bars, sum(note.find("rest") is None for note in notes))
    musicxml_mending.mend(root)
    _give_ids(root, notes, "id")
    return ET.tostring(root, encoding="unicode")


# --- MEI
def _mei(root: ET.Element) -> str:
    """Number the notes of an MEI file; gives it as text."""
    space = f"{{{MEI_NAMESPACE}}}"
    notes = list(root.iter(f"{space}note"))
    movements = [
        mdiv for mdiv in root.iter(f"{space}mdiv") if mdiv.find(f"{space}score") is not None
    ]
    if len(movements) > 1:
        raise ValueError(f"holds {len(movements)} movements; put each into a file of its own")
    _check_size(sum(1 for _ in root.iter(f"{space}measure")), len(notes))
    _rename_references(root, _give_ids(root, notes, XML_ID))
    return ET.tostring(root, encoding="unicode")


def _check_size(bars: int, notes: int) -> None:
    if not notes:
        raise ValueError("no notes in it")
    if bars > MAX_BARS:
        raise ValueError(f"{bars:,} bars, more than {MAX_BARS:,}: no score")
    if notes > MAX_NOTES:
        raise ValueError(f"{notes:,} notes, more than {MAX_NOTES:,}: no score")


def _give_ids(root: ET.Element, notes: list[ET.Element], attribute: str) -> dict[str, str]:
    """Give each note an id that no other element has; its own is kept if it serves.

    Returns:
        The new id for each old one that was not kept; "" if several elements had the old one.
    """
    count = Counter(element.get(attribute) for element in root.iter())
    renamed: dict[str, str] = {}
    number = 0
    for note in notes:
        own = note.get(attribute)
        if own is None or not _NAME.fullmatch(own) or count[own] > 1:
            while (new := f"note{number}") in count:
                number += 1
            number += 1
            note.set(attribute, new)
            if own is not None:
                renamed[own] = new if count[own] == 1 else ""
    return renamed


def _rename_references(root: ET.Element, renamed: dict[str, str]) -> None:
    """Have ties, tempi and the like refer to notes (`#id`) by their new ids.

    Raises:
        ValueError: if one refers to an id that several elements had.
    """

    def by_new_id(match: re.Match) -> str:
        new = renamed.get(match[1], match[1])
        if not new:
            raise ValueError(f"several elements have the id {match[1]}, and others refer to it")
        return f"#{new}"

    for element in root.iter():
        for attribute, value in element.items():
            element.set(attribute, _REFERENCE.sub(by_new_id, value))
