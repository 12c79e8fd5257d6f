"""Ghosts: how long what somebody left stays in each layer of what the robot believes, though it is seen to be free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ami_ros.geometry import Array, compose, relative, transform_points
from ami_ros.mission.drawing import Drawing
from ami_ros.moving.things import MovingThings
from ami_ros.moving.tracker import Tracker
from ami_ros.planning.blocked_ways import BlockedWay, BlockedWays
from ami_ros.robots.description import DEFAULT, RobotDescription, load_robot
from ami_ros.scan import Scan, scan_points
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.layout import Obstacle
from ami_ros.simulation.noise import Odometry, noise_of, scan_of
from ami_ros.simulation.people.bodies import Body, draw_body
from ami_ros.simulation.robot import laser_height, simulated

LAYERS = ("tracks", "obstacles", "occupancy", "blocked_by_sight", "blocked_by_touch")
PERIOD = 0.1  # [s] between two scans
SPOT = 0.25  # [m] around where somebody stood: a person's disc
WATCHED = 5.0  # [s] after which a ghost counts as one that stays
SHORT = 0.4  # [m] before a wall, at which somebody who leaves stops
STAND = (2.0, 15.0)  # [s] for which somebody stands
SPEED = (0.4, 1.3)  # [m/s] with which somebody leaves
DRIVES = 0.15  # [m/s] of a robot that drives on meanwhile, towards the spot


@dataclass(frozen=True)
class Case:
    """Somebody stands `ahead` [m] of a robot for `stands` [s], then leaves sideways with `speed` [m/s].

    Attributes:
        walls: of the room.
        away: how far somebody comes and goes [m].
        body: who it is.
        comes: whether the robot has seen them come; else they stood there from the beginning.
        drives: whether the robot drives meanwhile.
        side: 1: they leave to the left; -1: to the right.
    """

    walls: FloorPlan
    away: float
    body: Body
    ahead: float
    stands: float
    speed: float
    comes: bool
    drives: bool
    side: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Case:
        """One of them."""
        wide, deep = rng.uniform(2.2, 5.0, 2)  # [m] from the robot to the walls
        sides = (
            ((deep, 0.0), (0.05, wide)), ((-1.5, 0.0), (0.05, wide)), ((0.0, wide), (deep, 0.05)),
            ((0.0, -wide), (deep, 0.05)),
        )  # fmt: skip
        walls = FloorPlan([Obstacle("wall", "box", center, 0.0, half, 1.0) for center, half in sides])
        body = draw_body("somebody", "child" if rng.random() < 0.2 else "adult", rng)
        ahead = float(rng.uniform(0.9, min(2.6, deep - 0.6)))
        stands, speed = float(rng.uniform(*STAND)), float(rng.uniform(*SPEED))
        comes, drives, side = rng.random() < 0.5, rng.random() < 0.5, int(rng.choice((-1, 1)))
        return cls(
            walls, wide - SHORT, body, ahead, stands, speed, comes, drives, side
        )  # fmt: skip

    def at(self, seconds: float) -> tuple[Array, float]:
        """Pose (3,) and speed [m/s] of the body; the robot starts at the origin."""
        began = self.away / self.speed if self.comes else 0.0
        off = seconds - began if seconds < began else max(0.0, seconds - began - self.stands)
        aside = float(np.clip(off * self.speed, -self.away, self.away))
        walks = 0.0 < abs(aside) < self.away
        return np.array([self.ahead, self.side * aside, self.side * np.pi / 2]), self.speed if walks else 0.0

    @property
    def leaves(self) -> float:
        """When somebody sets out [s]."""
        return (self.away / self.speed if self.comes else 0.0) + self.stands


class _Robot:
    """Tracker, grid and blocked ways of a robot that watches; all in odom."""

    def __init__(self, case: Case, robot: RobotDescription, rng: np.random.Generator) -> None:
        self._case, self._rng = case, rng
        assert robot.laser is not None, "checked by simulated()"
        self._laser, self._height, self._noise = robot.laser, laser_height(robot), noise_of(robot)
        self._odometry = Odometry(self._noise, rng)
        self._tracker, self._drawing = Tracker(), Drawing()
        self.ways = BlockedWays()
        self.pose: Array = np.zeros(3)

    def watch(self, now: float) -> dict[str, bool]:
        """One moment; which layers hold something where somebody stood."""
        place, speed = self._case.at(now)
        phase = now * speed / self._case.body.stride(speed) % 1.0
        body = FloorPlan(self._case.body.met(place, phase, speed, self._height))
        scan = scan_of(self._case.walls, self.pose, self._laser, self._noise, self._rng, body)
        odometry = self._odometry.pose.copy()
        things = self._tracker.take(now, scan, odometry)
        self._drawing.draw(now, odometry, odometry, scan, things)
        self.ways.note(things, now, odometry, odometry)
        self.ways.look(odometry, scan)
        held = self._held(odometry, scan, things)
        if self._case.drives and self._case.ahead - self.pose[0] > 0.8:
            self.pose = compose(self.pose, np.array([DRIVES * PERIOD, 0.0, 0.0]))
            self._odometry.advance(DRIVES * PERIOD, 0.0)
        return held

    def block(self, now: float) -> None:
        """A way through the spot counts as blocked: seen so, and where the robot got stuck."""
        spot = self._spot(self._odometry.pose)
        for number, by_scan in enumerate((True, False)):
            self.ways.add(BlockedWay((2 * number, 2 * number + 1), spot, now, True, by_scan, 0.25))

    def _spot(self, odometry: Array) -> Array:
        return transform_points(
            compose(odometry, relative(self.pose, np.zeros(3))), np.array([[self._case.ahead, 0.0]])
        )[0]

    def _held(self, odometry: Array, scan: Scan, things: MovingThings) -> dict[str, bool]:
        spot, grid = self._spot(odometry), self._drawing.grid
        assert grid is not None
        around = spot + np.stack(np.meshgrid(*[np.arange(-SPOT, SPOT + 0.01, 0.05)] * 2), -1).reshape(-1, 2)
        cells = grid.cells(around[np.hypot(*(around - spot).T) <= SPOT])
        points = transform_points(odometry, scan_points(scan, 8.0))
        legs = {way.leg for way in self.ways}
        return {
            "tracks": bool((np.hypot(*(things.positions - spot).T) < SPOT).any()),
            "obstacles": bool((np.hypot(*(points - spot).T) < SPOT).any()),
            "occupancy": bool((grid.odds[cells[:, 0], cells[:, 1]] > 0.5).any()),
            "blocked_by_sight": (0, 1) in legs,
            "blocked_by_touch": (2, 3) in legs,
        }


def watch(case: Case, robot_description: RobotDescription, seed: int) -> dict[str, float]:
    """How long [s] each layer held somebody after they had left the spot; inf: as long as it was watched."""
    robot = _Robot(case, robot_description, np.random.default_rng([seed, 1]))
    ticks, blocked, left = 0, False, float("inf")
    last = dict.fromkeys(LAYERS, -float("inf"))
    while (now := ticks * PERIOD) < left + WATCHED:
        held = robot.watch(now)
        if not blocked and now > case.leaves - 1.0:
            robot.block(now)
            blocked = True
        if np.isinf(left) and abs(case.at(now)[0][1]) > SPOT + case.body.radius and now > case.leaves:
            left = now
        last |= {layer: now for layer in LAYERS if held[layer]}
        ticks += 1
    lasted = {layer: max(0.0, round(last[layer] + PERIOD - left, 2)) for layer in LAYERS}
    return {layer: np.inf if seconds >= WATCHED - 2 * PERIOD else seconds for layer, seconds in lasted.items()}


def ghosts(count: int, seed: int, robot: str = "") -> Iterator[dict[str, Any]]:
    """Of `count` drawn cases and each layer: `gone_s`, the time until the spot is free; None: the ghost stays."""
    rng = np.random.default_rng([seed, 0x6057])
    description = simulated(load_robot(robot or DEFAULT))
    for number in range(count):
        for layer, seconds in watch(Case.draw(rng), description, seed + number).items():
            yield {"layer": layer.replace("_", " "), "gone_s": seconds if np.isfinite(seconds) else None}
