"""Persons who walk the shortest ways between random places, and mind the robot, do not look, or avoid each other
(ORCA)."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, wrap
from ami_ros.core.installation import need
from ami_ros.simulation.floor_plan import FloorPlan, corners
from ami_ros.simulation.people.bodies import Body
from ami_ros.simulation.routes import CELL, Routes

# Persons who walk the shortest ways between random places, and either mind the robot or do not look.

SHORT_OF_ROBOT = 0.3  # gap that polite persons leave between them and the robot [m]
GAP = 0.15  # that persons leave between each other [m]
TOUCH = 0.01  # nearer than this to each other nobody comes nearer still [m]
PATIENCE = {"polite": (2.5, 4.0), "blind": (0.6, 1.2)}  # in somebody's way, before it goes elsewhere [s]
REST = 1.5  # at most, where a way ends [s]
SPEED_UP, SLOW_DOWN = 1.5, 3.0  # [m/s^2]
TURN = 4.0  # [rad/s]
PUSHED = 0.85  # how far behind the middle of a trolley its person walks [m]
BESIDE = (0.7, 1.1)  # from the place that a group goes to, to those of its members [m]
ROUND = 5  # cells over which a way is rounded
DRAWS = 40  # of a place to go to


@dataclass
class RobotDisc:
    """The robot as those who walk about meet it: its middle (2,), radius and velocity (2,) [m, m/s]."""

    centre: Array
    radius: float
    velocity: Array


@dataclass
class Walk:
    """One who walks: a line (n, 2), how far along it is every point, and how far the walker is [m]."""

    line: Array
    along: Array
    at: float = 0.0
    speed: float = 0.0  # now [m/s]
    rest: float = 0.0  # left of a pause [s]
    waited: float = 0.0  # for somebody in the way [s]
    patience: float = 1.0  # [s]
    bumped: float = 0.0  # left of the time that it stands after it ran into the robot [s]
    pushes: bool = False  # a trolley, whose person is the next body
    leader: int | None = None  # who says where a group goes
    goal: Array = field(default_factory=lambda: np.zeros(2))

    def point(self, at: float) -> Array:
        """(2,) [m]"""
        return np.array([np.interp(at, self.along, self.line[:, 0]), np.interp(at, self.along, self.line[:, 1])])

    @property
    def done(self) -> bool:
        """It is where it wanted to go."""
        return self.at >= self.along[-1] - 1e-6


class Walkers:
    """Those of `bodies`, who go at `speed` [m/s]; a trolley is followed by the body of who pushes it.

    Attributes:
        poses: (n, 3); velocities: (n, 2); present: (n,) who is there at all.
    """

    def __init__(
        self, bodies: Sequence[Body], routes: dict[str, Routes], speed: float, manner: str, group: int, seed: Any
    ) -> None:
        self._bodies, self._routes, self._speed, self._manner = bodies, routes, speed, manner
        self._rng = np.random.default_rng(seed)
        n = len(bodies)
        self.poses, self.velocities, self.present = np.zeros((n, 3)), np.zeros((n, 2)), np.ones(n, bool)
        self._radii = np.array([body.radius for body in bodies])
        self._pace = np.array([min(speed, 0.5) if body.kind == "robot" else speed for body in bodies])
        self._walks: dict[int, Walk] = {}
        in_group: list[int] = []
        for index, body in enumerate(bodies):
            if index and bodies[index - 1].kind == "trolley":
                continue
            walk = self._walks[index] = self._begin(index)
            walk.pushes = body.kind == "trolley"
            if body.walks:
                in_group.append(index)
                first = in_group[(len(in_group) - 1) // group * group]
                walk.leader = None if first == index else first
                if walk.leader is not None:
                    self._place(index, self._beside(self._walks[first].point(0.0), index))
            if walk.pushes:
                self._take_handle(index, walk)

    def _begin(self, index: int) -> Walk:
        """Somewhere free, away from the others."""
        ways, start = self._ways(index), np.zeros(2)
        for _ in range(DRAWS):
            start = ways.draw(self._rng)
            others = [walk.point(walk.at) for walk in self._walks.values()]
            if all(math.dist(start, other) > 1.2 for other in others):
                break
        self.poses[index] = *start, self._rng.uniform(-math.pi, math.pi)
        return Walk(start[None], np.zeros(1), rest=float(self._rng.uniform(0.0, REST)), goal=start)

    def _take_handle(self, index: int, walk: Walk) -> None:
        """The person of a trolley stands behind it, where there is room."""
        start, turns = walk.line[0], self._rng.permutation(np.arange(16)) * math.pi / 8
        behind = [start - PUSHED * np.array([math.cos(turn), math.sin(turn)]) for turn in turns]
        free = int(np.argmax(self._routes["narrow"].clear(np.array(behind))))
        walk.line, walk.along, walk.at = np.array([behind[free], start]), np.array([0.0, PUSHED]), PUSHED
        self.poses[index, 2] = turns[free]
        self._drag(index, walk)

    def _ways(self, index: int) -> Routes:
        return self._routes["wide" if self._bodies[index].kind == "trolley" else "narrow"]

    def _place(self, index: int, point: Array) -> None:
        walk = self._walks[index]
        walk.line, walk.along, walk.at, walk.speed = point[None].copy(), np.zeros(1), 0.0, 0.0
        self.poses[index, :2] = point
        if walk.pushes:
            self._take_handle(index, walk)

    def make_room(self, robot: RobotDisc) -> None:
        """Who stands where the robot was put goes elsewhere at once."""
        for index in self._walks:
            if math.dist(self.poses[index, :2], robot.centre) < robot.radius + self._radii[index] + SHORT_OF_ROBOT:
                for _ in range(DRAWS):
                    point = self._ways(index).draw(self._rng)
                    if math.dist(point, robot.centre) > robot.radius + self._radii[index] + 0.6:
                        break
                self._place(index, point)

    def advance(self, seconds: float, robot: RobotDisc, touching: NDArray[np.bool_]) -> None:
        """They walk on for `seconds`, a short step [s]; who is `touching` (n,) the robot stops, and goes elsewhere."""
        for index, walk in self._walks.items():
            before = self.poses[index, :2].copy()
            if touching[index] and not walk.done and walk.speed > 0.0 and self._towards(index, walk, robot.centre):
                walk.bumped = float(self._rng.uniform(*PATIENCE["blind"]))
            if walk.bumped > 0.0:
                walk.speed, walk.bumped = 0.0, walk.bumped - seconds
                if walk.bumped <= 0.0:
                    self._set_out(index, walk, robot.centre)
            elif walk.done:
                self._stand(index, walk, seconds)
            elif self._held_up(index, walk, robot):
                walk.speed, walk.waited = 0.0, walk.waited + seconds
                if walk.waited > walk.patience:
                    self._set_out(index, walk)
            else:
                change = np.clip(self._pace[index] - walk.speed, -SLOW_DOWN * seconds, SPEED_UP * seconds)
                walk.speed, walk.waited = walk.speed + float(change), max(0.0, walk.waited - 0.5 * seconds)
                walk.at = min(walk.at + walk.speed * seconds, float(walk.along[-1]))
            self._move(index, walk.point(walk.at), before, seconds)
            if walk.pushes:
                self._drag(index, walk, seconds)

    def _stand(self, index: int, walk: Walk, seconds: float) -> None:
        walk.speed, walk.rest = 0.0, walk.rest - seconds
        if walk.rest <= 0.0 and (walk.leader is None or self._left_behind(walk)):
            self._set_out(index, walk)

    def _left_behind(self, walk: Walk) -> bool:
        assert walk.leader is not None
        return math.dist(walk.goal, self._walks[walk.leader].goal) > BESIDE[1] + CELL

    def _move(self, index: int, point: Array, before: Array, seconds: float) -> None:
        self.poses[index, :2] = point
        self.velocities[index] = (point - before) / seconds if seconds else 0.0
        if np.hypot(*self.velocities[index]) > 0.02:
            way = math.atan2(self.velocities[index, 1], self.velocities[index, 0])
            turn = float(np.clip(wrap(way - self.poses[index, 2]), -TURN * seconds, TURN * seconds))
            self.poses[index, 2] = wrap(self.poses[index, 2] + turn)

    def _drag(self, index: int, walk: Walk, seconds: float = 0.0) -> None:
        """Who pushes a trolley comes after it."""
        before, behind = self.poses[index + 1, :2].copy(), walk.point(max(walk.at - PUSHED, 0.0))
        self._move(index + 1, behind, before, seconds)

    def _held_up(self, index: int, walk: Walk, robot: RobotDisc) -> bool:
        """Whether somebody, or for who looks the robot, is in the way."""
        here = self.poses[index, :2]
        way = walk.point(min(walk.at + 0.1, float(walk.along[-1]))) - here
        way = way / max(float(np.hypot(*way)), 1e-9)
        braking = walk.speed**2 / (2 * SLOW_DOWN)
        minded = _in_the_way(
            here, way, self._radii[index], robot.centre[None], robot.radius, SHORT_OF_ROBOT + braking, 0.0
        )
        if self._manner != "blind" and minded.any():
            return True
        blocked = _in_the_way(here, way, self._radii[index], self.poses[:, :2], self._radii, GAP + braking, TOUCH)
        blocked[[index, index + 1] if walk.pushes else [index]] = False
        return bool((blocked & self.present).any())

    def _towards(self, index: int, walk: Walk, point: Array) -> bool:
        here = self.poses[index, :2]
        way = walk.point(min(walk.at + 0.1, float(walk.along[-1]))) - here
        return bool(way @ (point - here) > 0.0)

    def _set_out(self, index: int, walk: Walk, away: Array | None = None) -> None:
        """A new way, from where it stands; `away` from a point, if there is one."""
        here = self.poses[index, :2].copy()
        goal, line = here, np.zeros((0, 2))
        for _ in range(DRAWS):
            if walk.leader is None:
                goal = self._ways(index).draw(self._rng)
            else:
                goal = self._beside(self._walks[walk.leader].goal, index)
            line = rounded(self._ways(index), here, self._ways(index).way(here, goal))
            first = line[min(len(line) - 1, ROUND)] - here if len(line) else np.zeros(2)
            back = away is not None and first @ (away - here) > 0.0
            if not back and (not walk.pushes or first @ ahead(self.poses[index, 2]) > 0.0):  # its person is behind it
                break
        walk.waited = 0.0
        walk.patience = float(self._rng.uniform(*PATIENCE["blind" if self._manner == "blind" else "polite"]))
        walk.rest = float(self._rng.uniform(0.0, REST))
        if len(line) < 2:
            return
        start = 0.0
        if walk.pushes:  # the person comes over the ground that the trolley came over
            tail = [walk.point(walk.at - back) for back in np.arange(PUSHED, 0.0, -CELL) if walk.at >= back]
            line = np.array([*tail, *line])
            start = float(np.hypot(*np.diff(line[: len(tail) + 1], axis=0).T).sum())
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        walk.line, walk.along, walk.at, walk.goal = line, along, start, goal

    def _beside(self, place: Array, index: int) -> Array:
        ways = self._ways(index)
        for _ in range(DRAWS):
            turn, distance = self._rng.uniform(-math.pi, math.pi), self._rng.uniform(*BESIDE)
            near = place + distance * np.array([math.cos(turn), math.sin(turn)])
            if ways.clear(near[None])[0]:
                return near
        return place

    def ahead_of(self, index: int, distance: float) -> Array:
        """Points (n, 2) of the way of one body, as far as `distance` [m] on."""
        walk = self._walks.get(index)
        if walk is None:
            return self.poses[index : index + 1, :2]
        return np.array([walk.point(walk.at + d) for d in np.arange(0.0, distance, 0.25)])

    def copied(self) -> Walkers:
        """The same from now on, apart."""
        return copy.deepcopy(self, {id(self._routes): self._routes, id(self._bodies): self._bodies})


def ahead(yaw: float) -> Array:
    """The direction (2,) of somebody who looks along `yaw` [rad]."""
    return np.array([math.cos(yaw), math.sin(yaw)])


def _in_the_way(
    here: Array, way: Array, own: float, others: Array, radii: float | Array, gap: float, least: float
) -> NDArray[np.bool_]:
    """Which of `others` (n, 2) somebody of radius `own` at `here` (2,) would run into along `way` (2,) within `gap`, or
    comes nearer to although they are no more than `least` apart [m]."""
    offsets = others - here
    along, aside = offsets @ way, np.abs(offsets @ np.array([-way[1], way[0]]))
    gaps = np.hypot(*offsets.T) - radii - own
    return np.asarray((along > 0.0) & (((gaps < gap) & (aside < radii + own)) | (gaps < least)))


def rounded(ways: Routes, start: Array, way: Array) -> Array:
    """A way of cells (n, 2) from `start` with its corners rounded where there is room to."""
    if len(way) < 2:
        return way
    line = np.concatenate([start[None], way[1:]])
    padded = np.pad(line, ((ROUND // 2, ROUND // 2), (0, 0)), mode="edge")
    soft = np.stack([np.convolve(padded[:, axis], np.ones(ROUND) / ROUND, "valid") for axis in (0, 1)], axis=-1)
    soft[0], soft[-1] = line[0], line[-1]
    found: Array = np.where(ways.clear(soft)[:, None], soft, line)
    return found


# People who avoid each other and the robot, by the package pyrvo.
#
# Optimal reciprocal collision avoidance: van den Berg, Guy, Lin and Manocha, "Reciprocal n-body collision avoidance",
# ISRR 2011.

STEP = 0.1  # between two decisions [s]
NEIGHBOURS, FAR = 10, 5.0  # at most so many others count, up to this distance [m]
HORIZON, WALL_HORIZON = 2.0, 0.5  # for how long a velocity must be free of others, and of walls [s]
AIM = 0.5  # how far ahead on its way one wants to go [m]
ARRIVED = 0.3  # [m]
STUCK = 4.0  # without coming nearer it goes elsewhere [s]
SIDES = 8  # of the polygon that a round thing is


class Orca(Walkers):
    """As `Walkers`, who leave their lines to pass others and the robot; it counts as one who does its share."""

    def __init__(
        self, bodies: Sequence[Body], routes: dict[str, Routes], speed: float, group: int, seed: Any, plan: FloorPlan
    ) -> None:
        self._rvo = need("pyrvo", "people").RVOSimulator()
        self._plan = plan
        super().__init__(bodies, routes, speed, "polite", group, seed)
        self._build()
        self._due = 0.0
        self._wanted = np.zeros((len(bodies), 2))

    def _build(self) -> None:
        rvo = self._rvo
        rvo.set_time_step(STEP)
        for obstacle in self._plan.obstacles:
            outline = corners(obstacle) if obstacle.shape == "box" else _polygon(obstacle.center, obstacle.half[0])
            rvo.add_obstacle([(float(x), float(y)) for x, y in outline])  # counter-clockwise, as they are
        rvo.process_obstacles()
        own = [(self._radii[i], self._pace[i] * 1.2) for i in self._walks]
        for radius, fastest in [*own, (0.2, 1.0)]:  # the last one is the robot
            rvo.add_agent((0.0, 0.0), FAR, NEIGHBOURS, HORIZON, WALL_HORIZON, float(radius), float(fastest), (0.0, 0.0))

    def advance(self, seconds: float, robot: RobotDisc, touching: NDArray[np.bool_]) -> None:
        """They walk on for `seconds`, a short step [s]."""
        self._due -= seconds
        if self._due <= 1e-6:
            self._due = STEP
            self._decide(robot)
        for index, walk in self._walks.items():
            before = self.poses[index, :2].copy()
            there = before + self._wanted[index] * (0.0 if touching[index] else seconds)
            gap = self._plan.clearance(np.array([there, before])) - self._radii[index]
            if gap[0] < 0.0 and gap[0] < gap[1]:  # the wall has the last word
                there = before
            walk.speed = float(np.hypot(*(there - before))) / seconds
            self._progress(index, walk, there, seconds)
            self._move(index, there, before, seconds)
            if walk.pushes:
                behind = self.poses[index, :2] - 0.85 * np.array(
                    [np.cos(self.poses[index, 2]), np.sin(self.poses[index, 2])]
                )
                self._move(index + 1, behind, self.poses[index + 1, :2].copy(), seconds)

    def _progress(self, index: int, walk: Walk, there: Array, seconds: float) -> None:
        """Whoever has arrived rests, and goes elsewhere; so does who comes no nearer."""
        if walk.done:
            self._stand(index, walk, seconds)
            return
        ahead = np.arange(walk.at, min(walk.at + 1.0, float(walk.along[-1])) + 0.05, 0.05)
        points = np.column_stack([np.interp(ahead, walk.along, walk.line[:, axis]) for axis in (0, 1)])
        nearest = float(ahead[int(np.argmin(np.hypot(*(points - there).T)))])
        walk.waited = 0.0 if nearest > walk.at + 1e-3 else walk.waited + seconds
        walk.at = max(walk.at, nearest)
        if walk.along[-1] - walk.at < ARRIVED:
            walk.at = float(walk.along[-1])
        elif walk.waited > STUCK:
            self._set_out(index, walk)

    def _decide(self, robot: RobotDisc) -> None:
        rvo, own = self._rvo, list(self._walks)
        for number, index in enumerate(own):
            walk, here = self._walks[index], self.poses[index, :2]
            way = np.zeros(2) if walk.done else walk.point(min(walk.at + AIM, float(walk.along[-1]))) - here
            wanted = way / max(float(np.hypot(*way)), 1e-9) * self._pace[index]
            rvo.set_agent_position(number, (float(here[0]), float(here[1])))
            rvo.set_agent_velocity(number, tuple(float(v) for v in self.velocities[index]))
            rvo.set_agent_pref_velocity(number, tuple(float(v) for v in wanted))
        number = len(own)
        rvo.set_agent_radius(number, float(robot.radius))
        rvo.set_agent_position(number, tuple(float(v) for v in robot.centre))
        rvo.set_agent_velocity(number, tuple(float(v) for v in robot.velocity))
        rvo.set_agent_pref_velocity(number, tuple(float(v) for v in robot.velocity))
        rvo.do_step()
        for number, index in enumerate(own):
            found = rvo.get_agent_velocity(number)
            self._wanted[index] = (found.x, found.y) if hasattr(found, "x") else tuple(found)

    def copied(self) -> Walkers:
        """The same from now on, apart. The solver keeps nothing from one decision to the next, and is shared."""
        shared = (self._routes, self._bodies, self._rvo, self._plan)
        return copy.deepcopy(self, {id(thing): thing for thing in shared})


def _polygon(center: tuple[float, float], radius: float) -> Array:
    turns = np.arange(SIDES) * 2 * math.pi / SIDES
    return np.asarray(center) + radius / math.cos(math.pi / SIDES) * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
