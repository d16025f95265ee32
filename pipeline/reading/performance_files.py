"""Which match files belong to which score, by their names, and who plays in them."""

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable

from pipeline.reading.catalogue import SCORE
from pipeline.reading.pieces import piece_id_of, with_digest

SEPARATORS = "_-. "  # between the name of a score and that of a performer


def by_score(scores: Iterable[str], matches: Iterable[str]) -> dict[str | None, list[str]]:
    """The match files of each score; under None those whose score is not found.

    A match file belongs to the score that its own name begins with (`waltz_p01.match` to
    `waltz.musicxml`, in whatever folders), the longest such name, or else to the only score of its
    folder.

    Args:
        scores: names of files, with slashes.
        matches: the same.
    """
    by_stem: dict[str, list[str]] = defaultdict(list)
    in_folder: dict[str, list[str]] = defaultdict(list)
    for score in scores:
        by_stem[_stem(score)].append(score)
        in_folder[posixpath.dirname(score)].append(score)
    found: dict[str | None, list[str]] = defaultdict(list)
    for match in sorted(matches):
        stem, folder = _stem(match), in_folder[posixpath.dirname(match)]
        beginnings = (stem[:end] for end in range(len(stem), 0, -1))
        named = next((own for own in beginnings if own in by_stem and _begins(stem, own)), None)
        candidates = folder if named is None else by_stem[named]
        if len(candidates) > 1:
            candidates = [score for score in candidates if score in folder] or candidates
        found[candidates[0] if len(candidates) == 1 else None].append(match)
    return found


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0]


def _begins(stem: str, score: str) -> bool:
    return stem == score or (stem.startswith(score) and stem[len(score)] in SEPARATORS)


def performers(matches: list[str], score: str) -> list[str]:
    """Who plays in the match files of a score: their names without that of the score, written as
    ids of pieces are. Names that differ in case at most get a digest of the file's name."""
    names = [_performer(match, score) for match in matches]
    counts = Counter(map(str.casefold, names))
    return [
        with_digest(name, match) if counts[name.casefold()] > 1 else name
        for name, match in zip(names, matches, strict=True)
    ]


def _performer(match: str, score: str) -> str:
    stem, own = _stem(match), _stem(score)
    name = stem[len(own) :].lstrip(SEPARATORS) if _begins(stem, own) else stem
    return piece_id_of(f"{name or stem}.match")


def piece_name(score: str) -> str:
    """The name of a score that a piece's id is made of: that of its folder in the layout of
    (n)ASAP, where all have one name."""
    folder = posixpath.dirname(score)
    return f"{folder}.musicxml" if folder and posixpath.basename(score) == SCORE else score
