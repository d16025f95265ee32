"""Training examples of score following, in memory: staff images, recordings and onsets."""

import hashlib
from dataclasses import dataclass, fields

import numpy as np

from pipeline.constants import FRAMES_AFTER_ONSET, FRAMES_BEFORE_ONSET, WHITE


@dataclass
class Examples:
    """All examples of one split; each image is held once, however often its piece is performed.

    Frames count from the start of a performance's recording.
    """

    split: str
    pieces: list[str]  # piece_id of each piece
    # of each staff
    images: np.ndarray  # (staves, 40, 390) uint8, white 255
    left: np.ndarray  # px, where the staff lines begin
    right: np.ndarray  # px, where they end
    # of each performance
    spectrogram: np.ndarray  # (rows, 136), all recordings, with zeros before and after each
    start: np.ndarray  # row of `spectrogram` that is frame 0
    font: list[str]
    tempo_ratio: np.ndarray
    # of each example
    piece: np.ndarray  # index into `pieces`
    performance: np.ndarray  # index into `start`
    staff: np.ndarray  # index into `images`
    image: np.ndarray  # running number of the staff in its piece
    note_id: np.ndarray
    frame: np.ndarray  # first one at or after the onset
    x: np.ndarray  # px, centre of the notehead
    first_frame: np.ndarray  # first onset of this pass over the staff
    last_frame: np.ndarray  # last onset of this pass over the staff

    def __len__(self) -> int:
        return len(self.x)

    def fingerprint(self) -> str:
        """A digest that differs if the examples, their images or their recordings do."""
        digest = hashlib.sha256(self.split.encode())
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                digest.update(np.ascontiguousarray(value))
        return digest.hexdigest()

    def memory(self) -> int:
        """Bytes that recordings and images take."""
        return self.spectrogram.nbytes + self.images.nbytes

    def image_batch(self, staves: np.ndarray) -> np.ndarray:
        """Staff images as the network takes them: (staves, 1, 40, 390) float32, ink 1, paper 0."""
        return (WHITE - self.images[staves])[:, None].astype(np.float32) / WHITE

    def excerpt_batch(self, examples: np.ndarray) -> np.ndarray:
        """The 40 frames from 34 before to 5 after each onset (3.2); zeros beyond the recording.

        Args:
            examples: (n,) indices.

        Returns:
            (n, 1, 136, 40) float32, bins x frames.
        """
        return excerpts(
            self.spectrogram, self.start[self.performance[examples]], self.frame[examples]
        )


def excerpts(spectrogram: np.ndarray, start: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Cut the excerpts that the network hears out of a spectrogram.

    Args:
        spectrogram: (rows, bins).
        start: (n,) row of each recording's frame 0.
        frame: (n,) frame of each onset.

    Returns:
        (n, 1, bins, 40) float32.
    """
    window = np.arange(-FRAMES_BEFORE_ONSET, FRAMES_AFTER_ONSET + 1)
    rows = (start + frame)[:, None] + window
    return spectrogram[rows].astype(np.float32).transpose(0, 2, 1)[:, None]
