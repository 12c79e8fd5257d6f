"""A loopback robot whose latents are exact, and what drives it."""

from __future__ import annotations

import pytest

from ami_ros.memory.types import Location
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.types import Percept
from ami_ros.simulation.loopback import Loopback
from harness.exact_model import ExactModel, latent_of
from harness.scans import NOTHING, robot_at, room_with_box, scan_of_points

__all__ = ["NOTHING", "robot_at", "room_with_box", "scan_of_points"]

PERIOD = 0.2  # of the model [s]
UNHURRIED = PlannerConfig(deadline=60.0)  # the machine may be busy; how long a search takes is not tested here


def percept_of(robot: Loopback, location: Location | None = None, stamp: float | None = None) -> Percept:
    """What the navigator sees of the robot now."""
    seen = robot.observe()
    latent = latent_of(robot.ground_truth().pose)
    return Percept(robot.time if stamp is None else stamp, latent, seen.odometry, seen.velocity, seen.scan, location)


@pytest.fixture(scope="session")
def model() -> ExactModel:
    return ExactModel()
