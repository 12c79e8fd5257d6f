"""Pose graph: its optimisation moves places so that what was measured between them agrees.

Odometry errs by the same few per cent all day, so dead reckoning alone bends a map. The relative-pose head does
not know of any one day's odometry: what it sees between places that look at the same surroundings pulls the map
straight again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import splu

from ami_ros.core.background import Slices, finished
from ami_ros.core.geometry import Array, compose, from_cos_sin, pose_gap, relative, wrap
from ami_ros.memory.index import PlaceIndex
from ami_ros.memory.laser_model import LaserModel
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.types import COVARIANCE, covariances

FIRST = np.array([0])  # row of the place that stays where it is if nothing else does


@dataclass(frozen=True)
class PoseGraphConfig:
    """Which measurements count, and how much."""

    neighbours: int = 12  # places compared with each place; larger: a stiffer map, slower
    reach: float = 1.0  # [m] between compared places, at most; larger uses less exact poses
    head_sigma: tuple[float, float] = (0.18, 0.10)  # [m], [rad] error of the pose head; larger trusts odometry more
    way_sigma: tuple[float, float] = (0.06, 0.06)  # [m], [rad] error of odometry; larger trusts the pose head more
    robust: float = 2.0  # standard deviations at which a measurement loses weight (Cauchy); smaller: fewer outliers
    iterations: int = 8  # of reweighted least squares; larger: closer to the optimum, slower


@dataclass(frozen=True)
class Measurements:
    """Poses of places seen from others."""

    start: NDArray[np.int64]  # (m,) rows
    stop: NDArray[np.int64]  # (m,)
    relative: Array  # (m, 3) of `stop` in the frame of `start`
    root: Array  # (m, 3, 3) by which an error, in the frame of `start`, becomes deviations of unit variance


def compare_places(index: PlaceIndex, config: PoseGraphConfig, block: int = 512) -> Measurements:
    """What the relative-pose head sees between each place and those that resemble it."""
    starts, stops, seen = [], [], []
    keys, latents = index.keys, index.latents
    count = min(config.neighbours, len(index) - 1)
    queries = index.model.contrast.queries(latents)
    for first in range(0, len(index), block):
        score = queries[first : first + block] @ keys.T
        rows = np.arange(first, first + len(score))
        score[rows - first, rows] = -np.inf
        best = np.argpartition(-score, count - 1, axis=1)[:, :count]
        stop, start = np.repeat(rows, count), best.ravel()
        starts.append(start)
        stops.append(stop)
        seen.append(index.model.relative_pose(latents[start], latents[stop]).astype(np.float64))
    start, stop, out = np.concatenate(starts), np.concatenate(stops), np.concatenate(seen)
    poses = from_cos_sin(out)
    near = np.hypot(out[:, 0], out[:, 1]) < config.reach
    return Measurements(start[near], stop[near], poses[near], roots(config.head_sigma, int(near.sum())))


def driven_ways(index: PlaceIndex, edges: NDArray[np.void], config: PoseGraphConfig) -> Measurements:
    """Relative poses that were measured when ways (m,), with the fields of `WAYS`, were first driven."""
    poses = np.column_stack([edges[name] for name in ("x", "y", "yaw")])
    start, stop = index.rows(edges["start"]), index.rows(edges["stop"])
    root = roots(config.way_sigma, len(edges))
    known = edges["caa"] > 0
    if known.any():
        upper = np.column_stack([edges[name][known] for name in COVARIANCE])
        root[known] = np.linalg.inv(np.linalg.cholesky(covariances(upper)))
    return Measurements(start, stop, poses, root)


def roots(sigma: tuple[float, float], count: int) -> Array:
    """What Measurements have as `root` (count, 3, 3), for deviations [m], [rad] that are the same for all."""
    return np.tile(np.diag([1 / sigma[0], 1 / sigma[0], 1 / sigma[1]]), (count, 1, 1))


def optimise(
    poses: Array, parts: Iterable[Measurements], config: PoseGraphConfig, held: NDArray[np.int64] = FIRST
) -> Array:
    """Gauss-Newton with Cauchy weights on all measurements; see `optimising`."""
    return finished(optimising(poses, parts, config, held))


def optimising(
    poses: Array, parts: Iterable[Measurements], config: PoseGraphConfig, held: NDArray[np.int64]
) -> Slices[Array]:
    """As `optimise`, one step in a slice.

    Args:
        poses: (n, 3) where the places are now, in the map frame.
        parts: measurements between them.
        config: of the optimisation.
        held: rows of places that stay where they are.

    Returns:
        (n, 3).
    """
    parts = list(parts)
    start, stop = (np.concatenate([getattr(p, k) for p in parts]) for k in ("start", "stop"))
    wanted, root = np.concatenate([p.relative for p in parts]), np.concatenate([p.root for p in parts])
    poses = poses.copy()
    for _ in range(config.iterations):
        error = relative(poses[start], poses[stop]) - wanted
        error[:, 2] = wrap(error[:, 2])
        error = np.einsum("mij,mj->mi", root, error)
        weight = 1.0 / (1.0 + np.square(error).sum(1) / config.robust**2)
        jacobian = _jacobian(poses, start, stop, root * np.sqrt(weight)[:, None, None])
        residual = (error * np.sqrt(weight)[:, None]).ravel()
        # The gauge: what is held, by stiff springs; the rest only by its measurements.
        springs = np.full((len(poses), 3), 1e-6)
        springs[held] = 1e9
        normal = (jacobian.T @ jacobian + diags(springs.ravel())).tocsc()
        step = splu(normal).solve(-(jacobian.T @ residual)).reshape(-1, 3)
        poses += step
        if np.abs(step).max() < 1e-4:
            break
        yield
    poses[:, 2] = wrap(poses[:, 2])
    return poses


def carry(poses: Array, old: Array, new: Array) -> Array:
    """Moves poses (k, 3) as the nearest of the places moved, whose poses were `old` and are `new` (n, 3)."""
    distance, turn = pose_gap(poses[:, None], old[None])
    nearest = np.argmin(distance + 0.5 * turn, axis=1)
    return compose(new[nearest], relative(old[nearest], poses))


def _jacobian(poses: Array, start: NDArray[np.int64], stop: NDArray[np.int64], root: Array) -> csr_matrix:
    """Derivative (3 m, 3 n) of the relative poses, times `root` (m, 3, 3), with respect to all poses."""
    m = len(start)
    dx, dy = (poses[stop] - poses[start])[:, :2].T
    c, s = np.cos(poses[start, 2]), np.sin(poses[start, 2])
    zero, one = np.zeros(m), np.ones(m)
    by_stop = np.stack([np.stack([c, s, zero], 1), np.stack([-s, c, zero], 1), np.stack([zero, zero, one], 1)], 1)
    by_yaw = np.stack([-s * dx + c * dy, -c * dx - s * dy, -one], 1)
    by_start = -by_stop
    by_start[:, :, 2] = by_yaw
    blocks = np.stack([root @ by_start, root @ by_stop], 2)  # (m, 3 residuals, 2 ends, 3)
    rows = np.broadcast_to((3 * np.arange(m)[:, None] + np.arange(3))[:, :, None, None], blocks.shape)
    ends = np.stack([start, stop], 1)
    columns = np.broadcast_to((3 * ends[:, :, None] + np.arange(3))[:, None], blocks.shape)
    return csr_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=(3 * m, 3 * len(poses)))


def warm_up() -> None:
    """Loads what solving takes, and would take in the middle of a drive at the first optimisation."""
    splu(diags(np.ones(3)).tocsc()).solve(np.ones(3))


def optimise_map(places: PlaceMap, config: PoseGraphConfig) -> tuple[Array, Array]:
    """Moves all places so that what was measured between them agrees; returns their poses (n, 3), old and new."""
    index = places.index
    old, edges = index.poses.copy(), places.graph.edges.columns
    ways = driven_ways(index, edges[(edges["traversals"] > 0) | (edges["loop"] > 0)], config)
    # Beside ways that scans have measured, what a latent says of a pose is noise; where rooms are alike, false.
    scanned = isinstance(index.model, LaserModel) or bool((edges["caa"] > 0).any())
    seen = [] if scanned else [compare_places(index, config)]
    places.move(np.arange(len(index)), optimise(old, [*seen, ways], config))
    return old, index.poses.copy()


def relax(
    places: PlaceMap, config: PoseGraphConfig, changed: Iterable[int], most: int
) -> Slices[tuple[NDArray[np.int64], float]]:
    """Moves places around those that have `changed` so that what was measured there agrees.

    What lies farther away is held: the time does not depend on how large the map is.

    Args:
        places: the map.
        config: of the optimisation.
        changed: ids of places with a new measurement.
        most: places that may move; in a map of no more, all but the first.

    Returns:
        Rows (m,) of the edges that were weighed, and how far the place went that was moved most [m].
    """
    index, table = places.index, places.graph.edges
    near = table.around([i for i in changed if i in index], most)
    rows = table.within(near)
    edges = table.columns[rows]
    measured = (edges["traversals"] > 0) | (edges["loop"] > 0)
    rows, edges = rows[measured], edges[measured]
    if not len(edges):
        return rows, 0.0
    at = np.unique(index.rows(np.append(edges["start"], edges["stop"])))  # ids need not rise with rows
    held = np.flatnonzero(~np.isin(index.ids[at], near))
    held = held if len(held) else FIRST  # of rising rows: the place that is known longest
    ways = driven_ways(index, edges, config)
    local = replace(ways, start=np.searchsorted(at, ways.start), stop=np.searchsorted(at, ways.stop))
    found = yield from optimising(index.poses[at], [local], config, held)
    yield
    moved = float(pose_gap(index.poses[at], found)[0].max())
    places.move(at, found)
    return rows, moved


# The pose graph of a large map, solved by a process of its own while the robot drives on; the result is merged.
#
# What is around a new constraint is put straight at once (`pose_graph.relax`). A loop that is longer than what may
# move then bends the map where it ends; only the whole map says where the bend belongs.

GIVEN, FOUND = "given.npz", "found.npy"


class WholeMap:
    """Solves one map again and again.

    Args:
        places: the map.
        config: of the optimisation.
    """

    def __init__(self, places: PlaceMap, config: PoseGraphConfig) -> None:
        self.places, self.config = places, config
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False

    def ask(self) -> None:
        """The map has changed: it is solved, once what is under way is done."""
        self._wanted = True

    def stop(self) -> None:
        """What is under way is not wanted any more."""
        self._wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._end()

    def step(self) -> bool:
        """Begins, or merges what has been found; False: there is nothing to do now."""
        if self._process is None:
            return self._wanted and self._begin()
        if self._process.poll() is None:
            return False
        found = Path(self._folder.name) / FOUND
        if self._process.returncode == 0 and self._removals == self.places.index.removals:
            self._merge(np.load(found))
        self._end()
        return True

    def _begin(self) -> bool:
        self._wanted, index = False, self.places.index
        edges = self.places.graph.edges.columns
        edges = edges[(edges["traversals"] > 0) | (edges["loop"] > 0)]
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="ami_map_", ignore_cleanup_errors=True)
        except OSError:  # no room: what is near new constraints is straight anyway
            return False
        try:
            given = Path(self._folder.name) / GIVEN
            np.savez(given, ids=index.ids, poses=index.poses, edges=edges, config=[*_numbers(self.config)])
            command = [sys.executable, "-m", __name__, self._folder.name]
            quiet = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        except OSError:  # likewise, or no other process may run here
            self._end()
            return False
        self._known, self._removals = len(index), index.removals
        return True

    def _end(self) -> None:
        self._process = None
        self._folder.cleanup()

    def _merge(self, found: Array) -> None:
        """Moves places to where they were found (n, 3), and newer ones with a place that they are linked to."""
        index, table = self.places.index, self.places.graph.edges
        old, new = index.poses.copy(), np.concatenate([found, index.poses[self._known :]])
        for row in range(self._known, len(index)):
            ends = [index.row(other) for other in table.at(int(index.ids[row]))[::2]]
            anchor = min(ends, default=row)
            if anchor < row:
                new[row] = compose(new[anchor], relative(old[anchor], old[row]))
        self.places.move(np.arange(len(index)), new)


def _numbers(config: PoseGraphConfig) -> tuple[float, float, float, int]:
    return *config.way_sigma, config.robust, config.iterations


def solve(ids: NDArray[np.int64], poses: Array, edges: NDArray[np.void], config: PoseGraphConfig) -> Array:
    """Where places belong (n, 3), whose ids are (n,), and which are at `poses` (n, 3), linked by `edges` (m,)."""
    index = PlaceIndex(LaserModel())
    index.extend(ids, np.zeros((len(ids), LaserModel.spec.latent_dim), np.float32), poses)
    return optimise(poses, [driven_ways(index, edges, config)], config)


def main(folder: Path) -> None:
    """What the process does: reads GIVEN, writes FOUND."""
    os.nice(10)  # the robot goes first
    with np.load(folder / GIVEN) as given:
        sigma, turn, robust, iterations = given["config"].tolist()
        config = PoseGraphConfig(way_sigma=(sigma, turn), robust=robust, iterations=int(iterations))
        np.save(folder / FOUND, solve(given["ids"], given["poses"], given["edges"], config))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
