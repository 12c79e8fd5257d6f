"""What is true of two views of a simulated world: which cells of one show the same as which of the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.geometry import relative
from ami_ros.learning.views import Views, axes_of

SLACK = 0.08, 0.06  # of a depth, and [m]: surfaces that are nearer to each other are taken for one
FAR = 15.0  # [m] beyond which nothing is compared: the sky, or the far end of a hall
LEAST, ENOUGH = 0.05, 0.25  # share of cells seen in both pictures at which they do not, and do, see the same


class Labels(NamedTuple):
    """Of pairs of views; cells are counted row by row."""

    cells: Tensor  # (pairs, n, 4) int64, cells of the second around what each of the first shows; n: not there
    weights: Tensor  # (pairs, n, 4) that sum to 1; all 0 where nothing is known
    pose: Tensor  # (pairs, 3) of the second view's base in that of the first
    overlap: Tensor  # (pairs,) share of the first one's cells that the second shows, 0 to 1

    @property
    def same(self) -> Tensor:
        """(pairs,) 1: both see the same, 0: they do not; between where that is open."""
        return ((self.overlap - LEAST) / (ENOUGH - LEAST)).clamp(0, 1)


def label(views: Views, first: NDArray[np.int64], second: NDArray[np.int64]) -> Labels:
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
        agrees |= within & (np.abs(other - ahead) < SLACK[0] * ahead + SLACK[1])
        cells.append(cell)
        weights.append(np.abs((1 - dx - share[..., 0]) * (1 - dy - share[..., 1])) * within)
    known = inside[first] & (depth[first] < FAR)
    there = agrees & known & (seen[..., 2] > 0.05) & (views.world[first] == views.world[second])[:, None]
    index, weight = np.stack(cells, -1), np.stack(weights, -1)
    index[~there] = side * side
    weight[~there] = 0.25
    weight /= np.maximum(weight.sum(-1, keepdims=True), 1e-6)
    weight[~known] = 0.0
    overlap = there.sum(1) / np.maximum(known.sum(1), 1)
    pose = relative(views.poses[first], views.poses[second])
    return Labels(*(torch.from_numpy(v) for v in (index, *(_f32(a) for a in (weight, pose, overlap)))))


def plan_of(views: Views, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Where what each cell shows is on the floor plan, from the base: logarithm of the range [m] and bearing [rad]
    (k, cells, 2), and where that is known (k, cells)."""
    found = views.of(rows)
    depth = found.depth.astype(np.float32).reshape(len(rows), -1)
    own = np.stack([axes_of(pitch, roll) for _, pitch, roll in found.cameras])
    points = np.einsum("kij,knj->kni", own, _rays(found) * depth[..., None])
    polar = np.stack(
        [np.log(np.hypot(points[..., 0], points[..., 1]) + 1e-3), np.arctan2(points[..., 1], points[..., 0])], -1
    )
    known = _inside(found) & (depth < FAR)
    return torch.from_numpy(_f32(polar)), torch.from_numpy(_f32(known))


def columns_of(views: Views, rows: NDArray[np.int64]) -> NDArray[np.float32]:
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


def _f32(values: NDArray) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)
