"""People who avoid each other and the robot, by the package pyrvo.

Optimal reciprocal collision avoidance: van den Berg, Guy, Lin and Manocha, "Reciprocal n-body collision avoidance",
ISRR 2011.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.extras import need
from ami_ros.geometry import Array
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.layout import corners
from ami_ros.simulation.people.bodies import Body
from ami_ros.simulation.people.walkers import RobotDisc, Walk, Walkers
from ami_ros.simulation.routes import Routes

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
