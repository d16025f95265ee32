"""Play a score with expression: tempo and loudness follow phrases, the end slows down, chords are
spread.

What is drawn follows from a seed alone. Tempo is a parabola over each phrase (Todd 1992); the end
slows down like a runner who stops (Friberg and Sundberg 1999).
"""

from dataclasses import dataclass

import numpy as np

PHRASE_QUARTERS = (8, 12, 16, 24)  # lengths that are drawn
ARCH = (0.06, 0.18)  # rise of a phrase's tempo in its middle, relative; drawn for each
DRIFT = 0.03  # standard deviation of the tempo of each quarter, relative
RITARD_QUARTERS = 6.0  # at the end
RITARD_TO = (0.45, 0.7)  # of the tempo, what is left of it at the end
RITARD_CURVE = 2.0  # exponent; 2 is a runner
GRID_QUARTERS = 1 / 8  # on which tempo is integrated
LEAD_S = 0.015  # by which a melody note comes before the others of its chord
SPREAD_S = 0.006  # standard deviation of the notes of a chord
ROLL_CHANCE, ROLL_S = 0.05, 0.03  # of chords that are rolled upwards, and seconds from note to note
LATEST_S = 0.12  # no note of a chord comes later than this
VELOCITY_RANGE = (25, 110)
VELOCITY_ARCH = 24  # a phrase's middle is louder by so much
VELOCITY_MELODY, VELOCITY_SPREAD = 10, 4


@dataclass(frozen=True)
class Shape:
    """How a piece is played.

    Attributes:
        quarters: (points,) of the score, ascending.
        tempo: (points,) at these quarters, 1 as written.
        loudness: (points,) from 0 to 1, within a phrase.
    """

    quarters: np.ndarray
    tempo: np.ndarray
    loudness: np.ndarray


def shape(length: float, rng: np.random.Generator) -> Shape:
    """Draw how a score of some quarters is played; its mean tempo before the end is as written."""
    quarters = np.arange(0, max(length, 1) + 2 * GRID_QUARTERS, GRID_QUARTERS)
    logarithm, loudness = np.empty_like(quarters), np.empty_like(quarters)
    begin = 0.0
    while begin <= quarters[-1]:
        phrase = float(rng.choice(PHRASE_QUARTERS))
        inside = (quarters >= begin) & (quarters < begin + phrase)
        parabola = 1 - (2 * (quarters[inside] - begin) / phrase - 1) ** 2
        logarithm[inside] = rng.uniform(*ARCH) * (parabola - 2 / 3)  # 2 / 3 is its mean
        loudness[inside] = parabola
        begin += phrase
    beats = np.arange(0, quarters[-1] + 2)
    logarithm += np.interp(quarters, beats, rng.normal(0, DRIFT, len(beats)))
    tempo = np.exp(logarithm - logarithm.mean())
    left = np.clip((length - quarters) / min(RITARD_QUARTERS, length / 4 or 1), 0, 1)
    least = rng.uniform(*RITARD_TO) ** RITARD_CURVE
    return Shape(quarters, tempo * (least + (1 - least) * left) ** (1 / RITARD_CURVE), loudness)


def _seconds(quarter: np.ndarray, onset_s: np.ndarray, shape: Shape) -> np.ndarray:
    """When moments are reached that lie at `onset_s` as written."""
    written, first = np.unique(onset_s, return_index=True)
    at = quarter[first]
    steps = np.diff(written, prepend=0.0)
    begins = np.concatenate([[0.0], at[:-1]])
    # The mean of 1 / tempo from one moment to the next, times the seconds between them as written.
    slowness = np.concatenate(
        [[0.0], np.cumsum((1 / shape.tempo[1:] + 1 / shape.tempo[:-1]) / 2 * GRID_QUARTERS)]
    )
    passed = np.interp(at, shape.quarters, slowness) - np.interp(begins, shape.quarters, slowness)
    width = at - begins
    mean = np.where(
        width > 0,
        passed / np.where(width > 0, width, 1),
        np.interp(at, shape.quarters, 1 / shape.tempo),
    )
    return np.interp(onset_s, written, np.cumsum(steps * mean))


def play(notes: list[dict], seed: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Play the notes of a piece with expression.

    Args:
        notes: Rows of NOTES.
        seed: Of all that is drawn.

    Returns:
        For each note its onset (s), duration (s) and velocity, at tempo ratio 1.
    """
    rng = np.random.default_rng(list(seed.encode()))
    onset, duration, onset_s, duration_s, pitch = (
        np.array([note[name] for note in notes], np.float64)
        for name in ("onset", "duration", "onset_s", "duration_s", "pitch")
    )
    played = shape(float((onset + duration).max()), rng)
    quarter = np.concatenate([onset, onset + duration])
    seconds = _seconds(quarter, np.concatenate([onset_s, onset_s + duration_s]), played)
    begins, ends = seconds[: len(notes)], seconds[len(notes) :]
    delay, accent = np.zeros(len(notes)), np.zeros(len(notes))
    in_order = np.argsort(onset_s, kind="stable")
    for chord in np.split(in_order, np.flatnonzero(np.diff(onset_s[in_order])) + 1):
        delay[chord], accent[chord] = _chord(pitch[chord], rng)
    loudness = np.interp(onset, played.quarters, played.loudness)
    velocity = 64 + VELOCITY_ARCH * (loudness - 0.5) + accent
    velocity = np.clip(np.rint(velocity), *VELOCITY_RANGE).astype(int)
    return begins + delay, np.maximum(ends - begins - delay, duration_s.clip(0, 0.03)), velocity


def _chord(pitch: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Delays (s) and accents of notes that begin together; one key has one of each."""
    keys, which = np.unique(pitch, return_inverse=True)
    accent = rng.normal(0, VELOCITY_SPREAD, len(keys))
    accent[-1] += VELOCITY_MELODY * (len(keys) > 1)
    if len(keys) == 1:
        return np.zeros(len(pitch)), accent[which]
    if rng.random() < ROLL_CHANCE:
        delay = ROLL_S * np.arange(len(keys))
    else:
        delay = np.abs(rng.normal(0, SPREAD_S, len(keys))) + LEAD_S
        delay[-1] = 0.0
    return delay.clip(0, LATEST_S)[which], accent[which]
