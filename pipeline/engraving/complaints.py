"""Pick what LilyPond complained of out of what it printed, for a piece that was engraved all the
same: an unknown command, say, which LilyPond skips together with what it should have done."""

import re

MOST = 10  # complaints; the others are only counted
LENGTH = 200  # characters of one

_FOLDERS = re.compile(r"(?<![^\s\"'`(])/(?:[^\s:/\"'`]+/)+")  # of an absolute path
_LOCATED = re.compile(
    r"(?P<location>[^\s:][^:]{0,99}:[0-9]+(?::[0-9]+)?): "
    r"(?P<kind>(?:fatal |programming )?error|warning): (?P<text>.*)"
)
_PLAIN = re.compile(r"(?P<kind>(?:fatal |programming )?error|warning): (?P<text>.*)")


def _clean(line: str) -> str:
    """A line without control characters and without the folders of file names."""
    visible = "".join(character if character.isprintable() else " " for character in line)
    return _FOLDERS.sub("", " ".join(visible.split()))


def complaints(said: str) -> list[str]:
    """Errors that LilyPond printed, each once, with its first location in the source.

    Args:
        said: What LilyPond wrote to stderr.

    Returns:
        At most MOST + 1 lines of at most LENGTH characters.
    """
    locations: dict[str, list[str]] = {}
    for line in said.splitlines():
        line = _clean(line[: 4 * LENGTH])
        if match := _LOCATED.match(line) or _PLAIN.match(line):
            kind = "" if match["kind"] == "error" else f"{match['kind']}: "
            text = f"{kind}{match['text'].rstrip(':')}"[: LENGTH - 60]
            locations.setdefault(text, []).append(match.groupdict().get("location") or "")
    found = []
    for text, at in locations.items():
        more = f" and {len(at) - 1} more" if len(at) > 1 else ""
        found.append(f"{text} ({at[0]}{more})"[:LENGTH] if at[0] or more else text)
    left = len(found) - MOST
    return found[:MOST] + ([f"and {left} more complaints"] if left > 0 else [])
