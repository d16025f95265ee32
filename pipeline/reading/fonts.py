"""Find sound fonts by the names that a config gives them."""

import importlib.util
from pathlib import Path

from pipeline.reading.catalogue import archive


def packaged(name: str) -> bool:
    """Whether a sound font is named as `package:file`, a file inside a Python package."""
    package, colon, _ = name.partition(":")
    return bool(colon) and package.isidentifier()


def font_path(name: str, downloads: Path | str = "downloads") -> Path:
    """The path of the sound font that a config names.

    Args:
        name: a path, `package:file` for a file inside a Python package, or a name of the catalogue
            for a font that is fetched into `downloads`.
        downloads: folder of fetched files.

    Raises:
        FileNotFoundError: if there is no such file; it names the font.
    """
    path = archive(name, downloads) or Path(name)
    if packaged(name):
        package, _, file = name.partition(":")
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"sound font {name}: package '{package}' is not installed")
        path = Path(spec.origin).parent / file
    if not path.is_file():
        raise FileNotFoundError(f"sound font {name}: no file {path}")
    return path
