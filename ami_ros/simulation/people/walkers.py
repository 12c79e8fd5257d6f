"""Persons who walk the shortest ways between random places, and mind the robot, do not look, or avoid each other."""

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
from ami_ros.simulation.floor_plan import FloorPlan, outline
from ami_ros.simulation.people.bodies import Body
from ami_ros.simulation.routes import CELL, Routes


@dataclass(frozen=True)
class Walking:
    """How persons walk."""

    short_of_robot: float = 0.3  # gap that polite persons leave between them and the robot [m]
    gap: float = 0.15  # that persons leave between each other [m]
    touch: float = 0.01  # nearer than this to each other nobody comes nearer still [m]
    patience: tuple[float, float] = (2.5, 4.0)  # in somebody's way, before one goes elsewhere [s]
    blind_patience: tuple[float, float] = (0.6, 1.2)  # the same of those who do not look [s]
    rest: float = 1.5  # at most, where a way ends [s]
    speed_up: float = 1.5  # [m/s^2]
    slow_down: float = 3.0  # [m/s^2]
    turn: float = 4.0  # [rad/s]
    pushed: float = 0.85  # how far behind the middle of a trolley its person walks [m]
    beside: tuple[float, float] = (0.7, 1.1)  # from the place that a group goes to, to those of its members [m]
    rounded: int = 5  # cells over which a way is rounded
    draws: int = 40  # of a place to go to


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

    def ahead(self, distance: float) -> Array:
        """The point (2,) `distance` [m] on, or the end."""
        return self.point(min(self.at + distance, float(self.along[-1])))

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
        self, bodies: Sequence[Body], routes: dict[str, Routes], speed: float, manner: str, group: int, seed: Any,
        config: Walking = Walking(),
    ) -> None:  # fmt: skip
        self._bodies, self._routes, self._speed, self._manner, self._config = bodies, routes, speed, manner, config
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
        for _ in range(self._config.draws):
            start = ways.draw(self._rng)
            others = [walk.point(walk.at) for walk in self._walks.values()]
            if all(math.dist(start, other) > 1.2 for other in others):
                break
        self.poses[index] = *start, self._rng.uniform(-math.pi, math.pi)
        return Walk(start[None], np.zeros(1), rest=float(self._rng.uniform(0.0, self._config.rest)), goal=start)

    def _take_handle(self, index: int, walk: Walk) -> None:
        """The person of a trolley stands behind it, where there is room."""
        pushed, start, turns = self._config.pushed, walk.line[0], self._rng.permutation(np.arange(16)) * math.pi / 8
        behind = [start - pushed * np.array([math.cos(turn), math.sin(turn)]) for turn in turns]
        free = int(np.argmax(self._routes["narrow"].clear(np.array(behind))))
        walk.line, walk.along, walk.at = np.array([behind[free], start]), np.array([0.0, pushed]), pushed
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
            near = robot.radius + self._radii[index]
            if math.dist(self.poses[index, :2], robot.centre) < near + self._config.short_of_robot:
                for _ in range(self._config.draws):
                    point = self._ways(index).draw(self._rng)
                    if math.dist(point, robot.centre) > near + 0.6:
                        break
                self._place(index, point)

    def advance(self, seconds: float, robot: RobotDisc, touching: NDArray[np.bool_]) -> None:
        """They walk on for `seconds`, a short step [s]; who is `touching` (n,) the robot stops, and goes elsewhere."""
        config = self._config
        for index, walk in self._walks.items():
            here = self.poses[index, :2].copy()
            walking = touching[index] and not walk.done and walk.speed > 0.0
            if walking and (walk.ahead(0.1) - here) @ (robot.centre - here) > 0.0:
                walk.bumped = float(self._rng.uniform(*config.blind_patience))
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
                change = self._pace[index] - walk.speed
                walk.speed += float(np.clip(change, -config.slow_down * seconds, config.speed_up * seconds))
                walk.waited = max(0.0, walk.waited - 0.5 * seconds)
                walk.at = min(walk.at + walk.speed * seconds, float(walk.along[-1]))
            self._move(index, walk.point(walk.at), here, seconds)
            if walk.pushes:
                self._drag(index, walk, seconds)

    def _stand(self, index: int, walk: Walk, seconds: float) -> None:
        """A pause; who follows a leader then waits until that one has gone."""
        walk.speed, walk.rest = 0.0, walk.rest - seconds
        if walk.rest <= 0.0:
            leader = None if walk.leader is None else self._walks[walk.leader]
            if leader is None or math.dist(walk.goal, leader.goal) > self._config.beside[1] + CELL:
                self._set_out(index, walk)

    def _move(self, index: int, point: Array, before: Array, seconds: float) -> None:
        self.poses[index, :2] = point
        self.velocities[index] = (point - before) / seconds if seconds else 0.0
        if np.hypot(*self.velocities[index]) > 0.02:
            way, most = math.atan2(self.velocities[index, 1], self.velocities[index, 0]), self._config.turn * seconds
            turn = float(np.clip(wrap(way - self.poses[index, 2]), -most, most))
            self.poses[index, 2] = wrap(self.poses[index, 2] + turn)

    def _drag(self, index: int, walk: Walk, seconds: float = 0.0) -> None:
        """Who pushes a trolley comes after it."""
        behind = walk.point(max(walk.at - self._config.pushed, 0.0))
        self._move(index + 1, behind, self.poses[index + 1, :2].copy(), seconds)

    def _held_up(self, index: int, walk: Walk, robot: RobotDisc) -> bool:
        """Whether somebody, or for who looks the robot, is in the way."""
        here, config = self.poses[index, :2], self._config
        way = walk.ahead(0.1) - here
        way = way / max(float(np.hypot(*way)), 1e-9)
        own, braking = self._radii[index], walk.speed**2 / (2 * config.slow_down)
        reach = config.short_of_robot + braking
        if self._manner != "blind" and _in_the_way(here, way, own, robot.centre[None], robot.radius, reach, 0.0).any():
            return True
        reach = config.gap + braking
        blocked = _in_the_way(here, way, own, self.poses[:, :2], self._radii, reach, config.touch)
        blocked[[index, index + 1] if walk.pushes else [index]] = False
        return bool((blocked & self.present).any())

    def _set_out(self, index: int, walk: Walk, away: Array | None = None) -> None:
        """A new way, from where it stands; `away` from a point, if there is one."""
        here, config, ways = self.poses[index, :2].copy(), self._config, self._ways(index)
        facing = np.array([math.cos(self.poses[index, 2]), math.sin(self.poses[index, 2])])
        goal, line = here, np.zeros((0, 2))
        for _ in range(config.draws):
            leader = walk.leader
            goal = ways.draw(self._rng) if leader is None else self._beside(self._walks[leader].goal, index)
            line = rounded(ways, here, ways.way(here, goal), config.rounded)
            first = line[min(len(line) - 1, config.rounded)] - here if len(line) else np.zeros(2)
            back = away is not None and first @ (away - here) > 0.0
            if not back and (not walk.pushes or first @ facing > 0.0):  # its person is behind it
                break
        walk.waited = 0.0
        patience = config.blind_patience if self._manner == "blind" else config.patience
        walk.patience = float(self._rng.uniform(*patience))
        walk.rest = float(self._rng.uniform(0.0, config.rest))
        if len(line) < 2:
            return
        start = 0.0
        if walk.pushes:  # the person comes over the ground that the trolley came over
            tail = [walk.point(walk.at - back) for back in np.arange(config.pushed, 0.0, -CELL) if walk.at >= back]
            line = np.array([*tail, *line])
            start = float(np.hypot(*np.diff(line[: len(tail) + 1], axis=0).T).sum())
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        walk.line, walk.along, walk.at, walk.goal = line, along, start, goal

    def _beside(self, place: Array, index: int) -> Array:
        for _ in range(self._config.draws):
            turn, distance = self._rng.uniform(-math.pi, math.pi), self._rng.uniform(*self._config.beside)
            near = place + distance * np.array([math.cos(turn), math.sin(turn)])
            if self._ways(index).clear(near[None])[0]:
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


def _in_the_way(
    here: Array, way: Array, own: float, others: Array, radii: float | Array, gap: float, least: float
) -> NDArray[np.bool_]:
    """Which of `others` (n, 2) somebody of radius `own` at `here` (2,) would run into along `way` (2,) within `gap`, or
    comes nearer to although they are no more than `least` apart [m]."""
    offsets = others - here
    along, aside = offsets @ way, np.abs(offsets @ np.array([-way[1], way[0]]))
    gaps = np.hypot(*offsets.T) - radii - own
    return np.asarray((along > 0.0) & (((gaps < gap) & (aside < radii + own)) | (gaps < least)))


def rounded(ways: Routes, start: Array, way: Array, cells: int) -> Array:
    """A way of cells (n, 2) from `start` with its corners rounded over so many cells where there is room to."""
    if len(way) < 2:
        return way
    line = np.concatenate([start[None], way[1:]])
    padded = np.pad(line, ((cells // 2, cells // 2), (0, 0)), mode="edge")
    soft = np.stack([np.convolve(padded[:, axis], np.ones(cells) / cells, "valid") for axis in (0, 1)], axis=-1)
    soft[0], soft[-1] = line[0], line[-1]
    return np.asarray(np.where(ways.clear(soft)[:, None], soft, line))


class Orca(Walkers):
    """As `Walkers`, who leave their lines to pass others and the robot; it counts as one who does its share.

    Optimal reciprocal collision avoidance (van den Berg, Guy, Lin and Manocha, "Reciprocal n-body collision avoidance",
    ISRR 2011) by the package pyrvo, which decides every `step` [s].
    """

    def __init__(
        self, bodies: Sequence[Body], routes: dict[str, Routes], speed: float, group: int, seed: Any, plan: FloorPlan,
        step: float = 0.1,
    ) -> None:  # fmt: skip
        self._rvo = rvo = need("pyrvo", "people").RVOSimulator()
        self._plan, self._step, self._due = plan, step, 0.0
        super().__init__(bodies, routes, speed, "polite", group, seed)
        self._wanted = np.zeros((len(bodies), 2))
        rvo.set_time_step(step)
        for obstacle in plan.obstacles:  # counter-clockwise
            corners = _polygon(obstacle.center, obstacle.half[0]) if obstacle.shape == "cylinder" else outline(obstacle)
            rvo.add_obstacle([(float(x), float(y)) for x, y in corners])
        rvo.process_obstacles()
        far, neighbours = 5.0, 10  # at most so many others count, up to this distance [m]
        horizon, wall_horizon = 2.0, 0.5  # for how long a velocity must be free of others, and of walls [s]
        own = [(self._radii[i], self._pace[i] * 1.2) for i in self._walks]
        for radius, fastest in [*own, (0.2, 1.0)]:  # the last one is the robot
            limits = far, neighbours, horizon, wall_horizon, float(radius), float(fastest)
            rvo.add_agent((0.0, 0.0), *limits, (0.0, 0.0))

    def advance(self, seconds: float, robot: RobotDisc, touching: NDArray[np.bool_]) -> None:
        """They walk on for `seconds`, a short step [s]."""
        self._due -= seconds
        if self._due <= 1e-6:
            self._due = self._step
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
                yaw = self.poses[index, 2]
                behind = self.poses[index, :2] - self._config.pushed * np.array([np.cos(yaw), np.sin(yaw)])
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
        if walk.along[-1] - walk.at < 0.3:  # [m]
            walk.at = float(walk.along[-1])
        elif walk.waited > 4.0:  # [s]
            self._set_out(index, walk)

    def _decide(self, robot: RobotDisc) -> None:
        rvo = self._rvo
        for number, (index, walk) in enumerate(self._walks.items()):
            here = self.poses[index, :2]
            way = np.zeros(2) if walk.done else walk.ahead(0.5) - here  # [m]
            wanted = way / max(float(np.hypot(*way)), 1e-9) * self._pace[index]
            self._tell(number, here, self.velocities[index], wanted)
        number = len(self._walks)
        rvo.set_agent_radius(number, float(robot.radius))
        self._tell(number, robot.centre, robot.velocity, robot.velocity)
        rvo.do_step()
        for number, index in enumerate(self._walks):
            found = rvo.get_agent_velocity(number)
            self._wanted[index] = (found.x, found.y) if hasattr(found, "x") else tuple(found)

    def _tell(self, number: int, place: Array, velocity: Array, wanted: Array) -> None:
        self._rvo.set_agent_position(number, tuple(place.tolist()))
        self._rvo.set_agent_velocity(number, tuple(velocity.tolist()))
        self._rvo.set_agent_pref_velocity(number, tuple(wanted.tolist()))

    def copied(self) -> Walkers:
        """The same from now on, apart. The solver keeps nothing from one decision to the next, and is shared."""
        shared = (self._routes, self._bodies, self._rvo, self._plan)
        return copy.deepcopy(self, {id(thing): thing for thing in shared})


def _polygon(center: tuple[float, float], radius: float, sides: int = 8) -> Array:
    """Around a circle."""
    turns = np.arange(sides) * 2 * math.pi / sides
    return np.asarray(center) + radius / math.cos(math.pi / sides) * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
