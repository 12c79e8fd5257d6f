"""How pictures are compared, cell by cell, is learned from views of simulated worlds: labels, training, calibration.

Every cell is told where in the other picture that which it shows is, by the views' depth: far more than one pose
for two pictures, so that a small network learns it from few of them. Pairs that show nothing of each other are of
three kinds, each harder than the last: other worlds, other rooms of the same one, and the same room seen another
way; and of those that are drawn at random the ones that the network takes for the same are learned from (hard
negatives).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ami_ros.core.geometry import Array, from_cos_sin, pose_gap, relative
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.learning.descent import Descent, descend
from ami_ros.world_model.learning.objective import pose_errors
from ami_ros.world_model.learning.views import Views, axes_of, photographed, rays_of
from ami_ros.world_model.pairs import Matching, PairHead
from ami_ros.world_model.spec import relied_on

Rows = NDArray[np.int64]


class Labels(NamedTuple):
    """Of pairs of views; cells are counted row by row."""

    cells: Tensor  # (pairs, n, 4) int64, cells of the second around what each of the first shows; n: not there
    weights: Tensor  # (pairs, n, 4) that sum to 1; all 0 where nothing is known
    pose: Tensor  # (pairs, 3) of the second view's base in that of the first
    overlap: Tensor  # (pairs,) share of the first one's cells that the second shows, 0 to 1

    @property
    def same(self) -> Tensor:
        """(pairs,) 1: both see the same, 0: they do not; between where that is open."""
        return _sees(self.overlap)


def _sees(overlap: Any) -> Any:
    """How far a share of cells that both pictures show says that they see the same, 0 to 1."""
    return ((overlap - 0.05) / 0.2).clip(0, 1)


def label(views: Views, first: Rows, second: Rows) -> Labels:
    """Labels of the pairs `first`, `second` (pairs,), rows of `views`.

    Args:
        views: with depth.
        first: rows.
        second: rows; those of another world show nothing of the first's.
    """
    side = views.depth.shape[1]
    axes, at = _cameras(views)
    depth = views.depth.astype(np.float32).reshape(len(views), -1)
    inside = _inside(views)
    rays = _rays(views)
    points = np.einsum("pij,pnj->pni", axes[first], rays[first] * depth[first][..., None]) + at[first][:, None]
    seen = np.einsum("pij,pni->pnj", axes[second], points - at[second][:, None])
    ahead = np.maximum(seen[..., 2], 1e-3)
    # (pairs, n, 2) across, down, in cells
    spot = ((seen[..., :2] / ahead[..., None]) / views.halves[second, None, None] + 1) * side / 2 - 0.5
    low = np.floor(spot).astype(np.int64)
    share = spot - low
    cells, weights, agrees = [], [], np.zeros(ahead.shape, bool)
    rows = np.arange(len(first))[:, None]
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = (low[..., k] + d for k, d in ((0, dx), (1, dy)))
        within = (x >= 0) & (x < side) & (y >= 0) & (y < side)
        cell = np.clip(y, 0, side - 1) * side + np.clip(x, 0, side - 1)
        within &= inside[second[:, None], cell]
        other = depth[second][rows, cell]
        # Surfaces that are nearer to each other are taken for one.
        agrees |= within & (np.abs(other - ahead) < 0.08 * ahead + 0.06)
        cells.append(cell)
        weights.append(np.abs((1 - dx - share[..., 0]) * (1 - dy - share[..., 1])) * within)
    known = inside[first] & (depth[first] < SKY)
    there = agrees & known & (seen[..., 2] > 0.05) & (views.world[first] == views.world[second])[:, None]
    index, weight = np.stack(cells, -1), np.stack(weights, -1)
    index[~there] = side * side
    weight[~there] = 0.25
    weight /= np.maximum(weight.sum(-1, keepdims=True), 1e-6)
    weight[~known] = 0.0
    overlap = there.sum(1) / np.maximum(known.sum(1), 1)
    pose = relative(views.poses[first], views.poses[second])
    return Labels(*(torch.from_numpy(v) for v in (index, *(_f32(a) for a in (weight, pose, overlap)))))


def plan_of(views: Views, rows: Rows) -> tuple[Tensor, Tensor]:
    """Where what each cell shows is on the floor plan, from the base: logarithm of the range [m] and bearing [rad]
    (k, cells, 2), and where that is known (k, cells)."""
    found = views.of(rows)
    depth = found.depth.astype(np.float32).reshape(len(rows), -1)
    own = np.stack([axes_of(pitch, roll) for _, pitch, roll in found.cameras])
    points = np.einsum("kij,knj->kni", own, _rays(found) * depth[..., None])
    polar = np.stack(
        [np.log(np.hypot(points[..., 0], points[..., 1]) + 1e-3), np.arctan2(points[..., 1], points[..., 0])], -1
    )
    known = _inside(found) & (depth < SKY)
    return torch.from_numpy(_f32(polar)), torch.from_numpy(_f32(known))


def columns_of(views: Views, rows: Rows) -> Floats:
    """What a laser at the height of the camera sees (k, side) [m] in the directions of the columns of cells."""
    side, half = views.depth.shape[1], views.halves[rows]
    level = np.tan(views.cameras[rows, 1])  # where the horizon is, as the camera is tilted
    line = np.clip(np.floor((1 - level / half) * side / 2 - 0.5), 0, side - 1).astype(int)  # above it, no floor
    ahead = views.depth[rows, line].astype(np.float32)
    return _f32(ahead * np.sqrt(1 + np.square(half[:, None] * _steps(side))))


def _cameras(views: Views) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Axes (n, 3, 3) and places (n, 3) of the cameras in the world."""
    c, s = np.cos(views.poses[:, 2]), np.sin(views.poses[:, 2])
    zero, one = np.zeros_like(c), np.ones_like(c)
    turn = np.stack([np.stack([c, -s, zero], -1), np.stack([s, c, zero], -1), np.stack([zero, zero, one], -1)], -2)
    own = np.stack([axes_of(pitch, roll) for _, pitch, roll in views.cameras])
    return turn @ own, np.column_stack([views.poses[:, :2], views.cameras[:, 0]])


def _steps(side: int) -> NDArray[np.float64]:
    """Middles of the cells (side,) of a row, in -1 to 1."""
    return (np.arange(side) + 0.5) / side * 2 - 1


def _rays(views: Views) -> NDArray[np.float64]:
    """Where cells look (n, cells, 3): right, down and 1 ahead."""
    right, down = np.meshgrid(*(2 * [_steps(views.depth.shape[1])]))
    across = np.stack([right.ravel(), down.ravel()], -1)[None] * views.halves[:, None, None]
    return np.concatenate([across, np.ones_like(across[..., :1])], -1)


def _inside(views: Views) -> NDArray[np.bool_]:
    """(n, cells) what is not the black frame of a narrow camera."""
    steps = _steps(views.depth.shape[1])
    across, down = (np.abs(steps)[None] < views.frames[:, k, None] for k in (0, 1))
    return (down[:, :, None] & across[:, None, :]).reshape(len(views), -1)


def _f32(values: NDArray) -> Floats:
    return np.ascontiguousarray(values, np.float32)


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
    clip: float = 1.0  # norm of the gradient
    warm_up: int = 100  # steps
    no_laser: float = 0.3  # share of pairs without a laser
    silent: float = 0.1  # share of a laser's beams that see nothing
    # Weights of the loss's parts beside that of the pose: that both see the same, and how far off the pose is; and of a
    # radian beside a range's logarithm.
    same_weight: float = 0.5
    error_weight: float = 0.15
    bearing_weight: float = 3.0


@dataclass(frozen=True)
class CalibrationConfig:
    """By which pairs a head is calibrated, and what may be relied on."""

    alpha: float = 0.002  # share of unrelated pairs that may be relied on: hundreds are looked at on the way to a claim
    unrelated: float = 0.02  # share of what the first shows, below which the second shows nothing of it
    near: float = 1.0  # [m] seen distance at which arrivals are claimed: what is seen farther off is looked at again
    groups: int = 12  # of a batch
    pairs: int = 220  # likewise


CALIBRATED = CalibrationConfig()
ALONE = 0.35  # share of steps of one robot alone: nothing is harder to tell apart than rooms of one building
SKY = 15.0  # [m] beyond which nothing is compared: the sky, or the far end of a hall


class PairBatch(NamedTuple):
    """Views (k,) of a step, and pairs of them: positions in `rows`."""

    rows: Rows
    first: Rows
    second: Rows


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

        def match(first: Rows, second: Rows) -> Matching:
            return head.match(cells[first], cells[second], (bearings[first], bearings[second]))

        # In place of the last quarter of the pairs, which are random ones, come those of other groups that the network
        # takes for the same before others.
        kept = config.pairs * 3 // 4
        first, second = rng.integers(0, len(batch.rows), (2, config.tried))
        other = views.group[batch.rows[first]] != views.group[batch.rows[second]]
        first, second = first[other], second[other]
        with torch.no_grad():
            alike = head.judge(match(first, second))[:, 5]
        hard = alike.topk(min(config.pairs - kept, len(first))).indices.numpy()
        here, there = np.append(batch.first[:kept], first[hard]), np.append(batch.second[:kept], second[hard])
        labels, found = label(seen, here, there), match(here, there)
        columns = _laser(columns_of(seen, here), config, rng)
        polar, known = plan_of(seen, np.arange(len(seen)))
        guessed = head.plan(cells, bearings)[0]
        off = (guessed - polar).abs() * torch.tensor(
            [1.0, config.bearing_weight]
        )  # a radian counts for more than a range's logarithm
        shape = (off.sum(-1) * known).sum() / known.sum().clamp(min=1.0)
        return pair_loss(found.scores, head.judge(found, columns), labels, config) + shape

    descend(
        head, loss, Descent(config.steps, config.learning_rate, report, keep, warm_up=config.warm_up, clip=config.clip)
    )


def pair_loss(scores: Tensor, out: Tensor, labels: Labels, config: PairConfig) -> Tensor:
    """Where cells are, where the second picture was taken, how far off that is, and whether both see the same.

    Args:
        scores: (pairs, n, n + 1) logits of the matching.
        out: (pairs, 6) of `PairHead.judge`.
        labels: of the pairs.
        config: weights of the parts.
    """

    def mean(values: Tensor, weights: Tensor) -> Tensor:
        return (values * weights).sum() / weights.sum().clamp(min=1.0)

    missed = -(scores.log_softmax(-1).gather(-1, labels.cells) * labels.weights).sum(-1)
    known = labels.weights.sum(-1)
    there = (labels.cells[..., 0] < scores.shape[1]) * known
    # Most cells are not there: by themselves the others would hardly count.
    match = mean(missed, there) + mean(missed, known - there)
    same = labels.same
    share = same / same.sum().clamp(min=1.0)
    pose = (pose_errors(out[:, :4], labels.pose) * share).sum()
    off = (out[:, :2].detach() - labels.pose[:, :2]).square().sum(-1).add(1e-6).sqrt()
    error = ((off * (-out[:, 4]).exp() + out[:, 4]) * share).sum()
    agree = functional.binary_cross_entropy_with_logits(out[:, 5], same)
    return match + pose + agree * config.same_weight + error * config.error_weight


def _laser(columns: Floats, config: PairConfig, rng: np.random.Generator) -> Tensor:
    """Columns as a laser gives them: at another height than the camera, not all of them, or none."""
    noisy = columns * (1 + rng.normal(0.0, 0.03, columns.shape)).astype(np.float32)
    noisy[rng.random(columns.shape) < config.silent] = np.inf
    found = torch.from_numpy(noisy)
    found[torch.from_numpy(rng.random(len(columns)) < config.no_laser)] = torch.nan
    return found


@dataclass(frozen=True)
class Judged:
    """Pairs, what is true of them, and what was said (n, ...)."""

    pose: Array  # (n, 3) said
    truth: Array  # (n, 3)
    overlap: Floats  # share of what the first shows that the second shows, too
    logit: Floats  # that both see the same, not calibrated
    error: Floats  # [m] expected, not calibrated
    same: Floats  # probability, as calibrated now

    @property
    def off(self) -> tuple[Array, Array]:
        """Distance [m] and angle [rad] between said and true poses."""
        return pose_gap(self.pose, self.truth)

    @property
    def misleading(self) -> NDArray[np.bool_]:
        """Pairs that show nothing of each other, and whose pose says that the goal is near."""
        return np.asarray(
            (self.overlap < CALIBRATED.unrelated) & (np.hypot(self.pose[:, 0], self.pose[:, 1]) < CALIBRATED.near)
        )


@dataclass(frozen=True)
class PairQuality:
    """Figures of pairs in worlds that were not learned from."""

    pairs: int
    near_position_median_m: float  # of pairs that see the same and are less than 0.7 m apart
    near_position_p90_m: float
    near_heading_median_rad: float
    position_median_m: float  # of all that see the same
    auroc: float  # of seeing the same
    threshold: float
    accepted_here: float  # share that reaches it of pairs less than 0.3 m and 0.3 rad apart
    accepted_near: float  # the same of all near ones
    accepted_unrelated: float  # the same of those that show nothing of each other, and say that they are near


def judge_pairs(head: PairHead, views: Views, batches: int, seed: int) -> Judged:
    """Random pairs of views, with cameras' noise."""
    parts, rng = [], np.random.default_rng((seed, 5))
    for _ in range(batches):
        batch = draw(views, rng, CALIBRATED.groups, CALIBRATED.pairs)
        seen = photographed(views, batch.rows, rng)
        labels = label(seen, batch.first, batch.second)
        with torch.inference_mode():
            told, bearings = rays_of(seen, rng)
            cells = head.features(torch.from_numpy(seen.images).permute(0, 3, 1, 2), told).flatten(1, 2)
            columns = torch.from_numpy(columns_of(seen, batch.first))
            found = head.match(cells[batch.first], cells[batch.second], (bearings[batch.first], bearings[batch.second]))
            out = head.judge(found, columns)
            verdict = head.verdict(out)
        values = (from_cos_sin(out[:, :4]), labels.pose, labels.overlap, out[:, 5], out[:, 4].exp(), verdict.same)
        parts.append([np.asarray(value) for value in values])
    return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def calibrate(head: PairHead, judged: Judged, narrow: Judged) -> None:
    """Sets the head's calibration by what it said: temperature, scale of errors, and thresholds.

    The thresholds are those of split conformal prediction (Angelopoulos and Bates, arXiv 2107.07511): of pairs that
    show nothing of each other and yet say that the goal is near, at most one of 500 reaches it, where worlds are like
    those it was found in, for hundreds are looked at on the way to one claim. How exact a pose is is another question,
    which the expected error answers.

    Args:
        head: see there.
        judged: pairs of cameras that see all of the picture.
        narrow: pairs of narrow ones.
    """
    logits, same = torch.from_numpy(judged.logit), torch.from_numpy(np.float32(_sees(judged.overlap)))
    temperatures = np.geomspace(0.25, 6.0, 60)
    losses = [float(functional.binary_cross_entropy_with_logits(logits / t, same)) for t in temperatures]
    temperature = float(temperatures[int(np.argmin(losses))])
    good = judged.overlap > 0.25
    scale = float(np.median(judged.off[0][good] / judged.error[good]) / math.log(2)) if good.any() else 1.0

    def least(pairs: Judged) -> float:
        """Logit that misleading pairs do not reach."""
        claims = np.sort(pairs.logit[pairs.misleading] / temperature)
        rank = math.ceil((len(claims) + 1) * (1 - CALIBRATED.alpha)) - 1
        # Weights are stored in half precision: up to the next such number, and beyond what misleads.
        return float(np.nextafter(np.float16(claims[rank]), np.float16(np.inf))) if rank < len(claims) else 20.0

    head.calibration.copy_(torch.tensor([temperature, max(scale, 0.1), least(judged), least(narrow)]))


def quality(head: PairHead, judged: Judged, sees: float = 1.0) -> PairQuality:
    """Figures of calibrated pairs, of cameras that see a share `sees` of the picture."""
    threshold = 1 / (1 + math.exp(-relied_on(head.calibration.tolist(), sees)))
    (distance, turn), away = judged.off, np.hypot(judged.truth[:, 0], judged.truth[:, 1])
    same, blind = judged.overlap > 0.25, judged.overlap < 0.05
    near, here = same & (away < 0.7), same & (away < 0.3) & (np.abs(judged.truth[:, 2]) < 0.3)
    above = judged.logit[same][:, None] > judged.logit[blind][None]

    def quantile(values: Array, share: float) -> float:
        return float(np.quantile(values, share)) if len(values) else math.nan

    def accepted(pairs: NDArray[np.bool_]) -> float:
        return float((judged.same[pairs] >= threshold).mean()) if pairs.any() else 0.0

    return PairQuality(
        pairs=len(distance),
        near_position_median_m=quantile(distance[near], 0.5),
        near_position_p90_m=quantile(distance[near], 0.9),
        near_heading_median_rad=quantile(turn[near], 0.5),
        position_median_m=quantile(distance[same], 0.5),
        auroc=float(above.mean()) if above.size else math.nan,
        threshold=threshold,
        accepted_here=accepted(here),
        accepted_near=accepted(near),
        accepted_unrelated=accepted(judged.misleading),
    )
