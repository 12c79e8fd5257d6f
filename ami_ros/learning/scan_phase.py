"""A phase of training: which fits of what a laser saw around two spots are right, on simulated drives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from torch import Tensor
from torch.nn import functional

from ami_ros.learning.descent import descend
from ami_ros.learning.scan_drives import FittedPairs
from ami_ros.world_model.scan_pair_network import ScanPairNetwork

SUPPORT, CONFLICT = 0, 1  # columns of `match_numbers`
MIRRORED = slice(9, 12)  # columns of `point_features` that change their sign where the worst direction does
WEIGHT_DECAY, WARM_UP, CLIP = 0.01, 100, 1.0


@dataclass(frozen=True)
class ScanConfig:
    """How fits are learned."""

    steps: int = 4000  # of the optimiser
    batch: int = 256  # fits in a step
    learning_rate: float = 1e-3  # at its highest; it falls to zero along half a cosine
    seed: int = 0


@dataclass(frozen=True)
class ScanQuality:
    """How well right fits are told from wrong ones."""

    fits: int
    right: float  # share of them
    area: float  # under the curve of right fits found over wrong ones taken for right
    area_by_share: float  # the same by the share of points that agree, which is not learned
    best_right: float  # share of places, which have both, whose likeliest fit is right
    best_right_by_share: float


def fit_scans(
    network: ScanPairNetwork,
    pairs: FittedPairs,
    config: ScanConfig,
    report: Callable[[int, float], None],
    keep: Path | None = None,
) -> None:
    """Trains `network`; it is left in evaluation mode.

    Args:
        network: see there.
        pairs: to learn from.
        config: see there.
        report: called with the steps done and the loss.
        keep: see `descend`.
    """
    same = torch.from_numpy(pairs.same).float()
    points, numbers = torch.from_numpy(pairs.points), torch.from_numpy(pairs.numbers)

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((config.seed, step, 5))
        rows = torch.from_numpy(rng.integers(0, len(pairs), config.batch))
        seen = points[rows].clone()
        seen[..., MIRRORED] *= torch.from_numpy(rng.choice([-1.0, 1.0], (config.batch, 1, 1, 3))).float()
        return functional.binary_cross_entropy_with_logits(network(seen, numbers[rows]), same[rows])

    descend(network, loss, config.steps, config.learning_rate, report, WEIGHT_DECAY, WARM_UP, CLIP, keep)


def judge_scans(network: ScanPairNetwork, pairs: FittedPairs) -> ScanQuality:
    """How good `network` is on fits that it has not learned from."""
    with torch.inference_mode():
        points, numbers = torch.from_numpy(pairs.points), torch.from_numpy(pairs.numbers)
        said = torch.cat([network(*part) for part in zip(points.split(512), numbers.split(512), strict=True)]).numpy()
    share = pairs.numbers[:, SUPPORT] - pairs.numbers[:, CONFLICT]
    return ScanQuality(
        len(pairs),
        float(pairs.same.mean()),
        _area(said, pairs.same),
        _area(share, pairs.same),
        _best_right(said, pairs),
        _best_right(share, pairs),
    )


def _area(said: NDArray[np.float32], same: NDArray[np.bool_]) -> float:
    return float(mannwhitneyu(said[same], said[~same]).statistic / max(1, same.sum() * (~same).sum()))


def _best_right(said: NDArray[np.float32], pairs: FittedPairs) -> float:
    found = []
    for place in np.unique(pairs.asked):
        rows = np.flatnonzero(pairs.asked == place)
        if pairs.same[rows].any() and not pairs.same[rows].all():
            found.append(bool(pairs.same[rows[said[rows].argmax()]]))
    return float(np.mean(found)) if found else float("nan")
