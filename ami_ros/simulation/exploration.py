"""How a car is driven at random, in strokes ahead and back where others turn on the spot; what can be driven freely."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ami_ros.core.commands import Command, of_width
from ami_ros.core.geometry import Array, compose, wrap
from ami_ros.core.robots.description import RobotDescription, default_robot
from ami_ros.core.scan import Scan

LOOK_AHEAD = 0.8  # how long a command's arc is tried, braking included [s]


def scan_ends(scan: Scan) -> Array:
    """What the scan saw: points (k, 2) [m] in base_link."""
    seen = np.isfinite(scan.ranges)
    ranges, angles = scan.ranges[seen].astype(np.float64), scan.angles[seen]
    return np.asarray(np.stack([ranges * np.cos(angles), ranges * np.sin(angles)], axis=-1) + scan.origin)


def keeps_clear(points: Array, command: Command, clear: float) -> bool:
    """Whether the arc of a command stays `clear` [m] of the points, and comes no nearer where it is not so already."""
    times = np.linspace(0.1, LOOK_AHEAD, 6)
    linear, angular, aside = command
    turned = angular * times
    if abs(angular) > 1e-3:
        s, c, ahead, left = np.sin(turned), 1.0 - np.cos(turned), linear / angular, aside / angular
        x, y = ahead * s - left * c, ahead * c + left * s
    else:
        x, y = linear * times, aside * times
    distance = np.hypot(points[:, 0] - x[:, None], points[:, 1] - y[:, None]).min(axis=1, initial=np.inf)
    now = np.hypot(points[:, 0], points[:, 1]).min(initial=np.inf)
    return bool((distance > np.minimum(clear, now + 0.005)).all() or linear == aside == 0.0)


SHARES = (1.0, 0.7, 0.45)  # of a speed that are tried on the scan
SPEED = 0.25  # of strokes, at most [m/s]
CREEP = 0.1  # likewise, at least [m/s]
BACK = 1.2  # how long a stroke back lasts at most [s]: what is behind is seen by no camera


class Strokes:
    """Commands for a car, each with its arc clear of what the scan saw.

    Where its way ahead is not clear it goes back with its wheels turned over, and then ahead again: as cars turn in a
    narrow street.

    Args:
        robot: the car.
        period: between two calls of `command` [s].
    """

    def __init__(self, robot: RobotDescription, period: float) -> None:
        self._radius, self._limits, self._period = robot.drive.turning_radius, robot.limits, period
        self._back = 0.0  # for so long it goes back [s]

    def command(self, points: Array, wish: Command, clear: float) -> Command:
        """What comes nearest to a wish (linear, angular).

        Args:
            points: (k, 2) [m] in base_link, that the scan saw.
            wish: may turn on the spot: that becomes strokes.
            clear: [m] that is kept from the points.
        """
        linear, angular = wish[:2]
        if linear == angular == 0.0:
            return 0.0, 0.0
        ahead = max(linear, min(abs(angular) * self._radius, SPEED), CREEP)
        if linear >= 0.0 and self._back <= 0.0:
            if (found := self._clear(points, ahead, angular, clear)) is not None:
                return found
            self._back = BACK
        self._back -= self._period
        back = -linear if linear < 0.0 else min(ahead, SPEED)
        for turn in (angular, 0.0, -angular):
            if (found := self._clear(points, -back, turn, clear)) is not None:
                return found
        self._back = 0.0
        return self._clear(points, CREEP, -angular, clear) or (0.0, 0.0)

    def _clear(self, points: Array, linear: float, angular: float, clear: float) -> Command | None:
        """The command, no tighter than the car turns, slowed down until its arc is clear; None: it never is."""
        for share in SHARES:
            most = abs(linear) * share / self._radius
            command = linear * share, math.copysign(min(abs(angular), most, self._limits.angular), angular)
            if keeps_clear(points, (*command, 0.0), clear):
                return command
        return None


# Random exploration from the scan alone: how the robot gathers experience before it knows anything.
#
# It heads for open directions (doors are where the scan reaches far), changes its mind often, and mixes smooth and
# jerky driving, turns on the spot, short retreats and rests, so that the commands cover what a planner may later ask
# for. An omnidirectional robot goes half of its ways without turning into them first; a car turns in strokes
# (`strokes.py`). Every command is tried on the scan first and slowed down until its arc stays clear of what was seen.

PERIOD = 0.2  # between two calls of `command` [s]
TURN_LIMIT = 1.5  # [rad/s]
MARGINS = (0.03, 0.12)  # kept between the robot's edge and what the scan saw; how much is a matter of mood [m]
CORRIDOR = 0.07  # beyond the radius, half width of what counts as a way ahead [m]
FAR = 4.0  # ways longer than this are all the same [m]
BETWEEN_CAPRICES = 12.0  # on average [s]
REMEMBERED = 300  # places of the last so many seconds draw it less
NEAR_PAST = 0.7  # within this distance a place counts as visited [m]


@dataclass
class _Whim:
    """What the explorer is about for `left` seconds."""

    kind: Literal["roam", "slide", "spin", "reverse", "rest"]
    left: float  # [s]
    speed: float = 0.0  # up to this [m/s]
    turn: float = 0.0  # [rad/s], of spin, reverse and slide
    aim: float = 0.0  # where roam and slide want to go, in base_link [rad]


class Explorer:
    """Call `command` once every PERIOD; all randomness is from `rng`. Without `robot` it is the default one's."""

    def __init__(self, rng: np.random.Generator, robot: RobotDescription | None = None) -> None:
        robot = robot or default_robot()
        self._rng, self._width, self._limits = rng, robot.command_dim, robot.limits
        self._radius, self._corridor = robot.shape.radius, robot.shape.radius + CORRIDOR
        self._strokes = Strokes(robot, PERIOD) if robot.drive.kind == "ackermann" else None
        self._directions = np.linspace(-np.pi, np.pi, 48, endpoint=False)
        self._whim = _Whim("rest", 0.0)
        self._clear = self._radius + MARGINS[1]  # how near the robot's middle may come to what the scan saw [m]
        self._until_caprice = rng.exponential(BETWEEN_CAPRICES)
        self._jerk_left = 0.0
        self._jerk = np.zeros(2)
        self._pose = np.zeros(3)  # by its own commands: good enough to know where it has just been
        self._past: deque[Array] = deque(maxlen=round(REMEMBERED / PERIOD))

    def command(self, scan: Scan) -> Command:
        """The next command (see `ami_ros.core.commands`) after seeing `scan`."""
        points = scan_ends(scan)
        if self._whim.left <= 0.0 or (
            self._whim.kind in ("roam", "slide") and self._way(points, self._whim.aim) < self._clear + 0.08
        ):
            self._clear = self._radius + self._rng.uniform(*MARGINS)
            self._whim = self._new_whim(points)
        command = self._safe(points, self._wish())
        linear, angular, aside = of_width(command, 3)
        self._past.append(self._pose[:2])
        self._pose = compose(self._pose, [linear * PERIOD, aside * PERIOD, angular * PERIOD])
        self._whim.left -= PERIOD
        self._until_caprice -= PERIOD
        self._whim.aim = float(wrap(self._whim.aim - angular * PERIOD))
        return of_width(command, self._width)

    def _new_whim(self, points: Array) -> _Whim:
        rng = self._rng
        if self._until_caprice <= 0.0:
            self._until_caprice = rng.exponential(BETWEEN_CAPRICES)
            return self._caprice()
        ways = np.array([self._way(points, direction) for direction in self._directions])
        weight = (
            np.clip(ways - self._corridor, 0.0, FAR) * self._novelty(ways) * (1.2 + np.cos(self._directions)) + 1e-6
        )
        aim = rng.choice(self._directions, p=weight / weight.sum()) + rng.normal(0.0, 0.05)
        whim = _Whim("roam", rng.uniform(1.5, 6.0), speed=rng.uniform(0.25, self._limits.linear + 0.15), aim=float(aim))
        if self._width == 3 and rng.random() < 0.5:
            whim.kind, whim.turn = "slide", rng.choice([0.0, 1.0]) * rng.uniform(-1.0, 1.0)
        return whim

    def _caprice(self) -> _Whim:
        """Something else than roaming: a rest, a retreat, a part of a turn on the spot, or a full one."""
        rng = self._rng
        side, kind = rng.choice([-1.0, 1.0]), rng.choice(4, p=[0.2, 0.3, 0.3, 0.2])
        if kind == 0:
            return _Whim("rest", rng.uniform(0.2, 0.8))
        if kind == 1:
            return _Whim(
                "reverse", rng.uniform(0.4, 1.6), speed=-rng.uniform(0.05, 0.3), turn=side * rng.uniform(0.0, 1.0)
            )
        if kind == 2:
            return _Whim("spin", rng.uniform(0.4, 2.0), turn=side * rng.uniform(0.3, TURN_LIMIT))
        rate = rng.uniform(0.7, TURN_LIMIT)
        return _Whim("spin", 2 * np.pi / rate, turn=side * rate)

    def _way(self, points: Array, direction: float) -> float:
        """How far [m] the robot could go straight in `direction` before its corridor meets a point."""
        ahead = points @ (np.cos(direction), np.sin(direction))
        aside = points @ (-np.sin(direction), np.cos(direction))
        blocking = ahead[(ahead > 0.0) & (np.abs(aside) < self._corridor)]
        return float(min(blocking.min(initial=FAR), FAR))

    def _novelty(self, ways: Array) -> Array:
        """How new the places are (0..1) that lie at a random part of each of the `ways`."""
        reach = np.maximum(ways - self._corridor, 0.0) * self._rng.uniform(0.6, 1.0)
        angles = self._pose[2] + self._directions
        ends = self._pose[:2] + reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        past = np.array(self._past).reshape(-1, 2)
        visits = (np.linalg.norm(ends[:, None] - past, axis=-1) < NEAR_PAST).sum(axis=1) * PERIOD
        return np.asarray((1.0 + visits) ** -2.0)

    def _wish(self) -> Command:
        """What the whim asks for, with the unsteadiness of the moment."""
        rng, whim = self._rng, self._whim
        self._jerk_left -= PERIOD
        if self._jerk_left <= 0.0:
            self._jerk_left = rng.uniform(0.2, 1.5)
            rough = rng.choice([0.1, 0.5, 1.0])
            self._jerk = rng.normal(0.0, rough, 2) * (0.12, 0.7)
        if whim.kind == "rest":
            return 0.0, 0.0
        if whim.kind == "spin":
            return 0.0, whim.turn
        if whim.kind == "reverse":
            return whim.speed, whim.turn
        if whim.kind == "slide":
            speed = max(whim.speed + self._jerk[0], 0.0)
            x, y = speed * np.cos(whim.aim), speed * np.sin(whim.aim)
            limits, turn = self._limits, whim.turn + 0.3 * self._jerk[1]
            linear = float(np.clip(x, -limits.linear / 2, limits.linear))
            return linear, float(turn), float(np.clip(y, -limits.lateral, limits.lateral))
        angular = 1.6 * whim.aim + self._jerk[1]
        linear = (whim.speed + self._jerk[0]) * max(np.cos(whim.aim), 0.0)
        return float(np.clip(linear, 0.0, self._limits.linear)), float(np.clip(angular, -TURN_LIMIT, TURN_LIMIT))

    def _safe(self, points: Array, wish: Command) -> Command:
        """The command, slowed down until its arc is clear; turning on the spot always is."""
        if self._strokes is not None:
            command = self._strokes.command(points, wish, self._clear)
            if command[0] < 0.0 <= wish[0]:  # something is in the way: think again soon
                self._whim.left = min(self._whim.left, 0.4)
            return command
        linear, angular, aside = of_width(wish, 3)
        for share in (1.0, 0.7, 0.45, 0.25):
            if keeps_clear(points, (linear * share, angular, aside * share), self._clear):
                return linear * share, angular, aside * share
        self._whim.left = min(self._whim.left, 0.4)  # something is in the way: think again soon
        turn = angular if abs(angular) > 0.3 else 0.8 * (1.0 if self._whim.aim >= 0.0 else -1.0)
        return 0.0, float(np.clip(turn, -self._limits.angular, self._limits.angular))
