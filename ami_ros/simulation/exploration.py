"""Random exploration from the scan alone: how the robot gathers experience before it knows anything.

It heads for open directions (doors are where the scan reaches far), changes its mind often, and mixes smooth and jerky
driving, turns on the spot, short retreats and rests, so that the commands cover what a planner may later ask for. An
omnidirectional robot goes half of its ways without turning into them first; a car turns in strokes ahead and back.
Every command is tried on the scan first and slowed down until its arc stays clear of what was seen.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ami_ros.core.commands import Command, of_width
from ami_ros.core.geometry import Array, compose, wrap
from ami_ros.core.robots.description import RobotDescription, default_robot
from ami_ros.core.scan import Scan

PERIOD = 0.2  # between two calls of `command` [s]


def scan_ends(scan: Scan) -> Array:
    """What the scan saw: points (k, 2) [m] in base_link."""
    seen = np.isfinite(scan.ranges)
    ranges, angles = scan.ranges[seen].astype(np.float64), scan.angles[seen]
    return np.asarray(np.stack([ranges * np.cos(angles), ranges * np.sin(angles)], axis=-1) + scan.origin)


def keeps_clear(points: Array, command: Command, clear: float, ahead_of: float = 0.8) -> bool:
    """Whether the arc of a command stays `clear` [m] of the points, and comes no nearer where it is not so already.

    It is tried for `ahead_of` [s], braking included."""
    times = np.linspace(0.1, ahead_of, 6)
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


def slowed(points: Array, command: Command, clear: float, shares: Sequence[float]) -> Command | None:
    """The command (3,) with its speed at the greatest of `shares` at which its arc is clear; None: it never is."""
    linear, angular, aside = command
    tried = ((linear * share, angular, aside * share) for share in shares)
    return next((slower for slower in tried if keeps_clear(points, slower, clear)), None)


class Strokes:
    """Commands for a car, each with its arc clear of what the scan saw.

    Where its way ahead is not clear it goes back with its wheels turned over, and then ahead again: as cars turn in a
    narrow street.

    Args:
        robot: the car.
        period: between two calls of `command` [s].
        speed: of strokes, at most [m/s].
        creep: likewise, at least [m/s].
        back: how long a stroke back lasts at most [s]: what is behind is seen by no camera.
    """

    def __init__(
        self, robot: RobotDescription, period: float, speed: float = 0.25, creep: float = 0.1, back: float = 1.2
    ) -> None:
        self._radius, self._limits, self._period = robot.drive.turning_radius, robot.limits, period
        self._speed, self._creep, self._longest = speed, creep, back
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
        ahead = max(linear, min(abs(angular) * self._radius, self._speed), self._creep)
        if linear >= 0.0 and self._back <= 0.0:
            if (found := self._clear(points, ahead, angular, clear)) is not None:
                return found
            self._back = self._longest
        self._back -= self._period
        back = -linear if linear < 0.0 else min(ahead, self._speed)
        for turn in (angular, 0.0, -angular):
            if (found := self._clear(points, -back, turn, clear)) is not None:
                return found
        self._back = 0.0
        return self._clear(points, self._creep, -angular, clear) or (0.0, 0.0)

    def _clear(self, points: Array, linear: float, angular: float, clear: float) -> Command | None:
        """The command, no tighter than the car turns, slowed down until its arc is clear; None: it never is."""
        for share in (1.0, 0.7, 0.45):
            most = abs(linear) * share / self._radius
            command = linear * share, math.copysign(min(abs(angular), most, self._limits.angular), angular)
            if keeps_clear(points, (*command, 0.0), clear):
                return command
        return None


@dataclass(frozen=True)
class Exploring:
    """How an explorer goes about."""

    turn_limit: float = 1.5  # [rad/s]
    margins: tuple[float, float] = (0.03, 0.12)  # between the robot's edge and what the scan saw, by its mood [m]
    corridor: float = 0.07  # beyond the radius, half width of what counts as a way ahead [m]
    far: float = 4.0  # ways longer than this are all the same [m]
    caprice: float = 12.0  # from one to the next, on average [s]
    remembers: float = 300.0  # places of the last so many seconds draw it less [s]
    near: float = 0.7  # within this distance a place counts as visited [m]


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

    def __init__(
        self, rng: np.random.Generator, robot: RobotDescription | None = None, config: Exploring = Exploring()
    ) -> None:
        robot = robot or default_robot()
        self._rng, self._width, self._limits, self._config = rng, robot.command_dim, robot.limits, config
        self._radius, self._corridor = robot.shape.radius, robot.shape.radius + config.corridor
        self._strokes = Strokes(robot, PERIOD) if robot.drive.kind == "ackermann" else None
        self._directions = np.linspace(-np.pi, np.pi, 48, endpoint=False)
        self._whim = _Whim("rest", 0.0)
        self._clear = self._radius + config.margins[1]  # how near the robot's middle may come to what the scan saw [m]
        self._until_caprice = rng.exponential(config.caprice)
        self._jerk_left = 0.0
        self._jerk = np.zeros(2)
        self._pose = np.zeros(3)  # by its own commands: good enough to know where it has just been
        self._past: deque[Array] = deque(maxlen=round(config.remembers / PERIOD))

    def command(self, scan: Scan) -> Command:
        """The next command (see `ami_ros.core.commands`) after seeing `scan`."""
        points = scan_ends(scan)
        if self._whim.left <= 0.0 or (
            self._whim.kind in ("roam", "slide") and self._way(points, self._whim.aim) < self._clear + 0.08
        ):
            self._clear = self._radius + self._rng.uniform(*self._config.margins)
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
        rng, config = self._rng, self._config
        if self._until_caprice <= 0.0:
            self._until_caprice = rng.exponential(config.caprice)
            return self._caprice()
        ways = np.array([self._way(points, direction) for direction in self._directions])
        room = np.clip(ways - self._corridor, 0.0, config.far)
        weight = room * self._novelty(ways) * (1.2 + np.cos(self._directions)) + 1e-6
        aim = rng.choice(self._directions, p=weight / weight.sum()) + rng.normal(0.0, 0.05)
        whim = _Whim("roam", rng.uniform(1.5, 6.0), speed=rng.uniform(0.25, self._limits.linear + 0.15), aim=float(aim))
        if self._width == 3 and rng.random() < 0.5:
            whim.kind, whim.turn = "slide", rng.choice([0.0, 1.0]) * rng.uniform(-1.0, 1.0)
        return whim

    def _caprice(self) -> _Whim:
        """Something else than roaming: a rest, a retreat, a part of a turn on the spot, or a full one."""
        rng, limit = self._rng, self._config.turn_limit
        side, kind = rng.choice([-1.0, 1.0]), rng.choice(4, p=[0.2, 0.3, 0.3, 0.2])
        if kind == 0:
            return _Whim("rest", rng.uniform(0.2, 0.8))
        if kind == 1:
            left, speed = rng.uniform(0.4, 1.6), -rng.uniform(0.05, 0.3)
            return _Whim("reverse", left, speed=speed, turn=side * rng.uniform(0.0, 1.0))
        if kind == 2:
            return _Whim("spin", rng.uniform(0.4, 2.0), turn=side * rng.uniform(0.3, limit))
        rate = rng.uniform(0.7, limit)
        return _Whim("spin", 2 * np.pi / rate, turn=side * rate)

    def _way(self, points: Array, direction: float) -> float:
        """How far [m] the robot could go straight in `direction` before its corridor meets a point."""
        far = self._config.far
        ahead = points @ (np.cos(direction), np.sin(direction))
        aside = points @ (-np.sin(direction), np.cos(direction))
        blocking = ahead[(ahead > 0.0) & (np.abs(aside) < self._corridor)]
        return float(min(blocking.min(initial=far), far))

    def _novelty(self, ways: Array) -> Array:
        """How new the places are (0..1) that lie at a random part of each of the `ways`."""
        reach = np.maximum(ways - self._corridor, 0.0) * self._rng.uniform(0.6, 1.0)
        angles = self._pose[2] + self._directions
        ends = self._pose[:2] + reach[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        past = np.array(self._past).reshape(-1, 2)
        visits = (np.linalg.norm(ends[:, None] - past, axis=-1) < self._config.near).sum(axis=1) * PERIOD
        return np.asarray((1.0 + visits) ** -2.0)

    def _wish(self) -> Command:
        """What the whim asks for, with the unsteadiness of the moment."""
        rng, whim, limits, turn_limit = self._rng, self._whim, self._limits, self._config.turn_limit
        self._jerk_left -= PERIOD
        if self._jerk_left <= 0.0:
            self._jerk_left = rng.uniform(0.2, 1.5)
            rough = rng.choice([0.1, 0.5, 1.0])
            self._jerk = rng.normal(0.0, rough, 2) * (0.12, 0.7)
        if whim.kind in ("rest", "spin", "reverse"):
            return whim.speed, whim.turn
        if whim.kind == "slide":
            speed = max(whim.speed + self._jerk[0], 0.0)
            x, y = speed * np.cos(whim.aim), speed * np.sin(whim.aim)
            turn = whim.turn + 0.3 * self._jerk[1]
            linear = float(np.clip(x, -limits.linear / 2, limits.linear))
            return linear, float(turn), float(np.clip(y, -limits.lateral, limits.lateral))
        angular = 1.6 * whim.aim + self._jerk[1]
        linear = (whim.speed + self._jerk[0]) * max(np.cos(whim.aim), 0.0)
        return float(np.clip(linear, 0.0, limits.linear)), float(np.clip(angular, -turn_limit, turn_limit))

    def _safe(self, points: Array, wish: Command) -> Command:
        """The command, slowed down until its arc is clear; turning on the spot always is."""
        if self._strokes is not None:
            command = self._strokes.command(points, wish, self._clear)
            blocked = command[0] < 0.0 <= wish[0]
        else:
            found = slowed(points, of_width(wish, 3), self._clear, (1.0, 0.7, 0.45, 0.25))
            blocked = found is None
            turn = wish[1] if abs(wish[1]) > 0.3 else 0.8 * (1.0 if self._whim.aim >= 0.0 else -1.0)
            on_the_spot = 0.0, float(np.clip(turn, -self._limits.angular, self._limits.angular))
            command = on_the_spot if found is None else found
        if blocked:  # something is in the way: think again soon
            self._whim.left = min(self._whim.left, 0.4)
        return command
