"""The last word on every command: an intrinsic, immutable cost that is never learned."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from ami_ros.commands import STILL, Command, of_width, speed
from ami_ros.geometry import Array
from ami_ros.scan import Scan, scan_points

NOTHING = of_width(STILL, 3)
LEAST = 1e-6  # [m/s], slower than this is standing


@dataclass(frozen=True)
class SafetyConfig:
    """Limits of the robot and of what is trusted."""

    max_linear: float = 0.5  # [m/s] either way
    max_angular: float = 1.8  # [rad/s] either way
    max_lateral: float = 0.0  # [m/s] to either side; 0: the robot does not drive sideways
    max_linear_acceleration: float = 1.0  # [m/s^2], ahead and to the sides; braking is not limited
    max_angular_acceleration: float = 5.0  # [rad/s^2]
    command_timeout: float = 0.3  # [s] of age, from which a command is late and the robot stands
    scan_timeout: float = 0.6  # [s] of age, from which a scan shows nothing any more
    require_scan: bool = True  # without a fresh scan the robot stands
    robot_radius: float = 0.18  # [m] of the smallest circle around base_link that holds the robot
    margin: float = 0.03  # [m] kept free beyond the radius
    reaction: float = 0.25  # [s] from a scan to the wheels' answer
    deceleration: float = 0.8  # [m/s^2] that the robot surely reaches, however slow its wheels are
    turn_lag: float = 0.4  # [s] for which it may still turn as it was told before

    def __post_init__(self) -> None:
        for name in ("max_linear", "max_angular", "command_timeout", "scan_timeout", "robot_radius", "deceleration"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0")


@dataclass(frozen=True)
class SafetyOutput:
    """What is sent to the robot."""

    linear: float  # [m/s]
    angular: float  # [rad/s]
    reason: str  # why it differs from what was asked for; "" if it does not
    lateral: float = 0.0  # [m/s]

    @property
    def command(self) -> Command:
        """All three numbers, see `ami_ros.commands`."""
        return self.linear, self.angular, self.lateral


class SafetyGate:
    """Passes commands on, slowed or stopped where they could do harm.

    Times are of any one monotonic clock [s]; ages are what matters. The promise: no command is passed that is
    late, not finite or beyond the limits, and translation is slowed so that the robot can stop before it
    touches anything in the newest scan, sideways as well. Turning on the spot is always allowed: the robot is a disc.
    """

    def __init__(self, config: SafetyConfig) -> None:
        self.config = config
        self._command: tuple[Command, float] | None = None  # of three numbers, and when it was received
        self._scan: tuple[Scan, float] | None = None
        self._last: Command = NOTHING
        self._last_time: float | None = None
        self._recent: deque[tuple[float, Command]] = deque()  # when, and what the robot was told to do
        self._slow = np.zeros(2)  # [m/s] ahead and to the left, of wheels that change their speed as slowly as may be
        self._bad = False

    def command(self, linear: float, angular: float, now: float, lateral: float = 0.0) -> None:
        """A command arrived; one that is not finite counts as a stop."""
        command = linear, angular, lateral
        self._bad = not all(map(math.isfinite, command))
        self._command = (NOTHING if self._bad else command, now)

    def scan(self, scan: Scan, now: float) -> None:
        """A scan (in base_link) arrived."""
        self._scan = (scan, now)

    def stop(self) -> None:
        """Forgets everything: zero until new commands come."""
        self._command, self._scan = None, None

    def output(self, now: float) -> SafetyOutput:
        """The command to send now; call it at a fixed rate."""
        config = self.config
        elapsed = 0.0 if self._last_time is None else max(0.0, now - self._last_time)
        self._last_time = now
        change = np.array([self._last[0], self._last[2]]) - self._slow
        self._slow += np.clip(change, -elapsed * config.deceleration, elapsed * config.deceleration)
        if self._command is None or now - self._command[1] > config.command_timeout:
            return self._send(NOTHING, "" if self._last == NOTHING else "no command")
        if self._bad:
            return self._send(NOTHING, "command is not finite")
        wanted = self._command[0]
        sent = self._limit(wanted, elapsed)
        reason = "" if sent == wanted else "limit"
        if self._scan is None or now - self._scan[1] > config.scan_timeout:
            if config.require_scan and wanted != NOTHING:
                return self._send(NOTHING, "no scan")
        else:
            self._note(sent, now)
            fast, allowed = speed(sent), self._allowed_speed(self._scan[0], sent, wanted[1], now - self._scan[1])
            if fast > allowed:
                x, y = sent[0] / fast, sent[2] / fast
                sent, reason = (allowed * x, sent[1], allowed * y), "obstacle ahead"
        return self._send(sent, reason)

    def _send(self, command: Command, reason: str) -> SafetyOutput:
        self._last = command
        linear, angular, lateral = command
        return SafetyOutput(linear, angular, reason, lateral)

    def _limit(self, wanted: Command, elapsed: float) -> Command:
        """Clips to the greatest speeds and accelerations; slowing down is always allowed at once."""
        config, elapsed = self.config, min(elapsed, 0.1) or 0.05
        most = config.max_linear, config.max_angular, config.max_lateral
        steps = config.max_linear_acceleration, config.max_angular_acceleration, config.max_linear_acceleration
        clipped = (min(max(value, -limit), limit) for value, limit in zip(wanted, most, strict=True))
        return tuple(_ramp(last, to, elapsed * step) for last, to, step in zip(self._last, clipped, steps, strict=True))

    def _note(self, command: Command, now: float) -> None:
        self._recent.append((now, command))
        while now - self._recent[0][0] > self.config.turn_lag:
            self._recent.popleft()

    def _turns(self, wanted: float) -> Array:
        """Angular speeds (n,) [rad/s] at which the robot may be turning: its wheels follow commands late."""
        speeds = [wanted, *(command[1] for _, command in self._recent)]
        return np.linspace(min(speeds), max(speeds), 5 if min(speeds) < max(speeds) else 1)

    def _courses(self, command: Command, age: float) -> list[tuple[float, float]]:
        """Directions (unit vectors) in which the robot may be driving: that of the command, that of slow wheels, and
        between them, which are one line for a robot that never drives sideways. Such a robot may have turned since the
        scan, `age` [s] ago: what it is told then leads elsewhere among the points."""
        (x, y), (was_x, was_y) = (command[0], command[2]), self._slow.tolist()
        moves = [(x, y)]
        if y or was_y:
            moves += [((x + was_x) / 2, (y + was_y) / 2), (was_x, was_y)]
            turned = [before[1] * age for before in (self._recent[0][1], self._recent[-1][1])]
            moves += [(c * x - s * y, s * x + c * y) for c, s in ((math.cos(t), math.sin(t)) for t in turned)]
        lengths = [math.hypot(*move) for move in moves]
        return [(x / length, y / length) for (x, y), length in zip(moves, lengths, strict=True) if length >= LEAST]

    def _allowed_speed(self, scan: Scan, command: Command, wanted_turn: float, age: float) -> float:
        """Greatest speed [m/s] along the command from which the robot still stops short of everything on its arc."""
        config, fast, points = self.config, speed(command), scan_points(scan, 3.0)
        if fast < LEAST or not len(points):  # a turn on the spot, whose arc has no length
            return math.inf
        ways = [(course, turn / fast) for course in self._courses(command, age) for turn in self._turns(wanted_turn)]
        gap = min(self._free_arc(points, course, curvature) for course, curvature in ways)
        if not math.isfinite(gap):
            return math.inf
        # gap = v * reaction + v^2 / (2 * deceleration), solved for v.
        a, t = config.deceleration, config.reaction
        return max(0.0, -a * t + math.sqrt((a * t) ** 2 + 2 * a * max(0.0, gap)))

    def _free_arc(self, points: Array, course: tuple[float, float], curvature: float) -> float:
        """Length [m] of the arc that the disc can drive until it comes within a scan point's margin; inf if free.

        Args:
            points: (n, 2) [m] in base_link that must not be touched.
            course: unit vector in base_link along which the arc begins.
            curvature: of the arc, positive to the left [1/m].
        """
        config, lengths = self.config, np.arange(0.02, 1.0, 0.02)
        turn = curvature * lengths
        if abs(curvature) < 1e-3:
            along, across = lengths, np.zeros_like(lengths)
        else:
            along, across = np.sin(turn) / curvature, (1 - np.cos(turn)) / curvature
        x, y = course[0] * along - course[1] * across, course[1] * along + course[0] * across
        radius = config.robot_radius + config.margin
        distance = np.hypot(points[:, 0] - x[:, None], points[:, 1] - y[:, None])
        now = np.hypot(points[:, 0], points[:, 1])
        # A point that is already inside the margin stops only motion that brings it nearer.
        hit = (distance < np.minimum(radius, now - 0.005)).any(1)
        return float(lengths[np.argmax(hit)] - 0.02) if hit.any() else math.inf


def _ramp(last: float, wanted: float, step: float) -> float:
    """Moves from `last` towards `wanted` by at most `step` where that means faster; slowing down is immediate."""
    if wanted * last < 0:
        last = 0.0
    if abs(wanted) <= abs(last):
        return wanted
    return last + min(max(wanted - last, -step), step)
