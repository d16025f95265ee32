"""Fit the weights of sureness (`models.following.sureness`) to recordings whose truth is known.

A logistic regression: the chance that an onset is within 100 ms of the truth. Each recording counts
the same, however many onsets it has.
"""

from itertools import pairwise

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from models.following.sureness import WEIGHTS

PENALTY = 1e-3  # of squared weights, evidence in standard deviations
Evidence = dict[str, np.ndarray]  # (onsets,) by name


def fit(evidence: list[Evidence], near: list[np.ndarray]) -> tuple[float, dict[str, float]]:
    """The intercept and the weights.

    Args:
        evidence: Of each recording, from `sureness.evidence`.
        near: Of each recording, (onsets,) whether the time is right.
    """
    values = np.concatenate([np.stack([one[name] for name in WEIGHTS], axis=1) for one in evidence])
    right = np.concatenate(near).astype(float)
    share = np.concatenate([np.full(len(one), 1 / len(one) / len(near)) for one in near])
    mean, scale = values.mean(axis=0), values.std(axis=0)
    standard = np.column_stack([np.ones(len(values)), (values - mean) / scale])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        odds = standard @ weights
        free = np.append(0.0, weights[1:])
        lost = (share * (np.logaddexp(0, odds) - right * odds)).sum() + PENALTY * (free**2).sum()
        return lost, standard.T @ (share * (expit(odds) - right)) + 2 * PENALTY * free

    found = minimize(loss, np.zeros(standard.shape[1]), jac=True, method="BFGS").x
    weights = found[1:] / scale
    names = dict(zip(WEIGHTS, weights.tolist(), strict=True))
    return float(found[0] - weights @ mean), names


def predict(evidence: Evidence, intercept: float, weights: dict[str, float]) -> np.ndarray:
    """The sureness of the onsets of a recording: (onsets,)."""
    return expit(intercept + sum(weight * evidence[name] for name, weight in weights.items()))


def held_out(pieces: list[str], evidence: list[Evidence], near: list[np.ndarray]) -> np.ndarray:
    """The sureness of each recording's onsets by weights that are fitted to the other pieces.

    Args:
        pieces: Of each recording, what it plays.
        evidence: As for `fit`.
        near: As for `fit`.

    Returns:
        (onsets of all,) in the order of the recordings.
    """
    found = []
    for piece, values in zip(pieces, evidence, strict=True):
        others = [number for number, other in enumerate(pieces) if other != piece]
        fitted = fit([evidence[n] for n in others], [near[n] for n in others])
        found.append(predict(values, *fitted))
    return np.concatenate(found)


def table(sure: np.ndarray, near: np.ndarray) -> str:
    """Markdown: onsets by sureness, and the share that is right."""
    lines = ["| sureness | notes | within 100 ms |", "|---|---|---|"]
    edges = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1)
    for low, high in pairwise(edges):
        inside = (sure >= low) & ((sure < high) | (high == 1))
        share = f"{near[inside].mean():.3f}" if inside.any() else "-"
        lines.append(f"| {low:g} to {high:g} | {inside.sum()} | {share} |")
    return "\n".join(lines)
