"""A score of one file, compiled by LilyPond under control."""

from pipeline.engraving import compilation

PIECE = "\\score { { c'4 d' e' f' } \\layout { } \\midi { } }\n"
VERSION = '\\version "2.24.0"\n'


def compiled(text: str, folder) -> str | None:
    """Compile a score into a folder; returns the reason if it failed."""
    return compilation.compile_score([{"name": "x.ly", "text": VERSION + text}], folder)[0]


def names(folder) -> set[str]:
    """What lies in a folder."""
    return {path.name for path in folder.iterdir()}
