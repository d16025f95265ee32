"""Call ffmpeg, which encodes the sound of pages and videos; it opens files, no addresses."""

import shutil
import subprocess
from pathlib import Path

TOOL = "ffmpeg"
QUIET = (TOOL, "-nostdin", "-hide_banner", "-v", "error", "-y")


def installed() -> bool:
    """Whether ffmpeg is on the path."""
    return shutil.which(TOOL) is not None


def require(path: Path) -> None:
    """Raise ValueError with the remedy if ffmpeg, which is to write `path`, is not installed."""
    if not installed():
        raise ValueError(
            f"{path}: a video is encoded by {TOOL}, which is not installed; "
            f"Debian, Ubuntu: sudo apt-get install {TOOL}; macOS: brew install {TOOL}"
        )


def sound_of(recording: Path) -> list[str | Path]:
    """Arguments that read the first audio track of a file, its first sample at 0 s."""
    return ["-protocol_whitelist", "file", "-i", f"file:{recording.resolve()}"]


def aac(kbits: int) -> list[str]:
    """Arguments that encode the sound as AAC with so many kbit a second."""
    return ["-map", "0:a:0", "-vn", "-map_metadata", "-1", "-af", "asetpts=N/SR/TB",
            "-c:a", "aac", "-b:a", f"{kbits}k", "-movflags", "+faststart"]  # fmt: skip


def run(arguments: list[str | Path], recording: Path) -> None:
    """Run ffmpeg; raises ValueError that names the recording if it fails."""
    done = subprocess.run(
        [*QUIET, *map(str, arguments)], capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ValueError(f"{recording}: {TOOL} cannot encode its sound ({why})")
