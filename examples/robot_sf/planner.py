"""ami_ros drives the robot of robot_sf: a line of JSON in for each step, a line of JSON out (its arm `native_command`).

What is tried is the planner among people: it imagines futures, weighs where people may be, and chooses. The simulator
tells walls, people and goals, as it tells its own planners. It tells its dynamics, too: nothing is learned here.

robot_sf's robot is a disc of 2 m. The planner's surroundings reach 3 m, for robots that are 0.2 m to either side. So
lengths are divided by `SCALE` before the planner sees them, and speeds with them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from ami_ros.core.geometry import Array, relative, transform_points
from ami_ros.core.grid_graph import KNIGHT, grid_graph
from ami_ros.core.scan import Scan
from ami_ros.planning.costs import CostsConfig, ObstaclesConfig, PeopleConfig, times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Target
from ami_ros.planning.solvers import SolverConfig
from ami_ros.safety.moving_things import Forecast
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.spec import ModelSpec

Request = Mapping[str, Any]

SCALE = 4.0  # lengths of the simulator for one of the planner
# What robot_sf sets for its robot with two driven wheels.
RADIUS, PERSON = 1.0, 0.4  # [m] of the robot and of people
FASTEST, TURNING = 2.0, 1.0  # [m/s], [rad/s]
LINEAR, ANGULAR = 1.0, 1.0  # [m/s^2], [rad/s^2]
STEP = 0.1  # [s] of the simulator

SPEC = ModelSpec(latent_dim=2, period=0.2, chunk=2, max_linear=FASTEST / SCALE, max_angular=TURNING)
HORIZON = 9  # steps of 0.4 s: the robot needs 2 s to stand
MARGIN = 0.2  # [m] to walls within which closeness costs
COMFORT = 0.15  # [m] to people, likewise
THIN = 1e-3  # [m] half the thickness of a wall, which is a line for the simulator
CELL = 0.25  # [m] of the grid on which ways are found
WALL, DEAR = 0.25, 4.0  # [m] beside the robot within which a way costs more, and how many times as much at most
AHEAD = 5.0  # [m] along the way to where the planner aims
BEAMS, SIGHT = 180, 10.0  # rays to walls, and their length [m]
WANDER = 0.1  # [m/s^1.5] by which people stray from straight on, see `PredictionConfig`
KNOWN = 0.05  # [m] least deviation of a place of a person
CLEAR, STILL = 0.02, 1e-3  # [m] kept to walls; [m] of way that is none
SHORT = 0.3  # [m] short of the robot people stop: they see it where it stands


class Unicycle:
    """A `Dynamics`: speeds follow commands as fast as accelerations allow, in the planner's lengths. Its latent (2,) is
    the linear and the angular speed."""

    spec = SPEC
    sighting = None

    def relative_pose(self, first: Floats, second: Floats) -> Floats:
        """Not known: speeds say nothing of a place."""
        return np.full((*np.broadcast_shapes(first.shape, second.shape)[:-1], 4), np.nan, np.float32)

    def rollout(self, latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        """See `Dynamics`."""
        most = np.array([LINEAR / SCALE, ANGULAR], np.float32) * STEP
        speed, speeds, moved = latent, [], []
        for chunk in commands.transpose(1, 2, 0, 3):
            x = y = yaw = np.zeros(len(latent), np.float32)
            for command in chunk.repeat(round(SPEC.period / STEP), 0):
                change = (command - speed).clip(-most, most)
                ahead, turn = ((speed + change / 2) * STEP).T
                x, y = x + ahead * np.cos(yaw + turn / 2), y + ahead * np.sin(yaw + turn / 2)
                yaw, speed = yaw + turn, speed + change
            speeds.append(speed)
            moved.append(np.stack([x, y, yaw], -1))
        return np.stack(speeds, 1), np.stack(moved, 1)


class Ground:
    """Where the robot may be, and its ways, in the simulator's lengths.

    Args:
        walls: (n, 2, 2) both ends of each segment.
    """

    def __init__(self, walls: Array) -> None:
        along = walls[:, 1] - walls[:, 0]
        length, yaw = np.hypot(*along.T), np.arctan2(along[:, 1], along[:, 0])
        self.plan = FloorPlan([
            Obstacle("wall", "box", (float(x), float(y)), float(turned), (float(long) / 2, THIN), 1.0)
            for (x, y), turned, long in zip(walls.mean(1), yaw, length, strict=True)
        ])  # fmt: skip
        self._low = walls.min((0, 1)) - 1.0
        size = np.ceil((walls.max((0, 1)) + 1.0 - self._low) / CELL).astype(int)
        drawn = np.full(size[::-1], 255, np.uint8)
        for segment in np.rint((walls - self._low) / CELL - 0.5).astype(int).tolist():
            cv2.line(drawn, *segment, 0)
        gap = cv2.distanceTransform(drawn, cv2.DIST_L2, 5).T * CELL - RADIUS
        self._free = gap > -CELL / 2
        price = 1.0 + (DEAR - 1.0) * (1.0 - gap / WALL).clip(0.0, 1.0)
        self._graph = grid_graph(self._free, CELL, price, KNIGHT)
        self._before: dict[tuple[float, float], NDArray[np.int32]] = {}

    def way(self, start: Array, goal: Array) -> Array:
        """Points (n, 2) from `start` to `goal`; straight on where no way is known."""
        before = self._towards(goal)
        cells = [self._nearest(start)]
        while before[cells[-1]] >= 0:
            cells.append(int(before[cells[-1]]))
        rows, columns = np.unravel_index(np.array(cells[1:], np.int64), self._free.shape)
        return np.vstack([start, self._middles(np.column_stack([rows, columns])), goal])

    def _towards(self, goal: Array) -> NDArray[np.int32]:
        key = float(goal[0]), float(goal[1])
        if key not in self._before:
            self._before[key] = dijkstra(self._graph, indices=self._nearest(goal), return_predecessors=True)[1]
        return self._before[key]

    def _nearest(self, point: Array) -> int:
        cells = np.argwhere(self._free)
        nearest = cells[np.square(self._middles(cells) - point).sum(1).argmin()]
        return int(np.ravel_multi_index(nearest, self._free.shape))

    def _middles(self, cells: NDArray[np.int64]) -> Array:
        return cells * CELL + self._low + CELL / 2


def seen(plan: FloorPlan, pose: Array) -> Scan:
    """What a scanner at `pose` (3,) would see, in the planner's lengths."""
    ranges = plan.cast(pose[:2], pose[2] + np.linspace(-np.pi, np.pi, BEAMS, endpoint=False))
    ranges[ranges > SIGHT] = np.inf
    return Scan((ranges / SCALE).astype(np.float32), -np.pi, 2 * np.pi / BEAMS, max_range=SIGHT / SCALE)


def forecast(places: Array, velocities: Array, seconds: Array) -> Forecast:
    """People walk straight on, and stop short of the robot where it is now: they see it, too.

    Args:
        places: (n, 2) of people in base_link.
        velocities: (n, 2) over the ground, in base_link.
        seconds: (t,) from now on.
    """
    reach = RADIUS + PERSON
    going = np.minimum(seconds, seconds_until(places, velocities, reach + SHORT)[:, None])
    positions = places[:, None] + going[..., None] * velocities[:, None]
    apart = np.hypot(positions[..., 0], positions[..., 1]) - reach
    deviations = np.minimum(np.sqrt(KNOWN**2 + WANDER**2 * going**3 / 3), (apart / 3).clip(KNOWN, None))
    return Forecast(
        seconds, positions / SCALE, deviations / SCALE, np.arctan2(velocities[:, 1], velocities[:, 0]),
        np.hypot(*velocities.T) / SCALE, np.full(len(places), PERSON / SCALE),
    )  # fmt: skip


def seconds_until(places: Array, velocities: Array, reach: float) -> Array:
    """When (n,) [s] who walks straight on comes as near as `reach` [m] to the origin; inf: never, or going away."""
    towards = -(places * velocities).sum(1)
    square = np.square(velocities).sum(1).clip(1e-9, None)
    root = towards**2 - square * (np.square(places).sum(1) - reach**2)
    at = (towards - np.sqrt(root.clip(0.0, None))) / square
    return np.where((towards <= 0) | (root < 0), np.inf, at.clip(0.0, None))


class Driver:
    """Plans step by step, always as much, so that a drive can be repeated."""

    def __init__(self) -> None:
        robot = Kinematics(
            max_linear=SPEC.max_linear, max_reverse=0.0, max_retreat=0.0, max_angular=TURNING,
            deceleration=LINEAR / SCALE, reaction=STEP,
        )  # fmt: skip
        costs = CostsConfig(
            obstacles=ObstaclesConfig(margin=MARGIN / SCALE), people=PeopleConfig(comfort=COMFORT / SCALE, ahead=0.0)
        )
        config = PlannerConfig(
            horizon=HORIZON, robot_radius=RADIUS / SCALE, kinematics=robot, solver=SolverConfig(adapt=False),
            costs=costs,
        )  # fmt: skip
        self._planner = LatentPlanner(Unicycle(), config, clock=lambda: 0.0)
        self._seconds = times(HORIZON, SPEC.step_duration)
        self._stamp = 0.0
        self._ground: tuple[str, Ground] | None = None

    def command(self, request: Request) -> tuple[float, float]:
        """What to ask the robot for [m/s], [rad/s]."""
        robot = request["robot"]
        pose = np.array([*robot["position"], *np.ravel(robot["heading"])], float)
        speed = np.array([np.ravel(robot["speed"])[0], *np.ravel(robot["angular_velocity"])], np.float32)
        ground = self._on(request["static_geometry"])
        small = speed / np.array([SCALE, 1.0], np.float32)
        plan = self._planner.plan(
            self._stamp, small, (float(small[0]), float(small[1])), seen(ground.plan, pose),
            Target(None, _aim(ground, pose, request["goal"]), False),
            forecast=self._forecast(pose, request["pedestrians"]),
        )  # fmt: skip
        self._stamp += STEP
        linear, angular = plan.commands[0]
        turns, drives = asked(speed[1], angular, ANGULAR), asked(speed[0], linear * SCALE, LINEAR)
        return (drives if stops_clear(ground, pose, speed, drives, turns) else asked(speed[0], 0.0, LINEAR)), turns

    def _on(self, geometry: Request) -> Ground:
        if self._ground is None or self._ground[0] != geometry["sha256"]:
            walls = np.array([*geometry["obstacle_segments"], *geometry["boundary_segments"]], float)
            self._ground = geometry["sha256"], Ground(walls)
        return self._ground[1]

    def _forecast(self, pose: Array, people: Request) -> Forecast | None:
        """Velocities are told in the robot's frame, places in the world's."""
        count = int(np.ravel(people["count"])[0])
        if not count:
            return None
        places = transform_points(relative(pose, np.zeros(3)), np.array(people["positions"], float)[:count])
        return forecast(places, np.array(people["velocities"], float)[:count], self._seconds)


def _aim(ground: Ground, pose: Array, goal: Request) -> Array:
    """A pose (3,) in base_link on the way to a goal and the next, in the planner's lengths."""
    current, after = np.array(goal["current"], float), np.array(goal["next"], float)
    way = ground.way(pose[:2], current)
    if after.any():  # zeros: there is no other
        way = np.vstack([way, ground.way(current, after)[1:]])
    driven = np.r_[0.0, np.hypot(*np.diff(way, axis=0).T).cumsum()]
    end = min(AHEAD, driven[-1])
    before, aim = (np.array([np.interp(at, driven, way[:, k]) for k in range(2)]) for at in (end - 2 * CELL, end))
    found = relative(pose, np.array([*aim, np.arctan2(*(aim - before)[::-1])]))
    return found / np.array([SCALE, SCALE, 1.0])


def stops_clear(ground: Ground, pose: Array, speed: Array, drives: float, turns: float) -> bool:
    """Whether the robot would come to stand without touching a wall, if it did one step as it is asked and then braked:
    what ami_ros's safety gate answers for on a robot."""
    linear, angular = after(speed[0], drives, LINEAR), after(speed[1], turns, ANGULAR)
    heading = pose[2] + (speed[1] + angular) / 2 * STEP
    most = (speed[0] + linear) / 2 * STEP + linear**2 / (2 * LINEAR)
    way = np.linspace(0.0, most, 6)[1:, None] * np.array([np.cos(heading), np.sin(heading)])
    now, *then = ground.plan.clearance(pose[:2] + np.vstack([np.zeros(2), way]))
    return most < STILL or min(then) > min(RADIUS + CLEAR, now - STILL)  # one that stands too close may leave


def after(speed: float, asked_for: float, most: float) -> float:
    """The speed after a step, see `asked`."""
    return float(speed + np.clip(asked_for - speed, -most, most) * STEP)


def asked(speed: float, wanted: float, most: float) -> float:
    """What to ask for, so that the robot has the `wanted` speed after a step, if an acceleration of `most` leads there.
    The simulator takes the difference of what is asked for and its speed for an acceleration."""
    return float(speed + np.clip((wanted - speed) / STEP, -most, most))


def main() -> None:
    """Answers until there is no more to answer."""
    driver = Driver()
    for line in sys.stdin:
        began = time.perf_counter()
        linear, angular = driver.command(json.loads(line))
        answer = {"linear_velocity": linear, "angular_velocity": angular, "seconds": time.perf_counter() - began}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
