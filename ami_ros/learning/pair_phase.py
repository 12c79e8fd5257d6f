"""A phase of training: how pictures are compared, cell by cell, on views of many simulated worlds.

Every cell is told where in the other picture that which it shows is, by the views' depth: far more than one pose for
two pictures, so that a small network learns it from few of them. Pairs that show nothing of each other are of three
kinds, each harder than the last: other worlds, other rooms of the same one, and the same room seen another way; and of
those that are drawn at random the ones that the network takes for the same are learned from (hard negatives).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ami_ros.learning.descent import descend
from ami_ros.learning.losses import pose_errors
from ami_ros.learning.pair_labels import Labels, columns_of, label, plan_of
from ami_ros.learning.photographs import photographed, rays_of
from ami_ros.learning.views import Views
from ami_ros.world_model.pairs import Matching, PairHead

CLIP = 1.0  # norm of the gradient
WARM_UP = 100  # steps
NO_LASER = 0.3  # share of pairs without a laser, and of its beams that see nothing
MATCH, SAME, ERROR, SHAPE = 1.0, 0.5, 0.15, 1.0  # weights of the loss's parts beside that of the pose
BEARING = 3.0  # of a radian beside a range's logarithm
ALONE = 0.35  # share of steps of one robot alone: nothing is harder to tell apart than rooms of one building


@dataclass(frozen=True)
class PairConfig:
    """How pairs are learned."""

    steps: int = 2000  # of the optimiser
    groups: int = 8  # of views in a step; two of each robot
    pairs: int = 128  # in a step: half within groups
    learning_rate: float = 2e-3  # at its highest; it falls to zero along half a cosine
    tried: int = 160  # pairs of other groups that are looked at in a step, for those that are most alike
    bfloat16: bool = False  # maps of features in bfloat16
    seed: int = 0


@dataclass(frozen=True)
class PairBatch:
    """Views (k,) of a step, and pairs of them: positions in `rows`."""

    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]


def draw(views: Views, rng: np.random.Generator, groups: int, pairs: int) -> PairBatch:
    """Random groups, two of each robot or now and then all of one, and random pairs: half within a group, a quarter
    within a robot.

    Half of the robots are those that are described: the first one of each world.
    """
    every, first = np.unique(views.robot, return_index=True)
    described = np.unique(views.world[first], return_index=True)[1]
    count, each = (1, groups) if rng.random() < ALONE else (max(1, groups // 2), 2)
    half = rng.integers(0, 2) if count == 1 else count // 2
    robots = np.concatenate([rng.choice(every[described], half), rng.choice(every, count - half)])
    rows = []
    for robot in robots:
        own = np.unique(views.group[views.robot == robot])
        rows += [np.flatnonzero(views.group == group) for group in rng.choice(own, min(each, len(own)), replace=False)]
    found = np.concatenate(rows)
    first = rng.integers(0, len(found), pairs)
    second = rng.integers(0, len(found), pairs)
    for k in range(pairs * 3 // 4):
        mates = views.group if k < pairs // 2 else views.robot
        others = np.flatnonzero((mates[found] == mates[found[first[k]]]) & (np.arange(len(found)) != first[k]))
        second[k] = rng.choice(others)
    return PairBatch(found, first, second)


def fit_pairs(
    head: PairHead, views: Views, config: PairConfig, report: Callable[[int, float], None], keep: Path | None = None
) -> None:
    """Trains `head`; it is left in evaluation mode.

    Args:
        head: of the size of the views' pictures.
        views: of the worlds to learn from.
        config: see there.
        report: called with the steps done and the loss.
        keep: see `descend`.
    """

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((config.seed, step, 2))
        batch = draw(views, rng, config.groups, config.pairs)
        seen = photographed(views, batch.rows, rng)
        images = torch.from_numpy(seen.images).permute(0, 3, 1, 2)
        told, bearings = rays_of(seen, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
            maps = head.features(images, told)
        cells = maps.flatten(1, 2)

        def match(first: NDArray[np.int64], second: NDArray[np.int64]) -> Matching:
            return head.match(cells[first], cells[second], (bearings[first], bearings[second]))

        def alike(first: NDArray[np.int64], second: NDArray[np.int64]) -> Tensor:
            with torch.no_grad():
                return head.judge(match(first, second))[:, 5]

        here, there = _with_hard(alike, batch, views, config.tried, rng)
        labels = label(seen, here, there)
        columns = _laser(columns_of(seen, here), rng)
        found = match(here, there)
        polar, known = plan_of(seen, np.arange(len(seen)))
        guessed = head.plan(cells, bearings)[0]
        off = (guessed - polar).abs() * torch.tensor([1.0, BEARING])
        shape = (off.sum(-1) * known).sum() / known.sum().clamp(min=1.0)
        return pair_loss(found.scores, head.judge(found, columns), labels) + SHAPE * shape

    descend(head, loss, config.steps, config.learning_rate, report, warm_up=WARM_UP, clip=CLIP, keep=keep)


def _with_hard(
    alike: Callable[[NDArray[np.int64], NDArray[np.int64]], Tensor],
    batch: PairBatch,
    views: Views,
    tried: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The batch's pairs; in place of the last quarter, which are random ones, those of other groups that are the most
    `alike` of many that are tried."""
    kept = len(batch.first) * 3 // 4
    first, second = rng.integers(0, len(batch.rows), (2, tried))
    other = views.group[batch.rows[first]] != views.group[batch.rows[second]]
    first, second = first[other], second[other]
    hard = alike(first, second).topk(min(len(batch.first) - kept, len(first))).indices.numpy()
    return np.append(batch.first[:kept], first[hard]), np.append(batch.second[:kept], second[hard])


def pair_loss(scores: Tensor, out: Tensor, labels: Labels) -> Tensor:
    """Where cells are, where the second picture was taken, how far off that is, and whether both see the same.

    Args:
        scores: (pairs, n, n + 1) logits of the matching.
        out: (pairs, 6) of `PairHead.judge`.
        labels: of the pairs.
    """
    missed = -(scores.log_softmax(-1).gather(-1, labels.cells) * labels.weights).sum(-1)
    known = labels.weights.sum(-1)
    there = (labels.cells[..., 0] < scores.shape[1]) * known
    # Most cells are not there: by themselves the others would hardly count.
    match = _mean(missed, there) + _mean(missed, known - there)
    same = labels.same
    share = same / same.sum().clamp(min=1.0)
    pose = (pose_errors(out[:, :4], labels.pose) * share).sum()
    off = (out[:, :2].detach() - labels.pose[:, :2]).square().sum(-1).add(1e-6).sqrt()
    error = ((off * (-out[:, 4]).exp() + out[:, 4]) * share).sum()
    agree = functional.binary_cross_entropy_with_logits(out[:, 5], same)
    return match * MATCH + pose + agree * SAME + error * ERROR


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1.0)


def _laser(columns: NDArray[np.float32], rng: np.random.Generator) -> Tensor:
    """Columns as a laser gives them: at another height than the camera, not all of them, or none."""
    noisy = columns * (1 + rng.normal(0.0, 0.03, columns.shape)).astype(np.float32)
    noisy[rng.random(columns.shape) < NO_LASER / 3] = np.inf
    found = torch.from_numpy(noisy)
    found[torch.from_numpy(rng.random(len(columns)) < NO_LASER)] = torch.nan
    return found
