"""Zones of a round robot, asked with readings at given points."""

from __future__ import annotations

from typing import Any

import numpy as np

from ami_ros.safety.config import Footprint, SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.observations import Readings
from ami_ros.safety.output import SafetyOutput
from ami_ros.safety.zones import Zone, Zones
from harness.scans import NOTHING, scan_of_points

CONFIG = SafetyConfig()
DISC = Footprint(CONFIG)
SQUARE = "[[0.5, 0.5], [0.5, -0.5], [-0.5, -0.5], [-0.5, 0.5]]"


def share(zones: dict[str, Zone], command: tuple[float, ...], points: Any) -> tuple[float, str]:
    """What is left of a command with one reading at each of `points`."""
    points = np.array(points, dtype=np.float64).reshape(-1, 2)
    return Zones(zones, DISC).share(command, Readings(points, np.full(len(points), "scan")))


def settled(gate: SafetyGate, points: list[tuple[float, float]], command: tuple[float, float]) -> SafetyOutput:
    """What the gate sends once a command has been asked for for a while, with something at `points`."""
    for k in range(30):
        gate.command(*command, 0.1 * k)
        gate.scan(scan_of_points(np.array(points)) if points else NOTHING, 0.1 * k)
        output = gate.output(0.1 * k)
    return output
