"""Fill the page on which a score is seen and heard: images with marks, a cursor, and a player.

The page is one file without outside requests: `page.html` has what all such pages share, and each
kind adds a style and a script of its own (`inspect.css` and `inspect.js`, for example).
"""

import base64
import html
import io
import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from pipeline.replacing import replacing

TEMPLATE = Path(__file__).with_name("page.html")
MARK = b'<meta name="generator" content="Partimento">'  # near the top of every page
BLOCK_SAMPLES = 65_536  # libsndfile's Vorbis encoder overflows its stack on long blocks
MOST_RATE_HZ = 48_000  # of sound in a page; above 200 kHz that encoder crashes, too
NOTEHEAD = ("notehead_id", "image", "system", "staff", "x", "y", "width", "height", "pitch",
            "moment", "grace", "tied")  # fmt: skip


def data_url(kind: str, content: bytes) -> str:
    """Content of a media type as a URL that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def vorbis(samples: np.ndarray, rate: int) -> bytes:
    """Encode samples (n,) in [-1, 1] as Ogg Vorbis: a third of FLAC, no sample more or less.

    Those of more than 48 kHz are resampled to it, which takes away only what nobody hears.
    """
    if rate > MOST_RATE_HZ:
        ratio = Fraction(MOST_RATE_HZ, rate)
        samples, rate = resample_poly(samples, ratio.numerator, ratio.denominator), MOST_RATE_HZ
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", rate, channels=1, format="OGG", subtype="VORBIS") as file:
        for first in range(0, len(samples), BLOCK_SAMPLES):
            file.write(samples[first : first + BLOCK_SAMPLES])
    return out.getvalue()


def fill(content: dict, script: Path) -> str:
    """Fill the template; no text of the content can end the script that holds it.

    Args:
        content: What the scripts know as `piece`; has at least `title`, `composer`, `unit` (what an
            image is called), `audio` (URL), `duration_s`, `end_s`, `images`, `systems`, `heads`,
            `notes` and `stops`.
        script: JavaScript of this kind of page; its style lies beside it.
    """
    parts = {
        "title": html.escape(content["title"] or content["piece_id"]),
        "style": script.with_suffix(".css").read_text(),
        "content": json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace(
            "<", "\\u003c"
        ),
        "script": script.read_text(),
    }
    return re.sub("{{(.*?)}}", lambda name: parts[name[1]], TEMPLATE.read_text())


def write(content: dict, script: Path, path: Path) -> None:
    """Write the page of some content, whole or not at all; see `fill`."""
    text = fill(content, script)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
