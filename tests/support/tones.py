"""A network that knows tones: recordings and strips of them, to be sought and found."""

from pathlib import Path

import numpy as np
import soundfile
import torch

from pipeline.constants import RETRIEVAL, SPECTROGRAM_RATE_HZ, WHITE
from pipeline.spectrogram import filterbank
from tests.support.performances import performance
from tests.support.staves import png

NARROW = (2, 2, 2, 2)
TONES_HZ = 220.0 * 2 ** (np.arange(24) / 12)
TONE_S = 1.0
GAP_PX = 60  # between two printed places


def level(tone: np.ndarray) -> np.ndarray:
    """What share of the bins lies below a tone: its ink, and what the network hears of it."""
    centre = filterbank(RETRIEVAL).argmax(axis=0) * SPECTROGRAM_RATE_HZ / 2_048
    return np.abs(centre - TONES_HZ[tone][..., None]).argmin(axis=-1) / RETRIEVAL.bins


class Knowing(torch.nn.Module):
    """Hears the loudest bin, and sees the ink, in the middle of a window."""

    name, context, attends = "BL2-SC", 42, False

    def sheet(self, images: torch.Tensor) -> torch.Tensor:
        return self.turned(1 - images[:, 0, 40, 49:51].mean(dim=1))

    def audio(self, excerpts: torch.Tensor) -> torch.Tensor:
        return self.turned(excerpts[:, 0, :, 21].argmax(dim=1) / RETRIEVAL.bins)

    def turned(self, share: torch.Tensor) -> torch.Tensor:
        angle = share.float() * torch.pi / 2
        return torch.stack([angle.cos(), angle.sin()] + 30 * [0 * angle], dim=1)

    def project_sheet(self, values: torch.Tensor) -> torch.Tensor:
        return values

    project_audio = project_sheet


def printed(piece_id: str, tones: list[int], **changes) -> dict:
    """A shard's row whose strip shows the tones in turn, each as a bar of its own grey."""
    ink = np.repeat(level(np.array(tones)), GAP_PX)
    strip = np.tile(np.rint(WHITE * (1 - ink)).astype(np.uint8), (200, 1))
    x = GAP_PX * (0.5 + np.arange(len(tones)))
    row = performance(piece_id, notes=len(tones))
    return row | {"images": [png(strip)], "right": [len(ink)], "x": x} | changes


def played(path: Path, tones: list[int], rate: int = 22_050, volume: float = 0.3) -> Path:
    """A recording of the tones, a second each."""
    t = np.arange(int(TONE_S * rate)) / rate
    parts = [volume * np.sin(2 * np.pi * TONES_HZ[tone] * t) for tone in tones]
    soundfile.write(path, np.concatenate(parts), rate)
    return path


PIECES = {"up": [0, 2, 4, 6, 8, 10], "down": [23, 21, 19, 17, 15, 13], "low": [1, 1, 1, 1, 1, 1]}
