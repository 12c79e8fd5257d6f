"""The clock that nothing can turn or stop, for watchdogs; and what counts as the other one being turned back."""

from __future__ import annotations

from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
BACKWARD = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-0.1), on_clock_change=False)
