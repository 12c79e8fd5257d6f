"""Which way to take: questions to memory, its answers, and what is blocked on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.core.scan import Scan
from ami_ros.memory.types import Code as MemoryCode
from ami_ros.memory.types import GoalQuery, Route, SearchState
from ami_ros.planning.monitors import Stopwatch
from ami_ros.planning.route_follower import RouteFollower, pose_in_map
from ami_ros.planning.scan_geometry import crossed, free_range, surfaces
from ami_ros.planning.types import Code, Goal, Percept, RouteRequest
from ami_ros.safety.moving_things import Footprints
from ami_ros.safety.tracker import without_moving


@dataclass(frozen=True)
class RoutingRules:
    """When a way counts as blocked, and when memory is asked again."""

    sight: float = 3.0  # [m] up to which a wall across the way is believed
    near: float = 1.3  # [m], what was seen from nearer needs no second look ...
    doubted: float = 20.0  # [s] ... for this long
    seen: float = 0.7  # [s] for which the wall must be seen
    hidden: float = 2.5  # [s] of seeing no place of the route ahead, after which the way counts as blocked
    remembered: float = 120.0  # [s] for which a way is not taken; after that memory only makes it dearer
    depth: float = 0.35  # [m] before and behind the place where the wall is looked for, across the way
    aside: float = 0.22  # [m] to either side of the way that the wall must cover, too: a door frame does not
    end: float = 0.3  # [m] of the route's end that may lie in a wall: places err by a little
    beyond: float = 0.8  # [m] behind the blocked place that must be seen for it to count as open
    likely: float = 0.2  # memory's confidence in where the goal is, from which its place is worth driving to
    rounds: int = 2  # times that no way is left which was not found blocked, after which the goal is given up
    lost: float = 2.0  # [s] of not being localised, after which memory is asked for another route
    off_route: float = 1.0  # [m] from the nearest place of the route, from which another one is needed
    frontier: float = 0.5  # [m] from a frontier at which memory is asked again for the way to a pose
    scout: float = 4.0  # [s] of exploring towards a pose, after which memory is asked whether it knows a way by now


@dataclass(frozen=True)
class BlockedWay:
    """One way that is blocked."""

    leg: tuple[int, int]  # ids of the two places that it leads between
    middle: Array  # (2,) in the map frame
    stamp: float  # when it was last seen so [s]
    near: bool  # seen from so near that there is no doubt
    by_scan: bool = True  # false: the robot got stuck there, at something that the scanner may not see
    half: float = 0.0  # [m] of its length on either side of `middle`


def wall_across(path: Array, scan: Scan | None, sight: float, rules: RoutingRules = RoutingRules()) -> int | None:
    """The first leg of a path (n, 2) [m] in base_link that is visibly crossed by something solid; None: none.

    The path was driven once, so a wall that crosses it is new. A place and a heading that are a little wrong move the
    path into the frame of a door; therefore the wall must cover its sides, too. Only up to `sight` [m].
    """
    if scan is None or len(path) < 2:
        return None
    walls = surfaces(scan, sight + 0.3)
    lengths = np.hypot(*np.diff(path, axis=0).T)
    left = np.append(np.cumsum(lengths[::-1])[::-1], 0.0)  # from each point to the end
    hit = crossed(path[:-1], path[1:], walls) & (left[:-1] > rules.end)
    for leg in np.flatnonzero(hit):
        middle = (path[leg] + path[leg + 1]) / 2
        if np.hypot(*middle) > sight:
            continue
        near = np.flatnonzero(np.hypot(*(path - middle).T) < 0.5)  # a leg between close places has no direction
        way = path[max(near.max(initial=leg + 1), leg + 1)] - path[min(near.min(initial=leg), leg)]
        along = way / max(float(np.hypot(*way)), 1e-9)
        side = np.array([-along[1], along[0]])
        centres = middle + np.array([[-rules.aside], [0.0], [rules.aside]]) * side
        reach = along * (rules.depth + lengths[leg] / 2)
        if crossed(centres - reach, centres + reach, walls).all():
            return int(leg)
    return None


class BlockedWays:
    """The blocked ways, for this goal and the next ones.

    Args:
        rules: see there.

    Attributes:
        footprints: where what moves was lately, in the map frame. A way that was blocked there, and is seen through
            now, was blocked by it.
    """

    def __init__(self, rules: RoutingRules = RoutingRules()) -> None:
        self.rules, self.ways = rules, list[BlockedWay]()
        self.footprints = Footprints()

    def add(self, way: BlockedWay) -> None:
        """Notes that a way is blocked, or still is."""
        self.ways = [w for w in self.ways if w.leg != way.leg]
        self.ways.append(way)

    def legs(self, stamp: float) -> tuple[tuple[int, int], ...]:
        """The ways that are not to be taken now; those that were seen blocked long ago may be open again."""
        fresh = [w for w in self.ways if 0.0 <= stamp - w.stamp <= self.rules.remembered]
        self.ways = fresh
        return tuple(w.leg for w in fresh)

    def look(self, pose: Array, scan: Scan | None) -> list[BlockedWay]:
        """Forgets and returns the ways that are seen to be open from `pose` (3,) in the map frame."""
        opened = [w for w in self.ways if scan is not None and self._open(w, pose, scan)]
        self.ways = [w for w in self.ways if w not in opened]
        return opened

    def _open(self, way: BlockedWay, pose: Array, scan: Scan) -> bool:
        seen = relative(pose, np.array([*way.middle, 0.0]))
        distance, bearing = float(np.hypot(seen[0], seen[1])), float(np.arctan2(seen[1], seen[0]))
        if not 0.3 < distance < self.rules.sight:
            return False
        free, reach = free_range(scan, bearing, 0.12), way.half + self.rules.depth
        if way.by_scan and free > distance + self.rules.beyond:
            return True
        return free > distance + reach and bool(self.footprints.within(way.middle[None], reach)[0])

    def reconsider(self, pose: Array, stamp: float) -> None:
        """With no way left, the one to look at again: the nearest that is in doubt, else the newest.

        Args:
            pose: (3,) in the map frame.
            stamp: now [s].
        """
        if not self.ways:
            return
        doubtful = [w for w in self.ways if not w.near or stamp - w.stamp > self.rules.doubted]
        self.ways.remove(min(doubtful or self.ways[-1:], key=lambda w: float(np.hypot(*(w.middle - pose[:2])))))


class Routing:
    """The ways to one goal. It asks questions and takes answers; somebody else carries them to memory.

    Attributes:
        follower: of the route in use, if there is one.
        flat: whether to drive without memory.
        lost: whether that is only until memory knows where the robot is.
        refusal: why the goal is given up, if it is.
        hypothesis: which of memory's matches of the goal is driven to.
        blocked: what was found blocked on this way and others; outlives the goal.
        replans: routes taken so far.
        scouting: memory knows no way to a pose in the map: it is explored towards.
    """

    def __init__(self, goal: Goal, config: NavigatorConfig, blocked: BlockedWays) -> None:
        self.goal, self.config, self.blocked, self.rules = goal, config, blocked, blocked.rules
        self.follower: RouteFollower | None = None
        self.flat = not config.use_memory
        self.lost = self.scouting = False
        self.refusal: tuple[Code, str] | None = None
        self.hypothesis = 0
        self.replans = self.rounds = 0
        self._tried: list[Array] = []  # (3,) each, in the map frame: frontiers on the way to a pose ...
        self._done: list[Array] = []  # ... and those to which it was, or that it did not get to at once
        self._guessed = False  # no place shows for certain that the goal is where the last route led
        self._wanted = config.use_memory
        self._lost, self._hidden, self._walled, self._scouted = (Stopwatch() for _ in range(4))
        self._asked = RouteRequest(goal.query(), 0, ())
        self._pose, self._stamp = np.zeros(3), 0.0  # of the robot in the map frame, when that was last known

    @property
    def likely(self) -> bool:
        """Whether remembered places show for certain that the goal is where the route in use leads."""
        return self.follower is not None and self.follower.route.goal_confidence >= self.rules.likely

    def _is_partial(self, route: Route) -> bool:
        """Whether no way to the pose that is the goal is known, and a route leads to a frontier on the way there."""
        return self.goal.pose is not None and route.goal_confidence <= 0.0

    # Questions and answers

    def request(self, percept: Percept, looked_from: Sequence[Array] = (), reach: float = 0.0) -> RouteRequest | None:
        """What to ask memory at this moment.

        Args:
            percept: of it.
            looked_from: (3,) each, in odom, from where the goal was looked for in vain.
            reach: [m] that the robot can drive in the time that is left.
        """
        goal = self.goal
        if not self._wanted:
            return None
        query = goal.query()
        if goal.pose is not None and not goal.in_map:
            if percept.location is None or not percept.location.localised:
                return None
            query = GoalQuery(pose=pose_in_map(percept.location, goal.pose))
        if percept.location is not None:
            spots = [pose_in_map(percept.location, spot)[:2] for spot in looked_from]
            query = replace(query, search=SearchState(np.array(spots).reshape(-1, 2), reach))
        self._asked = RouteRequest(query, self.hypothesis, self.blocked.legs(percept.stamp))
        return self._asked

    def answer(self, answer: Route | AmiError) -> None:
        """Takes memory's answer."""
        self._wanted = False
        if isinstance(answer, Route) and self._is_partial(answer) and not self._takes(answer.goal_pose):
            return
        if isinstance(answer, Route):
            self._guessed = answer.goal_confidence <= 0.0
            self.follower = RouteFollower(answer, self.config.follower)
            self.replans += 1
            self.flat = self.scouting = False
        elif answer.code == MemoryCode.NOT_LOCALISED:
            self._wanted = True
        elif self._asked.avoid_edges and answer.code == MemoryCode.NO_ROUTE:
            self._look_at_blockage()
        elif (
            self.goal.pose is not None
            and self.goal.in_map
            and answer.code in (MemoryCode.NO_ROUTE, MemoryCode.NOT_FOUND)  # of a memory that is there
        ):
            self.flat = self.scouting = True
            self.hypothesis = 0
        elif self.goal.recognised and answer.code == MemoryCode.NO_ROUTE:
            self.hypothesis += 1  # no place saw a way to where this one lies
            self._wanted = True
        elif self.hypothesis and not self.goal.recognised:
            self.hypothesis = 0
            self._wanted = True
        elif self.goal.only_in_memory:
            silent = answer.code == MemoryCode.NO_ANSWER
            self.refusal = Code.NO_MEMORY if silent else Code.GOAL_NOT_REMEMBERED, str(answer)
        else:
            self.flat = True

    def _takes(self, frontier: Array) -> bool:
        """Whether to go to a `frontier` (3,) on the way to a pose; else another is asked for. To a pose in odom it
        drives without memory instead."""
        if not self.goal.in_map:
            self.flat = True
            return False
        if self._is_among(frontier, self._done):
            self.hypothesis, self._wanted = self.hypothesis + 1, True
            return False
        (self._done if self._is_among(frontier, self._tried) else self._tried).append(frontier)  # it is tried twice
        self.hypothesis = 0
        return True

    def _is_among(self, frontier: Array, others: list[Array]) -> bool:
        return any(np.hypot(*(frontier - other)[:2]) < self.rules.frontier for other in others)

    def scouted(self, stamp: float) -> None:
        """Asks memory now and then, while a pose is explored towards."""
        if self._scouted.held(True, stamp) > self.rules.scout:
            self._scouted, self._wanted = Stopwatch(), True

    def is_at_frontier(self, percept: Percept) -> bool:
        """Whether the robot has come to a frontier on the way to a pose; then memory, which has seen more by now, is
        asked again."""
        location, follower = percept.location, self.follower
        if follower is None or not self._is_partial(follower.route) or location is None or not location.localised:
            return False
        frontier = follower.route.goal_pose
        if np.hypot(*(frontier - pose_in_map(location, percept.odometry))[:2]) > self.rules.frontier:
            return False
        self._done.append(frontier)
        self.ask_again()
        return True

    def _look_at_blockage(self) -> None:
        """No way is left that was not found blocked: one is looked at again, a few times; then a goal that was only to
        be looked for there is looked for elsewhere, and any other is given up."""
        self.blocked.reconsider(self._pose, self._stamp)  # only one: looking at all again would take a tour
        self.rounds += 1
        if self.rounds < self.rules.rounds:
            self._wanted = True
        elif self.goal.recognised and (self._guessed or self.hypothesis):
            self.rounds, self.hypothesis, self._wanted = 0, self.hypothesis + 1, True
        else:
            self.refusal = Code.FAILED_TO_MAKE_PROGRESS, "every known way to the goal is blocked"

    def ask(self) -> None:
        """Asks memory again, and keeps the route in use meanwhile."""
        self._wanted = True

    def ask_again(self) -> None:
        """Drops the route and asks memory for another."""
        self.follower, self._wanted = None, True
        self._lost, self._hidden, self._walled = Stopwatch(), Stopwatch(), Stopwatch()

    def look_up_again(self) -> None:
        """Memory has seen more: all that it has for the goal now."""
        self.hypothesis, self.flat, self.lost = 0, False, False
        self.ask_again()

    # The route in use

    def misfit(self, percept: Percept) -> bool:
        """Notes where the robot is on the route; true once it has been lost for a while, or is off the route."""
        location = percept.location
        if location is None or not location.localised:
            return self.follower is not None and self._lost.held(True, percept.stamp) > self.rules.lost
        self._lost.held(False, percept.stamp)
        self._pose, self._stamp = pose_in_map(location, percept.odometry), percept.stamp
        return self.follower is not None and self.follower.update(self._pose) > self.rules.off_route

    def opened(self, percept: Percept) -> str:
        """Ways that are seen to be open again, in words; they no longer count as blocked."""
        if percept.location is None or not percept.location.localised:
            return ""
        self.blocked.footprints.add(percept.things, percept.stamp, self._pose, percept.odometry)
        opened = self.blocked.look(self._pose, percept.scan)
        if not opened:
            return ""
        return f"the way between places {opened[0].leg[0]} and {opened[0].leg[1]} is open again"

    def closed(self, percept: Percept) -> str:
        """What blocks the route, in words; it is avoided from then on."""
        assert self.follower is not None
        follower = self.follower
        if percept.location is None or not percept.location.localised:
            return ""
        scan, rules = percept.scan, self.rules
        if scan is not None and percept.things is not None:  # who passes blocks no way
            scan = without_moving(scan, percept.odometry, percept.things)
        path = follower.ahead(self._pose)
        # Before a goal is given up, the blockage is looked at from near. A guess from afar says less than that the way
        # was driven once.
        measured = self.config.measured
        wall = wall_across(path, scan, rules.near if self.rounds or not measured else rules.sight, rules)
        if self._walled.held(wall is not None, percept.stamp) > rules.seen and wall is not None:
            at = follower.at + wall
            self._avoid(at)
            return f"a wall across the way, {np.hypot(*path[wall]):.1f} m off"
        hidden = follower.hidden_leg(self._pose, scan) if measured else None
        if self._hidden.held(hidden is not None, percept.stamp) > rules.hidden and hidden is not None:
            self._avoid(hidden)
            return f"no place ahead was in sight for {rules.hidden:.0f} s"
        return ""

    def stuck_here(self) -> None:
        """The robot got stuck: avoids the leg of the route that it is on."""
        if self.follower is not None and self.follower.at + 1 < len(self.follower.poses):
            self._avoid(self.follower.at, by_scan=False)

    def _avoid(self, leg: int, by_scan: bool = True) -> None:
        """Notes that the way from place number `leg` of the route to the next is blocked."""
        assert self.follower is not None
        first, second = self.follower.route.places[leg : leg + 2]
        middle = (first.pose[:2] + second.pose[:2]) / 2
        near = not by_scan or bool(np.hypot(*(middle - self._pose[:2])) < self.rules.near)
        half = float(np.hypot(*(second.pose - first.pose)[:2])) / 2
        self.blocked.add(BlockedWay((first.id, second.id), middle, self._stamp, near, by_scan, half))
