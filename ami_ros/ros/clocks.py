"""Steady time for watchdogs, and what counts as the node's clock going backwards."""

from __future__ import annotations

from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
BACKWARD = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-0.1), on_clock_change=False)
