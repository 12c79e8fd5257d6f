"""What tests of the gate share."""

from __future__ import annotations

import numpy as np

from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.obstruction import Track
from ami_ros.safety.output import SafetyOutput
from harness.scans import NOTHING

BODY = 0.25  # [m], radius of a person


def person(x: float, y: float, vx: float = 0.0, vy: float = 0.0, **doubt: float) -> Track:
    """Somebody at (x, y) [m] who walks with (vx, vy) [m/s], in the robot's frame."""
    return Track(np.array([x, y]), np.array([vx, vy]), BODY, **doubt)


def driving(gate: SafetyGate, now: float, steady: float = 0.0) -> SafetyOutput:
    """What is sent at a moment at which all that it needs has come."""
    gate.scan(NOTHING, now, steady=steady)
    gate.command(0.3, 0.0, now, steady=steady)
    return gate.output(now, steady)
