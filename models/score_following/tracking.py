"""Track a recording along the staves of a tune, causally, on the probabilities of the buckets.

Dorfer et al. 2016 predict each note by itself (2.3) and name tracking over time as future work.
Here the states of a hidden Markov model are the buckets of all staves, and the network's
probabilities serve as their likelihoods. The forward algorithm gives the probability of each state
given what was heard so far, and nothing that is yet to come.
"""

import numpy as np

from pipeline.constants import BUCKET_PX, BUCKETS, SCORE_FOLLOWING

STEP_FRAMES = 4  # between two looks, 0.128 s
STEP_S = STEP_FRAMES / SCORE_FOLLOWING.fps
# How far the music moves in a step, in buckets; a staff of 40 lasts some ten seconds.
MOVES = {-1: 0.01, 0: 0.53, 1: 0.34, 2: 0.09, 3: 0.02, 4: 0.01}
TURN = 0.08  # chance to turn to the next staff near the end of one
END_BUCKETS = 6  # that are near the end
BEGIN_BUCKETS = 14  # of a staff, in one of which its first note stands
ANYWHERE = 1e-5  # chance to go on anywhere: a repeat, or the music was lost
# Both chosen on the default's validation tunes, with our own network (docs/notes/reproduction.md).
DOUBT = 0.02  # of the network: this share of its probability is spread evenly
WEIGHT = 0.25  # exponent of a likelihood: excerpts of neighbouring looks share most frames


def transitions(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The chance of each state after each other.

    Args:
        left: (staves,) where the lines of each staff begin, px.
        right: (staves,) where they end, px.

    Returns:
        (states, states) float64, rows sum to one. State 40 s + b is bucket b of staff s.
    """
    staves = len(left)
    count = staves * BUCKETS
    matrix = np.zeros((count, count))
    first, last = _buckets(left), _buckets(right)
    for staff in range(staves):
        turn = None
        if staff + 1 < staves:
            begin = (staff + 1) * BUCKETS + first[staff + 1]
            turn = np.arange(begin, min(begin + BEGIN_BUCKETS, (staff + 2) * BUCKETS))
        for bucket in range(BUCKETS):
            row = matrix[staff * BUCKETS + bucket]
            near = turn is not None and bucket > last[staff] - END_BUCKETS
            for move, chance in MOVES.items():
                to = bucket + move
                if 0 <= to < BUCKETS:
                    row[staff * BUCKETS + to] += chance
                elif to >= BUCKETS and turn is not None:
                    row[turn] += chance / len(turn)
                else:
                    row[staff * BUCKETS + bucket] += chance
            if near and turn is not None:
                row *= 1 - TURN
                row[turn] += TURN / len(turn)
    return (1 - ANYWHERE) * matrix + ANYWHERE / count


def _buckets(x: np.ndarray) -> np.ndarray:
    return np.clip(np.asarray(x) // BUCKET_PX, 0, BUCKETS - 1).astype(int)


def beginning(left: np.ndarray) -> np.ndarray:
    """The chance of each state before anything is heard: (states,); the tune's begin is likely."""
    count = len(left) * BUCKETS
    start = np.full(count, 0.1 / count)
    first = int(_buckets(left)[0])
    start[first : first + BEGIN_BUCKETS] += 0.9 / BEGIN_BUCKETS
    return start / start.sum()


def likelihoods(probabilities: np.ndarray) -> np.ndarray:
    """What the network's probabilities say of each state: (looks, states).

    Args:
        probabilities: (looks, staves, 40), of the buckets of all staves, which sum to one.
    """
    states = probabilities.reshape(len(probabilities), -1)
    even = (1 - DOUBT) * states * states.shape[1] + DOUBT
    return even**WEIGHT


def forward(start: np.ndarray, matrix: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
    """The forward algorithm: the chance of each state given all observations up to its time.

    Args:
        start: (states,) before the first observation.
        matrix: (states, states), rows sum to one.
        likelihood: (looks, states) of the observations.

    Returns:
        (looks, states), rows sum to one.
    """
    found = np.empty_like(likelihood, dtype=np.float64)
    now = start
    for look, observed in enumerate(likelihood):
        now = (now @ matrix if look else now) * observed
        now = now / now.sum()
        found[look] = now
    return found


def track(probabilities: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Track a recording.

    Args:
        probabilities: (looks, staves, 40), of the buckets of all staves, a look every STEP_FRAMES.
        left: (staves,) px, where the lines of each staff begin.
        right: (staves,) px, where they end.

    Returns:
        (looks, 2) int: the most probable staff and its bucket, given what was heard so far.
    """
    chances = forward(beginning(left), transitions(left, right), likelihoods(probabilities))
    best = chances.argmax(axis=1)
    return np.stack([best // BUCKETS, best % BUCKETS], axis=1)
