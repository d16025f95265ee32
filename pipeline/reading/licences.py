"""What a licence, in the words of a score, is called on the Hugging Face hub, and whether it lets
others hand the piece on."""

import re
from collections.abc import Iterable

RULE = (
    "A piece is left out if its score states no licence, if the licence is not one that is known"
    " to allow redistribution (public domain, CC0, CC BY, CC BY-SA, CC BY-NC, CC BY-NC-SA, GPL,"
    " LGPL, GFDL, MIT, Apache, BSD, Free Art), if it is in the public domain beside a copyright"
    " notice, or if it forbids derivatives (ND): pages and sound are derived from the score. NC is"
    " kept; whoever uses the data has to observe it."
)
NOT_STATED = "no licence stated"
_ABSENT = r"\s*(none|not|no licen[cs]e|unknown|n/?a)\b"
_DENIED = r"\b(not|never|no longer)\b[^.;,]*$"  # before a licence, in the same sentence
_PUBLIC_DOMAIN = r"\bpublic ?domain\b|creativecommons\.org/publicdomain/mark"
_ZERO = r"\bCC[- ]?0\b|CC Zero|creativecommons\.org/publicdomain/zero"
_CREATIVE_COMMONS = r"\bCC[- ]BY\b|Creative Commons Attribution|creativecommons\.org/licenses/by"
_PARTS = {
    "nc": r"\bNC\b|Non[- ]?Commercial",
    "nd": r"\bND\b|No[- ]?Deriv",
    "sa": r"\bSA\b|Share[- ]?Alike",
}
_NOTICE = r"©|\(c\)|\bcopyright(ed)? (by\b|\d{4})"  # of an edition: its music alone may be free
_OTHERS = {
    r"\bLGPL\b|Lesser General Public": "lgpl",
    r"\bGPL\b|General Public Licen[cs]e|licenses/gpl": "gpl",
    r"\bGFDL\b|Free Documentation": "gfdl",
    r"^\s*MIT\s*$|\bMIT Licen[cs]e": "mit",  # `mit` is German for `with`
    r"\bApache\b": "apache-2.0",
    r"\bBSD\b": "bsd",
    r"Free Art Licen[cs]e|Licen[cs]e Art Libre": "other",
}
# Names that the hub knows, of the licences of Creative Commons.
_ON_THE_HUB = {
    *(f"cc-by-{version}" for version in ("2.0", "2.5", "3.0", "4.0")),
    *(f"cc-by-sa-{version}" for version in ("3.0", "4.0")),
    *(f"cc-by-nc-{version}" for version in ("2.0", "3.0", "4.0")),
    *(f"cc-by-nc-sa-{version}" for version in ("2.0", "3.0", "4.0")),
    *("cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
}


def identifier(licence: str | None) -> str | None:
    """Name a licence as the hub does; None if it is none or not known.

    `other` stands for a known licence without a name of its own there, such as public domain.
    """

    if not licence or re.match(_ABSENT, licence, re.IGNORECASE):
        return None

    def said(pattern: str) -> bool:
        places = re.finditer(pattern, licence, re.IGNORECASE)
        return any(not re.search(_DENIED, licence[: p.start()], re.IGNORECASE) for p in places)

    if said(_ZERO):
        return "cc0-1.0"
    if said(_CREATIVE_COMMONS):
        parts = [part for part, words in _PARTS.items() if re.search(words, licence, re.IGNORECASE)]
        parts.sort(key=("nc", "nd", "sa").index)
        version = re.search(r"\d\.\d", licence)
        name = "-".join(["cc", "by", *parts, version[0] if version else ""])
        return name if name in _ON_THE_HUB else "cc"
    if said(_PUBLIC_DOMAIN) and not said(_NOTICE):
        return "other"
    return next((name for pattern, name in _OTHERS.items() if said(pattern)), None)


def forbidden(licence: str | None, allowed: Iterable[str] = ()) -> str | None:
    """Say why a piece must not be handed on by RULE; None if it may be.

    Args:
        licence: As the score states it.
        allowed: Licences, word by word, that somebody has judged to allow it.
    """
    if licence in set(allowed):
        return None
    if not licence or re.match(_ABSENT, licence, re.IGNORECASE):
        return NOT_STATED
    if re.search(r"all rights reserved", licence, re.IGNORECASE):
        return "all rights reserved"
    name = identifier(licence)
    if name is None:
        return f"not known to allow redistribution: {licence}"
    of_creative_commons = name.startswith("cc") and name != "cc0-1.0"
    if of_creative_commons and re.search(_PARTS["nd"], licence, re.IGNORECASE):
        return f"forbids derivatives: {licence}"
    return None


def in_short(text: str, name: str) -> str:
    """A licence by its `name` if that allows and forbids what the `text` does, else the text."""
    same = identifier(text) == identifier(name)
    return name if same and (forbidden(text) is None) == (forbidden(name) is None) else text
