"""From a latent to poses: the places it resembles, each with what it says about where the latent was taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, compose, from_cos_sin, mean_pose, pose_gap
from ami_ros.places.index import Latents, PlaceIndex


@dataclass(frozen=True)
class Matches:
    """Hypotheses of one latent's pose."""

    rows: NDArray[np.int64]  # (k,) rows of the index
    weights: Array  # (k,) sum to at most 1; the rest speaks for a place that is not remembered
    poses: Array  # (k, 3) in the map frame
    distances: Array  # (k,) from the place to the hypothesis [m]; farther ones are less exact


@dataclass(frozen=True)
class Hypothesis:
    """One cluster of matches."""

    pose: Array  # (3,) in the map frame
    share: float  # of the weight of all matches [0, 1]


def match(index: PlaceIndex, latent: Latents, count: int = 24, reach: float = 0.7) -> Matches:
    """The best `count` places, and the pose that each implies through the relative-pose head.

    The weight of a place is its share under the InfoNCE critic, whose temperature makes scores log-likelihood
    ratios (arXiv 1807.03748), times a factor that falls with the distance that the head sees.

    Args:
        index: the places.
        latent: (latent_dim,).
        count: of places.
        reach: distance [m] at which that factor is 1/e.
    """
    rows, score = index.most_similar(latent, count)
    offsets = from_cos_sin(index.model.relative_pose(index.latents[rows], latent))
    logits = score.astype(np.float64) / index.model.contrast.temperature
    weights = np.exp(logits - logits.max(initial=-np.inf))
    distances = np.hypot(offsets[:, 0], offsets[:, 1])
    # Far away the head is drawn to the mean, as every regression is: such a place says only that this is no known one.
    weights *= np.exp(-((distances / reach) ** 2)) / weights.sum()
    return Matches(rows, weights, compose(index.poses[rows], offsets), distances)


def cluster(matches: Matches, radius: float = 0.6, angle: float = 0.6, most: int = 5) -> list[Hypothesis]:
    """Groups matches into hypotheses, best first.

    Args:
        matches: of one latent.
        radius: of a cluster [m].
        angle: of a cluster [rad].
        most: hypotheses to return.
    """
    poses, weights = matches.poses, matches.weights / (matches.weights.sum() + 1e-12)
    distance, turn = pose_gap(poses[:, None], poses[None])
    kernel = np.exp(-2 * (distance / radius) ** 2 - 2 * (turn / angle) ** 2)
    found: list[Hypothesis] = []
    while len(found) < most and weights.sum() > 0.02:
        centre = int(np.argmax(kernel @ weights * (weights > 0)))
        inside = (distance[centre] < radius) & (turn[centre] < angle)
        share = float(weights[inside].sum())
        found.append(Hypothesis(mean_pose(poses[inside], weights[inside] + 1e-12), share))
        weights[inside] = 0.0
    return found
