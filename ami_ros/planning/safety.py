"""The last word on every command: an intrinsic, immutable cost that is never learned."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array
from ami_ros.planning.scan_geometry import scan_points
from ami_ros.scan import Scan


@dataclass(frozen=True)
class SafetyConfig:
    """Limits of the robot and of what is trusted."""

    max_linear: float = 0.5  # [m/s] either way
    max_angular: float = 1.8  # [rad/s] either way
    max_linear_acceleration: float = 1.0  # [m/s^2]; braking is not limited
    max_angular_acceleration: float = 5.0  # [rad/s^2]
    command_timeout: float = 0.3  # [s] of age, from which a command is late and the robot stands
    scan_timeout: float = 0.6  # [s] of age, from which a scan shows nothing any more
    require_scan: bool = True  # without a fresh scan the robot stands
    robot_radius: float = 0.18  # [m] of the smallest circle around base_link that holds the robot
    margin: float = 0.03  # [m] kept free beyond the radius
    reaction: float = 0.25  # [s] from a scan to the wheels' answer
    deceleration: float = 0.8  # [m/s^2] that the robot surely reaches
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


class SafetyGate:
    """Passes commands on, slowed or stopped where they could do harm.

    Times are of any one monotonic clock [s]; ages are what matters. The promise: no command is passed that is
    late, not finite or beyond the limits, and translation is slowed so that the robot can stop before it
    touches anything in the newest scan. Turning on the spot is always allowed: the robot is a disc.
    """

    def __init__(self, config: SafetyConfig) -> None:
        self.config = config
        self._command: tuple[float, float, float] | None = None  # linear, angular, received
        self._scan: tuple[Scan, float] | None = None
        self._last = (0.0, 0.0)
        self._last_time: float | None = None
        self._turned: deque[tuple[float, float]] = deque()  # when, and how fast [rad/s] the robot was told to turn
        self._bad = False

    def command(self, linear: float, angular: float, now: float) -> None:
        """A command arrived; one that is not finite counts as a stop."""
        self._bad = not (math.isfinite(linear) and math.isfinite(angular))
        self._command = (0.0, 0.0, now) if self._bad else (linear, angular, now)

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
        if self._command is None or now - self._command[2] > config.command_timeout:
            return self._send(0.0, 0.0, "" if self._last == (0.0, 0.0) else "no command")
        if self._bad:
            return self._send(0.0, 0.0, "command is not finite")
        wanted = self._command[:2]
        linear, angular = self._limit(*wanted, elapsed)
        reason = "" if (linear, angular) == wanted else "limit"
        if self._scan is None or now - self._scan[1] > config.scan_timeout:
            if config.require_scan and wanted != (0.0, 0.0):
                return self._send(0.0, 0.0, "no scan")
        else:
            scan = self._scan[0]
            allowed = min(self._allowed_speed(scan, linear, turn) for turn in self._turns(wanted[1], angular, now))
            if abs(linear) > allowed:
                linear, reason = math.copysign(allowed, linear), "obstacle ahead"
        return self._send(linear, angular, reason)

    def _send(self, linear: float, angular: float, reason: str) -> SafetyOutput:
        self._last = (linear, angular)
        return SafetyOutput(linear, angular, reason)

    def _limit(self, linear: float, angular: float, elapsed: float) -> tuple[float, float]:
        """Clips to the greatest speeds and accelerations; slowing down is always allowed at once."""
        config = self.config
        linear = min(max(linear, -config.max_linear), config.max_linear)
        angular = min(max(angular, -config.max_angular), config.max_angular)
        elapsed = min(elapsed, 0.1) or 0.05
        return (
            _ramp(self._last[0], linear, config.max_linear_acceleration * elapsed),
            _ramp(self._last[1], angular, config.max_angular_acceleration * elapsed),
        )

    def _turns(self, wanted: float, angular: float, now: float) -> Array:
        """Angular speeds (n,) [rad/s] at which the robot may be turning: its wheels follow commands late."""
        self._turned.append((now, angular))
        while now - self._turned[0][0] > self.config.turn_lag:
            self._turned.popleft()
        speeds = [wanted, *(speed for _, speed in self._turned)]
        return np.linspace(min(speeds), max(speeds), 5 if min(speeds) < max(speeds) else 1)

    def _allowed_speed(self, scan: Scan, linear: float, angular: float) -> float:
        """Greatest linear speed [m/s] from which the robot still stops short of everything on its arc."""
        config = self.config
        if abs(linear) < 1e-6:  # a turn on the spot, whose arc has no length
            return abs(linear)
        gap = self._free_arc(scan, linear, angular)
        if not math.isfinite(gap):
            return math.inf
        # gap = v * reaction + v^2 / (2 * deceleration), solved for v.
        a, t = config.deceleration, config.reaction
        return max(0.0, -a * t + math.sqrt((a * t) ** 2 + 2 * a * max(0.0, gap)))

    def _free_arc(self, scan: Scan, linear: float, angular: float) -> float:
        """Length [m] of the arc that the disc can drive until it comes within a scan point's margin; inf if free."""
        config = self.config
        points = scan_points(scan, 3.0)
        if not len(points):
            return math.inf
        lengths = np.arange(0.02, 1.0, 0.02)
        curvature = angular / linear
        turn = curvature * lengths * math.copysign(1.0, linear)
        signed = math.copysign(1.0, linear) * lengths
        if abs(curvature) < 1e-3:
            x, y = signed, np.zeros_like(signed)
        else:
            x, y = np.sin(turn) / curvature, (1 - np.cos(turn)) / curvature
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
