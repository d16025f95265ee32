"""What a MusicXML, MEI, Humdrum or ABC score says of itself: composer, title, lyricist, licence."""

import re
from xml.etree import ElementTree as ET

from pipeline.reading import licences

_MEI = "{http://www.music-encoding.org/ns/mei}"
_HUMDRUM = {"composer": "COM", "title": "OTL", "lyricist": "LYR", "licence": "YEM"}
_ABC = {"composer": "C", "title": "T", "lyricist": "A", "licence": "Z"}
_LICENCES = (  # said in many words, to the name by which they are known
    (r"creativecommons\.org/publicdomain/zero|\bCC[- ]?0\b|CC Zero", "CC0 1.0"),
    (r"creativecommons\.org/publicdomain/mark|public ?domain", "Public Domain"),
    (r"creativecommons\.org/licenses/([a-z-]+)/([\d.]+)", r"CC \1 \2"),
    (r"\b(CC[- ]BY(?:[- ](?:NC|SA|ND))*(?:[- ][\d.]*\d)?)", r"\1"),
    (r"(Creative Commons Attribution[A-Za-z -]*?(?: [\d.]*\d)?)(?:[,;.]|$)", r"\1"),
)
_OF_RIGHTS = r"©|\(c\)|copyright|licen[cs]e|rights|https?://|editions?\b|publish|permission"
LONGEST = 200  # characters, but for the licence: what limits it may stand at its end


def read(files: dict[str, str]) -> dict[str, str | None]:
    """Composer, title, lyricist and licence of a score ({name: text}); None if it does not say."""
    ((name, text),) = files.items()
    if name.endswith(".musicxml"):
        found = _musicxml(ET.fromstring(text))
    elif name.endswith(".mei"):
        found = _mei(ET.fromstring(text))
    else:
        keys, line = (
            (_HUMDRUM, r"^!!!{}\d*(?:@@?\w+)?:(.+)$")
            if name.endswith(".krn")
            else (
                _ABC,
                r"^{}:(.+)$",
            )
        )
        found = {
            field: match[1]
            for field, key in keys.items()
            if (match := re.search(line.format(key), text, re.MULTILINE))
        }
    found = {field: _words(found.get(field)) for field in _HUMDRUM}
    short = {field: words and words[:LONGEST] for field, words in found.items()}
    return short | {"licence": _licence(found["licence"])}


def _words(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None


def _licence(text: str | None) -> str | None:
    """A licence by its name if it is a known one, else in its own words; None if it is no licence.

    Words that limit a known licence are kept. Some programs put a subtitle where the rights belong.
    """
    for pattern, name in _LICENCES:
        if text and (match := re.search(pattern, text, re.IGNORECASE)):
            known = match.expand(name)
            return licences.in_short(text, known.upper() if known.startswith("CC ") else known)
    return text if re.search(_OF_RIGHTS, text or "", re.IGNORECASE) else None


# --- MusicXML
def _creator(root: ET.Element, kinds: tuple[str, ...]) -> str | None:
    for kind in kinds:
        found = [
            words
            for creator in root.findall("identification/creator")
            if (creator.get("type") or "composer").lower() == kind
            and (words := _words("".join(creator.itertext())))
        ]
        if found:
            return ", ".join(found)
    return _credit(root, kinds)


def _credit(root: ET.Element, kinds: tuple[str, ...]) -> str | None:
    """What is printed on the first page and said to be of a kind."""
    for credit in root.findall("credit"):
        if (credit.findtext("credit-type") or "").strip().lower() in kinds:
            return _words(" ".join(words.text or "" for words in credit.findall("credit-words")))
    return None


def _musicxml(root: ET.Element) -> dict[str, str | None]:
    work = _words(root.findtext("work/work-title"))
    movement = _words(root.findtext("movement-title"))
    if work and movement and movement.casefold() not in work.casefold():
        title: str | None = f"{work}: {movement}"
    else:
        title = work or movement or _credit(root, ("title",))
    rights = [
        rights
        for element in root.findall("identification/rights")
        if (rights := _words("".join(element.itertext())))
    ]
    return {
        "composer": _creator(root, ("composer",)),
        "title": title,
        "lyricist": _creator(root, ("lyricist", "poet")),
        "licence": "; ".join(rights) or _credit(root, ("rights",)),
    }


# --- MEI
def _mei(root: ET.Element) -> dict[str, str | None]:
    head = root.find(f"{_MEI}meiHead")
    if head is None:
        return {}

    def said(*names: str) -> str | None:
        for name in names:
            for element in head.iter(f"{_MEI}{name}"):
                if words := _words(" ".join(element.itertext())):
                    return words
        return None

    def person(role: str) -> str | None:
        for element in head.iter(f"{_MEI}persName"):
            if (element.get("role") or "").lower() == role:
                return _words(" ".join(element.itertext()))
        return said(role)

    statement = head.find(f"{_MEI}fileDesc/{_MEI}titleStmt/{_MEI}title")
    title = None if statement is None else _words(" ".join(statement.itertext()))
    return {
        "composer": person("composer"),
        "title": title or said("title"),
        "lyricist": person("lyricist"),
        "licence": said("useRestrict", "licence", "availability"),
    }
