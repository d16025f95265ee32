"""Read composer, title and licence of a piece from the headers of its LilyPond files."""

import re
from collections.abc import Iterable

from pipeline.reading import licences
from pipeline.reading.lilypond_files import STRING, code, strings


def header_fields(texts: Iterable[str]) -> dict[str, str | None]:
    """Composer, title and licence of a piece; None for what no header states."""
    joined = "\n".join(map(code, texts))
    return {
        "composer": _field(joined, "mutopiacomposer", "composer"),
        "title": _field(joined, "title", "mutopiatitle"),
        "licence": _licence(_field(joined, "license", "licence", "copyright")),
    }


def _field(text: str, *names: str) -> str | None:
    """The first of some header fields that is not empty; markup is reduced to its strings."""
    for name in filter(text.__contains__, names):
        field = rf"(?<![\w-]){name}\s*+=\s*+#?+({STRING}|\\markup[^\n]*+)"
        for match in re.finditer(field, text, re.DOTALL):
            found = " ".join(strings(match[1])).replace('\\"', '"').replace("\\", "")
            if found := " ".join(found.split()):
                return found
    return None


def _licence(text: str | None) -> str | None:
    """A licence by its name, without the text around it unless that limits it."""
    if text is None:
        return None
    if match := re.search(r"Creative Commons Attribution[A-Za-z-]*( [\d.]*\d)?", text):
        name = match[0]
    else:
        name = "Public Domain" if re.search("public ?domain", text, re.IGNORECASE) else text
    return licences.in_short(text, name)
