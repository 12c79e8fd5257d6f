"""What the part mission takes, as moments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.behaviour.mission_file import MissionFile
from ami_ros.memory.types import Location
from ami_ros.planning.types import Reading
from ami_ros.runtime.mission import MissionPart
from ami_ros.runtime.simulated_bus import LocalGoals, LocalLegs, SimulatedBus, Timing


@pytest.fixture
def mission() -> MissionPart:
    """One that nobody gives a task."""
    bus = SimulatedBus(Timing.none(), now=1.0)
    legs = LocalLegs(bus, LocalGoals(bus), lambda leg: None)  # type: ignore[arg-type,return-value]
    return MissionPart(bus.seat("mission"), legs, MissionFile(None), 3.0, math.inf, math.inf)


def locate(mission: MissionPart, stamp: float, localised: bool = True) -> None:
    pose = np.array([2.0, 1.0, 0.0])
    mission.on_location(stamp, Location(stamp, pose, pose, 0.9, 0.0, localised, place_id=7))


def surprise(mission: MissionPart, stamp: float, expected: float = 0.4) -> None:
    mission.on_surprise(stamp, Reading(stamp, 0.0, False, 0.5, expected, 0.2))


def test_the_models_doubt_is_noted_at_the_place_where_the_robot_is(mission: MissionPart) -> None:
    locate(mission, 1.0)
    for step in range(20):
        surprise(mission, 1.0 + 0.02 * step)
    doubts = mission.world().doubts
    assert doubts is not None and doubts.doubtful(1.5)[0].tolist() == [7]
    assert 1.5 < doubts.near(np.array([[2.0, 1.0]]))[0] < 2.0  # 0.4 expected, 0.2 are usual
    mission.restart()
    assert mission.world().doubts is doubts  # what one task met, the next may look into


def test_doubt_of_another_time_is_not(mission: MissionPart) -> None:
    surprise(mission, 1.0)  # before it is known where the robot is
    locate(mission, 1.0)
    surprise(mission, 9.0)
    assert not len(mission.doubts) and not mission.doubts.silent


def test_where_the_robot_is_lost_nothing_is_noted(mission: MissionPart) -> None:
    locate(mission, 1.0, localised=False)
    surprise(mission, 1.0)
    assert not len(mission.doubts)


def test_a_model_that_does_not_know_what_it_is_unsure_of_is_noticed(mission: MissionPart) -> None:
    locate(mission, 1.0)
    surprise(mission, 1.0, expected=math.nan)
    assert mission.doubts.silent


def test_what_is_too_old_is_missing(mission: MissionPart) -> None:
    locate(mission, -0.5)
    assert mission.world().location is None
    locate(mission, 0.5)
    assert mission.world().location is not None
