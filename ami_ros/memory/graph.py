"""Ways between places: a directed graph of what was driven, and shortest paths in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from ami_ros.core.geometry import Array, pose_gap, relative, wrap
from ami_ros.memory.coverage import around, pairs_within
from ami_ros.memory.index import PlaceIndex
from ami_ros.memory.tables import EdgeTable
from ami_ros.memory.types import Edge

NO_COST = 0.01  # [m] that makes no difference
SEEING = 40  # of the nearest places that are asked for a way that they saw to be free
OFF_MAP = 2.5  # [m] from a place to the end of its route that it saw the free way to, where no place is in reach


class Free(Protocol):
    """What places saw to be free."""

    def to(self, place_id: int, point: Array) -> bool:
        """Whether the straight way from a place to a `point` (2,) [m] of the map was seen to be."""

    def beyond(self, rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        """Spots (k, 2) [m] of the map that places in `rows` saw to be, so far `off` all places; and by which (k,)."""


@dataclass(frozen=True)
class GraphConfig:
    """What counts as a way and what it costs. Costs are metres of straight driving."""

    turn_cost: float = 0.15  # [m/rad] of turning; larger prefers straight routes
    reverse_factor: float = 1.3  # cost of driving a way backwards, relative to forwards; larger avoids it
    failure_cost: float = 3.0  # [m] for each failure since the way last worked; larger: longer detours
    forgiveness: float = 600.0  # [s] after which that cost halves; smaller tries again sooner
    blocked_radius: float = 0.3  # [m] around the middle of a failed way within which other ways are blocked too ...
    barrier: float = 0.6  # [m] to each side of it across which ways are blocked; larger blocks more at once
    same_failure: float = 30.0  # [s] within which the same failure counts once
    # Places closer than this are joined: a disc of 0.18 m cannot stand at both with a wall between them.
    join_radius: float = 0.30  # [m] between places that are connected without being driven; larger may go through walls
    reach: float = 0.6  # [m] from a pose to the first or last place of its route; larger allows ends off the map


@dataclass(frozen=True)
class Connections:
    """Pairs of places between which one drives straight."""

    ends: NDArray[np.int64]  # (m, 2) their rows
    costs: Array  # (m,) of going from the first to the second [m]


class PlaceGraph:
    """Edges by (start, stop); the matrix for searches is made when it is first needed after a change."""

    def __init__(self, index: PlaceIndex, config: GraphConfig) -> None:
        self.index, self.config = index, config
        self.edges = EdgeTable()
        self.free: Free | None = None  # known where there are scans
        self._matrix: csr_matrix | None = None
        self._ways: Connections | None = None  # that were driven ...
        self._counted = 0  # ... by so many of the first edges
        self._joins: Connections | None = None
        self._joined = 0  # rows that were looked at for them

    def add(self, edge: Edge) -> None:
        """Adds an edge as it was stored."""
        self.edges.put(edge)
        self._matrix = self._ways = None

    def cut(self, start: int, stop: int) -> None:
        """Removes one edge, if it is there."""
        self.edges.cut(start, stop)
        self._matrix = self._ways = None

    def take(self, edges: NDArray[np.void]) -> None:
        """Adds many edges (m,), with the fields of `WAYS`; see `EdgeTable.take`."""
        self.edges.take(edges)
        self._matrix = None

    def traversed(self, start: int, stop: int, measured: Array, duration: float, stamp: float) -> Edge:
        """Notes that the robot drove from place `start` to `stop`, `measured` (3,) apart; O(1). Returns the edge."""
        old = self.edges.get((start, stop))
        if old is None or not old.traversals:
            edge = Edge(start, stop, measured, 1, duration, max(0, old.failures - 1) if old else 0, stamp)
            self._matrix = None
            if old is not None:  # an edge that was counted as one that nobody drove
                self._ways = None
        else:
            count = old.traversals + 1
            mean = old.duration + (duration - old.duration) / count
            edge = replace(old, traversals=count, duration=mean, failures=max(0, old.failures - 1), last_used=stamp)
        self.edges.put(edge)
        return edge

    def failed(self, start: int, stop: int, stamp: float) -> Edge | None:
        """Notes that the way between two places, in either direction, was found blocked.

        Returns:
            The edge that changed (one with no traversals where nothing was driven); None where a place is unknown, or
            the failure is the one that was noted just before.
        """
        if start not in self.index or stop not in self.index:
            return None
        key = (stop, start) if (stop, start) in self.edges and (start, stop) not in self.edges else (start, stop)
        old = self.edges.get(key)
        if old is None:
            ends = self.index.poses[[self.index.row(start), self.index.row(stop)]]
            edge = Edge(start, stop, relative(*ends), traversals=0, duration=0.0, failures=1, last_used=stamp)
        elif old.failures and 0.0 <= stamp - old.last_used < self.config.same_failure:
            return None
        else:
            edge = replace(old, failures=old.failures + 1, last_used=stamp)
        self.edges.put(edge)
        return edge

    def drop(self, ids: set[int]) -> None:
        """Removes every edge at one of the places."""
        self.edges.drop(ids)
        self.changed()

    def added(self) -> None:
        """Places were added behind the others."""
        self._matrix = None

    def changed(self) -> None:
        """Places were moved, dropped, or named as such to keep away from."""
        self._matrix = self._ways = self._joins = None

    def shortest_path(
        self, start: Array, goal: Array, avoid: Iterable[tuple[int, int]] = (), now: float = 0.0
    ) -> tuple[list[int], float] | None:
        """Place ids from near the pose `start` (3,) to near `goal` (3,), and the length [m]; None without a way.

        Args:
            start: in the map frame.
            goal: in the map frame.
            avoid: pairs of place ids whose connection, in either direction, must not be used, nor any other that
                passes near its middle. Ways that failed before are not excluded, but cost more.
            now: stamp [s], by which failures are forgiven.
        """
        sources, entry = self._near(start)
        targets, leave = self._ends(goal)
        if not len(sources) or not len(targets):
            return None
        matrix = self._weights_now(list(avoid), now)
        distance, before, _ = dijkstra(matrix, indices=sources, min_only=True, return_predecessors=True)
        # min_only ignores the cost of getting to each source; it is below `reach` for all of them.
        total = distance[targets] + leave
        best = int(np.argmin(total))
        if not np.isfinite(total[best]):
            return None
        rows = [int(targets[best])]
        while (previous := int(before[rows[-1]])) >= 0:
            rows.append(previous)
        return self.index.ids[rows[::-1]].tolist(), float(total[best] + entry.min())

    def distances(self, start: Array) -> Array:
        """Of the shortest paths (n,) [m] from near the pose `start` (3,) to every place; inf without a way."""
        sources, entry = self._near(start)
        if not len(sources):
            return np.full(len(self.index), np.inf)
        return np.asarray(dijkstra(self._weights(), indices=sources, min_only=True) + entry.min())

    def lengths(self, start: Array, goals: Array) -> Array:
        """Of the shortest paths (k,) [m] from near the pose `start` (3,) to near `goals` (k, 3); inf without a way."""
        distance = self.distances(start)
        found = np.full(len(goals), np.inf)
        goal, row, apart = pairs_within(goals[:, :2], self.index.poses[:, :2], self.config.reach)
        turn = np.abs(wrap(goals[goal, 2] - self.index.poses[row, 2]))
        np.minimum.at(found, goal, distance[row] + apart + self.config.turn_cost * turn)
        for k in np.flatnonzero(np.bincount(goal, minlength=len(goals)) == 0).tolist():
            rows, leave = self._ends(goals[k])
            found[k] = (distance[rows] + leave).min(initial=np.inf)
        return found

    def _near(self, pose: Array) -> tuple[NDArray[np.int64], Array]:
        """Rows of places from which the pose is a short, straight move away, and the cost of that move [m]."""
        rows = around(pose[None, :2], self.index.poses[:, :2], self.config.reach)
        distance, turn = pose_gap(self.index.poses[rows], pose)
        cost = np.where(distance < self.config.reach, distance + self.config.turn_cost * turn, np.inf)
        best = np.argsort(cost)[: min(5, np.isfinite(cost).sum())]
        return rows[best], cost[best]

    def _ends(self, goal: Array) -> tuple[NDArray[np.int64], Array]:
        """Rows of places from which a way may end at `goal` (3,), and the cost of what is left then [m]: those near by,
        else those that saw the way there to be free."""
        rows, cost = self._near(goal)
        if len(rows) or self.free is None:
            return rows, cost
        beside = around(goal[None, :2], self.index.poses[:, :2], OFF_MAP)
        distance = np.hypot(*(self.index.poses[beside, :2] - goal[:2]).T)
        nearest = [k for k in np.argsort(distance)[:SEEING].tolist() if distance[k] < OFF_MAP]
        seeing = [k for k in nearest if self.free.to(int(self.index.ids[beside[k]]), goal[:2])][:5]
        return beside[seeing], distance[seeing]

    def keep_away(self) -> Array:
        """Circles (n, 3) that the robot shall keep out of: x, y [m] in the map frame, radius [m]."""
        radius = self.index.column("keep_away")
        rows = np.flatnonzero(radius)
        return np.column_stack([self.index.poses[rows, :2], radius[rows]])

    def connections(self) -> NDArray[np.int64]:
        """Rows (m, 2) of all places that are connected: ways that were driven, then joins."""
        return np.concatenate([self._driven().ends, self._stand_together().ends])

    def _driven(self) -> Connections:
        """Ways that were driven."""
        first = 0 if self._ways is None else self._counted
        if self._ways is None or first < len(self.edges):
            ends = self.index.rows(self.edges.driven(first).ravel()).reshape(-1, 2)
            self._ways = self._connected(ends, self._ways)
            self._counted = len(self.edges)
        return self._ways

    def _stand_together(self) -> Connections:
        """Joins of places that stand (almost) on one spot."""
        positions, radius = self.index.poses[:, :2], self.config.join_radius
        if self._joins is None:
            pairs = cKDTree(positions).query_pairs(radius, output_type="ndarray")
            self._joins = self._connected(np.asarray(pairs, np.int64).reshape(-1, 2), None)
        elif self._joined < len(positions):
            found = []
            for row in range(self._joined, len(positions)):
                near = np.flatnonzero(np.hypot(*(positions[:row] - positions[row]).T) <= radius)
                found.append(np.column_stack([near, np.full(len(near), row)]))
            self._joins = self._connected(np.concatenate(found), self._joins)
        self._joined = len(positions)
        return self._joins

    def _connected(self, ends: NDArray[np.int64], known: Connections | None) -> Connections:
        """Connections of places, rows (m, 2), after those that are known."""
        distance, turn = pose_gap(self.index.poses[ends[:, 0]], self.index.poses[ends[:, 1]])
        new = Connections(ends, distance + self.config.turn_cost * turn + 1e-3)
        if known is None:
            return new
        return Connections(np.concatenate([known.ends, new.ends]), np.concatenate([known.costs, new.costs]))

    def _weights(self) -> csr_matrix:
        if self._matrix is None:
            self._matrix = self._build()
        return self._matrix

    def _build(self) -> csr_matrix:
        """Driven edges, the same ones reversed, and joins of places that stand (almost) on one spot."""
        positions, ways, joins = self.index.poses[:, :2], self._driven(), self._stand_together()
        rows = np.concatenate([ways.ends, ways.ends[:, ::-1], joins.ends, joins.ends[:, ::-1]])
        costs = np.concatenate([ways.costs, self.config.reverse_factor * ways.costs, joins.costs, joins.costs])
        for circle in self.keep_away():
            out = ~enters(positions[rows[:, 0]], positions[rows[:, 1]], circle)
            rows, costs = rows[out], costs[out]
        return matrix_of(rows, costs, len(positions))

    def _weights_now(self, avoid: list[tuple[int, int]], now: float) -> csr_matrix:
        """The matrix less everything that leads by an avoided edge, and dearer by the ones that failed of late."""
        if not avoid and not self.edges.failed:
            return self._weights()
        matrix, positions = self._weights(), self.index.poses[:, :2]
        rows = np.column_stack([np.repeat(np.arange(len(positions)), np.diff(matrix.indptr)), matrix.indices])
        ends = positions[rows[:, 0]], positions[rows[:, 1]]
        cost, keep = matrix.data.copy(), np.ones(len(matrix.data), bool)
        for key in self.edges.failed:
            edge = self.edges[key]
            age = now - edge.last_used
            price = self.config.failure_cost * edge.failures * 0.5 ** (age / self.config.forgiveness)
            if age >= 0.0 and price > NO_COST:  # a negative age: the clock began anew, that was another day
                cost[self._blocked(*ends, key)] += price
        for key in avoid:
            if key[0] in self.index and key[1] in self.index:
                keep &= ~self._blocked(*ends, key)
        return matrix_of(rows[keep], cost[keep], len(positions))

    def _blocked(self, starts: Array, stops: Array, key: tuple[int, int]) -> NDArray[np.bool_]:
        """Which connections of positions (m, 2) are blocked together with the one between two places.

        Those that pass near its middle, and those that cross a line through it, as through the same closed door.
        """
        first, second = self.index.poses[[self.index.row(key[0]), self.index.row(key[1])], :2]
        middle, along = (first + second) / 2, second - first
        near = np.hypot(*((starts + stops) / 2 - middle).T) <= self.config.blocked_radius
        length = np.hypot(*along)
        if length < 0.05:  # [m]; on one spot there is no direction to cross
            return np.asarray(near)
        ahead = along / length
        before, after = (starts - middle) @ ahead, (stops - middle) @ ahead
        crosses = before * after < 0
        share = np.where(crosses, before / np.where(crosses, before - after, 1.0), 0.0)
        crossing = starts + share[:, None] * (stops - starts) - middle
        aside = np.abs(crossing @ [-ahead[1], ahead[0]])
        return np.asarray(near | (crosses & (aside <= self.config.barrier)))


def matrix_of(rows: NDArray[np.int64], costs: Array, size: int) -> csr_matrix:
    """The matrix (size, size) of connections (m, 2) and their costs (m,); a search takes the cheapest of several."""
    order = np.argsort(rows[:, 0], kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows[:, 0], minlength=size))])
    # As int32, which the search would else make of them each time.
    return csr_matrix((costs[order], rows[order, 1].astype(np.int32), starts.astype(np.int32)), shape=(size, size))


def enters(starts: Array, stops: Array, circle: Array) -> NDArray[np.bool_]:
    """Which straight ways from positions (m, 2) to others come into a circle (x, y, radius), or go deeper into it.

    One that begins inside and leads away from its centre does not: a robot that is in there must get out.
    """
    centre, radius = circle[:2], circle[2]
    along, to_centre = stops - starts, centre - starts
    share = np.clip((to_centre * along).sum(1) / np.maximum(np.square(along).sum(1), 1e-9), 0.0, 1.0)
    nearest = np.hypot(*(starts + share[:, None] * along - centre).T)
    return np.asarray((nearest < radius) & (share > 0.0))
