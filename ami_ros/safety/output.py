"""What the safety gate sends, and why: each reason belongs to a guarantee of docs/safety.md; how fast it may grow."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ami_ros.core.commands import Command
from ami_ros.safety.config import SafetyConfig

BLIND = 5  # the guarantee that it stands without usable scans
BY_SCANS = "3, 4, 5, 6, 9"  # guarantees that hold as far as scans are right; those that are guessed may not be
STOPPED = "emergency stop"
# Why a command was changed, up to a colon, and which guarantee of docs/safety.md acted.
REASONS = {
    "limit": 1,
    "command is not finite": 1,
    "no command": 2,
    "clock stands still": 2,
    "obstacle ahead": 3,
    "too much to look at": 3,
    "unseen ahead": 4,
    "no scan": BLIND,
    "scan without a reading": BLIND,
    "scan without what stood there": BLIND,
    "no data": BLIND,
    "moving thing ahead": 6,
    STOPPED: 7,
    "a node is missing": 8,
    "zone": 9,
    "keep-out": 10,
}


@dataclass(frozen=True)
class SafetyOutput:
    """What is sent to the robot."""

    linear: float  # [m/s]
    angular: float  # [rad/s]
    reason: str  # why it differs from the request; "" if it does not
    lateral: float = 0.0  # [m/s]

    @property
    def command(self) -> Command:
        """All three numbers, see `ami_ros.core.commands`."""
        return self.linear, self.angular, self.lateral

    @property
    def guarantee(self) -> int:
        """Which guarantee of docs/safety.md acted; 0: none."""
        return REASONS.get(self.reason.partition(":")[0], 0)

    @property
    def zone(self) -> tuple[str, str]:
        """Name and action_type of the zone that acted; "" each if none did."""
        if not self.reason.startswith("zone: "):
            return "", ""
        name, _, action = self.reason.removeprefix("zone: ").rpartition(", ")
        return name, action


class Acceleration:
    """Lets commands grow by the greatest acceleration times the time that really passed.

    Time that is counted once is never counted again: not when several outputs fall on one stamp, and not when the clock
    goes back a little and on again. A real robot accelerates in steady time, so the node's clock may not run ahead of
    that; a simulated robot lives in the node's clock alone.

    Args:
        simulated: the node's clock is the only time that the robot knows.
        longest: [s] that one output may speed up for: after a pause nobody knows what the wheels do.
        first: [s] likewise of the first output, before which the robot stood.
    """

    def __init__(self, simulated: bool = False, longest: float = 0.1, first: float = 0.05) -> None:
        self._simulated, self._longest, self._first = simulated, longest, first
        self._counted: tuple[float, float] | None = None  # up to which time is counted, on both clocks [s]

    def begin_again(self, now: float) -> None:
        """The clock was set: from here on it counts anew."""
        if self._counted is not None:
            self._counted = now, self._counted[1]

    def passed(self, now: float, steady: float) -> float:
        """Time [s] since the last call that speeding up may use; `steady` is 0 where nobody tells it."""
        if self._counted is None:
            self._counted = now, steady
            return self._first
        before, steady_before = self._counted
        self._counted = max(now, before), max(steady, steady_before)
        clocks = [now - before, self._longest]
        if steady and not self._simulated:
            clocks.append(steady - steady_before)
        return max(0.0, min(clocks))

    @staticmethod
    def limit(last: Command, wanted: Command, passed: float, config: SafetyConfig) -> Command:
        """`wanted` as far as it can be reached from `last` in `passed` [s]; slowing down is always possible at once."""
        linear, angular = config.max_linear_acceleration, config.max_angular_acceleration
        steps = linear * passed, angular * passed, linear * passed
        return tuple(_towards(a, b, step) for a, b, step in zip(last, wanted, steps, strict=True))


def _towards(last: float, wanted: float, step: float) -> float:
    """From `last` towards `wanted`, by at most `step` where that means faster."""
    if wanted * last < 0:
        last = 0.0
    if abs(wanted) <= abs(last):
        return wanted
    return last + math.copysign(min(abs(wanted - last), step), wanted)
