"""The order in which to visit several goals: the shortest way through all of them, by memory's routes from here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ami_ros.geometry import Array
from ami_ros.places.types import Route

MEETING = 0.6  # [m] within which two routes pass by each other
EXACT = 9  # up to so many goals the best order is found for sure; beyond, one that two-opt cannot better


def visiting_order(routes: Sequence[Route]) -> list[int]:
    """The order in which to visit the ends of `routes`, which all begin here; indices into them.

    Memory tells ways from here only. The way between two goals is taken to leave the one's route where it passes the
    other's: never shorter than the true shortest way by more than `MEETING`, and in rooms that form a tree no longer.
    """
    if not routes:
        return []
    first = np.array([route.length for route in routes])
    between = np.array([[_between(a, b) if a is not b else 0.0 for b in routes] for a in routes])
    if len(routes) <= EXACT:
        return _exact(first, between)
    return _two_opt(_nearest_first(first, between), first, between)


def _between(a: Route, b: Route) -> float:
    """Length [m] from the end of one route back along it to where the other passes, and along that to its end."""
    here, there = _points(a), _points(b)
    gap = np.hypot(*(here[:, None] - there[None]).transpose(2, 0, 1))
    way = _left(here)[:, None] + gap + _left(there)[None]
    return float(np.where(gap <= MEETING, way, np.inf).min(initial=a.length + b.length))


def _points(route: Route) -> Array:
    """Positions (n, 2) along a route, the goal's at the end."""
    return np.stack([*(place.pose[:2] for place in route.places), route.goal_pose[:2]])


def _left(points: Array) -> Array:
    """Way left (n,) [m] from each of the points (n, 2) to the last."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    return np.append(np.cumsum(steps[::-1])[::-1], 0.0)


def _length(order: Sequence[int], first: Array, between: Array) -> float:
    return float(first[order[0]] + sum(between[a, b] for a, b in zip(order[:-1], order[1:], strict=True)))


def _exact(first: Array, between: Array) -> list[int]:
    """Dynamic programming over subsets (Held & Karp 1962), for a path that may end anywhere."""
    count = len(first)
    best: dict[tuple[int, int], tuple[float, int]] = {(1 << k, k): (float(first[k]), -1) for k in range(count)}
    for visited in range(1, 1 << count):
        for last in range(count):
            if (visited, last) not in best:
                continue
            so_far = best[visited, last][0]
            for k in range(count):
                if visited >> k & 1:
                    continue
                key, length = (visited | 1 << k, k), so_far + float(between[last, k])
                if key not in best or length < best[key][0]:
                    best[key] = (length, last)
    visited = (1 << count) - 1
    last = min(range(count), key=lambda k: best[visited, k][0])
    order = []
    while last >= 0:
        order.append(last)
        visited, last = visited & ~(1 << last), best[visited, last][1]
    return order[::-1]


def _nearest_first(first: Array, between: Array) -> list[int]:
    order, rest = [int(np.argmin(first))], set(range(len(first)))
    rest.discard(order[0])
    while rest:
        order.append(min(rest, key=lambda k: between[order[-1], k]))
        rest.discard(order[-1])
    return order


def _two_opt(order: list[int], first: Array, between: Array) -> list[int]:
    """Reverses stretches as long as that shortens the way (Croes 1958)."""
    length, shorter = _length(order, first, between), True
    while shorter:
        shorter = False
        for i in range(len(order) - 1):
            for j in range(i + 2, len(order) + 1):
                turned = order[:i] + order[i:j][::-1] + order[j:]
                new = _length(turned, first, between)
                if new < length - 1e-9:
                    order, length, shorter = turned, new, True
    return order
