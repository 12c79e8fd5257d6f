"""Where one submap lies in another: a search over all poses of a window, then a fit of points to walls.

The search is correlative (Olson, "Real-time correlative scan matching", ICRA 2009), from coarse to fine by maxima of
squares, as in Hess et al., "Real-time loop closure in 2D LIDAR SLAM", ICRA 2016. The fit is iterated closest point,
point to line (Censi, "An ICP variant using a point-to-line metric", ICRA 2008), whose normal equations also say how
well each direction is known: along a bare corridor not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from ami_ros.core.background import Slices, finished
from ami_ros.core.geometry import Array, inverse, pose_gap, transform_points, wrap
from ami_ros.core.submaps import RAYS, REACH, Submap


@dataclass(frozen=True)
class MatchConfig:
    """How submaps are compared."""

    cell: float = 0.1  # [m] of the finest grid
    blur: float = 0.11  # [m] standard deviation of a wall in it
    levels: tuple[int, ...] = (8, 4, 2, 1)  # cells that a step of the search spans, from coarse to fine
    angle_step: float = 0.06  # [rad] between turns that are tried of a submap of usual reach; less of a farther one
    margin: float = 6.0  # [m] beyond the reference's reach that the grid covers
    slice: int = 12_288  # poses that are scored in one slice of work: some 10 ms
    beam: int = 96  # poses that are looked at more closely on each level
    searched: int = 110  # points that the search compares
    together: int = 512  # poses whose points are in the processor's cache at once; eight times as many take twice
    fitted: int = 260  # points that a fit, or the judgement of one, compares
    near: float = 0.20  # [m] to a wall within which a point lies on it
    noise: float = 0.08  # [m] of a point to its wall; more than the laser's own, since neighbours err alike
    aside: float = 0.30  # [m] in front of which a point contradicts what was seen to be free
    square: float = 1.0  # [m] side of squares that speak for or against a pose each ...
    agreed: int = 5  # ... and how many speak for one before
    silent: float = 0.6  # what a beam that did not return counts of one that did: black things, glass; from halls
    iterations: int = 12
    slips: tuple[float, ...] = (-1.05, -0.7, -0.35, 0.35, 0.7, 1.05)  # [m] from a fit at which others are begun
    loose: float = 0.03  # [m] deviation from which a fit may have ended at the wrong one
    same: float = 0.25  # [m] between fits that are one


@dataclass(frozen=True)
class Match:
    """Where another submap lies, and what speaks for it.

    Attributes:
        pose: (3,) of the other in the frame of the reference.
        covariance: (3, 3) in the frame of the reference [m, rad]; large along what no wall holds.
        support: share of what can be compared, in both directions, that lies on walls of the other.
        conflict: share of points that lie where the other saw free space.
        firmness: the support of those points alone whose walls hold the direction that is known worst: along a corridor
            its doors and pillars. Walls along it would outvote them.
        count: points that lie on walls, of the direction that has fewer.
    """

    pose: Array
    covariance: Array
    support: float
    conflict: float
    firmness: float
    count: int

    @property
    def looseness(self) -> float:
        """Standard deviation [m] in the direction that is known worst."""
        return float(np.sqrt(np.linalg.eigvalsh(self.covariance[:2, :2])[1]))


@dataclass(frozen=True)
class Window:
    """Poses to be tried."""

    centre: Array  # (3,) of the other in the frame of the reference
    reach: float  # [m] to each side
    turn: float  # [rad] to each side; pi: all


class Matcher:
    """Compares submaps with one reference; what is prepared for it serves many.

    Args:
        reference: in whose frame poses are told.
        config: how they are compared.
    """

    def __init__(self, reference: Submap, config: MatchConfig | None = None) -> None:
        self.reference, self.config = reference, config or MatchConfig()
        self._tree = cKDTree(reference.points) if len(reference) else None
        self._grids: list[NDArray[np.float32]] = []

    def search(self, others: list[Submap], windows: list[Window], most: int = 6) -> list[tuple[int, Array, float]]:
        """The best poses of several submaps, best first, as (number of the submap, pose, score in [0, 1]).

        Poses of one submap that are nearer to a better one than 0.5 m and 0.3 rad are left out.
        """
        return finished(self.searching(others, windows, most))

    def searching(
        self, others: list[Submap], windows: list[Window], most: int
    ) -> Slices[list[tuple[int, Array, float]]]:
        """As `search`, in slices."""
        usable = [k for k, other in enumerate(others) if len(other) >= 10]
        if not usable or self._tree is None:
            return []
        config, grids = self.config, self._pyramid()
        samples = [others[k].points[_spread(len(others[k]), config.searched)] for k in usable]
        points = np.stack(samples)  # (c, searched, 2), some twice where there are fewer
        which, poses = self._first(usable, others, windows)
        for level, step in enumerate(config.levels):
            parts = []
            for first in range(0, len(poses), config.slice):
                part = slice(first, first + config.slice)
                parts.append(self._score(grids[level], points, which[part], poses[part]))
                yield
            score = np.concatenate(parts)
            most_kept = config.beam * len(usable) if level == 0 else config.beam + 8 * len(usable)
            keep = np.argsort(-score)[:most_kept]
            which, poses, score = which[keep], poses[keep], score[keep]
            if step > 1:
                corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]) * (step // 2 * config.cell)
                which, poses = np.repeat(which, 4), (poses[:, None] + corners).reshape(-1, 3)  # quarters of squares
        found: list[tuple[int, Array, float]] = []
        for k, pose, value in zip(which.tolist(), poses, score.tolist(), strict=True):
            pose = pose + [config.cell / 2, config.cell / 2, 0.0]
            if all(j != usable[k] or _apart(pose, other) for j, other, _ in found):
                found.append((usable[k], pose, value))
            if len(found) == most:
                break
        return found

    def _first(self, usable: list[int], others: list[Submap], windows: list[Window]) -> tuple[NDArray[np.int64], Array]:
        """All poses of the coarsest level: corners of squares, from which they reach towards +x and +y."""
        which, poses = [], []
        span = self.config.levels[0] * self.config.cell
        for number, k in enumerate(usable):
            window = windows[k]
            sides = max(1, int(np.ceil(2 * window.reach / span)))
            offsets = (np.arange(sides) - sides / 2) * span
            step = self.config.angle_step * REACH / others[k].reach
            turns = max(0, int(np.ceil(min(window.turn, np.pi) / step)))
            angles = np.arange(-turns, turns + 1) * step
            grid = np.stack(np.meshgrid(offsets, offsets, angles, indexing="ij"), axis=-1).reshape(-1, 3)
            poses.append(window.centre + grid)
            which.append(np.full(len(grid), number))
        return np.concatenate(which), np.concatenate(poses)

    def _pyramid(self) -> list[NDArray[np.float32]]:
        """Likelihood of a wall in each cell, then its maximum over the squares of each level; coarsest first."""
        if not self._grids:
            cell, blur = self.config.cell, self.config.blur
            half = int((self.reference.reach + self.config.margin) / cell)
            grid = np.zeros((2 * half, 2 * half), np.float32)
            reach = int(np.ceil(1.7 * blur / cell))
            cells = np.floor(self.reference.points / cell).astype(np.int64)
            for dx in range(-reach, reach + 1):
                for dy in range(-reach, reach + 1):
                    at = cells + [dx, dy]
                    gap = np.square((at + 0.5) * cell - self.reference.points).sum(1)
                    np.maximum.at(
                        grid,
                        (at[:, 0].astype(np.int64) + half, at[:, 1].astype(np.int64) + half),
                        np.exp(-0.5 * gap / blur**2),
                    )
            # The maximum over [i, i + step): the filter is centred, hence its origin.
            self._grids = [
                grid if step == 1 else maximum_filter(grid, step, origin=-(step // 2), mode="constant")
                for step in self.config.levels
            ]
        return self._grids

    def fit(self, other: Submap, pose: Array, prior: Array | None = None, start: Array | None = None) -> Match | None:
        """Fits `other` to the walls of the reference, beginning at `pose` (3,); None where they do not meet.

        Args:
            other: what is to be placed.
            pose: (3,) of its frame in that of the reference, as it is expected.
            prior: (3, 3) covariance of `pose`, in the frame of the reference, if it is known; the fit then weighs both.
            start: (3,) where to begin, if not there.
        """
        if self._tree is None or len(other) < 10:
            return None
        expected, information = np.array(pose, np.float64), np.zeros((3, 3)) if prior is None else np.linalg.inv(prior)
        pose = np.array(expected if start is None else start, np.float64)
        config, noise = self.config, self.config.noise
        rows = _spread(len(other), min(len(other), config.fitted))
        points, across = other.points[rows], other.normals[rows]
        hessian = information
        for k in range(config.iterations):
            reach = max(config.near, 0.6 * 0.75**k)
            jacobian, error, weight = self._pairs(points, across, pose, reach)
            if len(error) < 10:
                return None
            scaled = jacobian * (weight / noise**2)[:, None]
            hessian = scaled.T @ jacobian + information
            off = pose - expected
            off[2] = wrap(off[2])
            step = np.linalg.solve(hessian + 1e-6 * np.eye(3), -(scaled.T @ error) - information @ off)
            pose = pose + np.clip(step, -0.5, 0.5)
            if k > 3 and np.abs(step).max() < 1e-3:
                break
        pose[2] = wrap(pose[2])
        covariance: Array = np.linalg.inv(hessian + 1e-4 * np.eye(3)).astype(np.float64)
        return self._judge(other, pose, covariance)

    def slipped(self, other: Submap, match: Match) -> list[Match]:
        """Other fits of `other` along the direction in which `match` is known worst.

        Along a corridor its doors and pillars fit one another again some steps on, and a fit ends at the nearest.
        None where it is known well.
        """
        if match.looseness < self.config.loose:
            return []
        worst = np.append(np.linalg.eigh(match.covariance[:2, :2])[1][:, 1], 0.0)
        fits = [self.fit(other, match.pose + by * worst) for by in self.config.slips]
        return [fit for fit in fits if fit is not None and pose_gap(fit.pose, match.pose)[0] > self.config.same]

    def conflict(self, other: Submap, pose: Array, silent: float) -> float:
        """Probability that a square lies where the other saw free space, with `other` at `pose` (3,).

        Neighbouring points err alike: glass seen aslant, black things far away, a post that beams miss. So squares are
        counted, not points, by the share of their points. That `pose` is right is known from before; it counts as
        some squares (the mean of a beta distribution), so that two or three in an empty hall say little.

        Args:
            other: see `fit`.
            pose: likewise.
            silent: [m] to which a beam that does not return counts as free.
        """
        if self._tree is None or not len(other):
            return 0.0
        there = transform_points(pose, other.points)
        back = transform_points(inverse(pose), self.reference.points)
        seen = self._seen_by(self.reference, self._tree, there), self._seen_by(other, cKDTree(other.points), back)
        clear, hidden, free = (np.concatenate(part) for part in list(zip(*seen, strict=True))[1:])
        squares = np.floor(np.concatenate([there, self.reference.points])[~hidden] / self.config.square)
        _, which, count = np.unique(squares, axis=0, return_inverse=True, return_counts=True)
        against = (clear * np.where(np.abs(free - silent) < 1e-3, self.config.silent, 1.0))[~hidden]
        return float((np.bincount(which.ravel(), against) / count).sum() / (len(count) + self.config.agreed))

    def _pairs(self, points: Array, across: Array, pose: Array, reach: float) -> tuple[Array, Array, Array]:
        """Jacobian (m, 3), distances to the walls (m,) [m] and weights (m,) of the points that have a wall nearby."""
        assert self._tree is not None
        placed = transform_points(pose, points)
        distance, rows = self._tree.query(placed, distance_upper_bound=reach)
        met = np.isfinite(distance)
        placed, rows = placed[met], rows[met]
        normals = self.reference.normals[rows]
        c, s = np.cos(pose[2]), np.sin(pose[2])
        own = across[met] @ np.array([[c, s], [-s, c]])
        same = np.abs((own * normals).sum(1))
        is_wall = (np.abs(normals).sum(1) > 0) & ((same > 0.8) | (np.abs(own).sum(1) == 0))
        placed, rows, normals = placed[is_wall], rows[is_wall], normals[is_wall]
        error = ((placed - self.reference.points[rows]) * normals).sum(1)
        arm = placed - pose[:2]
        jacobian = np.column_stack([normals, -normals[:, 0] * arm[:, 1] + normals[:, 1] * arm[:, 0]])
        return jacobian, error, 1.0 / (1.0 + np.square(error / self.config.noise))

    def _judge(self, other: Submap, pose: Array, covariance: Array) -> Match:
        """How well the two agree, seen from both."""
        assert self._tree is not None
        on, against, compared, least, held, holding = 0, 0, 0, np.inf, 0, 0
        back = inverse(pose)
        worst = np.linalg.eigh(covariance[:2, :2])[1][:, 1]
        c, s = np.cos(pose[2]), np.sin(pose[2])
        own = np.array([c * worst[0] + s * worst[1], -s * worst[0] + c * worst[1]])  # as seen from the other
        for points, tree, seer, hold in (
            (transform_points(pose, other.points), self._tree, self.reference, other.normals @ own),
            (transform_points(back, self.reference.points), None, other, self.reference.normals @ worst),
        ):
            if tree is None:
                tree = cKDTree(other.points)
            lies, clear, hidden, _ = self._seen_by(seer, tree, points)
            on += int(lies.sum())
            against += int(clear.sum())
            compared += int((~hidden).sum())
            held += int((lies & (np.abs(hold) > 0.7)).sum())
            holding += int((~hidden & (np.abs(hold) > 0.7)).sum())
            least = min(least, int(lies.sum()))
        support, conflict, firmness = on / max(1, compared), against / max(1, compared), held / max(1, holding)
        return Match(pose, covariance, support, conflict, firmness, int(least))

    def _seen_by(
        self, seer: Submap, tree: cKDTree, points: Array
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], Array]:
        """Of points (n, 2) in the frame of `seer`: whether they lie on what it saw, which is `tree`; whether they lie
        where it saw free space; whether they cannot be compared; and how far it was free in their directions [m]."""
        lies = np.isfinite(tree.query(points, distance_upper_bound=self.config.near)[0])
        distance = np.hypot(*points.T)
        rays = np.round(np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi / RAYS)).astype(np.int64) % RAYS
        seen = seer.free[rays]
        aside = self.config.aside
        clear = ~lies & (distance < seen - aside)
        # What lies far out, or behind what is seen, cannot be compared.
        hidden = ~lies & ~clear & (np.isnan(seen) | (distance > seen + aside) | (distance > seer.reach - 2.0))
        return lies, clear, hidden, seen

    def _score(
        self, grid: NDArray[np.float32], points: Array, which: NDArray[np.int64], poses: Array
    ) -> NDArray[np.float32]:
        """Mean likelihood (m,) of the points of submaps `which` (m,) at `poses` (m, 3)."""
        half = grid.shape[0] // 2
        score = np.empty(len(poses), np.float32)
        flat, cell, together = grid.ravel(), self.config.cell, self.config.together
        for first in range(0, len(poses), together):
            block = slice(first, first + together)
            c, s = np.cos(poses[block, 2, None]), np.sin(poses[block, 2, None])
            x, y = points[which[block], :, 0], points[which[block], :, 1]
            i = np.floor((poses[block, 0, None] + c * x - s * y) / cell).astype(np.int32) + half
            j = np.floor((poses[block, 1, None] + s * x + c * y) / cell).astype(np.int32) + half
            inside = (i >= 0) & (j >= 0) & (i < 2 * half) & (j < 2 * half)
            cells = np.where(inside, i * (2 * half) + j, 0)
            score[block] = (flat[cells] * inside).mean(axis=1)
        return score


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """`most` rows of `count`, evenly."""
    return np.linspace(0, count - 1, most).astype(np.int64)


def _apart(a: Array, b: Array) -> bool:
    distance, turn = pose_gap(a, b)
    return bool(distance > 0.5 or turn > 0.3)
