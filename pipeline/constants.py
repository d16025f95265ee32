"""Every number of time, frequency and pixels, derived once and named with its unit.

Sections and tables are those of Dorfer et al. 2016 (A) and Balke et al. 2019 (B).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np  # who reads a number alone need not wait for it

# --- sound ---------------------------------------------------------------------------------
AUDIO_RATE_HZ = 44_100  # of the FLAC files
SPECTROGRAM_RATE_HZ = 22_050  # of the samples that the spectrogram sees (A 3.2)
WINDOW_SAMPLES = 2_048  # one frame of the short-time Fourier transform (A 3.2)
VELOCITY = 64  # of every note, so that loudness carries no hint (MSMD v1.1)
GAIN = 0.2  # FluidSynth's own default
TAIL_S = 1.0  # what a recording keeps after its last note ends, for the sound to die away


@dataclass(frozen=True)
class SpectrogramSettings:
    """What fixes a log-frequency spectrogram; `bins` is checked against the filterbank."""

    fps: float  # frames per second
    bands_per_octave: int
    fmin_hz: float
    fmax_hz: float
    bins: int  # frequency bins that survive once duplicate low filters are dropped

    @property
    def hop_samples(self) -> float:
        """Samples between the starts of two frames; need not be whole."""
        return SPECTROGRAM_RATE_HZ / self.fps


# A 3.2 says 80 Hz, which gives 132 bins; 30 Hz gives the 136 that A reports.
SCORE_FOLLOWING = SpectrogramSettings(
    fps=31.25, bands_per_octave=24, fmin_hz=30.0, fmax_hz=8_000.0, bins=136
)
RETRIEVAL = SpectrogramSettings(
    fps=20.0, bands_per_octave=16, fmin_hz=30.0, fmax_hz=6_000.0, bins=92
)
SPECTROGRAMS = {"score_following": SCORE_FOLLOWING, "retrieval": RETRIEVAL}

FRAME_EPSILON = 1e-6  # frames; keeps ceil() from jumping where an onset falls on a frame


def onset_frame(onset_s: float, fps: float) -> int:
    """First frame that begins at or after an onset (seconds)."""
    return math.ceil(onset_s * fps - FRAME_EPSILON)


FRAME_DELAY = 0.5  # frames from an onset to `onset_frame`, in the mean


def onset_times(frames: "np.ndarray", fps: float) -> "np.ndarray":
    """Times of what a network finds at some frames, in seconds; negative at frame 0.

    Networks learn from the first frame at or after an onset, half a frame late in the mean.
    """
    return (frames - FRAME_DELAY) / fps


# --- what the network of A hears and sees --------------------------------------------------
EXCERPT_FRAMES = 40  # 1.28 s at 31.25 frames a second (A 2.1)
FRAMES_AFTER_ONSET = 5  # the excerpt ends this many frames after its target (A 3.2)
FRAMES_BEFORE_ONSET = EXCERPT_FRAMES - 1 - FRAMES_AFTER_ONSET
STAFF_HEIGHT_PX = 40  # A 2.1
STAFF_WIDTH_PX = 390  # A 2.1
BUCKETS = 40  # A 3.4
BUCKET_PX = STAFF_WIDTH_PX / BUCKETS  # 9.75

# --- paper ---------------------------------------------------------------------------------
MM_PER_INCH = 25.4
A4_WIDTH_MM = 210.0
PAGE_WIDTH_PX = 835  # of a full page (B, MSMD)
STAFF_PX_PER_MM = PAGE_WIDTH_PX / A4_WIDTH_MM / 2  # staff images are drawn at half that scale
STAFF_MARGIN_PX = 7.0  # white to the left of a staff that starts at the margin
LINE_WIDTH_MM = 189.0  # fits 390 px with a margin on either side: 375.8 px
FIRST_INDENT_MM = 15.0  # of a piece's first staff, LilyPond's default

# --- what the networks of B see ------------------------------------------------------------
STRIP_HEIGHT_PX = 200  # about the middle row of a system (B 3.2)
SNIPPET_HEIGHT_PX = 160  # B 3.2
SNIPPET_WIDTH_PX = 200  # B 3.2
CROP_WIDTH_PX = 800  # cut before the snippet in the experiments of B
SNIPPET_FACTOR = 2  # a snippet is halved to 80 x 100 px before the network (authors' code)
WHITE = 255  # of an 8-bit grey image

# --- what the networks of B hear -----------------------------------------------------------
CONTEXTS = {"SC": 42, "MC": 84, "LC": 168}  # frames of an excerpt, 2.1, 4.2 and 8.4 s (B 3.2)
EMBEDDING = 32  # dimensions of the shared space (B 2)
