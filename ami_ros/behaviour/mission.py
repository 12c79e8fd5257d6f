"""A mission: several goals, in order or all of them in the shortest order, with waits and retries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.behaviour.task import Code, Destination, Leg, Phase, Step, WorldState
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.memory.types import Route
from ami_ros.planning.types import Code as GoalCode
from ami_ros.planning.types import RouteRequest


def visiting_order(routes: Sequence[Route]) -> list[int]:
    """The order in which to visit the ends of `routes`, which all begin here; indices into them.

    Memory tells ways from here only. The way between two goals is taken to leave the one's route where it passes the
    other's: never shorter than the true shortest way by more than 0.6 m, and in rooms that form a tree no longer.
    """
    if not routes:
        return []
    first = np.array([route.length for route in routes])
    between = np.array([[_between(a, b) if a is not b else 0.0 for b in routes] for a in routes])
    return _exact(first, between) if len(routes) <= 9 else _two_opt(first, between)


def _between(a: Route, b: Route) -> float:
    """Length [m] from the end of one route back along it to where the other passes, within 0.6 m, and along that to its
    end."""
    (here, back), (there, on) = _along(a), _along(b)
    gap = np.hypot(*(here[:, None] - there[None]).transpose(2, 0, 1))
    way = back[:, None] + gap + on[None]
    return float(np.where(gap <= 0.6, way, np.inf).min(initial=a.length + b.length))


def _along(route: Route) -> tuple[Array, Array]:
    """Positions (n, 2) along a route, the goal's at the end, and the way left (n,) [m] from each to that."""
    points = np.stack([*(place.pose[:2] for place in route.places), route.goal_pose[:2]])
    steps = np.hypot(*np.diff(points, axis=0).T)
    return points, np.append(np.cumsum(steps[::-1])[::-1], 0.0)


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


def _two_opt(first: Array, between: Array) -> list[int]:
    """Goes to the nearest one each time, then reverses stretches as long as that shortens the way (Croes 1958)."""
    order, rest = [int(np.argmin(first))], set(range(len(first)))
    rest.discard(order[0])
    while rest:
        order.append(min(rest, key=lambda k: between[order[-1], k]))
        rest.discard(order[-1])
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


@dataclass(frozen=True)
class MissionPlan:
    """What is wanted."""

    goals: tuple[Destination, ...]
    ordered: bool = True  # in this order; else all of them, in the order that memory's routes make shortest
    retries: int = 1  # further attempts at a goal that was missed
    retry_pause: float = 2.0  # [s] before one
    stop_at_failure: bool = False  # a goal that is given up ends the mission
    leg_allowance: float = 0.0  # [s] for each try; 0: no limit
    allowance: float = 0.0  # [s] for all of it; 0: no limit

    def __post_init__(self) -> None:
        if not 1 <= len(self.goals) <= 100:
            raise ValueError(f"a mission has 1 to 100 goals, found {len(self.goals)}")
        if not 0 <= self.retries <= 100:
            raise ValueError(f"retries must be 0 to 100, found {self.retries}")
        for name in ("retry_pause", "leg_allowance", "allowance"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be finite and not negative, found {getattr(self, name)}")


@dataclass(frozen=True)
class GoalRecord:
    """The record of one goal so far."""

    tries: int = 0  # that ended
    reached: bool = False
    closed: bool = False  # reached, or given up
    code: int = 0  # of the last failed attempt; 0 once reached
    message: str = ""


@dataclass(frozen=True)
class Progress:
    """Progress of a mission: everything that a restart must know."""

    records: tuple[GoalRecord, ...]
    elapsed: float = 0.0  # [s]
    visited: tuple[int, ...] = ()  # indices of goals that are closed, in that order


class Mission:
    """See `planning.task.Task`.

    Args:
        plan: what is wanted.
        progress: how far it is; None: at its beginning.

    Attributes:
        current: index of the goal that it is at; None between goals.
    """

    def __init__(self, plan: MissionPlan, progress: Progress | None = None) -> None:
        self.plan = plan
        self.progress = progress or Progress(tuple(GoalRecord() for _ in plan.goals))
        self.phase, self.code, self.message, self.revision = Phase.CHOOSING, Code.NONE, "setting out", 0
        self.current: int | None = None
        self.legs = 0
        self._order: list[int] = []  # of the goals to come, once it is known
        self._asked: list[int] = []  # goals that memory was asked for routes to
        self._wait, self._until = 0.0, -1.0  # [s]; negative: waiting has not begun
        self._stamp: float | None = None
        if not self.remaining:
            self._conclude()

    @property
    def remaining(self) -> list[int]:
        """Indices of the goals that are neither reached nor given up: those with the fewest tries first."""
        records = self.progress.records
        still = [k for k, record in enumerate(records) if not record.closed]
        return still if self.plan.ordered else sorted(still, key=lambda k: records[k].tries)

    # Task

    def step(self, state: WorldState) -> Step:
        """See `Task`."""
        if self.phase is Phase.DONE:
            return Step()
        if self._stamp is not None and 0.0 < state.stamp - self._stamp < 5.0:  # a clock that went backwards counts not
            elapsed = self.progress.elapsed + state.stamp - self._stamp
            self.progress = replace(self.progress, elapsed=elapsed)
        self._stamp = state.stamp
        if self.plan.allowance and self.progress.elapsed > self.plan.allowance:
            self.finish(Code.TIMEOUT, f"not finished within the {self.plan.allowance:.0f} s allowed")
            return Step()
        if self.phase is Phase.WAITING:
            # At the beginning, or when the clock went backwards.
            if self._until < 0.0 or self._until - state.stamp > self._wait:
                self._until = state.stamp + self._wait
            if state.stamp >= self._until:
                self.phase = Phase.CHOOSING
                if not self.remaining:
                    self._conclude()
        return self._choose() if self.phase is Phase.CHOOSING else Step()

    def set_routes(self, answers: Sequence[Route | AmiError]) -> None:
        """See `Task`. Goals without a known route come last, in their given order."""
        known = [(k, answer) for k, answer in zip(self._asked, answers, strict=True) if isinstance(answer, Route)]
        order = [known[i][0] for i in visiting_order([route for _, route in known])]
        tries = {k: self.progress.records[k].tries for k in self.remaining}
        rest = [k for k in self.remaining if k not in order]
        self._order = sorted(order + rest, key=lambda k: tries[k])

    def ended(self, leg: int, succeeded: bool, code: int, message: str, stamp: float) -> None:
        """See `Task`."""
        if leg != self.legs or self.phase is not Phase.DRIVING or self.current is None:
            return
        index, self.current = self.current, None
        record = self.progress.records[index]
        tries = record.tries + 1
        rejected = 1  # as in NavigateToGoal
        hopeless = code in (rejected, GoalCode.INVALID_GOAL, GoalCode.ENCODER_MISMATCH, GoalCode.TF_ERROR)
        given_up = not succeeded and (tries > self.plan.retries or hopeless)
        records = list(self.progress.records)
        records[index] = GoalRecord(tries, succeeded, succeeded or given_up, 0 if succeeded else code, message)
        visited = self.progress.visited + ((index,) if records[index].closed else ())
        self.progress = Progress(tuple(records), self.progress.elapsed, visited)
        self.revision += 1
        name = f"goal {index + 1} of {len(self.plan.goals)}"
        if given_up and self.plan.stop_at_failure:
            self.finish(Code.GOALS_MISSED, f"{name} was missed: {message}")
            return
        self._wait = self.plan.goals[index].wait if succeeded else self.plan.retry_pause if not given_up else 0.0
        self._until, self._order = -1.0, []
        self.phase = Phase.WAITING
        self.message = f"{name} " + ("reached" if succeeded else f"missed: {message}")

    def interrupted(self) -> None:
        """See `Task`."""
        if self.phase is Phase.DRIVING:
            self.phase, self.current, self._order = Phase.CHOOSING, None, []

    def finish(self, code: Code, message: str) -> None:
        """See `Task`."""
        self.phase, self.code, self.message, self.current = Phase.DONE, code, message, None
        self.revision += 1

    # Parts

    def _choose(self) -> Step:
        remaining = self.remaining
        if not self.plan.ordered and len(remaining) > 1 and not self._order:
            queries = {k: self.plan.goals[k].query() for k in remaining}
            self._asked = [k for k, query in queries.items() if query is not None]
            if self._asked:
                return Step(wants_routes=tuple(RouteRequest(query) for query in queries.values() if query is not None))
        self.current = (self._order or remaining)[0]
        self.phase = Phase.DRIVING
        self.legs += 1
        tried = self.progress.records[self.current].tries
        self.message = f"driving to goal {self.current + 1} of {len(self.plan.goals)}"
        self.message += f", try {tried + 1}" if tried else ""
        return Step(Leg(self.legs, self.plan.goals[self.current], self.plan.leg_allowance, self.message))

    def _conclude(self) -> None:
        missed = [k + 1 for k, record in enumerate(self.progress.records) if not record.reached]
        if missed:
            self.finish(Code.GOALS_MISSED, f"missed {len(missed)} of {len(self.plan.goals)} goals: {missed}")
        else:
            self.finish(Code.NONE, f"reached all {len(self.plan.goals)} goals")
