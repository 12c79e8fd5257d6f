"""How much faster than the last command the next one may be."""

from __future__ import annotations

import math

from ami_ros.commands import Command
from ami_ros.safety.config import SafetyConfig

LONGEST = 0.1  # [s] that one output may speed up for: after a pause nobody knows what the wheels do
FIRST = 0.05  # [s] likewise of the first output, before which the robot stood


class Acceleration:
    """Lets commands grow by the greatest acceleration times the time that really passed.

    Time that is counted once is never counted again: not when several outputs fall on one stamp, and not when the clock
    goes back a little and on again. A real robot accelerates in steady time, so the node's clock may not run ahead of
    that; a simulated robot lives in the node's clock alone.

    Args:
        simulated: the node's clock is the only time that the robot knows.
    """

    def __init__(self, simulated: bool = False) -> None:
        self._simulated = simulated
        self._counted: tuple[float, float] | None = None  # up to which time is counted, on both clocks [s]

    def begin_again(self, now: float) -> None:
        """The clock was set: from here on it counts anew."""
        if self._counted is not None:
            self._counted = now, self._counted[1]

    def passed(self, now: float, steady: float) -> float:
        """Time [s] since the last call that speeding up may use; `steady` is 0 where nobody tells it."""
        if self._counted is None:
            self._counted = now, steady
            return FIRST
        before, steady_before = self._counted
        self._counted = max(now, before), max(steady, steady_before)
        clocks = [now - before, LONGEST]
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
