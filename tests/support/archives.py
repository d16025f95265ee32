"""Archives that the tests write themselves."""

import io
import tarfile
from pathlib import Path


def tar(path: Path, members: list[tuple[str, bytes | None]], mode: str = "w:gz") -> None:
    """A tar archive of (name, content) members; content None makes a link to /etc/passwd."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content or b""))
