"""What the mission node hears, as moments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_interfaces.msg import Location as LocationMessage
from ami_interfaces.msg import Surprise
from ami_ros.places.types import Location
from ami_ros.ros.messages.conversions import header_at
from ami_ros.ros.messages.memory import location_to_message
from ami_ros.ros.messages.range_sensors import scan_from_message
from ami_ros.ros.mission_inputs import MissionInputs

ENCODER = "onboard@1"


def location_at(stamp: float, localised: bool = True) -> LocationMessage:
    pose = np.array([2.0, 1.0, 0.0])
    location = Location(stamp, pose, pose, 0.9, 0.0, localised, place_id=7)
    return location_to_message(location, header_at(stamp, "map"), ENCODER)


def surprise_at(stamp: float, uncertainty: float = 0.4, model: str = ENCODER) -> Surprise:
    header = header_at(stamp, "base_link")
    return Surprise(header=header, encoder_id=model, surprise=0.5, baseline=0.2, uncertainty=uncertainty)


def test_the_models_doubt_is_noted_at_the_place_where_the_robot_is() -> None:
    inputs = MissionInputs(scan_from_message)
    inputs.take_location(location_at(1.0))
    for step in range(20):
        inputs.take_surprise(surprise_at(1.0 + 0.02 * step))
    doubts = inputs.now(1.5).doubts
    assert doubts is not None and doubts.doubtful(1.5)[0].tolist() == [7]
    assert 1.5 < doubts.near(np.array([[2.0, 1.0]]))[0] < 2.0  # 0.4 expected, 0.2 are usual
    inputs.clear()
    assert inputs.now(2.0).doubts is doubts  # what one task met, the next may look into


@pytest.mark.parametrize("reading", [surprise_at(9.0), surprise_at(1.0, model="another")], ids=["late", "foreign"])
def test_doubt_of_another_time_or_of_another_model_is_not(reading: Surprise) -> None:
    inputs = MissionInputs(scan_from_message)
    inputs.take_surprise(surprise_at(1.0))  # before it is known where the robot is
    inputs.take_location(location_at(1.0))
    inputs.take_surprise(reading)
    assert not len(inputs.doubts) and not inputs.doubts.silent


def test_where_the_robot_is_lost_nothing_is_noted() -> None:
    inputs = MissionInputs(scan_from_message)
    inputs.take_location(location_at(1.0, localised=False))
    inputs.take_surprise(surprise_at(1.0))
    assert not len(inputs.doubts)


def test_a_model_that_does_not_know_what_it_is_unsure_of_is_noticed() -> None:
    inputs = MissionInputs(scan_from_message)
    inputs.take_location(location_at(1.0))
    inputs.take_surprise(surprise_at(1.0, uncertainty=math.nan))
    assert inputs.doubts.silent
